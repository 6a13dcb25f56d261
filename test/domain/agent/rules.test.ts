import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { saveAgentSettings } from '../../../src/domain/agent/index.ts'
import { readDate } from '../../../src/domain/agent/rules/times.ts'
import { listAppointments } from '../../../src/domain/appointments/index.ts'
import { updateBusiness } from '../../../src/domain/businesses/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { listLeads } from '../../../src/domain/leads/index.ts'
import { saveBusinessText } from '../../../src/domain/receptionist/index.ts'
import { type TestAgent, testAgent } from '../../support/agent.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
let ctx: BusinessContext
let agent: TestAgent
let next = 0
const newPhone = () => `+97250123${String(1000 + next++)}`

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
  agent = testAgent(domain, ctx)
  const always = [['00:00', '24:00']] as [string, string][]
  await updateBusiness(ctx, {
    name: 'Acme',
    hours: { sun: always, mon: always, tue: always, wed: always, thu: [['09:00', '17:00']] },
  })
  await saveAgentSettings(ctx, { enabled: true, handoverTopics: ['refund', 'החזר כספי'] })
  for (const [title, body] of [
    ['מחירון', 'ביקור טכנאי עולה 250 ש״ח כולל מע״מ. בלילה תוספת של 150 ש״ח.'],
    ['כתובת', 'אנחנו ברחוב הרצל 12, ראשון לציון, קומה 2.'],
    ['Prices', 'A visit costs 250 NIS including VAT. At night 150 NIS are added.'],
    ['Address', 'We are at 12 Herzl street, Rishon LeZion, second floor.'],
    ['Warranty', 'Every repair has a warranty of 12 months.'],
  ] as const)
    await saveBusinessText(ctx, { title, body })
})
afterAll(() => domain.close())

/** What is answered to lines of one person, one after the other. */
async function talk(...lines: string[]): Promise<{ phone: string; answers: string[] }> {
  const phone = newPhone()
  const answers: string[] = []
  for (const line of lines) {
    await agent.say(phone, line)
    await agent.run()
    answers.push(await agent.lastTo(phone))
    await agent.pass(phone)
  }
  return { phone, answers }
}

describe('what the rules answer', () => {
  test.each([
    ['שלום', /העוזר האוטומטי של Acme.*\n.*לעזור/s],
    ['hello', /automatic assistant of Acme.*\n.*help/s],
    ['כמה עולה ביקור?', /250 ש״ח/],
    ['how much is a visit?', /250 NIS/],
    ['איפה אתם נמצאים?', /הרצל 12/],
    ['where are you located?', /12 Herzl/],
    ['מה שעות הפתיחה?', /יום חמישי: 09:00-17:00/],
    ['when are you open?', /Thursday: 09:00-17:00/],
    ['is there a warranty on repairs?', /12 months/],
    ['אתה רובוט?', /כן, זה מענה אוטומטי/],
    ['are you a robot?', /Yes, this is the automatic assistant/],
    ['סליחה, טעות במספר', /אין בעיה/],
    ['תודה רבה!', /בשמחה/],
  ])('%s', async (line, expected) => {
    const { answers } = await talk(line)
    expect(answers[0]).toMatch(expected)
  })

  test('each question of a message is answered, once, and what has no answer is for the team', async () => {
    const { answers } = await talk(
      'שלום\nמתי אתם פתוחים?\nואיפה אתם נמצאים?',
      'כמה עולה ביקור? איפה אתם נמצאים? מה המחיר של ביקור?',
      'when are you open? and do you repair violins?',
      'where are you located?'.repeat(9),
    )
    expect(answers[0]).toMatch(/יום חמישי: 09:00-17:00[\s\S]*הרצל 12/)
    expect(answers[1]).toMatch(/250 ש״ח[\s\S]*הרצל 12/)
    expect(answers[1]?.match(/250/g)).toHaveLength(1)
    expect(answers[2]).toMatch(/Thursday: 09:00-17:00[\s\S]*noted for the team/)
    // So many are not all looked up, and none is dropped.
    expect(answers[3]).toMatch(/12 Herzl[\s\S]*noted for the team/)
    for (const answer of answers.slice(0, 2)) expect(answer).not.toMatch(/השאר/)
  })

  test.each([
    ['אני רוצה לדבר עם נציג', 'asked'],
    ['can I talk to a person please', 'asked'],
    ['זו בושה, נמאס לי מכם', 'angry'],
    ['this is unacceptable, I will call my lawyer', 'angry'],
    ['I want a refund', 'refund'],
    ['מגיע לי החזר כספי', 'החזר כספי'],
  ])('%s is handed over, once', async (line, reason) => {
    const { phone, answers } = await talk(line)
    expect(answers[0]).toMatch(/צוות|team/)
    expect(await agent.lastRun(phone)).toMatchObject({ outcome: 'answered', reason })
    // A person has it now.
    await agent.say(phone, 'hello? anybody?')
    expect(await agent.run()).toEqual(['silent'])
    expect(await agent.sentTo(phone)).toHaveLength(1)
    const alerts = await domain.handle
      .sql`select entity_id from events where type = 'agent.handover' and data->>'reason' = ${reason}`
    expect(alerts.length).toBeGreaterThan(0)
  })

  test('what it does not know it says, notes as a gap, and hands over the second time', async () => {
    const { phone, answers } = await talk('Do you sell elephants?', 'And do you have zebras?')
    expect(answers[0]).toMatch(/do not have an answer/)
    expect((await agent.lastRun(phone)).gaps).toEqual(['And do you have zebras?'])
    expect(answers[1]).toMatch(/team/)
    expect(await agent.lastRun(phone)).toMatchObject({ reason: 'unsure' })
  })

  test('an inquiry becomes one lead with name and time', async () => {
    const { phone, answers } = await talk('יש לי נזילה בתקרה של המקלחת', 'דנה כהן', 'מחר אחרי ארבע')
    expect(answers[0]).toMatch(/ההודעה נרשמה.*\n.*מה השם/s)
    expect(answers[1]).toMatch(/מתי נוח/)
    expect(answers[2]).toMatch(/נרשמו/)
    const { items } = await listLeads(ctx, { limit: 50 })
    const mine = items.filter((lead) => lead.phone === phone)
    expect(mine).toMatchObject([
      { name: 'דנה כהן', inquiry: 'יש לי נזילה בתקרה של המקלחת', callbackTime: 'מחר אחרי ארבע', source: 'whatsapp' },
    ])
  })
})

test('a day is read with the letters that stand before it', () => {
  const read = (text: string) => readDate(text, '2026-11-29')
  expect(['אפשר למחרתיים?', 'בעוד יומיים', 'ולמחר?', 'ממחר', 'להיום', 'לראשון', 'למחרת'].map(read)).toEqual([
    ...['2026-12-01', '2026-12-01', '2026-11-30', '2026-11-30', '2026-11-29', '2026-12-06', null],
  ])
  // A city, not a Sunday.
  expect(['דירה בראשון לציון', 'ראשון לציון', 'ביום ראשון בראשון לציון'].map(read)).toEqual([null, null, '2026-12-06'])
})

describe.each([
  [
    'en',
    'I want to book an appointment for the day after tomorrow',
    '1',
    'please cancel my appointment',
    'yes',
    /booked/,
    /cancelled/,
  ],
  ['he', 'אפשר לקבוע תור למחרתיים?', '1', 'אני רוצה לבטל את התור', 'כן', /נקבע תור/, /בוטל/],
] as const)('appointments in %s', (_, ask, choose, cancel, yes, booked, cancelled) => {
  test('are offered, booked, and cancelled after a question', async () => {
    const { phone, answers } = await talk(ask, choose, cancel, yes)
    expect(answers[0]).toMatch(/1\. .*\n2\. .*\n3\. /s)
    expect(answers[1]).toMatch(booked)
    expect(answers[2]).toMatch(/\?/)
    expect(answers[3]).toMatch(cancelled)
    const { items } = await listAppointments(ctx, { limit: 50 })
    expect(items.filter((each) => each.phone === phone)).toEqual([])
    const states = await domain.handle
      .sql`select state, source from appointments join contacts on contacts.id = contact_id where phone = ${phone}`
    expect([...states]).toEqual([{ state: 'cancelled', source: 'whatsapp' }])
  })
})

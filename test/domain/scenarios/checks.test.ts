import { expect, test } from 'bun:test'
import { checkFinally, checkReply, fits, type Reply } from '../../../src/domain/scenarios/checks.ts'
import { anonymize, scenarioFromPast } from '../../../src/domain/scenarios/from-past.ts'
import { readScenarios } from '../../../src/domain/scenarios/index.ts'
import type { Observed } from '../../../src/domain/scenarios/observe.ts'
import type { Expectation } from '../../../src/domain/scenarios/schema.ts'

const reply = (text: string, more: Partial<Reply> = {}): Reply => ({
  ...{ texts: text === '' ? [] : [text], tools: [], handover: false, agent: 'on', ms: 100 },
  ...more,
})
const booked = {
  name: 'book_appointment',
  input: { date: '2026-12-02', time: '08:30' },
  output: { ok: true, date: '2026-12-02', time: '08:30' },
}
const range = (min: number, max = min) => ({ min, max })

const CASES: [string, Expectation, Reply][] = [
  ['too few replies', { replies: range(1) }, reply('')],
  ['too many replies', { replies: range(0) }, reply('שלום')],
  ['a missing text', { says: [{ any: ['250', '350'] }] }, reply('120')],
  ['one of all missing', { says: [{ all: ['250', '150'] }] }, reply('250')],
  ['a forbidden text', { never: { says: ['/בדרך/'] } }, reply('הטכנאי בדרך')],
  ['a telephone number', { never: { phones: 'any' } }, reply('אפשר בטלפון 050-123 4567')],
  ['a forbidden tool', { never: { tools: ['book_appointment'] } }, reply('כן', { tools: [booked] })],
  ['a tool that was not called', { tools: [{ name: 'save_lead', args: {}, times: range(1, 9) }] }, reply('כן')],
  [
    'another argument',
    { tools: [{ name: 'book_appointment', args: { time: '09:00' }, times: range(1) }] },
    reply('כן', { tools: [booked] }),
  ],
  ['an amount from nowhere', { amounts: 'backed' }, reply('זה עולה 999 ש״ח')],
  ['a booking from nowhere', { claims: 'backed' }, reply('קבעתי לך תור')],
  ['another language', { language: 'he' }, reply('Hello there')],
  ['no handover', { handover: true }, reply('שלום')],
  ['an agent that is not paused', { conversation: { agent: 'paused' } }, reply('שלום')],
]

test.each(CASES)('%s fails', (_, expected, came) => {
  const facts = { known: ['ביקור עולה 250 ש״ח'], sent: [], before: [], tools: came.tools }
  expect(checkReply(expected, came, facts, undefined)).toHaveLength(1)
})

test('what fits passes, with points, case and quotes ignored, and time is bounded', () => {
  const came = reply('נִקְבַּע תּוֹר: 02.12.2026 08:30. Price 250 ש״ח', { tools: [booked], handover: true, agent: 'paused' })
  const facts = { known: ['ביקור עולה 250 ש״ח'], sent: [], before: [], tools: [booked] }
  const expected: Expectation = {
    ...{
      replies: range(1),
      says: [{ all: ['נקבע תור', 'price 250 ש"ח'] }],
      never: { says: ['999'], tools: ['cancel_appointment'] },
    },
    ...{
      tools: [{ name: 'book_appointment', args: { time: '/^08/' }, times: range(1) }],
      amounts: 'backed',
      claims: 'backed',
    },
    ...{ language: 'he', handover: true, conversation: { agent: 'paused' } },
  }
  expect(checkReply(expected, came, facts, 200)).toEqual([])
  expect(checkReply(expected, came, facts, 50)).toHaveLength(1)
  expect(fits('יום ג׳', "ג'")).toBe(true)
})

test('rows are compared with what is there, each once; null is none', () => {
  const observed: Observed = {
    ...{ contact: null, gaps: [], calls: [], messages: [], runs: [], agent: 'on' },
    leads: [{ name: 'דנה', inquiry: 'נזילה' }],
    appointments: [{ date: '2026-12-03', time: '10:00' }],
  }
  const play = {
    channel: 'chat' as const,
    replies: [],
    observed,
    now: new Date('2026-12-01T10:00:00Z'),
    timeZone: 'Asia/Jerusalem',
  }
  const failures = (db: NonNullable<Parameters<typeof checkFinally>[0]['db']>) => checkFinally({ db }, play).length
  expect(
    failures({ leads: [{ name: 'דנה', inquiry: '/נזיל/' }], appointments: [{ date: 'today+2' }], gaps: null }),
  ).toBe(0)
  expect(failures({ leads: [{ name: 'דנה' }, { name: 'דנה' }] })).toBe(1)
  expect(failures({ leads: null, appointments: [] })).toBe(2)
  expect(failures({ leads: [{ name: null }], appointments: [{ date: 'today+3' }] })).toBe(2)
})

test('a conversation of the past becomes a scenario without the people in it', () => {
  const names = ['רונית אברהמי', 'Dan Levi']
  const lines = [
    {
      who: 'customer' as const,
      text: 'היי, כאן רונית אברהמי, ולרונית יש נזילה ברחוב הרצל 12, טלפון 052-765 4321',
      at: 0,
    },
    { who: 'customer' as const, text: 'ronit.a@mail.example.com ת.ז 123456782, כרטיס 4580 4580 4580 4580', at: 2_000 },
    { who: 'agent' as const, text: 'מתי נוח?', at: 4_000 },
    { who: 'customer' as const, text: 'tomorrow, ask for Dan', at: 60_000 },
    { who: 'agent' as const, text: 'Noted.', at: 61_000 },
    { who: 'person' as const, text: 'היי רונית, כאן יוסי', at: 90_000 },
    { who: 'customer' as const, text: 'תודה', at: 95_000 },
  ]
  const yaml = scenarioFromPast({
    ...{
      id: '01a203ae-73bc-74cc-8959-8439a1df5b93',
      kind: 'conversation',
      preset: 'plumber',
      language: 'he',
      names,
      lines,
    },
    knowledge: [{ title: 'מחיר', body: 'ביקור עולה 250 ש״ח.' }],
  })
  for (const secret of ['רונית', 'אברהמי', 'Dan', '765', 'mail.example', '123456782', '4580', 'הרצל'])
    expect(yaml).not.toContain(secret)
  const [made] = readScenarios(yaml, 'made.yaml')
  expect(made?.script.map(({ send, human }) => send?.length ?? human?.from ?? 0)).toEqual([2, 1, 'console', 1])
  expect(made?.script[0]?.expect).toMatchObject({ replies: { min: 1, max: 1 }, language: 'he', claims: 'backed' })
  expect(anonymize('דני בא ב-10:30 ומשלם 1,250 ש״ח ב-02.12.2026', ['דן'], 'he')).toBe(
    'דני בא ב-10:30 ומשלם 1,250 ש״ח ב-02.12.2026',
  )
})

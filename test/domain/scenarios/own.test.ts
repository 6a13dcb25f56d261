import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Respond, respondByRules } from '../../../src/domain/agent/index.ts'
import { type BusinessContext, within } from '../../../src/domain/context.ts'
import { saveBusinessText } from '../../../src/domain/receptionist/index.ts'
import { performScenarioRun } from '../../../src/domain/scenarios/index.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'

let api: TestApi
let ctx: BusinessContext
let owner: ReturnType<TestApi['as']>

beforeAll(async () => {
  api = await createTestApi()
  const businessId = await api.addBusiness('מספרת דנה')
  ctx = within(api.ctx, businessId)
  owner = api.as({}, { businessId })
  const day: [string, string][] = [['00:00', '24:00']]
  await owner.businesses.update({ hours: { sun: day, mon: day, tue: day, wed: day, thu: day, fri: day, sat: day } })
  await owner.booking.saveService({ nameHe: 'תספורת', nameEn: 'Haircut', minutes: 30 })
  await saveBusinessText(ctx, { title: 'מחיר תספורת', body: 'תספורת עולה 120 ש״ח.' })
})
afterAll(() => api.close())

const PRICE = `name: price
channels: [chat]
given: {}
script: [{send: כמה עולה תספורת?, expect: {replies: 1, says: ["150"], amounts: backed}}]
`
const BOOKING = `name: booking
channels: [chat, whatsapp]
given: {contact: {name: משה, appointments: [{date: today+3, time: "10:00"}]}}
script:
  - {send: אפשר לקבוע תור למחר בשעה 14:00?, expect: {says: [נקבע תור], tools: [{name: book_appointment}], claims: backed}}
finally: {db: {appointments: [{date: today+1, time: "14:00"}, {date: today+3, time: "10:00"}]}}
`

const respond: Respond = (bound, situation, _, now) => respondByRules(bound, situation, now)

/** Does what the worker would with the jobs that were asked for. */
async function work(by: Respond = respond): Promise<void> {
  for (const { name, payload } of api.jobs.splice(0))
    if (name === 'scenario.run' && 'runId' in payload)
      await performScenarioRun(ctx, payload.runId, { respond: by, hasModel: async () => false, judge: async () => [] })
}

async function rows() {
  const [row] = await api.database.sql`select (select count(*)::int from contacts) as contacts,
    (select count(*)::int from leads) as leads, (select count(*)::int from appointments) as appointments,
    (select count(*)::int from agent_runs) as runs, (select count(*)::int from conversations) as conversations,
    (select count(*)::int from knowledge_gaps) as gaps, (select count(*)::int from receptionist_profiles) as versions`
  return { ...row }
}

const change = async (body: string) =>
  (
    await owner.receptionist.saveDraft({
      revision: (await owner.receptionist.draft()).revision,
      saveTexts: [{ title: 'מחיר תספורת', body }],
    })
  ).revision

test('a scenario that is not of this business is refused with its path', async () => {
  for (const [source, path] of [
    [PRICE.replace('given: {}', 'given: {business: {preset: salon}}'), 'given.business'],
    [PRICE.replace('[chat]', '[voice]'), 'channels'],
    [PRICE.replace('given: {}', 'given: {contact: {phone: "+972501234567"}}'), 'given.contact.phone'],
    [PRICE.replace('send', 'sent'), 'script'],
  ] as const)
    await expect(owner.scenarios.save({ source })).rejects.toMatchObject({
      cause: { code: 'invalid_scenario', message: expect.stringContaining(path) },
    })
})

test('a new version waits for its scenarios where the business wants it, and a play leaves nothing behind', async () => {
  await owner.scenarios.save({ source: PRICE })
  await owner.scenarios.save({ source: BOOKING })
  await owner.scenarios.require({ required: true })
  const before = await rows()
  const refusal = (revision: number) => expect(owner.receptionist.publishDraft({ revision })).rejects

  const wrong = await change('תספורת עולה 130 ש״ח.')
  await refusal(wrong).toMatchObject({ cause: { code: 'scenarios_not_run' } })
  await expect(owner.receptionist.save({ settings: {} })).rejects.toMatchObject({
    cause: { code: 'scenarios_not_run' },
  })
  const { id } = await owner.scenarios.run({})
  expect(await owner.scenarios.run({})).toEqual({ id })
  await refusal(wrong).toMatchObject({ cause: { code: 'scenarios_running' } })
  await work()
  const [failed] = (await owner.scenarios.runs({})).items
  expect(failed).toMatchObject({
    id,
    state: 'failed',
    draftRevision: wrong,
    results: [{ outcome: 'passed' }, { outcome: 'failed' }],
  })
  expect(failed?.results[1]?.transcript.map(({ text }) => text).join()).toContain('130')
  await refusal(wrong).toMatchObject({ cause: { code: 'scenarios_failed', message: expect.stringContaining('price') } })

  const right = await change('תספורת עולה 150 ש״ח.')
  await refusal(right).toMatchObject({ cause: { code: 'scenarios_not_run' } })
  await owner.scenarios.run({})
  await work()
  expect((await owner.scenarios.runs({})).items[0]).toMatchObject({ state: 'passed', draftRevision: right })
  // Scenarios that were changed since were not played.
  await owner.scenarios.save({ source: PRICE.replace('"150"', '"15"') })
  await refusal(right).toMatchObject({ cause: { code: 'scenarios_not_run' } })
  await owner.scenarios.save({ source: PRICE })
  expect(await rows()).toEqual(before)
  const { version } = await owner.receptionist.publishDraft({ revision: right })
  expect((await owner.receptionist.versions()).items[0]?.version).toBe(version)

  const forced = await change('תספורת עולה 170 ש״ח.')
  await refusal(forced).toMatchObject({ cause: { code: 'scenarios_not_run' } })
  const manager = api.as({ role: 'manager' }, { businessId: ctx.businessId })
  await expect(manager.receptionist.forcePublish({ revision: forced })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(await owner.receptionist.forcePublish({ revision: forced })).toEqual({ version: version + 1 })
})

test('what changes while it is played is not played, and one whose worker dies again and again ends', async () => {
  await owner.scenarios.run({ draft: false })
  let changed = false
  await work(async (...given) => {
    if (!changed) await owner.scenarios.save({ source: BOOKING.replace('משה', 'דנה') })
    changed = true
    return await respond(...given)
  })
  expect((await owner.scenarios.runs({})).items[0]).toMatchObject({
    state: 'broken',
    reason: 'the scenarios were changed',
  })
  await owner.scenarios.run({ draft: false })
  await api.database.sql`update scenario_runs set attempts = 3 where state = 'queued'`
  await work()
  expect((await owner.scenarios.runs({})).items[0]).toMatchObject({ state: 'broken', reason: 'it was begun too often' })
})

test('the test chat of the API goes on over its history, with the draft, and keeps nothing', async () => {
  await change('תספורת עולה 199 ש״ח.')
  const before = await rows()
  type Answer = Awaited<ReturnType<typeof owner.receptionist.testChat>>
  const history: NonNullable<Parameters<typeof owner.receptionist.testChat>[0]['history']> = []
  const say = async (text: string, draft = true): Promise<Answer> => {
    const answer = await owner.receptionist.testChat({ draft, texts: [text], history })
    history.push({ at: answer.at.toISOString(), texts: [text], reply: answer.reply })
    return answer
  }
  const price = await say('כמה עולה תספורת?')
  expect(price.reply?.text).toContain('199')
  expect(price.reply?.tools[0]).toMatchObject({ name: 'lookup_business_info', input: {}, output: { texts: [{}] } })
  expect((await say('כמה עולה תספורת?', false)).reply?.text).toContain('170')
  expect((await say('אפשר לקבוע תור למחר בשעה 15:00?')).reply?.text).toContain('נקבע תור')
  expect((await say('מתי התור שלי?')).reply?.text).toContain('15:00')
  expect(await say('אני רוצה לדבר עם נציג')).toMatchObject({ reply: { handover: 'asked' }, agent: 'paused' })
  expect(await say('הלו?')).toMatchObject({ reply: null, agent: 'paused' })
  expect(await rows()).toEqual(before)
  await expect(owner.receptionist.testChat({ phone: 'no number', texts: ['x'] })).rejects.toMatchObject({
    cause: { code: 'invalid_number' },
  })
})

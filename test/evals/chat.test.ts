import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startPlayedModel } from '../../src/cli/evals/played-model.ts'
import { describeRun, writeJunit } from '../../src/cli/evals/report.ts'
import { runEvals } from '../../src/cli/evals/run.ts'
import { createRespond, openTestChat, respondByRules } from '../../src/domain/agent/index.ts'
import { createChatChannel, prepareScenario, readScenarios } from '../../src/domain/scenarios/index.ts'
import { createModelConnection } from '../../src/providers/models/connection.ts'
import { openDomain, type TestDomain } from '../support/domain.ts'
import { openTextModels } from '../support/models.ts'

let domain: TestDomain
beforeAll(async () => {
  domain = await openDomain()
})
afterAll(() => domain.close())

const byRules = createChatChannel({
  respond: (ctx, situation, _, now) => respondByRules(ctx, situation, now),
  engine: 'rules',
})

async function readAll() {
  const files = [...new Bun.Glob('*.yaml').scanSync(import.meta.dir)].sort()
  const read = files.map(async (file) => readScenarios(await Bun.file(join(import.meta.dir, file)).text(), file))
  return (await Promise.all(read)).flat()
}

test('the rules pass every scenario that needs no model', async () => {
  const results = await runEvals({
    ...{ ctx: domain.ctx, scenarios: await readAll(), channels: [byRules], judge: null, repeat: null, atOnce: 4 },
    onResult: () => undefined,
  })
  const of = (outcome: string) => results.filter((each) => each.outcome === outcome)
  if (of('failed').length > 0) throw new Error(describeRun(of('failed')))
  expect(of('passed').length).toBeGreaterThanOrEqual(40)
  const reasons = new Set(of('skipped').map(({ reason }) => reason))
  expect([...reasons].sort()).toEqual(['needs a model that understands; no key is set', 'not for chat'])
  const junit = writeJunit(results)
  expect(junit).toContain(
    `<testsuite name="chat" tests="${results.length}" failures="0" skipped="${of('skipped').length}"`,
  )
}, 120_000)

test('what the agent does with the answers of a played model: tools that run, lies that are not sent', async () => {
  const played = startPlayedModel()
  const connection = createModelConnection({ provider: 'compatible', apiKey: 'x', baseUrl: played.baseUrl })
  const { models } = openTextModels([connection.candidate('sandbox')])
  const channel = createChatChannel({
    respond: createRespond({ models, readFile: async () => null }),
    engine: 'played',
  })
  try {
    const results = await runEvals({
      ...{ ctx: domain.ctx, scenarios: await readAll(), channels: [channel], judge: null, repeat: null, atOnce: 1 },
      onPrepared: played.script,
      onResult: () => undefined,
    })
    const of = (outcome: string) => results.filter((each) => each.outcome === outcome)
    if (of('failed').length > 0) throw new Error(describeRun(of('failed')))
    expect(of('passed').length).toBeGreaterThanOrEqual(15)
  } finally {
    await played.close()
  }
}, 120_000)

test('a scenario that expects something else fails, with what was said', async () => {
  const [scenario] = readScenarios(
    `name: wrong
channels: [chat]
given: {business: {preset: salon}}
script: [{send: כמה עולה תספורת?, expect: {says: ["999"], tools: [{name: book_appointment}], judge: מנומס}}]
finally: {db: {leads: [{name: דנה}]}}`,
    'wrong.yaml',
  )
  if (!scenario) throw new Error('There is no scenario.')
  const [result] = await runEvals({
    ...{ ctx: domain.ctx, scenarios: [scenario], channels: [byRules], judge: null, repeat: 1, atOnce: 1 },
    onResult: () => undefined,
  })
  expect(result).toMatchObject({ outcome: 'failed', verdicts: [{ verdict: 'not_judged' }] })
  expect(result?.failures).toHaveLength(3)
  if (!result) throw new Error('There is no result.')
  expect(describeRun([result])).toMatch(
    /wrong on chat failed:[\s\S]*agent: .*120[\s\S]*1 failed[\s\S]*1 criteria were not judged/,
  )
  expect(writeJunit([result])).toMatch(/<failure message="step 1: it does not say 999/)
})

test('a test chat goes on from turn to turn, and nothing of it stays', async () => {
  const [scenario] = readScenarios(
    'name: dry\nchannels: [chat]\ngiven: {business: {preset: plumber, hours: always}}\nscript: [{send: x}]',
    'dry.yaml',
  )
  if (!scenario) throw new Error('There is no scenario.')
  const { ctx } = await prepareScenario(domain.ctx, scenario, '+972501110000')
  const count = async () => {
    const [row] = await domain.handle.sql`select (select count(*)::int from contacts) as contacts,
      (select count(*)::int from leads) as leads, (select count(*)::int from appointments) as appointments,
      (select count(*)::int from agent_runs) as runs, (select count(*)::int from events) as events`
    return { ...row }
  }
  const before = await count()
  const queued = domain.queued.length
  const chat = await openTestChat(ctx, {
    ...{ phone: '+972501110001', dryRun: true },
    respond: (bound, situation, _, now) => respondByRules(bound, situation, now),
  })
  const start = Date.now()
  const say = async (text: string, turn: number) => (await chat.say([text], new Date(start + turn * 30_000))).reply
  expect((await say('אפשר לקבוע ביקור למחר בשעה 14:00?', 0))?.text).toContain('נקבע תור')
  // The booking of the turn before is there again for this one.
  expect((await say('מתי התור שלי?', 1))?.text).toContain('14:00')
  expect((await say('אני רוצה לבטל את התור', 2))?.text).toMatch(/לבטל את התור.*\?/)
  expect((await say('כן', 3))?.text).toContain('בוטל')
  expect((await say('מתי התור שלי?', 4))?.text).toContain('לא נמצא תור')
  expect(await count()).toEqual(before)
  expect(domain.queued).toHaveLength(queued)
})

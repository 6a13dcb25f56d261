import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createModelConnection } from '../../../src/providers/models/connection.ts'
import type { ModelTool } from '../../../src/providers/models/port.ts'
import { MODEL_FAULTS, type ModelFault } from '../../../src/sandbox/models/rules.ts'
import { startModelServer } from '../../../src/sandbox/models/server.ts'
import { ask, openTextModels } from '../../support/models.ts'

const server = startModelServer({ apiKeys: ['sk-right'] })
afterAll(() => server.close())
beforeEach(() => {
  server.plan({})
  server.requests.length = 0
})

/** The APIs of the adapters: `/responses`, `/chat/completions`, `/messages` and `:streamGenerateContent`. */
const connect = (apiKey = 'sk-right') => ({
  openai: createModelConnection({ provider: 'openai', apiKey, baseUrl: server.baseUrl }),
  compatible: createModelConnection({ provider: 'compatible', apiKey, baseUrl: server.baseUrl }),
  anthropic: createModelConnection({ provider: 'anthropic', apiKey, baseUrl: server.baseUrl }),
  google: createModelConnection({ provider: 'google', apiKey, baseUrl: server.baseUrl }),
})
const SILENT: ReadonlySet<ModelFault> = new Set(['slow', 'no_headers', 'stalls'])
const PATIENT = { firstTokenMs: 20_000, answerMs: 30_000 }
const APIS = ['openai', 'compatible', 'anthropic', 'google'] as const

function counter() {
  const calls: unknown[] = []
  const tool: ModelTool = {
    name: 'save_lead',
    description: 'Saves what the person wants.',
    input: z.object({ name: z.string() }),
    async execute(input) {
      calls.push(input)
      return { saved: true }
    },
  }
  return { calls, tool }
}

/** What comes of each way to fail, when there is a second model; `kind` is the failure that is reported. */
type Outcome = { kind?: string; end?: string; says?: RegExp; calls?: number }
const OUTCOMES: Record<ModelFault, Outcome> = {
  slow: { kind: 'slow' },
  no_headers: { kind: 'slow' },
  stalls: { kind: 'slow' },
  empty: { kind: 'empty' },
  cut_off: { kind: 'broken' },
  stream_error: { kind: 'broken' },
  html: { kind: 'broken' },
  server_error: { kind: 'broken' },
  overloaded: { kind: 'rate_limited' },
  rate_limited: { kind: 'rate_limited' },
  insufficient_quota: { kind: 'quota' },
  unauthorized: { kind: 'refused' },
  too_long: { kind: 'too_long' },
  length: { end: 'cut_off', says: /one two/ },
  content_filter: { end: 'filtered' },
  refusal: {},
  no_usage: { end: 'answered', says: /one two/ },
  leaks_prompt: { end: 'answered', says: /heron/ },
  obedient: { end: 'answered', says: /hello/ },
  tool_loop: { end: 'steps_used_up', calls: 0 },
  nonsense_arguments: { end: 'steps_used_up', calls: 0 },
  unknown_tool: { end: 'steps_used_up', calls: 0 },
  repeated_call: { end: 'steps_used_up', calls: 3 },
}

/** Where an API says it in a way of its own. */
const OWN: Partial<Record<(typeof APIS)[number], Partial<Record<ModelFault, Outcome>>>> = {
  anthropic: { refusal: { end: 'filtered' }, stream_error: { kind: 'rate_limited' } },
  // Arguments that are no JSON end the answer as malformed.
  google: {
    refusal: { end: 'filtered' },
    nonsense_arguments: { kind: 'broken' },
    stream_error: { kind: 'rate_limited' },
  },
}

test('each way to fail ends as it should over each API: another model, an honest end, and no tool twice', async () => {
  const wrong: string[] = []
  const tryFault = async (api: (typeof APIS)[number], fault: ModelFault) => {
    const { calls, tool } = counter()
    const connections = connect()
    const { models, charges, reports } = openTextModels(
      [connections[api].candidate(fault), connections[api].candidate('second')],
      SILENT.has(fault) ? { firstTokenMs: 4_000, answerMs: 12_000 } : PATIENT,
    )
    const answer = await models.generate(ask('hello', { tools: [tool], maxSteps: 3 }))
    const expected = OWN[api]?.[fault] ?? OUTCOMES[fault]
    const [first] = reports
    const is = (what: string) => wrong.push(`${api} ${fault}: ${what}`)
    if (expected.kind && first?.[1] !== expected.kind) is(`reported ${first?.[1]}`)
    if (expected.kind && answer.text !== 'from the second') is(`said ${answer.text}`)
    if (expected.end && answer.end !== expected.end) is(`ended ${answer.end}`)
    if (expected.says && !expected.says.test(answer.text)) is(`said ${answer.text}`)
    if (expected.calls !== undefined && calls.length !== expected.calls) is(`${calls.length} calls`)
    if (charges.length === 0) is('nothing charged')
  }
  server.plan({
    rules: [
      { when: { model: 'second' }, steps: [{ say: 'from the second' }] },
      {
        when: { model: 'repeated_call' },
        steps: [{ fault: 'repeated_call', call: [{ name: 'save_lead', args: { name: 'Dana' } }] }],
      },
      ...MODEL_FAULTS.map((fault) => ({ when: { model: fault }, steps: [{ fault, say: 'one two three four' }] })),
    ],
  })
  // The adapters are loaded at their first use.
  for (const connection of Object.values(connect())) await connection.candidate('second').open()
  // Those that wait for a time come last, when the machine has nothing else to do.
  for (const silent of [false, true]) {
    const faults = MODEL_FAULTS.filter((fault) => SILENT.has(fault) === silent)
    for (const api of silent ? [null] : APIS)
      await Promise.all((api ? [api] : APIS).flatMap((each) => faults.map((fault) => tryFault(each, fault))))
  }
  expect(wrong).toEqual([])
}, 90_000)

for (const api of APIS)
  describe(`over ${api}`, () => {
    test('a tool, its answer, what was said before, a picture and who asks: all as the API takes it', async () => {
      const { calls, tool } = counter()
      server.plan({
        rules: [
          {
            steps: [
              { say: 'One moment.', call: [{ name: 'save_lead', args: { name: 'דנה' } }] },
              { say: 'OK {{result}}' },
            ],
          },
        ],
      })
      const { models, charges } = openTextModels([connect()[api].candidate('plain')], PATIENT)
      const png = Buffer.from(
        'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg',
        'base64',
      )
      const answer = await models.generate({
        ...ask('hello', { tools: [tool] }),
        messages: [
          { role: 'customer', text: 'hello' },
          { role: 'agent', text: 'What is your name?' },
          { role: 'customer', text: 'Dana', files: [{ mediaType: 'image/png', data: png }] },
        ],
      })
      expect(answer).toMatchObject({ end: 'answered', usage: { estimated: false } })
      expect(answer.text).toMatch(/^OK .*"?saved"?.*true/)
      expect(calls).toEqual([{ name: 'דנה' }])
      expect(charges.map(({ model }) => model)).toEqual([`${api}:plain`, `${api}:plain`])
      const [first, second] = server.requests.filter(({ model }) => model === 'plain')
      expect(first).toMatchObject({ model: 'plain', stream: true, tools: ['save_lead'], apiKey: 'sk-right' })
      expect(first?.instructions).toContain('heron')
      expect(first?.messages.map(({ role, files }) => [role, files])).toEqual([
        ['user', 0],
        ['assistant', 0],
        ['user', 1],
      ])
      expect(second?.messages.slice(3).map(({ role, calls: called }) => [role, called])).toEqual([
        ['assistant', ['save_lead']],
        ['tool', []],
      ])
      // A busy model that says when to ask again is asked again, where there is no other.
      server.plan({ rules: [{ times: 1, steps: [{ fault: 'rate_limited' }] }, { steps: [{ say: 'later' }] }] })
      expect((await models.generate(ask('again'))).text).toBe('later')
    }, 30_000)

    test('a wrong key is refused', async () => {
      const { models, reports } = openTextModels([connect('sk-wrong')[api].candidate('plain')], PATIENT)
      await expect(models.generate(ask('hello'))).rejects.toMatchObject({ code: 'model_unavailable' })
      expect(reports).toEqual([[`${api}:plain`, 'refused']])
    })
  })

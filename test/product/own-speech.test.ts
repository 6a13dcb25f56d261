import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createDeps } from '../../src/composition/deps.ts'
import type { Speech } from '../../src/composition/speech.ts'
import { loadConfig } from '../../src/config.ts'
import { addPhoneNumber, createApiKey, createBusiness, updateBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { createKeyring, setCredentials } from '../../src/domain/credentials/index.ts'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createSecretBox, deriveKey } from '../../src/lib/secret-box.ts'
import type { SpeechEngine } from '../../src/providers/speech/port.ts'
import type { CallerStep } from '../../src/sandbox/carrier/caller-step.ts'
import { restPlan } from '../../src/sandbox/openai/rest.ts'
import type { OpenAiSandbox } from '../../src/sandbox/openai/server.ts'
import { CALLER, eventually, NUMBER, type Product, startProduct } from '../support/product.ts'
import { OPENAI_KEY, startTestOpenAi } from '../support/realtime.ts'
import { endSpeech, speak } from '../support/speech.ts'
import { say } from '../support/voice-line.ts'

const LONG = 90_000
const SECRET = 'a-session-secret-of-the-tests'
const KEY = 'sk-of-dana'
const DANAS = '+97233760201'
const KEY_OF_NOA = 'sk-of-noa'
const NOAS = '+97233760202'

let openai: OpenAiSandbox
let product: Product
let danaId = ''
let danasKey = ''
let noasKey = ''

beforeAll(async () => {
  openai = startTestOpenAi({
    heard: ['My name is Dana', 'A flat in Haifa'],
    steps: [
      { say: 'How can I help?', ms: 500 },
      { say: 'We will call. Goodbye.', ms: 500, tools: [{ name: 'end_call', args: {} }] },
    ],
  })
  openai.addKey(KEY)
  openai.addKey(KEY_OF_NOA)
  // The installation has no key: what talks for everybody else is the embedded engine.
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'postgres',
    env: { BUSINESS_LANGUAGE: 'en', OPENAI_REALTIME_URL: openai.realtimeUrl },
    prepare: async (ctx, first) => {
      await addPhoneNumber(within(ctx, first), { number: NUMBER })
      danaId = await createBusiness(ctx, { name: 'Dana', language: 'en' })
      const dana = within(ctx, danaId)
      await addPhoneNumber(dana, { number: DANAS })
      danasKey = (await createApiKey(dana, { name: 'test' })).key
      const noa = within(ctx, await createBusiness(ctx, { name: 'Noa', language: 'en' }))
      await addPhoneNumber(noa, { number: NOAS })
      await updateBusiness(noa, { speechEngine: 'embedded' })
      // Before any process reads them: no test waits for that.
      const keyring = createKeyring(ctx.db, createSecretBox(deriveKey(SECRET, 'business credentials')), ctx.log)
      await setCredentials(dana, keyring, { provider: 'openai', keys: { apiKey: KEY, model: 'gpt-realtime-of-dana' } })
      await setCredentials(noa, keyring, { provider: 'openai', keys: { apiKey: KEY_OF_NOA } })
      noasKey = (await createApiKey(noa, { name: 'test' })).key
    },
  })
}, LONG)
afterAll(async () => {
  await product.stop()
  await openai.close()
  await endSpeech()
}, LONG)

const usedBy = (apiKey: string, path: string) => openai.uses.filter((use) => use.apiKey === apiKey && use.path === path)

async function callDana(script: CallerStep[], key = danasKey) {
  const report = await product.call({ to: key === danasKey ? DANAS : NUMBER, script })
  const call = await eventually(
    async () => {
      const found = await product.trpc(key).calls.get.query({ id: report.callSid })
      // Concluded from outside until the server that had the call says how it ended.
      return found.endReason && found.endReason !== 'server_lost' ? found : null
    },
    'the end of the call',
    30_000,
  )
  return { report, call }
}

test(
  'a business with its own key is talked for by its own engine and summed up by its own model; others stay as they are',
  async () => {
    openai.rest = restPlan.parse({
      completions: [JSON.stringify({ summary: 'Dana wants a flat.', inquiry: 'A flat' })],
    })
    const { report, call } = await callDana([{ say: say(700) }, { say: say(700) }])
    expect([report.ended.by, call.endReason]).toEqual(['agent', 'completed'])
    expect(openai.sessions.map((each) => each.report.model)).toEqual(['gpt-realtime-of-dana'])
    const summary = await eventually(
      async () => {
        const found = await product.trpc(danasKey).calls.summary.query({ id: call.id })
        return found?.madeBy === 'model' ? found : null
      },
      'the summary by her model',
      60_000,
    )
    expect(summary.summary).toBe('Dana wants a flat.')
    expect(usedBy(KEY, '/v1/responses').length).toBeGreaterThan(0)

    const other = await callDana([{ wait: 1_000 }, { hangup: true }], product.apiKey)
    expect(other.call.endReason).toBe('caller_hung_up')
    expect(other.report.heardSpans.length).toBeGreaterThan(0)
    expect(openai.sessions).toHaveLength(1)
    expect(openai.uses.every(({ apiKey }) => apiKey === KEY)).toBe(true)
  },
  LONG,
)

test(
  'who wrote on WhatsApp is known in the next call',
  async () => {
    const dana = product.trpc(danasKey)
    const { items } = await dana.contacts.list.query({})
    const id = items.find(({ phone }) => phone === CALLER)?.id ?? ''
    await dana.contacts.update.mutate({ id, name: 'Ruth' })
    await dana.contacts.addNote.mutate({ id, body: '#agent Has two cats' })
    await callDana([{ wait: 1_500 }, { hangup: true }])
    const { instructions } = openai.sessions.at(-1)?.report.settings ?? {}
    expect(instructions).toContain('\nName: Ruth\n')
    expect(instructions).toContain('\nNote: Has two cats')
  },
  LONG,
)

test(
  'set to use the embedded engine it does, and what callers say is transcribed with its own key',
  async () => {
    expect(await product.trpc(noasKey).businesses.get.query()).toMatchObject({ speechEngine: 'embedded' })
    const before = openai.sessions.length
    const words = await speak('My name is Noa', 'en')
    const report = await product.call({ to: NOAS, script: [{ say: words }, { wait: 1_500 }, { hangup: true }] })
    expect(report.heardSpans.length).toBeGreaterThan(0)
    expect(openai.sessions).toHaveLength(before)
    await eventually(() => usedBy(KEY_OF_NOA, '/v1/audio/transcriptions').length > 0, 'the transcription', 60_000)
  },
  LONG,
)

test(
  'a key that is refused: the embedded engine takes over, the caller hears the receptionist',
  async () => {
    const revoked = { provider: 'openai', keys: { apiKey: 'sk-that-was-revoked' } } as const
    await product.trpc(danasKey).credentials.set.mutate(revoked)
    const { report, call } = await callDana([{ wait: 4_000 }, { hangup: true }])
    expect(call.endReason).toBe('caller_hung_up')
    expect(report.recordings).toEqual([])
    expect(report.heardSpans.length).toBeGreaterThan(0)
    await eventually(
      async () => (await product.metric('agentlocator_engine_failures_total')) > 0,
      'the engine that failed, counted',
    )
  },
  LONG,
)

test(
  'which engine talks for a business, by its keys, its setting, and what the installation has',
  async () => {
    const names = (engines: ReturnType<Speech['enginesOf']>) =>
      engines && [engines.engine.name, engines.standby?.name ?? null]
    const remote = ['openai-realtime', 'embedded']
    const embedded = ['embedded', null]
    const first = product.businessId
    const look = async (env: Record<string, string>, work: (speech: Speech) => Promise<void> | void) => {
      const deps = await createDeps(loadConfig({ ...product.env, LOG_LEVEL: 'silent', ...env }), 'web')
      const speech = deps.openSpeech()
      try {
        await work(speech)
      } finally {
        await speech.close()
        await deps.close()
      }
    }
    // Without a key: null is the installation's, the embedded one.
    await look({}, (speech) => {
      expect(names(speech.enginesOf(first, 'default'))).toBeNull()
      expect(names(speech.enginesOf(first, 'openai-realtime'))).toEqual(embedded)
      expect(names(speech.enginesOf(danaId, 'default'))).toEqual(remote)
      expect(names(speech.enginesOf(danaId, 'embedded'))).toEqual(embedded)
      // One engine a key, whoever asks and however often.
      expect(speech.enginesOf(danaId, 'default')?.engine).toBe(speech.enginesOf(danaId, 'openai-realtime')?.engine)
    })
    // With a key, and using it.
    await look({ OPENAI_API_KEY: OPENAI_KEY }, (speech) => {
      expect(speech.enginesOf(first, 'default')).toBeNull()
      expect(speech.enginesOf(first, 'openai-realtime')?.engine).toBe(speech.engine)
      expect(names(speech.enginesOf(first, 'embedded'))).toEqual(embedded)
      expect(speech.enginesOf(danaId, 'default')?.engine).not.toBe(speech.engine)
    })
    // With a key, but embedded by its own setting.
    await look({ OPENAI_API_KEY: OPENAI_KEY, SPEECH_ENGINE: 'embedded' }, (speech) => {
      expect([speech.engine.name, speech.enginesOf(first, 'default')]).toEqual(['embedded', null])
      expect(names(speech.enginesOf(first, 'openai-realtime'))).toEqual(remote)
    })
    // Keys that cannot be opened are no one else's: not the installation's either.
    await look({ OPENAI_API_KEY: OPENAI_KEY, SESSION_SECRET: 'another-session-secret' }, (speech) => {
      expect(names(speech.enginesOf(danaId, 'default'))).toEqual(embedded)
    })
    // Closed with the process, it opens no other call.
    const opened: SpeechEngine[] = []
    await look({}, (speech) => {
      const engines = speech.enginesOf(danaId, 'default')
      if (engines) opened.push(engines.engine)
    })
    expect(opened.map(({ name }) => name)).toEqual(['openai-realtime'])
    const script = intakeScript({ language: 'en', businessName: 'Dana' })
    for (const engine of opened)
      expect(() => engine.connect({ callId: 'late', language: 'en', script, onEvent: () => {} })).toThrow('closed')
  },
  LONG,
)

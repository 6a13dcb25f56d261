import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createDeps, type Deps } from '../../src/composition/deps.ts'
import { loadConfig } from '../../src/config.ts'
import type { SessionLimits } from '../../src/media/media-session-ports.ts'
import { createApp } from '../../src/processes/web-app.ts'
import type { SpeechEngine } from '../../src/providers/speech/port.ts'
import { placeCall } from '../../src/sandbox/carrier/caller.ts'
import { CALLER, eventually, NUMBER, type Product, startProduct } from '../support/product.ts'
import { endSpeech, speak } from '../support/speech.ts'

const LONG_MS = 60_000
let product: Product

beforeAll(async () => {
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'postgres',
    webCount: 0,
    env: { BUSINESS_LANGUAGE: 'en', BUSINESS_NAME: 'Acme' },
    prepare: async (ctx) => {
      await ctx.db.execute(`update businesses set greeting = 'Acme. Yes?'`)
    },
  })
})
afterAll(async () => {
  await product.stop()
  await endSpeech()
})

/** A web server in this process, with limits that no setting reaches, or with an engine behind a fault. */
async function serve(limits: Partial<SessionLimits>, engineOf: (real: SpeechEngine) => SpeechEngine = (real) => real) {
  const deps = await createDeps(loadConfig({ ...product.env, LOG_LEVEL: 'silent' }), 'web')
  const wrapped: Deps = {
    ...deps,
    openSpeech() {
      const speech = deps.openSpeech()
      return { ...speech, engine: engineOf(speech.engine) }
    },
  }
  const app = createApp(wrapped, { limits })
  await app.start()
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: app.fetch, websocket: app.websocket })
  return {
    call: (options: Partial<Parameters<typeof placeCall>[0]>) =>
      placeCall({
        carrier: product.carrier,
        webhookUrl: `${product.publicBaseUrl}/webhook/incoming_call`,
        statusCallbackUrl: `${product.publicBaseUrl}/webhook/call_status`,
        connectBaseUrl: `http://127.0.0.1:${server.port}`,
        from: CALLER,
        to: NUMBER,
        maxSeconds: 40,
        ...options,
      }),
    liveCalls: app.liveCalls,
    sockets: app.sockets,
    async stop() {
      await server.stop(true)
      await app.stop()
      await deps.close()
    },
  }
}

const endOf = (callSid: string) =>
  eventually(
    async () =>
      (
        await product.sql`select end_reason, fallback, duration_ms from calls
          where call_sid = ${callSid} and end_reason is not null`
      )[0],
    'the end of the call',
  )

test.concurrent(
  'a call that takes too long hears a goodbye and hung up, whatever the caller is saying',
  async () => {
    const server = await serve({ maxDurationMs: 4_000 })
    try {
      const words = await speak('I would like to tell you everything about my garden and my neighbours.', 'en')
      const report = await server.call({
        script: [{ say: words }, { say: words, when: 'now' }, { say: words, when: 'now' }],
      })
      expect(report.streams[0]).toMatchObject({ closeReason: 'max_duration' })
      expect(report.ended.by).toBe('agent')
      const call = await endOf(report.callSid)
      expect(call).toMatchObject({ end_reason: 'max_duration', fallback: null })
      expect(call.duration_ms).toBeGreaterThan(4_000)
      expect(call.duration_ms).toBeLessThan(25_000)
      expect([server.liveCalls(), server.sockets()]).toEqual([0, 0])
    } finally {
      await server.stop()
    }
  },
  LONG_MS,
)

test.concurrent(
  'a caller who says nothing hears a goodbye',
  async () => {
    const server = await serve({ silenceMs: 1_500 })
    try {
      const report = await server.call({})
      expect(report.streams[0]).toMatchObject({ closeReason: 'silence' })
      expect(await endOf(report.callSid)).toMatchObject({ end_reason: 'silence', fallback: null })
      // The goodbye was heard to its end.
      expect(report.unheardMs).toBe(0)
      expect(report.heardSpans.length).toBeGreaterThan(1)
    } finally {
      await server.stop()
    }
  },
  LONG_MS,
)

test.concurrent(
  'an engine that fails in the middle leads the caller to voicemail, and the message into the CRM',
  async () => {
    const failing = (real: SpeechEngine): SpeechEngine => ({
      ...real,
      connect(options) {
        const session = real.connect(options)
        setTimeout(
          () => options.onEvent({ type: 'error', code: 'worker_died', message: 'injected', fatal: true }),
          1_500,
        )
        return session
      },
    })
    const server = await serve({}, failing)
    try {
      const report = await server.call({
        script: [
          { wait: 2_500 },
          { say: await speak('Please call me back.', 'en'), quietMs: 1_500 },
          { dtmf: '#', when: 'now' },
        ],
      })
      expect(report.streams[0]).toMatchObject({ closeReason: 'engine_failed' })
      expect(report.documents.map((document) => document.verbs)).toEqual([
        ['Connect'],
        ['Play', 'Record'],
        ['Play', 'Hangup'],
      ])
      expect(await endOf(report.callSid)).toMatchObject({ end_reason: 'engine_failed', fallback: 'voicemail' })
      await eventually(
        async () =>
          (
            await product.sql`select 1 from recordings r join calls c on c.id = r.call_id
              where c.call_sid = ${report.callSid} and r.state = 'stored'`
          )[0],
        'the recording',
      )
    } finally {
      await server.stop()
    }
  },
  LONG_MS,
)

test.concurrent(
  'an engine that dies for good and takes its session along does the same',
  async () => {
    const server = await serve({}, (real) => ({
      ...real,
      connect(options) {
        const session = real.connect(options)
        setTimeout(() => options.onEvent({ type: 'closed', reason: 'injected' }), 500)
        return session
      },
    }))
    try {
      const report = await server.call({ script: [{ hangup: true, when: { afterMs: 9_000 } }] })
      expect(report.documents[1]?.verbs).toEqual(['Play', 'Record'])
      expect(await endOf(report.callSid)).toMatchObject({ end_reason: 'engine_lost', fallback: 'voicemail' })
    } finally {
      await server.stop()
    }
  },
  LONG_MS,
)

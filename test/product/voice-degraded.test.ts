import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { durationOfWav } from '../../src/audio/wav.ts'
import { sharedPostgres } from '../support/postgres.ts'
import { eventually, NUMBER, type Product, startProduct } from '../support/product.ts'
import { endSpeech, speak } from '../support/speech.ts'

afterAll(endSpeech)

const call = (callSid: string, more: Record<string, string> = {}) => ({
  CallSid: callSid,
  From: '+972501234567',
  To: NUMBER,
  ...more,
})

describe('an installation with one business and no room for calls', () => {
  let product: Product
  beforeAll(async () => {
    product = await startProduct({ queue: 'redis', env: { MAX_CONCURRENT_CALLS: '0' } })
  })
  afterAll(() => product.stop())

  test('a call goes straight to voicemail, and says why in its record', async () => {
    const twiml = await (await product.post('/webhook/incoming_call', call('CAfull'))).text()
    expect(twiml).toMatch(/<Response><Play>[^<]+<\/Play><Record /)
    const row = await eventually(
      async () => (await product.sql`select * from calls where call_sid = 'CAfull' and contact_id is not null`)[0],
      'the call',
    )
    expect(row).toMatchObject({ answered_by: 'voicemail', fallback: 'voicemail', end_detail: 'no_capacity' })
  })

  test('a caller leaves a message there, and it is in the CRM', async () => {
    const report = await product.call({
      from: '+972502222222',
      script: [
        { wait: 1_000 },
        { say: await speak('Please call me back about Tuesday.', 'en'), quietMs: 1_500 },
        { dtmf: '#', when: 'now' },
      ],
    })
    expect(report.recordings).toHaveLength(1)
    expect(report.codes.filter((code) => code.level === 'error')).toEqual([])
    const recording = await eventually(
      async () =>
        (
          await product.sql`select r.*, c.end_reason, c.state as call_state from recordings r join calls c on c.id = r.call_id
          where c.call_sid = ${report.callSid} and r.state = 'stored' and c.state = 'ended'`
        )[0],
      'the recording',
    )
    expect(recording).toMatchObject({ end_reason: 'voicemail', recording_sid: report.recordings[0]?.sid })
    expect(await product.sql`select source from leads where business_id = ${product.businessId}`).toMatchObject([
      { source: 'voicemail' },
    ])
  }, 30_000)

  test('the only business answers a number that no one claims', async () => {
    await product.post('/webhook/incoming_call', call('CAother', { To: '+97233769999' }))
    const row = await eventually(
      async () => (await product.sql`select business_id from calls where call_sid = 'CAother'`)[0],
      'the call',
    )
    expect(row.business_id).toBe(product.businessId)
  })
})

describe('while the database is away', () => {
  let product: Product
  let name = ''
  let admin: postgres.Sql

  beforeAll(async () => {
    product = await startProduct({ queue: 'redis', env: { BUSINESS_LANGUAGE: 'en', BUSINESS_NAME: 'Acme' } })
    name = new URL(product.env.DATABASE_URL ?? '').pathname.slice(1)
    admin = postgres((await sharedPostgres()).adminUrl, { max: 1, onnotice: () => {} })
    await shut(true)
  })
  afterAll(async () => {
    await shut(false)
    await admin.end({ timeout: 2 })
    await product.stop()
  })

  /** No one but the administrator gets in, and who is in is thrown out. */
  async function shut(away: boolean) {
    await admin.unsafe(`alter database ${name} with allow_connections ${away ? 'false' : 'true'}`)
    if (away) await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
  }

  test('it really is', async () => {
    const ready = await fetch(`${product.url()}/readyz`, { signal: AbortSignal.timeout(8_000) })
    expect(ready.status).toBe(503)
    expect(((await ready.json()) as { missing: string[] }).missing).toContain('database')
    expect((await fetch(`${product.url()}/healthz`)).status).toBe(200)
  })

  test('a known number is answered with a stream, at once', async () => {
    for (let index = 0; index < 5; index += 1) {
      const started = performance.now()
      const answer = await product.post('/webhook/incoming_call', call(`CAaway${index}`))
      expect(performance.now() - started).toBeLessThan(2_000)
      expect(await answer.text()).toContain('<Connect action=')
    }
  })

  test('the end of a stream leads to voicemail within the time the carrier waits', async () => {
    const started = performance.now()
    const answer = await product.post('/webhook/stream_ended', call('CAaway0', { CallStatus: 'in-progress' }))
    const twiml = await answer.text()
    expect(performance.now() - started).toBeLessThan(5_000)
    expect(twiml).toMatch(/<Response><Play>[^<]+<\/Play><Record /)
    expect(twiml).toContain(`business=${product.businessId}`)
    const prompt = /<Play>([^<]+)<\/Play>/.exec(twiml)?.[1] ?? ''
    const sound = await fetch(prompt.replace(product.publicBaseUrl, product.url()))
    expect(durationOfWav(new Uint8Array(await sound.arrayBuffer()))).toBeGreaterThan(1_000)
  })

  test('a conversation is held, and is in the CRM once the database is back', async () => {
    const report = await product.call({
      script: [{ say: await speak('My name is David Levy', 'en') }, { hangup: true, when: 'agent_done' }],
    })
    expect(report.streams[0]).toMatchObject({ endedBy: 'caller', error: null })
    expect(report.streams[0]?.greetingLatencyMs).toBeLessThan(1_000)
    expect(report.turns[0]?.responseLatencyMs).toBeLessThan(5_000)
    expect(report.documents.at(-1)?.body).toContain('<Hangup/>')
    await shut(false)
    const row = await eventually(
      async () =>
        (
          await product.sql`select c.end_reason, c.contact_id is not null as known, count(t.id)::int as turns from calls c
          left join call_turns t on t.call_id = c.id where c.call_sid = ${report.callSid} group by c.id`
        ).find((found) => found.end_reason && found.turns >= 3 && found.known),
      'the call and its turns',
      40_000,
    )
    expect(row.end_reason).toBe('caller_hung_up')
    await eventually(
      async () => (await product.sql`select 1 from calls where call_sid like 'CAaway%'`).length === 5,
      'the calls that came meanwhile',
      30_000,
    )
    const ready = await eventually(
      async () => (await fetch(`${product.url()}/readyz`)).status === 200,
      'readiness',
      20_000,
    )
    expect(ready).toBe(true)
  }, 110_000)
})

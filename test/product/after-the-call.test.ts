import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApiKey, createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import type { CallReport } from '../../src/sandbox/carrier/call-report.ts'
import type { CallerStep } from '../../src/sandbox/carrier/caller-step.ts'
import { restPlan } from '../../src/sandbox/openai/rest.ts'
import type { OpenAiSandbox } from '../../src/sandbox/openai/server.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { announceCall, openStream } from '../support/media-stream.ts'
import { CALLER, eventually, type Product, startProduct } from '../support/product.ts'
import { runToEnd } from '../support/product-process.ts'
import { OPENAI_KEY, startTestOpenAi } from '../support/realtime.ts'
import { startS3 } from '../support/s3.ts'
import { say } from '../support/voice-line.ts'

setDefaultTimeout(90_000)

const FOLLOW_UP = { settings: { followUp: { en: 'Thank you, {name}! {business}' } } }

/** The messages that the carrier was given for a number. */
const messagesTo = (product: Product, to: string) =>
  [...product.carrier.messages.values()].filter((each) => each.to.endsWith(to)).map((each) => each.body)

test('the sandbox’s own model sums a call up, in the form that is asked for', async () => {
  const openai = startTestOpenAi({
    heard: ['My name is Dana', 'A flat in Haifa'],
    steps: [
      { say: 'How can I help?', ms: 400 },
      { say: 'Goodbye.', ms: 400, tools: [{ name: 'end_call', args: {} }] },
    ],
  })
  const product = await startProduct({
    queue: 'postgres',
    env: {
      BUSINESS_LANGUAGE: 'en',
      SPEECH_ENGINE: 'openai-realtime',
      OPENAI_API_KEY: OPENAI_KEY,
      OPENAI_REALTIME_URL: openai.realtimeUrl,
    },
  })
  try {
    const report = await product.call({ script: [{ say: say(700) }, { say: say(700) }] })
    const { id } = await product.trpc().calls.get.query({ id: report.callSid })
    const summary = await eventually(
      async () => {
        const found = await product.trpc().calls.summary.query({ id })
        return found?.madeBy === 'model' ? found : null
      },
      'the summary by the model',
      60_000,
    )
    expect(summary).toMatchObject({ sentiment: 'neutral', nextStep: 'Call back.' })
    expect(summary?.fields).toEqual({ name: 'Dana', inquiry: 'A flat in Haifa', wish: 'A flat in Haifa' })
    expect(summary?.summary).toContain('A flat in Haifa')
    expect(
      await product.sql`select 1 from events where type = 'call.summarize' and data->>'by' = 'model'`,
    ).toHaveLength(1)
  } finally {
    await product.stop()
    await openai.close()
  }
})

describe('with a model, and two servers whose disks are their own', () => {
  let product: Product
  let openai: OpenAiSandbox
  let report: CallReport
  let strangersKey = ''
  const s3 = startS3()
  const disk = temporaryDirectory('first-server')

  beforeAll(async () => {
    openai = startTestOpenAi({
      heard: ['My name is Dana', 'A flat in Haifa'],
      steps: [
        { say: 'How can I help?', ms: 500 },
        { tools: [{ name: 'save_lead', args: { name: 'Dana' } }] },
        { say: 'We will call. Goodbye.', ms: 500, tools: [{ name: 'end_call', args: {} }] },
      ],
    })
    product = await startProduct({
      queue: 'redis',
      webCount: 0,
      env: {
        BUSINESS_LANGUAGE: 'en',
        BUSINESS_NAME: 'Levi Homes',
        SPEECH_ENGINE: 'openai-realtime',
        OPENAI_API_KEY: OPENAI_KEY,
        OPENAI_REALTIME_URL: openai.realtimeUrl,
        STORAGE: 's3',
        S3_ENDPOINT: s3.endpoint,
        S3_BUCKET: s3.bucket,
        S3_ACCESS_KEY_ID: 'key-id',
        S3_SECRET_ACCESS_KEY: 'secret',
      },
      prepare: async (ctx) => {
        const other = await createBusiness(ctx, { name: 'Other', language: 'en' })
        strangersKey = (await createApiKey(within(ctx, other), { name: 'k', scope: 'admin' })).key
      },
    })
    await product.startWeb({ DATA_DIR: disk })
    await product.startWeb({ DATA_DIR: temporaryDirectory('second-server') })
    await product.trpc().receptionist.save.mutate(FOLLOW_UP)
    // The model is away at first.
    openai.rest = restPlan.parse({
      failures: [503],
      completions: [
        JSON.stringify({
          summary: 'Dana is looking for a flat in Haifa.',
          inquiry: 'A flat in Haifa',
          area: 'Haifa',
          callback_time: 'tomorrow',
          sentiment: 'positive',
          next_step: 'Send her the list.',
        }),
      ],
    })
    const script: CallerStep[] = [{ say: say(700) }, { say: say(700) }]
    report = await product.call({ script })
  })
  afterAll(async () => {
    await product.stop()
    await openai.close()
    await s3.stop()
  })

  const callOf = async () => await product.trpc().calls.get.query({ id: report.callSid })

  test('the summary is the model’s, tried again while it is away; the lead’s gaps are filled', async () => {
    expect(report.ended.by).toBe('agent')
    const call = await callOf()
    expect(call).toMatchObject({ endReason: 'completed' })
    const summary = await eventually(
      async () => {
        const found = await product.trpc().calls.summary.query({ id: call.id })
        return found?.madeBy === 'model' ? found : null
      },
      'the summary by the model',
      60_000,
    )
    expect(summary).toMatchObject({
      summary: 'Dana is looking for a flat in Haifa.',
      sentiment: 'positive',
      nextStep: 'Send her the list.',
      fields: {
        name: 'Dana',
        inquiry: 'A flat in Haifa',
        wish: 'A flat in Haifa',
        area: 'Haifa',
        callback_time: 'tomorrow',
      },
    })
    expect((await callOf()).lead).toMatchObject({ name: 'Dana', inquiry: 'A flat in Haifa', callbackTime: 'tomorrow' })
    expect(openai.rest.failures).toEqual([])
  })

  test('the caller is written to once, though the summary was made twice', async () => {
    await eventually(() => messagesTo(product, CALLER).length > 0, 'the message', 30_000)
    expect(messagesTo(product, CALLER)).toEqual(['Thank you, Dana! Levi Homes'])
    await eventually(
      async () =>
        (
          await product.sql`select 1 from messages where direction = 'out' and status in ('sent', 'delivered', 'read')`
        )[0],
      'its status',
    )
    expect(await product.sql`select 1 from messages where direction = 'out'`).toHaveLength(1)
  })

  test('its record is replayed by a server that never had it, by REST, and by the command line', async () => {
    await eventually(async () => (await callOf()).hasRecord, 'the record')
    expect(readdirSync(join(disk, 'call-records'))).toEqual([])
    const key = `calls/${product.businessId}/${report.callSid}/record.jsonl`
    expect([...s3.objects.keys()]).toContain(key)
    const replay = await product.trpc(product.apiKey, 1).calls.replay.query({ id: report.callSid })
    expect(replay).toMatchObject({ same: true, firstDifference: null })
    expect(replay.transcript.join('\n')).toContain('caller  My name is Dana')
    expect(replay.transcript.join('\n')).toContain('[save_lead]')

    const { id } = await callOf()
    for (const name of [id, report.callSid]) {
      const answer = await product.api(`/api/v1/calls/${name}/trace`, { index: 1 })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toStartWith('application/x-ndjson')
      expect(JSON.parse((await answer.text()).split('\n')[0] ?? '')).toMatchObject({
        kind: 'start',
        callSid: report.callSid,
      })
    }
    const part = await product.api(`/api/v1/calls/${id}/trace`, { index: 1, headers: { Range: 'bytes=1-3' } })
    expect({ status: part.status, body: await part.text() }).toEqual({ status: 206, body: '"t"' })
    expect((await product.api(`/api/v1/calls/${id}/trace`, { key: 'a wrong key' })).status).toBe(401)
    // Another business has no such call, by whatever name.
    for (const name of [id, report.callSid])
      for (const path of [`/api/v1/calls/${name}/trace`, `/api/v1/calls/${name}/replay`])
        expect((await product.api(path, { key: strangersKey })).status).toBe(404)
    expect((await product.api('/api/v1/calls/CAnobody/trace')).status).toBe(404)
    expect(await (await product.api(`/api/v1/calls/${report.callSid}/replay`)).json()).toMatchObject({ same: true })
    for (const where of [['--local'], ['--url', product.url(1)]]) {
      const printed = await runToEnd('src/cli.ts', product.env, [...where, 'call', 'replay', report.callSid])
      expect(printed).toContain('decisions, all the same')
      expect(printed).toContain('caller  A flat in Haifa')
    }
    const file = join(temporaryDirectory('replay'), 'record.jsonl')
    writeFileSync(file, s3.objects.get(key) ?? '')
    expect(await runToEnd('src/cli.ts', product.env, ['call', 'replay', file])).toContain('decisions, all the same')
  })

  test('its statistics are in the API and in the metrics of the server that had it', async () => {
    const stats = await product.trpc().calls.stats.query({ days: 1 })
    expect(stats).toMatchObject({ calls: 1, bargeIns: 0, engineFailures: 0 })
    expect(stats.costMicroUsd ?? 0).toBeGreaterThan(0)
    const { metrics } = await callOf()
    for (const name of ['greetingMs', 'responseMedianMs', 'relayInP95Us', 'relayOutP95Us'] as const) {
      expect(stats.measures[name]?.p50 ?? -1).toBeGreaterThanOrEqual(0)
      expect(stats.measures[name]).toEqual({ p50: metrics?.[name] ?? Number.NaN, p95: metrics?.[name] ?? Number.NaN })
    }
    const business = `{business="${product.businessId}"}`
    for (const [name, value] of [
      ['agentlocator_calls_ended_total{reason="completed"}', 1],
      ['agentlocator_call_greeting_milliseconds_count', 1],
      [`agentlocator_call_response_milliseconds_count${business}`, 1],
      [`agentlocator_engine_cost_microusd_total${business}`, stats.costMicroUsd ?? Number.NaN],
      ['agentlocator_call_relay_in_microseconds_count', 1],
      ['agentlocator_call_relay_out_microseconds_count', 1],
      ['agentlocator_call_clear_milliseconds_count', 0],
      ['agentlocator_engine_failures_total', 0],
      ['agentlocator_calls_live', 0],
      ['agentlocator_media_sockets', 0],
      ['agentlocator_call_traces_waiting', 0],
    ] as const)
      expect({ name, value: await product.metric(name) }).toEqual({ name, value })
    // The other one had no call.
    expect(await product.metric('agentlocator_calls_ended_total{reason="completed"}', 1)).toBe(0)
  })

  test('erased with its caller, the record is gone from the storage too', async () => {
    const { contactId } = await callOf()
    await product.trpc().privacy.eraseContact.mutate({ id: contactId ?? '' })
    await eventually(
      () => [...s3.objects.keys()].every((key) => !key.includes(report.callSid)),
      'the deletion of all that the call left',
      30_000,
    )
    expect((await product.api(`/api/v1/calls/${report.callSid}/trace`)).status).toBe(404)
    await eventually(
      async () => (await product.sql`select 1 from pending_deletions`).length === 0,
      'the end of what was to be deleted',
    )
  })
})

describe('without a model', () => {
  let product: Product
  let calls = 0

  beforeAll(async () => {
    product = await startProduct({ queue: 'postgres', env: { BUSINESS_LANGUAGE: 'en', BUSINESS_NAME: 'Acme' } })
  })
  afterAll(() => product.stop())

  /** A caller who hangs up after the greeting. */
  async function shortCall(from?: string): Promise<string> {
    const sid = `CAafter${String(++calls).padStart(27, '0')}`
    const stream = await openStream(product)
    stream.start(sid, await announceCall(product, sid, 0, undefined, from))
    await eventually(() => stream.received.length > 0, 'the greeting')
    stream.media(200)
    stream.send({ event: 'stop', streamSid: `MZ${sid.slice(2)}` })
    await stream.closed
    return sid
  }

  const summaryOf = (sid: string) =>
    eventually(
      async () => {
        const { id } = await product.trpc().calls.get.query({ id: sid })
        return await product.trpc().calls.summary.query({ id })
      },
      'the summary',
      40_000,
    )

  test('the summary is made by rules; no one is written to unasked', async () => {
    expect(await summaryOf(await shortCall())).toMatchObject({
      madeBy: 'rules',
      summary: 'An unknown caller called. The caller said nothing.',
      nextStep: null,
      sentiment: null,
      fields: {},
    })
    expect(messagesTo(product, CALLER)).toEqual([])
  })

  test('a business that wants it writes the caller; a withheld number gets nothing, and harms nothing', async () => {
    await product.trpc().receptionist.save.mutate(FOLLOW_UP)
    const [known, withheld] = [await shortCall(), await shortCall('anonymous')]
    await Promise.all([summaryOf(known), summaryOf(withheld)])
    await eventually(() => messagesTo(product, CALLER).length > 0, 'the message', 30_000)
    expect(messagesTo(product, CALLER)).toEqual(['Thank you! Acme'])
    expect(await product.sql`select 1 from messages where direction = 'out'`).toHaveLength(1)
  })

  test('the records are below the data directory’s files, and none waits on the disk', async () => {
    const dataDir = product.env.DATA_DIR ?? ''
    await eventually(() => readdirSync(join(dataDir, 'call-records')).length === 0, 'the records')
    const rows = await product.sql<{ record_key: string }[]>`select record_key from calls where record_key is not null`
    expect(rows.length).toBe(calls)
    for (const { record_key } of rows) expect(existsSync(join(dataDir, 'files', record_key))).toBe(true)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../db/embedded.ts'
import { createQueueBackend, type QueueBackend, type QueueBackendConfig } from '../../src/jobs/backend.ts'
import {
  type Consumer,
  type ConsumerMetrics,
  createConsumer,
  DelayJob,
  type JobHandlers,
  PermanentJobError,
} from '../../src/jobs/consumer.ts'
import { createProducer, type Producer, type ProducerOptions } from '../../src/jobs/producer.ts'
import { AppError, PERSON_ERASED } from '../../src/lib/errors.ts'
import { newId } from '../../src/lib/ids.ts'
import { createLogger } from '../../src/lib/log.ts'
import { ownPostgresDirectory, TEST_SETTINGS } from '../support/postgres.ts'
import { startRedis } from '../support/redis.ts'
import { quietFor } from '../support/wait.ts'
import { crmHandlers } from './handlers.ts'

const logger = createLogger('silent')

/** A server that the suite may end and bring back. */
type Server = {
  config: QueueBackendConfig
  halt(): Promise<void>
  start(): Promise<void>
  dispose(): Promise<void>
}

async function startRedisServer(): Promise<Server> {
  const redis = await startRedis()
  return { ...redis, config: { kind: 'redis', url: redis.url } }
}

async function startPostgresServer(): Promise<Server> {
  const dataDir = ownPostgresDirectory('queue')
  const open = () => startEmbeddedPostgres({ dataDir, logger, settings: TEST_SETTINGS })
  let server = await open()
  return {
    config: { kind: 'postgres', databaseUrl: server.url },
    halt: () => server.stop(),
    start: async () => {
      server = await open()
    },
    dispose: async () => {
      await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

describe.each([
  ['redis', startRedisServer],
  ['postgres', startPostgresServer],
] as const)('the queue on %s', (kind, startServer) => {
  let server: Server
  let backend: QueueBackend
  let producer: Producer
  const consumers: Consumer[] = []

  beforeAll(async () => {
    server = await startServer()
    backend = await createQueueBackend(server.config, { logger })
    producer = createProducer(backend, logger)
  }, 60_000)

  afterAll(async () => {
    await stopConsumers()
    await producer.close()
    await backend.close()
    await server.dispose()
  }, 60_000)

  const stopConsumers = async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
  }

  const consume = (some: Partial<JobHandlers<'crm'>>, metrics: ConsumerMetrics = {}, concurrency = 5): Consumer => {
    const handlers = crmHandlers(some)
    const consumer = createConsumer({ backend, queue: 'crm', handlers, concurrency, logger, metrics })
    consumers.push(consumer)
    return consumer
  }

  const statusOf = (callSid: string) => ({ callSid, status: 'completed', at: new Date().toISOString() })
  const crmQueue = () => {
    const queue = producer.queues.find(({ name }) => name === 'crm')
    if (!queue) throw new Error('no crm queue')
    return queue
  }

  test('a stored job survives every connection and reaches its handler with defaults filled in', async () => {
    const callSid = newId()
    const other = await createQueueBackend(server.config, { logger })
    const otherProducer = createProducer(other, logger)
    const at = new Date().toISOString()
    await otherProducer.enqueue('call.finish', { callSid, businessId: newId(), reason: 'goodbye', durationMs: 5, at })
    await otherProducer.close()
    await other.close()

    const seen = Promise.withResolvers<unknown>()
    consume({ 'call.finish': async (payload) => seen.resolve(payload) })
    expect(await seen.promise).toMatchObject({ callSid, metrics: {} })
    await stopConsumers()
  }, 20_000)

  test('jobs with one id are one job', async () => {
    const callSid = newId()
    const runs: string[] = []
    await Promise.all(
      Array.from({ length: 10 }, () =>
        producer.enqueue('call.status', statusOf(callSid), { jobId: `status.${callSid}` }),
      ),
    )
    const marker = Promise.withResolvers<void>()
    await producer.enqueue('call.status', statusOf('marker'), { delayMs: 300 })
    consume({
      'call.status': async (payload) => {
        if (payload.callSid === 'marker') marker.resolve()
        else runs.push(payload.callSid)
      },
    })
    await marker.promise
    await producer.enqueue('call.status', statusOf(callSid), { jobId: `status.${callSid}` })
    await quietFor(200, 'a second job would have run')
    expect(runs).toEqual([callSid])
    await stopConsumers()
  }, 20_000)

  test('a failing job is retried with growing pauses until it succeeds', async () => {
    const times: number[] = []
    const outcomes: string[] = []
    const done = Promise.withResolvers<void>()
    consume(
      {
        'call.status': async (_payload, job) => {
          times.push(Date.now())
          expect(job.attempt).toBe(times.length)
          if (times.length < 3) throw new AppError('unavailable', 'away', 'The other side is away.')
          done.resolve()
        },
      },
      { jobFinished: ({ outcome }) => outcomes.push(outcome) },
    )
    await producer.enqueue('call.status', statusOf(newId()))
    await done.promise
    const [first = 0, second = 0, third = 0] = times
    expect(second - first).toBeGreaterThanOrEqual(390)
    expect(second - first).toBeLessThan(2_500)
    expect(third - second).toBeGreaterThanOrEqual(790)
    expect(third - second).toBeLessThan(4_000)
    await stopConsumers()
    expect(outcomes).toEqual(['retried', 'retried', 'completed'])
  }, 20_000)

  test('what cannot succeed fails at once, stays visible, and says why', async () => {
    const errors: Record<string, () => Error> = {
      permanent: () => new PermanentJobError('the number is not a number'),
      invalid: () => new AppError('not_found', 'no_call', 'There is no such call.'),
    }
    const failed: string[] = []
    const all = Promise.withResolvers<void>()
    consume(
      {
        'call.status': async (payload) => {
          throw errors[payload.status]?.() ?? new Error('unexpected')
        },
      },
      {
        jobFinished: ({ outcome }) => {
          failed.push(outcome)
          if (failed.length === 3) all.resolve()
        },
      },
    )
    for (const status of Object.keys(errors))
      await producer.enqueue('call.status', { ...statusOf('x'), status }, { jobId: `fails.${status}` })
    // Stored by an older or broken producer: never through our door.
    await crmQueue().add('call.status', { callSid: 5, secret: 'hidden' }, { jobId: 'fails.payload', attempts: 5 })
    await all.promise
    await stopConsumers()
    expect(failed).toEqual(['failed', 'failed', 'failed'])
    const reason = async (id: string) => (await crmQueue().getJob(id))?.failedReason
    expect(await reason('fails.permanent')).toBe('the number is not a number')
    expect(await reason('fails.invalid')).toBe('no_call: There is no such call.')
    expect(await reason('fails.payload')).toMatch(/does not fit its schema \(.*callSid: invalid_type/)
    expect(await reason('fails.payload')).not.toContain('hidden')
    expect(await (await crmQueue().getJob('fails.payload'))?.getState()).toBe('failed')
  }, 20_000)

  test('a job of an erased person is done without a write, and is not kept', async () => {
    const outcomes: string[] = []
    const runs: string[] = []
    consume(
      {
        'call.status': async ({ callSid }) => {
          runs.push(callSid)
          if (callSid === 'erased') throw new AppError('gone', PERSON_ERASED, 'Their data was erased.')
        },
      },
      { jobFinished: ({ outcome }) => outcomes.push(outcome) },
    )
    await producer.enqueue('call.status', statusOf('erased'), { jobId: 'erased.status' })
    await producer.enqueue('call.status', statusOf('kept'), { jobId: 'kept.status' })
    const deadline = Date.now() + 15_000
    const there = async (id: string) => (await crmQueue().getJob(id)) !== undefined
    while (Date.now() < deadline && (runs.length < 2 || (await there('erased.status')))) await Bun.sleep(50)
    expect(await there('erased.status')).toBe(false)
    expect(await there('kept.status')).toBe(true)
    await stopConsumers()
    expect(runs.sort()).toEqual(['erased', 'kept'])
    expect(outcomes).toEqual(['completed', 'completed'])
  }, 20_000)

  test('a delayed job waits, and a job may put itself off without using up a try', async () => {
    const attempts: number[] = []
    const outcomes: string[] = []
    const done = Promise.withResolvers<number>()
    consume(
      {
        'call.status': async (_payload, job) => {
          attempts.push(job.attempt)
          if (attempts.length < 3) throw new DelayJob(200.5, 'the account is away')
          done.resolve(Date.now())
        },
      },
      { jobFinished: ({ outcome }) => outcomes.push(outcome) },
    )
    const before = Date.now()
    await producer.enqueue('call.status', statusOf(newId()), { delayMs: 600 })
    expect((await done.promise) - before).toBeGreaterThanOrEqual(950)
    await stopConsumers()
    expect(attempts).toEqual([1, 1, 1])
    expect(outcomes).toEqual(['delayed', 'delayed', 'completed'])
  }, 20_000)

  test('a job whose worker is killed runs again within 12 s', async () => {
    const worker = Bun.spawn(['bun', join(import.meta.dir, 'fixtures/worker.ts'), JSON.stringify(server.config)], {
      stdout: 'pipe',
    })
    const jobId = `killed.${newId()}`
    const recovered: number[] = []
    await producer.enqueue('call.status', statusOf('killed'), { jobId })
    for await (const chunk of worker.stdout) {
      expect(new TextDecoder().decode(chunk)).toContain(`started ${jobId}`)
      break
    }
    worker.kill('SIGKILL')
    await worker.exited
    const killedAt = Date.now()
    const again = Promise.withResolvers<number>()
    consume(
      {
        'call.status': async (_payload, job) => {
          if (job.id === jobId) again.resolve(Date.now())
        },
      },
      { jobsRecovered: (_queue, count) => recovered.push(count) },
    )
    const tookMs = (await again.promise) - killedAt
    console.log(`${kind}: job recovered ${tookMs} ms after the SIGKILL`)
    expect(tookMs).toBeLessThan(12_000)
    await stopConsumers()
    expect(recovered).toEqual([1])
  }, 40_000)

  test('closing finishes the running job and takes no other', async () => {
    const started = Promise.withResolvers<void>()
    const log: string[] = []
    const consumer = consume(
      {
        'call.status': async (payload) => {
          log.push(`start ${payload.callSid}`)
          started.resolve()
          await Bun.sleep(500)
          log.push(`end ${payload.callSid}`)
        },
      },
      {},
      1,
    )
    await producer.enqueue('call.status', statusOf('one'))
    await started.promise
    await producer.enqueue('call.status', statusOf('two'), { jobId: `two.${kind}` })
    expect(consumer.running).toBe(1)
    expect(await consumer.close()).toBe(true)
    expect(log).toEqual(['start one', 'end one'])
    expect(await (await crmQueue().getJob(`two.${kind}`))?.getState()).toBe('waiting')
    await (await crmQueue().getJob(`two.${kind}`))?.remove()
  }, 20_000)

  test('a repeating job asked for by two processes runs once a turn', async () => {
    let sweeps = 0
    consume({
      'maintenance.sweep': async () => {
        sweeps += 1
      },
    })
    await Promise.all([
      producer.scheduleEvery('maintenance.sweep', {}, 500),
      producer.scheduleEvery('maintenance.sweep', {}, 500),
    ])
    const from = performance.now()
    await waitUntil(() => sweeps >= 3, 20_000)
    await crmQueue().removeJobScheduler('maintenance.sweep')
    await stopConsumers()
    // Two schedulers would run it twice a turn.
    expect(sweeps).toBeLessThanOrEqual((performance.now() - from) / 500 + 2)
  }, 20_000)

  test('a job id or payload that cannot be is refused before it is stored', async () => {
    const refusal = async (jobId: string) =>
      producer.enqueue('call.status', statusOf('x'), { jobId }).then(
        () => null,
        (error: unknown) => (error instanceof AppError ? error.code : error),
      )
    for (const jobId of ['a:b', '123', '', 'שלום', 'x'.repeat(201)]) expect(await refusal(jobId)).toBe('invalid_job_id')
    await expect(producer.enqueue('call.status', { callSid: 'x', status: 'y', at: 'yesterday' })).rejects.toMatchObject(
      {
        code: 'invalid_job',
      },
    )
  })

  test('in an outage producers fail fast, the outbox keeps, and everything goes on afterwards', async () => {
    const options: ProducerOptions = { addTimeoutMs: 1_000, outboxLimit: 40 }
    const lonely = createProducer(backend, logger, options)
    const seen: string[] = []
    const consumer = consume({
      'call.status': async (payload) => {
        seen.push(payload.callSid)
      },
    })
    await consumer.ready()
    await lonely.enqueue('call.status', statusOf('before'))
    await waitUntil(() => seen.includes('before'), 5_000)

    await server.halt()
    const before = performance.now()
    const error = await lonely.enqueue('call.status', statusOf('refused')).catch((reason: unknown) => reason)
    const tookMs = performance.now() - before
    console.log(`${kind}: refused after ${Math.round(tookMs)} ms of outage`)
    expect(error).toMatchObject({ kind: 'unavailable', code: 'queue_unavailable' })
    expect(tookMs).toBeLessThan(1_500)
    await expect(backend.ping(500)).rejects.toMatchObject({ kind: 'unavailable' })

    const putAt = performance.now()
    for (let index = 0; index < 45; index += 1) lonely.enqueueEventually('call.status', statusOf(`kept ${index}`))
    lonely.enqueueEventually('call.status', { callSid: 'bad', status: 'x', at: 'never' })
    // Nothing waits for the queue that is away.
    expect(performance.now() - putAt).toBeLessThan(500)
    expect(lonely.outbox.depth).toBe(40)
    expect(lonely.outbox.dropped).toBe(5)

    await server.start()
    await waitUntil(() => lonely.outbox.depth === 0, 15_000)
    await waitUntil(() => seen.filter((callSid) => callSid.startsWith('kept')).length >= 40, 15_000)
    expect(seen.filter((callSid) => callSid.startsWith('kept')).sort()).toEqual(
      Array.from({ length: 40 }, (_, index) => `kept ${index}`).sort(),
    )
    await backend.ping()
    await lonely.close()
    await stopConsumers()
  }, 60_000)

  test('closing gives the outbox a deadline, no more', async () => {
    const lonely = createProducer(backend, logger, { addTimeoutMs: 300 })
    await server.halt()
    lonely.enqueueEventually('call.status', statusOf('lost'))
    const before = performance.now()
    await lonely.close(400)
    expect(performance.now() - before).toBeLessThan(2_000)
    expect(lonely.outbox.depth).toBe(1)
    await server.start()
    await waitUntil(() => backend.ping().then(() => true), 10_000)
  }, 40_000)
})

async function waitUntil(check: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await Promise.resolve(check()).catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`did not come true within ${timeoutMs} ms`)
    await Bun.sleep(20)
  }
}

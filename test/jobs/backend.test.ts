import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createQueueBackend, redisPrefix } from '../../src/jobs/backend.ts'
import { backoffDelay } from '../../src/jobs/consumer.ts'
import { createProducer } from '../../src/jobs/producer.ts'
import { QUEUES } from '../../src/jobs/registry.ts'
import { createLogger } from '../../src/lib/log.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { createEmptyDatabase } from '../support/postgres.ts'
import { startRedis } from '../support/redis.ts'

const logger = createLogger('silent')

test('pauses between tries double up to the cap, and jitter only shortens them', () => {
  const backoff = { delayMs: 500, maxDelayMs: 300_000 }
  expect([1, 2, 3, 4].map((attempt) => backoffDelay(backoff, attempt, 0))).toEqual([500, 1_000, 2_000, 4_000])
  expect(backoffDelay(backoff, 11, 0)).toBe(300_000)
  expect(backoffDelay(backoff, 300, 0)).toBe(300_000)
  expect(backoffDelay(backoff, 300, 1)).toBe(240_000)
})

test('several processes that start at once on an empty database all come up, and end by themselves', async () => {
  const database = await createEmptyDatabase()
  const processes = Array.from({ length: 4 }, () =>
    Bun.spawn(['bun', join(import.meta.dir, 'fixtures/migrate.ts'), database.url], { stderr: 'inherit' }),
  )
  expect(await Promise.all(processes.map((child) => child.exited))).toEqual([0, 0, 0, 0])
  await database.drop()
}, 60_000)

test('a queue that is not there is reported within the deadline', async () => {
  const port = await findFreePort('127.0.0.1')
  for (const config of [
    { kind: 'redis', url: `redis://127.0.0.1:${port}` },
    { kind: 'postgres', databaseUrl: `postgres://unknown:x@127.0.0.1:${port}/none` },
  ] as const) {
    const before = performance.now()
    const error = await createQueueBackend(config, { logger, startTimeoutMs: 500 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ kind: 'unavailable', code: 'queue_unavailable' })
    expect(performance.now() - before).toBeLessThan(2_000)
  }
}, 20_000)

test('on a Redis Cluster every queue lives in one slot', async () => {
  const redis = await startRedis(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'])
  const port = new URL(redis.url).port
  const assign = Bun.spawnSync(['redis-cli', '-p', port, 'cluster', 'addslotsrange', '0', '16383'])
  expect(assign.stdout.toString().trim()).toBe('OK')
  const backend = await createQueueBackend({ kind: 'redis', url: `${redis.url},${redis.url}` }, { logger })
  const producer = createProducer(backend, logger)
  await producer.enqueue('call.status', { callSid: 'CA1', status: 'completed', at: new Date().toISOString() })
  const keys = Bun.spawnSync(['redis-cli', '-p', port, 'keys', '*']).stdout.toString().trim().split('\n')
  expect(keys.length).toBeGreaterThan(2)
  for (const key of keys) expect(QUEUES.some((queue) => key.startsWith(redisPrefix(queue)))).toBe(true)
  await producer.close()
  await backend.close()
  await redis.dispose()
}, 30_000)

test('a Redis that hangs without closing its connections is bounded as well', async () => {
  const redis = await startRedis()
  const backend = await createQueueBackend({ kind: 'redis', url: redis.url }, { logger })
  const producer = createProducer(backend, logger, { addTimeoutMs: 500 })
  const payload = { callSid: 'CA1', status: 'completed', at: new Date().toISOString() }
  await producer.enqueue('call.status', payload)
  redis.freeze()
  const before = performance.now()
  const error = await producer.enqueue('call.status', payload, { jobId: 'hung' }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ kind: 'unavailable' })
  expect(performance.now() - before).toBeLessThan(1_000)
  expect(await backend.ping(300).catch((reason: unknown) => reason)).toMatchObject({ kind: 'unavailable' })
  redis.thaw()
  // What was given up may still arrive: a second try with the same id is then the same job.
  await producer.enqueue('call.status', payload, { jobId: 'hung' })
  const queue = producer.queues.find(({ name }) => name === 'crm')
  expect(await queue?.getWaitingCount()).toBe(2)
  await producer.close()
  await backend.close()
  await redis.dispose()
}, 20_000)

test('a producer that is closed while it schedules a job does not hold its process', async () => {
  const redis = await startRedis()
  const child = Bun.spawn(['bun', join(import.meta.dir, 'fixtures/schedule.ts'), redis.url], {
    stderr: 'inherit',
    timeout: 15_000,
  })
  expect(await new Response(child.stdout).text()).toBe('closed\n')
  expect(await child.exited).toBe(0)
  await redis.dispose()
}, 30_000)

import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { within } from '../../src/domain/context.ts'
import {
  countQuarantined,
  describeQuarantine,
  dropQuarantined,
  forgetQuarantined,
  getQuarantined,
  insertEvents,
  listQuarantine,
  requeueEvents,
  retryQuarantined,
  setAside,
} from '../../src/domain/inbox/index.ts'
import { createQueueBackend, type QueueBackend } from '../../src/jobs/backend.ts'
import { type Consumer, createConsumer, type JobOutcome } from '../../src/jobs/consumer.ts'
import { createInbox, type Inbox, type InboxRow } from '../../src/jobs/inbox.ts'
import { createProducer } from '../../src/jobs/producer.ts'
import { isDurable } from '../../src/jobs/registry.ts'
import { createSpool } from '../../src/jobs/spool.ts'
import { createGatherer } from '../../src/lib/batcher.ts'
import { AppError, failureKind } from '../../src/lib/errors.ts'
import { newId } from '../../src/lib/ids.ts'
import { createLogger } from '../../src/lib/log.ts'
import { openEventStore } from '../../workers/run-worker.ts'
import { createTestApi, type TestApi } from '../support/api.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { eventually } from '../support/product.ts'
import { quietFor } from '../support/wait.ts'
import { crmHandlers } from './handlers.ts'

const log = createLogger('silent')
let api: TestApi
let backend: QueueBackend

beforeAll(async () => {
  api = await createTestApi()
  backend = await createQueueBackend({ kind: 'postgres', databaseUrl: api.url }, { logger: log, poolSize: 6 })
})
afterAll(async () => {
  await backend.close()
  await api.close()
})

const statusOf = (callSid: string) => ({ callSid, status: 'completed', at: new Date().toISOString() })
const refusedByPostgres = () => Object.assign(new Error('invalid input syntax'), { code: '22P02' })

function take(stored: InboxRow[], batch: InboxRow[]): ReadonlyMap<string, string> {
  stored.push(...batch)
  return new Map()
}

async function consume(handle: (payload: { callSid: string }) => Promise<void>, outcomes: JobOutcome[] = []) {
  const consumer: Consumer = createConsumer({
    backend,
    queue: 'crm',
    concurrency: 4,
    logger: log,
    handlers: crmHandlers({ 'call.status': handle }),
    metrics: { jobFinished: ({ outcome }) => outcomes.push(outcome) },
    events: openEventStore(api.ctx),
  })
  await consumer.ready()
  return consumer
}

test('an event is one row however often it comes, and goes with its work', async () => {
  const runs: string[] = []
  for (let index = 0; index < 3; index += 1)
    await api.services.inbox.accept('call.status', statusOf('CAonce'), { key: 'CAonce' })
  const rows = () => api.database.sql`select payload from inbound_events where key = 'call.status:CAonce'`
  expect(await rows()).toHaveLength(1)
  const consumer = await consume(async ({ callSid }) => void runs.push(callSid))
  await eventually(async () => (await rows()).length === 0, 'the end of the event')
  await consumer.close()
  expect(runs).toEqual(['CAonce'])
})

test('a repeat, also within one batch, queues no job but that of the first', async () => {
  const enqueued: string[] = []
  const { enqueue } = api.services.producer
  const producer = { enqueue, enqueueEvent: (_: string, eventId: string) => void enqueued.push(eventId) }
  const inbox = createInbox({ insert: (batch) => insertEvents(api.ctx, batch), producer, log })
  const accept = () => inbox.accept('call.status', statusOf('CArepeat'), { key: 'CArepeat' })
  await Promise.all([accept(), accept(), accept()])
  await accept()
  const [row] = await api.database.sql<{ id: string }[]>`
    select id from inbound_events where key = 'call.status:CArepeat'`
  expect(enqueued).toEqual(Array.from({ length: 4 }, () => row?.id ?? ''))
  await api.database.sql`delete from inbound_events`
  await inbox.close()
})

test('what is refused for its own sake is set aside after three tries, retried by hand, and holds up nothing', async () => {
  const outcomes: JobOutcome[] = []
  let mended = false
  const done: string[] = []
  const consumer = await consume(async ({ callSid }) => {
    if (callSid === 'CAbad' && !mended) throw refusedByPostgres()
    done.push(callSid)
  }, outcomes)
  const { inbox } = api.services
  await inbox.accept('call.status', { ...statusOf('CAbad'), onlyFor: [api.businessId, newId()] })
  await inbox.accept('call.status', statusOf('CAgood'))
  await eventually(() => done.includes('CAgood'), 'the one behind')
  await eventually(async () => (await countQuarantined(api.ctx)) === 1, 'the quarantine', 20_000)
  expect(outcomes.filter((outcome) => outcome !== 'completed')).toEqual(['retried', 'retried', 'failed'])
  expect(await api.database.sql`select 1 from inbound_events`).toHaveLength(0)

  // Of no certain business: the operator's alone.
  expect((await api.as({}).quarantine.list()).items).toEqual([])
  const operator = api.as({ operator: true }).quarantine
  const [item] = (await operator.list()).items
  if (!item) throw new Error('It is not listed.')
  expect(item).toMatchObject({ job: 'call.status', attempts: 3, reason: 'invalid input syntax' })
  expect(JSON.parse((await operator.get({ id: item.id })).content)).toMatchObject({ callSid: 'CAbad' })
  await expect(operator.retry({ id: newId() })).rejects.toMatchObject({ code: 'NOT_FOUND' })

  mended = true
  api.jobs.length = 0
  expect(await operator.retry({ id: item.id })).toEqual({ count: 1 })
  expect(await countQuarantined(api.ctx)).toBe(0)
  // The sweep that was asked for queues it.
  expect(api.jobs.map(({ name }) => name)).toEqual(['maintenance.sweep'])
  const [row] = await api.database.sql<{ id: string }[]>`select id from inbound_events`
  api.services.producer.enqueueEvent('call.status', row?.id ?? '')
  await eventually(() => done.includes('CAbad'), 'the one that was set aside')
  await consumer.close()
}, 40_000)

test('a business sees, drops and forgets its own alone', async () => {
  const { setAside } = openEventStore(api.ctx)
  const other = await api.addBusiness('Other')
  for (const [businessId, key] of [
    [api.businessId, 'mine'],
    [other, 'theirs'],
  ] as const)
    await setAside({
      job: 'message.receive',
      key,
      payload: { businessId, from: { phone: '+972501111111' }, body: 'x\ud800' },
      error: refusedByPostgres(),
      attempts: 3,
      eventId: null,
    })
  const mine = api.as({}).quarantine
  const [item, ...more] = (await mine.list()).items
  expect(more).toEqual([])
  expect(item?.key).toBe('mine')
  // The bytes are those that were refused, half of a surrogate pair and all.
  expect(JSON.parse((await mine.get({ id: item?.id ?? '' })).content).body).toBe('x\ud800')
  const theirs = (await api.as({}, { businessId: other }).quarantine.list()).items[0]
  await expect(mine.drop({ id: theirs?.id ?? '' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await mine.drop({ id: item?.id ?? '' })
  expect((await mine.list()).items).toEqual([])
  const seen: string[] = []
  await forgetQuarantined(
    within(api.ctx, other),
    other,
    ['+972501111111'],
    async (jobs) => void seen.push(...jobs.map(({ name }) => name)),
  )
  expect(seen).toEqual(['message.receive'])
  expect(await countQuarantined(api.ctx)).toBe(0)
})

test('one event that no table takes costs no other of its batch', async () => {
  const rows = createGatherer<InboxRow>(async (batch) => void (await insertEvents(api.ctx, batch)), {
    max: 100,
    isPoisoned: (error) => failureKind(error) !== 'transient',
  })
  const row = (id: string): InboxRow => ({
    id,
    key: `gather:${id}`,
    job: 'call.status',
    businessId: null,
    payload: '{}',
    delayMs: 0,
  })
  const ids = Array.from({ length: 20 }, newId)
  const results = await Promise.allSettled(
    [...ids.slice(0, 10), 'no uuid', ...ids.slice(10)].map((id) => rows.put(row(id))),
  )
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  expect(await api.database.sql`select id from inbound_events where key like 'gather:%'`).toHaveLength(20)
  await api.database.sql`delete from inbound_events`
})

test('with neither database nor queue, what could not wait stands on the disk, and another process takes it over', async () => {
  const dir = join(temporaryDirectory('spool'), 'inbound-events')
  const away = () => Promise.reject(new AppError('unavailable', 'queue_unavailable', 'away'))
  const stored: InboxRow[] = []
  let back = false
  const open = () =>
    createInbox({
      insert: async (batch) => (back ? take(stored, batch) : await away()),
      producer: { enqueue: away, enqueueEvent: () => {} },
      log,
      spool: createSpool(dir, log),
    })
  const first = open()
  await expect(first.accept('call.status', statusOf('CAno'))).rejects.toMatchObject({ code: 'queue_unavailable' })
  for (const callSid of ['CA1', 'CA2', 'CA3'])
    await first.acceptEventually('call.status', { ...statusOf(callSid), status: 'x\0y' }, { key: callSid })
  expect(first.waiting).toBe(3)
  await first.close(10)
  const second = open()
  await expect(second.recover()).rejects.toThrow()
  back = true
  expect(await second.recover()).toBe(3)
  expect(stored.map(({ key }) => key).sort()).toEqual(['call.status:CA1', 'call.status:CA2', 'call.status:CA3'])
  expect(stored.every(({ payload }) => JSON.parse(payload).status === 'xy')).toBe(true)
  expect(readdirSync(dir)).toEqual([])
  // What is stored at once leaves nothing behind.
  await second.acceptEventually('call.status', statusOf('CA4'))
  await eventually(() => second.waiting === 0, 'the event')
  await second.close()
  expect(existsSync(dir) ? readdirSync(dir) : []).toEqual([])
})

test('turns that come together are one event; each of them is on the disk until it is stored, alone', async () => {
  const dir = join(temporaryDirectory('spool-bundle'), 'inbound-events')
  const stored: InboxRow[] = []
  const away = () => Promise.reject(new AppError('unavailable', 'queue_unavailable', 'away'))
  const open = (isBack: boolean) =>
    createInbox({
      insert: async (batch) => (isBack ? take(stored, batch) : await away()),
      producer: { enqueue: away, enqueueEvent: () => {} },
      log,
      spool: createSpool(dir, log),
    })
  const accept = (inbox: Inbox, callSid: string, index: number) => {
    const turn = { role: 'agent' as const, text: 'x\0y', startMs: 0, endMs: 9 }
    return inbox.acceptEventually(
      'call.turn',
      { ...turn, callSid, index, businessId: api.businessId },
      { key: `${callSid}:${index}` },
    )
  }
  const first = open(false)
  await Promise.all([accept(first, 'CA1', 0), accept(first, 'CA1', 1), accept(first, 'CA2', 0)])
  expect(first.waiting).toBe(3)
  // What a killed process left: a line a turn.
  await first.close(10)
  const second = open(true)
  expect(await second.recover()).toBe(3)
  expect(stored.map(({ key }) => key).toSorted()).toEqual(['call.turn:CA1:0', 'call.turn:CA1:1', 'call.turn:CA2:0'])
  stored.length = 0

  void accept(second, 'CA3', 0)
  void accept(second, 'CA4', 0)
  await second.acceptEventually('call.status', statusOf('CA3'))
  await eventually(() => second.waiting === 0, 'the bundle')
  void accept(second, 'CA3', 1)
  await second.close()
  expect(stored.map(({ job }) => job)).toEqual(['call.status', 'call.turns', 'call.turn'])
  expect(JSON.parse(stored[1]?.payload ?? '')).toEqual({
    turns: ['CA3', 'CA4'].map((callSid) => expect.objectContaining({ callSid, index: 0, text: 'xy' })),
  })
  expect(existsSync(dir) ? readdirSync(dir) : []).toEqual([])
})

test('a disk that hangs is not waited for while the database takes the event', async () => {
  const stored: InboxRow[] = []
  const inbox = createInbox({
    insert: async (batch) => take(stored, batch),
    producer: { enqueue: async () => {}, enqueueEvent: () => {} },
    log,
    spool: {
      write: () => new Promise(() => {}),
      done: () => {},
      recover: async () => 0,
      close: async () => {},
    },
  })
  await inbox.acceptEventually('call.status', statusOf('CA5'))
  expect(stored).toHaveLength(1)
  await inbox.close()
})

test('the spool acknowledges a line after it was synchronised, and the first after its directories were', async () => {
  const root = temporaryDirectory('spool-order')
  const handle = await open(join(root, 'any'), 'a')
  const prototype: Pick<FileHandle, 'appendFile' | 'datasync' | 'sync'> = Object.getPrototypeOf(handle)
  await handle.close()
  const steps: string[] = []
  const spies = (['appendFile', 'datasync', 'sync'] as const).map((name) => {
    const original = prototype[name]
    return spyOn(prototype, name).mockImplementation(async function (this: FileHandle, ...args: unknown[]) {
      await Reflect.apply(original, this, args)
      steps.push(name === 'appendFile' ? String(args[0]).trim() : name)
    })
  })
  const spool = createSpool(join(root, 'inbound-events'), log)
  try {
    for (const id of ['1', '2']) {
      await spool.write(id, `line ${id}`)
      steps.push(`acknowledged ${id}`)
    }
  } finally {
    for (const spy of spies) spy.mockRestore()
    await spool.close()
  }
  expect(steps).toEqual([
    ...['sync', 'sync', 'line 1', 'datasync', 'acknowledged 1'],
    ...['line 2', 'datasync', 'acknowledged 2'],
  ])
})

const canTrace = Bun.which('strace') !== null && Bun.spawnSync(['strace', '-o', '/dev/null', 'true']).exitCode === 0

test.if(canTrace)('what the spool acknowledges is synchronised first: the directories, then the line', async () => {
  const root = temporaryDirectory('spool-sync')
  const program = `
    import { createSpool } from ${JSON.stringify(join(import.meta.dir, '../../src/jobs/spool.ts'))}
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, '../../src/lib/log.ts'))}
    const spool = createSpool(${JSON.stringify(join(root, 'inbound-events'))}, createLogger('silent'))
    for (const id of ['1', '2']) {
      await spool.write(id, 'line ' + id)
      console.log('acknowledged ' + id)
    }
    await spool.close()`
  const trace = join(root, 'trace')
  const child = Bun.spawn(
    ['strace', '-f', '-e', 'trace=fsync,fdatasync,write,pwrite64', '-o', trace, process.execPath, '-e', program],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  expect(await child.exited).toBe(0)
  const steps = (await Bun.file(trace).text())
    .split('\n')
    .flatMap((line) => /(fsync|fdatasync)\(|"(line \d|acknowledged \d)/.exec(line)?.slice(1, 3) ?? [])
    .filter((step) => step !== undefined)
  expect(steps).toEqual([
    ...['fsync', 'fsync', 'line 1', 'fdatasync', 'acknowledged 1'],
    ...['line 2', 'fdatasync', 'acknowledged 2'],
  ])
})

test.each([
  ['a value that Postgres refuses', refusedByPostgres(), 'permanent'],
  ['a NUL', Object.assign(new Error('x'), { code: '22021' }), 'permanent'],
  ['a check', Object.assign(new Error('x'), { code: '23514' }), 'permanent'],
  ['a concurrent write', Object.assign(new Error('x'), { code: '23505' }), 'transient'],
  ['a deadlock', Object.assign(new Error('x'), { code: '40P01' }), 'transient'],
  ['a database that starts', Object.assign(new Error('x'), { code: '57P03' }), 'transient'],
  ['a statement over its time', Object.assign(new Error('x'), { code: '57014' }), 'unknown'],
  ['a full disk', Object.assign(new Error('x'), { code: '53100' }), 'transient'],
  ['a refused connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'transient'],
  [
    'an outage below a query',
    new Error('query', { cause: Object.assign(new Error('x'), { code: '08006' }) }),
    'transient',
  ],
  ['a vendor that is away', new AppError('unavailable', 'x', 'x'), 'transient'],
  ['a decision', new AppError('conflict', 'x', 'x'), 'permanent'],
  ['a fault of ours', new TypeError('x is undefined'), 'unknown'],
] as const)('%s is judged', (_, error, kind) => {
  expect(failureKind(error)).toBe(kind)
})

test('however often the sweep looks, an event that waits has one job, and one that outlived its job gets one more', async () => {
  const producer = createProducer(backend, log)
  const ids = [newId(), newId(), newId()]
  const counts = async () => {
    const found = await Promise.all(
      producer.queues.map((queue) => queue.getJobs(['waiting', 'delayed', 'active', 'completed', 'failed'])),
    )
    return ids.map((id) => found.flat().filter(({ id: jobId }) => jobId?.startsWith(id)).length)
  }
  const sweep = (now: number) =>
    requeueEvents(
      api.ctx,
      async ({ id, job }) => {
        if (isDurable(job)) await producer.requeueEvent(job, id)
      },
      new Date(now),
    )
  await insertEvents(
    api.ctx,
    ids.map((id) => ({
      id,
      key: `call.status:${id}`,
      job: 'call.status',
      businessId: null,
      payload: JSON.stringify(statusOf(`CA${id}`)),
      delayMs: 0,
    })),
  )
  for (const id of ids) producer.enqueueEvent('call.status', id)
  await eventually(async () => (await counts()).every((count) => count === 1), 'the jobs')
  for (let hour = 1; hour <= 6; hour += 1) expect(await sweep(Date.now() + hour * 7_200_000)).toBe(3)
  expect(await counts()).toEqual([1, 1, 1])

  const runs: string[] = []
  const consumer = await consume(async ({ callSid }) => void runs.push(callSid))
  await eventually(async () => (await api.database.sql`select 1 from inbound_events`).length === 0, 'the work')
  expect(runs.toSorted()).toEqual(ids.map((id) => `CA${id}`).toSorted())
  const [outlived = ''] = ids
  const again = { key: `call.status:${outlived}`, job: 'call.status', businessId: null, delayMs: 0 }
  await insertEvents(api.ctx, [{ ...again, id: outlived, payload: JSON.stringify(statusOf('CAagain')) }])
  expect(await sweep(Date.now() + 7_200_000)).toBe(1)
  await eventually(() => runs.includes('CAagain'), 'the event that outlived its job')
  // What is done does nothing.
  await producer.requeueEvent('call.status', outlived)
  await eventually(async () => (await producer.queues[0]?.getJobCounts('waiting', 'active'))?.waiting === 0, 'no job')
  await quietFor(200, 'what is done would have run again')
  expect(runs).toHaveLength(4)
  await consumer.close()
  await producer.close()
})

test('what is set aside of a business is bounded: cut beyond its bytes, counted beyond its rows, and nothing is dropped', async () => {
  const limits = { rows: 4, bytes: 3_000, rowBytes: 2_000, beginningBytes: 100 }
  const scope = { ...within(api.ctx, api.businessId), operator: false }
  const put = (name: string, length: number) =>
    setAside(
      api.ctx,
      {
        job: 'call.status',
        key: `call.status:${name}`,
        payload: { businessId: api.businessId, body: 'x'.repeat(length) },
        error: new Error('refused'),
        attempts: 3,
      },
      limits,
    )
  const held = async () => (await listQuarantine(scope, { limit: 50 })).items
  expect(await held()).toEqual([])
  await put('large', 5_000)
  await put('first', 1_500)
  await put('second', 1_500)
  await put('small', 10)
  const [small, second, first, large] = await held()
  expect([large, first, second, small].map((row) => [row?.bytes, row?.cutFrom])).toEqual([
    [100, expect.any(Number)],
    [expect.any(Number), null],
    [100, expect.any(Number)],
    [expect.any(Number), null],
  ])
  expect(large?.cutFrom).toBeGreaterThan(5_000)
  expect((await getQuarantined(scope, large?.id ?? '')).content).toHaveLength(100)
  await put('third', 10)
  await put('fourth', 10)
  await put('first', 1_500)
  expect(await held()).toHaveLength(5)
  expect((await held())[0]).toMatchObject({ key: `overflow:${api.businessId}:call.status`, attempts: 6, bytes: 0 })
  expect(await describeQuarantine(api.ctx, limits)).toEqual({ count: 5, cut: 3, nearlyFull: [api.businessId] })

  await expect(retryQuarantined(scope, large?.id ?? '')).rejects.toMatchObject({ code: 'quarantine_cut' })
  expect(await retryQuarantined(scope)).toBe(2)
  expect((await held()).map(({ cutFrom }) => cutFrom !== null)).toEqual([true, true, true])
  for (const { id } of await held()) await dropQuarantined(scope, id)
  await api.database.sql`delete from inbound_events`
})

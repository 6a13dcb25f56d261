import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { eq } from 'drizzle-orm'
import { calls, pendingDeletions } from '../../db/schema/index.ts'
import { callTraceKey, finishCall, registerCall } from '../../src/domain/calls/index.ts'
import { within } from '../../src/domain/context.ts'
import { deletePending, eraseContact, sweepRetention } from '../../src/domain/privacy/index.ts'
import { createCallTraceStore } from '../../src/media/call-trace-store.ts'
import { createFileTraceWriters } from '../../src/media/call-trace-writer.ts'
import { createFileStorage } from '../../src/providers/storage/file.ts'
import type { ObjectStorage } from '../../src/providers/storage/port.ts'
import { until } from '../sandbox/carrier/support.ts'
import { createTestApi, type TestApi } from '../support/api.ts'
import { traceOfCall } from '../support/call-trace.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { quietFor } from '../support/wait.ts'

setDefaultTimeout(30_000)

const MINUTE = 60_000
let api: TestApi
let storage: ObjectStorage
let dir = ''
let serial = 0

beforeAll(async () => {
  api = await createTestApi()
  storage = api.services.storage
})
afterAll(() => api.close())
beforeEach(() => {
  dir = temporaryDirectory('call-records')
})

/** A call of a contact of its own, over when `ended`. */
async function newCall(ended = true) {
  const callSid = `CA${String(++serial).padStart(32, '0')}`
  const call = { callSid, from: `+9725012340${String(serial).padStart(2, '0')}`, to: '+97233760000', at: new Date() }
  const id = await registerCall(api.business, call)
  if (ended) await finishCall(api.business, { ...call, reason: 'completed', durationMs: 1, metrics: {} })
  const [row] = await api.database.db.select().from(calls).where(eq(calls.id, id))
  return { id, callSid, contactId: row?.contactId ?? '', key: callTraceKey(api.businessId, callSid) }
}

/** What a process that is gone left on the disk; answers its path. */
function leaveBehind(call: { callSid: string }, businessId = api.businessId, text?: string): string {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, `${call.callSid}.0123456789ab.jsonl`)
  writeFileSync(path, text ?? traceOfCall({ callSid: call.callSid, businessId }))
  return path
}

const keeperOn = (where: ObjectStorage = storage, ctx = api.ctx) =>
  createCallTraceStore({ dir, storage: where, ctx, writes: () => false })
const later = (minutes: number) => Date.now() + minutes * MINUTE

test('a record goes into the storage when its call is over, and is replayed from there on any machine', async () => {
  const call = await newCall(false)
  const recorders = createFileTraceWriters({ dir, log: api.ctx.log, onClosed: (path) => keeper.add(path) })
  const keeper = createCallTraceStore({ dir, storage, ctx: api.ctx, writes: recorders.writes })
  const recorder = recorders.open(call.callSid)
  const lines = traceOfCall({ callSid: call.callSid, businessId: api.businessId }).trim().split('\n')
  for (const line of lines.slice(0, -1)) recorder.write(JSON.parse(line))
  await recorders.flush()
  // It is still written to: no one touches it, however old it looks.
  expect(await keeper.sweep(later(60 * 24))).toEqual({ stored: 0, waiting: 0, dropped: 0 })
  expect(readdirSync(dir)).toHaveLength(1)
  recorder.write(JSON.parse(lines.at(-1) ?? ''))
  recorder.close()
  await until(() => readdirSync(dir).length === 0, 10_000)
  await keeper.stop()

  expect((await storage.get(call.key))?.size).toBeGreaterThan(500)
  const owner = api.as({})
  expect(await owner.calls.get({ id: call.callSid })).toMatchObject({ hasRecord: true })
  for (const id of [call.id, call.callSid]) {
    const replay = await owner.calls.replay({ id })
    expect(replay).toMatchObject({ callSid: call.callSid, same: true, firstDifference: null })
    expect(replay.decisions.map(({ what }) => what).at(-1)).toBe('end reason=caller_hung_up')
    expect(replay.transcript.join('\n')).toContain('caller  I want a flat')
  }
  // Another business does not get it, by whatever name.
  const stranger = api.as({}, { businessId: await api.addBusiness('Other') })
  for (const id of [call.id, call.callSid])
    await expect(stranger.calls.replay({ id })).rejects.toThrow('There is no such call.')
})

test('a stream that another one was faster than leaves no record', async () => {
  const closed: string[] = []
  const recorders = createFileTraceWriters({ dir, log: api.ctx.log, onClosed: (path) => void closed.push(path) })
  const recorder = recorders.open('CA1')
  recorder.write({ t: 0, kind: 'drain' })
  await recorders.flush()
  expect(readdirSync(dir)).toHaveLength(1)
  recorder.write({ t: 1, kind: 'stop' })
  recorder.discard?.()
  await recorders.flush()
  expect(readdirSync(dir)).toEqual([])
  expect(recorders.writes(recorders.pathOf('CA1'))).toBe(false)
  expect(closed).toEqual([])
})

test('what is written after a discard, or closed, leaves nothing', async () => {
  const closed: string[] = []
  const recorders = createFileTraceWriters({ dir, log: api.ctx.log, onClosed: (path) => void closed.push(path) })
  const recorder = recorders.open('CA1')
  recorder.write({ t: 0, kind: 'drain' })
  recorder.discard?.()
  recorder.write({ t: 1, kind: 'stop' })
  recorder.close()
  await recorders.flush()
  // Discarded while its last lines are being written.
  const another = recorders.open('CA2')
  another.write({ t: 0, kind: 'drain' })
  another.close()
  another.discard?.()
  await recorders.flush()
  expect(readdirSync(dir)).toEqual([])
  expect(closed).toEqual([])
  expect(recorders.waiting).toBe(0)
})

test('a second stream of a call has a trace of its own: when one is discarded, the other is complete', async () => {
  const closed = Promise.withResolvers<string>()
  const recorders = createFileTraceWriters({ dir, log: api.ctx.log, onClosed: (path) => closed.resolve(path) })
  const first = recorders.open('CA1')
  first.write({ t: 0, kind: 'drain' })
  const second = recorders.open('CA1')
  second.write({ t: 0, kind: 'drain' })
  await recorders.flush()
  second.discard?.()
  first.write({ t: 1, kind: 'stop' })
  first.close()
  const path = await closed.promise
  await recorders.flush()
  expect(path).toBe(recorders.pathOf('CA1'))
  expect(readdirSync(dir)).toEqual([basename(path)])
  expect(await Bun.file(path).text()).toBe('{"t":0,"kind":"drain"}\n{"t":1,"kind":"stop"}\n')
})

test('a call that ends writes its own record and leaves those of the live calls to the next flush', async () => {
  const closed = Promise.withResolvers<string>()
  const recorders = createFileTraceWriters({ dir, log: api.ctx.log, onClosed: (path) => closed.resolve(path) })
  const [ending, ...live] = Array.from({ length: 20 }, (_, index) => recorders.open(`CA${index}`))
  for (const recorder of [ending, ...live]) recorder?.write({ t: 0, kind: 'drain' })
  ending?.close()
  expect(await closed.promise).toBe(recorders.pathOf('CA0'))
  expect(readdirSync(dir)).toEqual([basename(recorders.pathOf('CA0'))])
  await recorders.flush()
  expect(readdirSync(dir)).toHaveLength(20)
  for (const recorder of live) recorder.discard?.()
  await recorders.flush()
  expect(recorders.waiting).toBe(0)
})

test('a crash at every point between the call and the end of the move: the next sweep brings it to its end', async () => {
  const nothingDone = await newCall()
  const stored = await newCall()
  const attached = await newCall()
  const paths = [nothingDone, stored, attached].map((call) => leaveBehind(call))
  const text = (call: { callSid: string }) => traceOfCall({ callSid: call.callSid, businessId: api.businessId })
  const bytes = (call: { callSid: string }) => new TextEncoder().encode(text(call))
  await storage.put(stored.key, bytes(stored), 'application/x-ndjson')
  await storage.put(attached.key, bytes(attached), 'application/x-ndjson')
  await api.database.db.update(calls).set({ recordKey: attached.key }).where(eq(calls.id, attached.id))

  // Someone may still be writing: too fresh to be touched.
  expect(await keeperOn().sweep()).toEqual({ stored: 0, waiting: 3, dropped: 0 })
  for (const path of paths) utimesSync(path, new Date(), new Date(Date.now() - 30 * MINUTE))
  // Two processes share the disk.
  await Promise.all([keeperOn().sweep(), keeperOn().sweep()])
  expect(readdirSync(dir)).toEqual([])
  for (const call of [nothingDone, stored, attached]) {
    expect(await (await storage.get(call.key))?.body.text()).toBe(text(call))
    expect((await api.as({}).calls.replay({ id: call.id })).same).toBe(true)
  }
})

test('a call that lives on another server is left alone, and so is one whose row is still on its way', async () => {
  const live = await newCall(false)
  const path = leaveBehind(live)
  const unknown = leaveBehind({ callSid: 'CA-not-registered-yet' })
  const keeper = keeperOn()
  expect(await keeper.sweep(later(25))).toEqual({ stored: 0, waiting: 2, dropped: 0 })
  expect(await keeper.sweep(later(35))).toEqual({ stored: 0, waiting: 2, dropped: 0 })
  // What no one has claimed for long belongs to no one, and does not lie about.
  expect(await keeper.sweep(later(45))).toEqual({ stored: 0, waiting: 1, dropped: 1 })
  expect(await Bun.file(unknown).exists()).toBe(false)
  await finishCall(api.business, {
    callSid: live.callSid,
    from: '',
    to: '',
    reason: 'server_lost',
    durationMs: 1,
    metrics: {},
    at: new Date(),
  })
  expect(await keeper.sweep(later(45))).toEqual({ stored: 1, waiting: 0, dropped: 0 })
  expect(await Bun.file(path).exists()).toBe(false)
})

test('a record that names another business than its call belongs to no call', async () => {
  const call = await newCall()
  const other = await api.addBusiness('Third')
  leaveBehind(call, other)
  const keeper = keeperOn()
  await keeper.sweep(later(30))
  await keeper.sweep(later(60))
  expect(readdirSync(dir)).toEqual([])
  expect(await storage.get(callTraceKey(other, call.callSid))).toBeNull()
  await expect(api.as({}).calls.replay({ id: call.id })).rejects.toThrow('No trace of this call is stored yet')
})

test('a call that was over before its row was written: its record is stored soon after', async () => {
  const callSid = `CA${String(++serial).padStart(32, '0')}`
  const keeper = keeperOn()
  keeper.add(leaveBehind({ callSid }))
  await quietFor(200, 'the trace would have been stored without its call')
  expect(readdirSync(dir)).toHaveLength(1)
  const call = { callSid, from: '+972501239999', to: '+97233760000', at: new Date() }
  await registerCall(api.business, call)
  // Not at the next sweep: nothing sweeps here.
  await until(() => readdirSync(dir).length === 0, 20_000)
  await keeper.stop()
  expect((await api.as({}).calls.replay({ id: callSid })).same).toBe(true)
})

test('a server that stops tries once more', async () => {
  const callSid = `CA${String(++serial).padStart(32, '0')}`
  const keeper = keeperOn()
  keeper.add(leaveBehind({ callSid }))
  await quietFor(200, 'the trace would have been stored without its call')
  await registerCall(api.business, { callSid, from: '+972501239998', to: '+97233760000', at: new Date() })
  await keeper.stop()
  expect(readdirSync(dir)).toEqual([])
})

test('a storage that is away: the record waits on the disk, and is stored once it is back', async () => {
  const call = await newCall()
  const root = temporaryDirectory('broken')
  const place = join(root, 'storage')
  // A file where the directory should be: every write fails, also for root.
  writeFileSync(place, '')
  const broken = createFileStorage(place)
  const path = leaveBehind(call)
  const keeper = keeperOn(broken)
  keeper.add(path)
  await keeper.stop()
  expect(await keeper.sweep()).toEqual({ stored: 0, waiting: 1, dropped: 0 })
  expect(keeper.waiting).toBe(1)
  expect((await api.as({}).calls.get({ id: call.id })).hasRecord).toBe(false)
  rmSync(place)
  // It was closed here: no need to wait until it is old.
  expect(await keeper.sweep()).toEqual({ stored: 1, waiting: 0, dropped: 0 })
  expect((await broken.get(call.key))?.size).toBeGreaterThan(500)
  expect(readdirSync(dir)).toEqual([])
})

/** Until a thing that has to be asked for is so. */
async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await check()); await Bun.sleep(20))
    if (Date.now() > deadline) throw new Error('it never came to be')
}

/** A recorder and a keeper on one disk, as a server has them; with what they said of trouble. */
function keepCalls(where: ObjectStorage = storage, bounds: { maxWaiting?: number; maxInMemory?: number } = {}) {
  const trouble: string[] = []
  const recorders = createFileTraceWriters({
    dir,
    log: api.ctx.log,
    onClosed: (path, unwritten) => keeper.add(path, unwritten),
    onWriteFailed: () => void trouble.push('write_failed'),
    ...bounds,
  })
  const keeper = createCallTraceStore({
    dir,
    storage: where,
    ctx: api.ctx,
    writes: recorders.writes,
    onTrouble: (what) => void trouble.push(what),
    ...bounds,
  })
  return { recorders, keeper, trouble }
}

const linesOfCall = (call: { callSid: string }) =>
  traceOfCall({ callSid: call.callSid, businessId: api.businessId }).trim().split('\n')
const textIn = async (where: ObjectStorage, key: string) => await (await where.get(key))?.body.text()

test('a disk that is never there: the record goes into the storage from memory', async () => {
  const call = await newCall()
  // A file where the directory should be: nothing can be written, also by root.
  dir = join(dir, 'disk')
  writeFileSync(dir, '')
  const { recorders, keeper, trouble } = keepCalls()
  const recorder = recorders.open(call.callSid)
  for (const line of linesOfCall(call)) recorder.write(JSON.parse(line))
  await recorders.flush()
  expect(recorders.waiting).toBeGreaterThan(500)
  recorder.close()
  await eventually(async () => (await storage.get(call.key)) !== null)
  await keeper.stop()
  expect(recorders.waiting).toBe(0)
  expect(keeper.waiting).toBe(0)
  expect((await api.as({}).calls.replay({ id: call.id })).same).toBe(true)
  expect([...new Set(trouble)]).toEqual(['write_failed', 'from_memory'])
  expect(trouble.filter((what) => what === 'from_memory')).toHaveLength(1)
})

test('a disk that comes back has the whole record, in order and once', async () => {
  const call = await newCall()
  const lines = linesOfCall(call)
  const { recorders, keeper, trouble } = keepCalls()
  const recorder = recorders.open(call.callSid)
  const third = Math.ceil(lines.length / 3)
  for (const line of lines.slice(0, third)) recorder.write(JSON.parse(line))
  await recorders.flush()
  renameSync(dir, `${dir}-away`)
  writeFileSync(dir, '')
  for (const line of lines.slice(third, 2 * third)) recorder.write(JSON.parse(line))
  await recorders.flush()
  await recorders.flush()
  rmSync(dir)
  renameSync(`${dir}-away`, dir)
  for (const line of lines.slice(2 * third)) recorder.write(JSON.parse(line))
  recorder.close()
  await eventually(async () => (await storage.get(call.key)) !== null)
  await keeper.stop()
  expect(await textIn(storage, call.key)).toBe(`${lines.join('\n')}\n`)
  expect(trouble).toEqual(['write_failed', 'write_failed'])
  expect(readdirSync(dir)).toEqual([])
})

test('a disk that is lost in the middle of a call: what is left is kept, and says that it is not all', async () => {
  const call = await newCall()
  const lines = linesOfCall(call)
  const { recorders, keeper } = keepCalls()
  const recorder = recorders.open(call.callSid)
  for (const line of lines.slice(0, 5)) recorder.write(JSON.parse(line))
  await recorders.flush()
  renameSync(dir, `${dir}-away`)
  writeFileSync(dir, '')
  for (const line of lines.slice(5)) recorder.write(JSON.parse(line))
  recorder.close()
  await eventually(async () => (await storage.get(call.key)) !== null)
  await keeper.stop()
  const kept = (await textIn(storage, call.key))?.trim().split('\n') ?? []
  expect(kept[0]).toBe(lines[0])
  expect(JSON.parse(kept[1] ?? '')).toMatchObject({ kind: 'gap' })
  expect(kept.slice(2)).toEqual(lines.slice(5))
  await expect(api.as({}).calls.replay({ id: call.id })).rejects.toThrow('Lines are missing')
})

test('a write that was cut off: the good part comes from the disk, the rest from memory', async () => {
  const call = await newCall()
  const lines = linesOfCall(call)
  const head = `${lines.slice(0, 4).join('\n')}\n`
  const path = leaveBehind(call, api.businessId, `${head}{"t":1,"kind":"mar`)
  const { keeper } = keepCalls()
  const written = new TextEncoder().encode(head).byteLength
  keeper.add(path, { first: lines[0] ?? '', written, lines: lines.slice(4), lost: 0 })
  await eventually(async () => (await storage.get(call.key)) !== null)
  await keeper.stop()
  expect(await textIn(storage, call.key)).toBe(`${lines.join('\n')}\n`)
  expect(readdirSync(dir)).toEqual([])
})

test('neither disk nor storage: memory holds records up to a bound, and gives them up once the storage is back', async () => {
  const [first, second] = [await newCall(), await newCall()]
  dir = join(dir, 'disk')
  writeFileSync(dir, '')
  const place = join(temporaryDirectory('broken'), 'storage')
  writeFileSync(place, '')
  const broken = createFileStorage(place)
  const size = linesOfCall(first).join('\n').length
  const { recorders, keeper, trouble } = keepCalls(broken, { maxWaiting: 10 * size, maxInMemory: 1.5 * size })
  for (const call of [first, second]) {
    const recorder = recorders.open(call.callSid)
    for (const line of linesOfCall(call)) recorder.write(JSON.parse(line))
    recorder.close()
    await recorders.flush()
  }
  await until(() => trouble.includes('lost'), 10_000)
  await until(() => keeper.waiting === 1, 10_000)
  rmSync(place)
  await eventually(async () => {
    await keeper.sweep()
    return (await broken.get(first.key)) !== null
  })
  await keeper.stop()
  expect(await textIn(broken, first.key)).toBe(`${linesOfCall(first).join('\n')}\n`)
  expect(await broken.get(second.key)).toBeNull()
  expect(trouble.filter((what) => what !== 'write_failed')).toEqual(['lost', 'from_memory'])
})

test('lines beyond what may wait are lost, and their number stands where they were', async () => {
  const call = await newCall()
  const lines = linesOfCall(call)
  const length = (some: string[]) => some.reduce((sum, line) => sum + line.length + 1, 0)
  const { recorders, keeper } = keepCalls(storage, { maxWaiting: length(lines.slice(0, 6)) + 10 })
  const recorder = recorders.open(call.callSid)
  for (const line of lines.slice(0, -1)) recorder.write(JSON.parse(line))
  await recorders.flush()
  recorder.write(JSON.parse(lines.at(-1) ?? ''))
  recorder.close()
  await eventually(async () => (await storage.get(call.key)) !== null)
  await keeper.stop()
  const kept = (await textIn(storage, call.key))?.trim().split('\n') ?? []
  expect(kept.slice(0, 6)).toEqual(lines.slice(0, 6))
  expect(kept.at(-1)).toBe(lines.at(-1) ?? '')
  const gaps = kept.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'gap')
  expect(gaps.reduce((sum, { lines: count }) => sum + count, 0)).toBe(lines.length - (kept.length - gaps.length))
})

/** Does what the worker does with what an erasure wrote down. */
async function runDeletions(): Promise<void> {
  for (const row of await api.database.db.select().from(pendingDeletions))
    await deletePending(within(api.ctx, row.businessId), row.id, { storage, deleteCarrierRecording: null })
}

test('erasing the contact erases the record, stored or not yet', async () => {
  const stored = await newCall()
  const local = await newCall()
  const keeper = keeperOn()
  keeper.add(leaveBehind(stored))
  await until(() => readdirSync(dir).length === 0, 10_000)
  leaveBehind(local)
  expect((await eraseContact(api.business, stored.contactId)).files).toBe(1)
  await eraseContact(api.business, local.contactId)
  await runDeletions()
  expect(await storage.get(stored.key)).toBeNull()
  // The one on the disk belongs to no call now.
  await keeper.sweep(later(30))
  await keeper.sweep(later(60))
  expect(readdirSync(dir)).toEqual([])
  expect(await storage.get(local.key)).toBeNull()
})

test('an erasure in the middle of the move leaves nothing in the storage', async () => {
  const call = await newCall()
  const path = leaveBehind(call)
  // The real storage; the erasure happens right after its write.
  const interrupted: ObjectStorage = {
    ...storage,
    async put(key, data, type) {
      await storage.put(key, data, type)
      await eraseContact(api.business, call.contactId)
    },
  }
  const keeper = keeperOn(interrupted)
  keeper.add(path)
  await keeper.stop()
  await runDeletions()
  expect(await storage.get(call.key)).toBeNull()
  expect(readdirSync(dir)).toEqual([])
})

test('move and erasure at the same moment, many times: never a stored record without its call', async () => {
  const all = await Promise.all(Array.from({ length: 24 }, () => newCall()))
  const keeper = keeperOn()
  await Promise.all(
    all.map(async (call, index) => {
      const path = leaveBehind(call)
      if (index % 3 > 0) keeper.add(path)
      if (index % 3 === 1) await Bun.sleep(index)
      await eraseContact(api.business, call.contactId)
      if (index % 3 === 0) keeper.add(path)
    }),
  )
  await keeper.stop()
  await runDeletions()
  for (const call of all) expect(await storage.get(call.key)).toBeNull()
})

test('retention deletes the record with its call, and no younger one', async () => {
  const old = await newCall()
  const young = await newCall()
  const keeper = keeperOn()
  for (const call of [old, young]) keeper.add(leaveBehind(call))
  await until(() => readdirSync(dir).length === 0, 10_000)
  await api.database.db
    .update(calls)
    .set({ startedAt: new Date(Date.now() - 31 * 86_400_000) })
    .where(eq(calls.id, old.id))
  await api.as({}).privacy.setRetention({ messageDays: null, callDays: 30, recordingDays: 30 })
  expect(await sweepRetention(api.ctx)).toBe(1)
  await runDeletions()
  expect(await storage.get(old.key)).toBeNull()
  await expect(api.as({}).calls.replay({ id: old.id })).rejects.toThrow('There is no such call.')
  expect((await api.as({}).calls.replay({ id: young.id })).same).toBe(true)
})

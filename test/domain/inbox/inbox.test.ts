import { beforeAll, expect, test } from 'bun:test'
import {
  countEvents,
  countQuarantined,
  dropQuarantined,
  findEvent,
  finishEvents,
  getQuarantined,
  insertEvents,
  listQuarantine,
  loadEvent,
  requeueEvents,
  retryQuarantined,
  setAside,
} from '../../../src/domain/inbox/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

const event = (key: string, delayMs = 0) => ({
  id: newId(),
  key,
  job: 'message.receive',
  businessId: domain.businessId,
  payload: JSON.stringify({ key }),
  delayMs,
})
const scope = () => ({ ...domain.business, operator: false })

test('an event that comes twice is one, and is there until it is finished', async () => {
  const first = event('twice')
  await Promise.all([insertEvents(domain.ctx, [first]), insertEvents(domain.ctx, [event('twice'), event('other')])])
  expect(await countEvents(domain.ctx)).toMatchObject({ waiting: 2 })
  expect(await findEvent(domain.ctx, 'twice')).toBe('{"key":"twice"}')
  const rows = await domain.sql<{ id: string }[]>`select id from inbound_events`
  await finishEvents(
    domain.ctx,
    rows.map((row) => row.id),
  )
  expect(await loadEvent(domain.ctx, first.id)).toBeNull()
  expect(await countEvents(domain.ctx)).toEqual({ waiting: 0, oldest: null })
})

test('an event whose job was lost is queued again after a minute, then at longer and longer pauses', async () => {
  const lost = event('lost')
  const queued: string[] = []
  const enqueue = async ({ id }: { id: string }) => void queued.push(id)
  const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000)
  await insertEvents(domain.ctx, [lost])
  expect(await requeueEvents(domain.ctx, enqueue, inMinutes(0.5))).toBe(0)
  expect(await requeueEvents(domain.ctx, enqueue, inMinutes(1.1))).toBe(1)
  expect(await requeueEvents(domain.ctx, enqueue, inMinutes(2))).toBe(0)
  expect(await requeueEvents(domain.ctx, enqueue, inMinutes(2.2))).toBe(1)
  expect(await requeueEvents(domain.ctx, enqueue, inMinutes(4))).toBe(0)
  expect(queued).toEqual([lost.id, lost.id])
  await finishEvents(domain.ctx, [lost.id])
})

test('two sweeps at once hand each event to the queue once', async () => {
  const events = Array.from({ length: 40 }, (_, index) => event(`sweep-${index}`))
  await insertEvents(domain.ctx, events)
  const queued: string[] = []
  const sweep = () => requeueEvents(domain.ctx, async ({ id }) => void queued.push(id), new Date(Date.now() + 120_000))
  await Promise.all([sweep(), sweep()])
  expect(queued.toSorted()).toEqual(events.map(({ id }) => id).toSorted())
  await finishEvents(
    domain.ctx,
    events.map(({ id }) => id),
  )
})

test('what is set aside takes its event along, is one row by its key, and becomes an event again when it is retried', async () => {
  const failed = event('failed')
  await insertEvents(domain.ctx, [failed])
  const payload = { businessId: domain.businessId, body: 'שלום' }
  const entry = { job: failed.job, key: failed.key, payload, error: new Error('refused\u0000'), attempts: 3 }
  await setAside(domain.ctx, { ...entry, eventId: failed.id })
  await setAside(domain.ctx, entry)
  expect(await loadEvent(domain.ctx, failed.id)).toBeNull()
  const [row] = (await listQuarantine(scope(), {})).items
  expect(row).toMatchObject({ key: 'failed', attempts: 6, cutFrom: null })
  const detail = await getQuarantined(scope(), row?.id ?? '')
  expect(JSON.parse(detail.content)).toEqual(payload)
  expect(detail.reason).not.toContain('\u0000')

  expect(await retryQuarantined(scope(), row?.id)).toBe(1)
  expect(JSON.parse((await findEvent(domain.ctx, 'failed')) ?? '')).toEqual(payload)
  expect(domain.jobs.at(-1)?.name).toBe('maintenance.sweep')
  expect(await countQuarantined(domain.ctx)).toBe(0)
})

test('what is too large is cut, said so, and cannot be retried; it can be dropped', async () => {
  const limits = { rows: 10, bytes: 10_000, rowBytes: 200, beginningBytes: 50 }
  const payload = { businessId: domain.businessId, body: 'x'.repeat(1_000) }
  await setAside(domain.ctx, { job: 'message.receive', key: 'large', payload, error: 'x', attempts: 1 }, limits)
  const [row] = (await listQuarantine(scope(), {})).items
  expect(row).toMatchObject({ key: 'large', bytes: 50 })
  expect(row?.cutFrom).toBeGreaterThan(1_000)
  await expect(retryQuarantined(scope(), row?.id)).rejects.toMatchObject({ code: 'quarantine_cut' })
  await dropQuarantined(scope(), row?.id ?? '')
  await expect(dropQuarantined(scope(), row?.id ?? '')).rejects.toMatchObject({ code: 'quarantine_not_found' })
})

test('what belongs to no business is shown to operators only', async () => {
  await setAside(domain.ctx, { job: 'call.status', key: 'unowned', payload: {}, error: 'x', attempts: 1 })
  expect((await listQuarantine(scope(), {})).items).toEqual([])
  expect((await listQuarantine({ ...scope(), operator: true }, {})).items.map((row) => row.key)).toEqual(['unowned'])
})

test('an event that its sender may send for one business alone is that business’s, and counts against its limits', async () => {
  const other = newId()
  const entry = (key: string, onlyFor: string[]) => ({
    job: 'call.status',
    key,
    payload: { callSid: 'CA1', onlyFor },
    error: 'x',
    attempts: 1,
  })
  await setAside(domain.ctx, entry('own-account', [domain.businessId]))
  await setAside(domain.ctx, entry('shared-account', [domain.businessId, other]))
  await setAside(domain.ctx, entry('unknown-business', [other]))
  expect((await listQuarantine(scope(), {})).items).toMatchObject([
    { key: 'own-account', businessId: domain.businessId },
  ])
  // A full share of the events of no business leaves this one's alone.
  const limits = { rows: 1, bytes: 1_000, rowBytes: 1_000, beginningBytes: 10 }
  await dropQuarantined(scope(), (await listQuarantine(scope(), {})).items[0]?.id ?? '')
  await setAside(domain.ctx, entry('second', [domain.businessId]), limits)
  expect((await listQuarantine(scope(), {})).items).toMatchObject([{ key: 'second', cutFrom: null }])
})

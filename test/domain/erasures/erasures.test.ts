import { beforeAll, expect, test } from 'bun:test'
import {
  deletePending,
  forgetMentions,
  noteDeletions,
  pruneTombstones,
  queueDeletions,
  refuseErased,
  requeueDeletions,
  writeTombstones,
} from '../../../src/domain/erasures/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { startDomain } from '../../support/call-domain.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

const phone = (value: string) => ({ kind: 'phone' as const, value })
const bury = (value: string, at: Date, business = domain.business) =>
  domain.ctx.db.transaction((tx) => writeTombstones(tx, business, [phone(value)], at))
const refuse = (value: string, happenedAt: Date, business = domain.business) =>
  refuseErased(domain.ctx.db, business, [phone(value)], happenedAt)
const minute = (value: number) => new Date(Date.now() + value * 60_000)

test('what happened before an erasure is refused, what happens after it is someone new', async () => {
  await bury('+972500000001', minute(0))
  await expect(refuse('+972500000001', minute(-5))).rejects.toMatchObject({ code: 'person_erased' })
  await refuse('+972500000001', minute(5))
  await refuse('+972500000002', minute(-5))
  await refuse('+972500000001', minute(-5), { ...domain.business, businessId: newId() })
})

test('an earlier erasure does not weaken a later one', async () => {
  await bury('+972500000003', minute(0))
  await bury('+972500000003', minute(-60))
  await expect(refuse('+972500000003', minute(-5))).rejects.toMatchObject({ code: 'person_erased' })
})

test('numbers are kept as keyed fingerprints; their names are forgotten with the finished jobs that mention them', async () => {
  const business = { ...domain.business, identityKey: new Uint8Array(32).fill(7) }
  await bury('+972500000004', minute(0), business)
  await expect(refuse('+972500000004', minute(-5), business)).rejects.toMatchObject({ code: 'person_erased' })
  const forgotten: string[] = []
  await forgetMentions(domain.ctx, async (_, mentions) => forgotten.push(...mentions), domain.businessId)
  expect(forgotten).toContain('+972500000004')
  const rows = await domain.sql`select * from erased_identities`
  expect(JSON.stringify(rows)).not.toContain('97250')
  await expect(refuse('+972500000004', minute(-5), business)).rejects.toMatchObject({ code: 'person_erased' })
})

test('a fingerprint goes when nothing can be late for it any more', async () => {
  await domain.sql`update erased_identities set erased_at = now() - interval '31 days'`
  expect(await pruneTombstones(domain.ctx)).toBeGreaterThan(0)
  expect(await domain.sql`select 1 from erased_identities`).toHaveLength(0)
})

test('a file is deleted and forgotten; a carrier’s copy waits for a carrier; a lost deletion is queued again', async () => {
  const storage = createFileStorage(temporaryDirectory('erasures'))
  await storage.put('calls/a.wav', new Uint8Array([1]), 'audio/wav')
  const refs = [
    { kind: 'file' as const, ref: 'calls/a.wav' },
    { kind: 'carrier_recording' as const, ref: 'RE1' },
  ]
  const ids = await domain.ctx.db.transaction((tx) => noteDeletions(tx, domain.business, refs))
  await queueDeletions(domain.business, ids)
  expect(domain.jobs.filter(({ name }) => name === 'privacy.delete')).toHaveLength(2)
  const deletions = await domain.sql<{ id: string; kind: string }[]>`select id, kind from pending_deletions`
  for (const { id } of deletions) await deletePending(domain.business, id, { storage, deleteCarrierRecording: null })
  expect(await storage.get('calls/a.wav')).toBeNull()
  expect(await domain.sql`select kind from pending_deletions`).toMatchObject([{ kind: 'carrier_recording' }])
  expect(await requeueDeletions(domain.ctx)).toBe(0)
  expect(await requeueDeletions(domain.ctx, -1_000)).toBe(1)
  const deleted: string[] = []
  const deleteCarrierRecording = async (sid: string) => void deleted.push(sid)
  for (const { id } of deletions) await deletePending(domain.business, id, { storage, deleteCarrierRecording })
  expect(deleted).toEqual(['RE1'])
  expect(await domain.sql`select kind from pending_deletions`).toHaveLength(0)
})

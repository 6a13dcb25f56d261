import { beforeAll, expect, test } from 'bun:test'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { beat } from '../../../src/domain/system/index.ts'
import {
  acquireLeases,
  changeAccountSettings,
  createAccount,
  deleteAccount,
  getLink,
  isCurrent,
  type Lease,
  listLinks,
  logoutAccount,
  openCommands,
  releaseLease,
  renewLeases,
  requestLink,
  saveAccountStatus,
} from '../../../src/domain/whatsapp/index.ts'
import { startDomain } from '../../support/call-domain.ts'

const TIMING = { leaseMs: 10_000, graceMs: 60_000 }
const STATUS = {
  state: 'working' as const,
  since: new Date(),
  reason: null,
  advice: null,
  qr: null,
  pairingCode: null,
  phone: null,
  lid: null,
  retryAt: null,
  restriction: null,
}

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

/** An account and its lease, alone in the installation. */
async function leased(owner = 'process-1'): Promise<Lease> {
  await domain.sql`delete from whatsapp_accounts`
  await createAccount(domain.business)
  const [lease] = await acquireLeases(domain.ctx, owner, TIMING)
  if (!lease) throw new Error('No account was free.')
  return lease
}

test('a new account waits to be linked, with its settings; one that works is not linked again', async () => {
  const lease = await leased()
  const { id } = await getLink(domain.business, lease.accountId)
  expect(await getLink(domain.business, id)).toMatchObject({ state: 'starting', linked: false, qr: null })
  await changeAccountSettings(domain.business, id, { gapMs: 1_234 })
  expect((await getLink(domain.business, id)).settings.gapMs).toBe(1_234)
  await expect(requestLink(domain.business, id, { phone: 'no number' })).rejects.toMatchObject({
    code: 'invalid_number',
  })
  await requestLink(domain.business, id, { phone: '050-123-4567' })
  expect(await openCommands(domain.ctx, [id])).toMatchObject([{ kind: 'pairing_code' }])
  await saveAccountStatus(domain.ctx, lease, { ...STATUS, phone: '+972501234567' })
  expect(await getLink(domain.business, id)).toMatchObject({ state: 'working', phone: '+972501234567' })
  await expect(requestLink(domain.business, id)).rejects.toMatchObject({ code: 'already_linked' })
})

test('one process holds an account at a time; an older lease writes nothing', async () => {
  const old = await leased('process-1')
  expect(await acquireLeases(domain.ctx, 'process-2', TIMING)).toEqual([])
  await domain.sql`update whatsapp_links set lease_expires_at = now() - interval '1 second'`
  const [lease] = await acquireLeases(domain.ctx, 'process-2', TIMING)
  expect(lease).toMatchObject({ accountId: old.accountId, owner: 'process-2', epoch: old.epoch + 1 })
  expect([await isCurrent(domain.ctx, old), lease && (await isCurrent(domain.ctx, lease))]).toEqual([false, true])
  expect(await saveAccountStatus(domain.ctx, old, STATUS)).toBe('stale')
  expect([...(await renewLeases(domain.ctx, 'process-1', TIMING))]).toEqual([])
  expect([...(await renewLeases(domain.ctx, 'process-2', TIMING))]).toEqual([old.accountId])
})

test('processes share accounts evenly, and take over at once what another gives back', async () => {
  await domain.sql`delete from whatsapp_accounts`
  for (let index = 0; index < 4; index++) await createAccount(domain.business)
  for (const pid of [1, 2]) await beat(domain.ctx, { kind: 'whatsapp', host: 'a', pid, version: '1' })
  const [a, b] = await Promise.all(['a', 'b'].map((owner) => acquireLeases(domain.ctx, owner, TIMING)))
  expect([a?.length, b?.length]).toEqual([2, 2])
  const ids = [...(a ?? []), ...(b ?? [])].map(({ accountId }) => accountId)
  expect(new Set(ids).size).toBe(4)
  const [given] = a ?? []
  if (!given) throw new Error('There is no lease.')
  await releaseLease(domain.ctx, given)
  await domain.sql`update whatsapp_links set lease_expires_at = now() - interval '2 minutes' where owner is null`
  expect((await acquireLeases(domain.ctx, 'b', TIMING)).map(({ accountId }) => accountId)).toEqual([given.accountId])
})

test('a number belongs to one account of the whole installation', async () => {
  await domain.sql`delete from whatsapp_accounts`
  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Another', language: 'en' }))
  await createAccount(domain.business)
  await createAccount(other)
  await domain.sql`delete from heartbeats`
  const leases = await acquireLeases(domain.ctx, 'process-1', TIMING)
  const outcomes: string[] = []
  for (const lease of leases)
    outcomes.push(await saveAccountStatus(domain.ctx, lease, { ...STATUS, phone: '+972501234567' }))
  expect(outcomes).toEqual(['saved', 'number_taken'])
})

test('a logout that no process does is asked for; a deleted account is gone for its business, and others never saw it', async () => {
  const { accountId } = await leased()
  expect(await logoutAccount(domain.business, accountId, 0)).toEqual({ done: false })
  expect(await openCommands(domain.ctx, [accountId])).toMatchObject([{ kind: 'logout' }])
  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Third', language: 'en' }))
  await expect(deleteAccount(other, accountId)).rejects.toMatchObject({ code: 'account_not_found' })
  expect(await listLinks(other)).toEqual([])
  await deleteAccount(domain.business, accountId)
  expect(await listLinks(domain.business)).toEqual([])
})

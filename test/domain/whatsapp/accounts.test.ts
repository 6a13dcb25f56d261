import { beforeAll, expect, test } from 'bun:test'
import { createBusiness, listAccounts, updateBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { requestMessage } from '../../../src/domain/messages/index.ts'
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
  refuseNumber,
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

test('a number that an account expected and never linked is another business’s to link', async () => {
  const [expected, stranger] = ['+972501000801', '+972501000802']
  const lease = await leased()
  const { accountId } = lease
  await requestLink(domain.business, accountId, { phone: expected })
  expect(await saveAccountStatus(domain.ctx, lease, { ...STATUS, phone: stranger })).toBe('saved')
  expect(await listAccounts(domain.business)).toMatchObject([{ phone: stranger, confirmationNeeded: true }])
  await refuseNumber(domain.business, accountId, stranger)
  await saveAccountStatus(domain.ctx, lease, { ...STATUS, state: 'logged_out' })
  expect(await listAccounts(domain.business)).toMatchObject([{ phone: null, confirmationNeeded: false }])
  expect(await getLink(domain.business, accountId)).toMatchObject({ phone: null, confirmationNeeded: null })

  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Other', language: 'en' }))
  const { id } = await createAccount(other)
  const theirs = (await acquireLeases(domain.ctx, 'process-2', TIMING)).find((one) => one.accountId === id)
  if (!theirs) throw new Error('The account was not free.')
  expect(await saveAccountStatus(domain.ctx, theirs, { ...STATUS, phone: expected })).toBe('saved')
  // The first account still expects it, and asks about any other.
  await saveAccountStatus(domain.ctx, lease, { ...STATUS, phone: stranger })
  expect(await getLink(domain.business, accountId)).toMatchObject({
    confirmationNeeded: { phone: stranger, expectedPhone: expected },
  })
})

test('messages go by an account that may send, else by the second provider, before one whose number is not confirmed', async () => {
  const twilio = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }
  const lease = await leased()
  await saveAccountStatus(domain.ctx, lease, { ...STATUS, phone: '+972501000811' })
  const { id } = await createAccount(domain.business)
  await requestLink(domain.business, id, { phone: '+972501000812' })
  const [second] = await acquireLeases(domain.ctx, 'process-1', TIMING)
  if (second?.accountId !== id) throw new Error('The second account was not free.')
  await saveAccountStatus(domain.ctx, second, { ...STATUS, phone: '+972501000813' })
  let sent = 0
  const accountOf = async () => {
    sent += 1
    const message = { to: `+9725222208${sent + 10}`, text: 'Hello', provider: 'baileys' as const }
    const { id: messageId } = await requestMessage(domain.business, message, twilio)
    const [row] = await domain.sql`select provider, account_id from messages where id = ${messageId}`
    return row?.account_id ?? row?.provider
  }
  // The latest of those that may send.
  expect(await accountOf()).toBe(lease.accountId)
  await saveAccountStatus(domain.ctx, lease, { ...STATUS, state: 'starting' })
  expect(await accountOf()).toBe(lease.accountId)
  await deleteAccount(domain.business, lease.accountId)
  // It waits for a member.
  expect(await accountOf()).toBe(id)
  await updateBusiness(domain.business, { fallbackWhatsappProvider: 'twilio' })
  expect(await accountOf()).toBe('twilio')
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { requestMessage } from '../../src/domain/messages/index.ts'
import {
  acquireLeases,
  createAccount,
  createAuthStore,
  deleteAccount,
  getLink,
  listLinks,
  logoutAccount,
  releaseLease,
  requestLink,
  restartAccount,
} from '../../src/domain/whatsapp/index.ts'
import { STALE_OWNER } from '../../src/providers/whatsapp/port.ts'
import { AT_ONCE, type LinkedFixture, NO_TWILIO, openLinkedFixture } from '../support/linked.ts'
import { quietFor } from '../support/wait.ts'

let fixture: LinkedFixture

beforeAll(async () => {
  fixture = await openLinkedFixture()
})
afterAll(() => fixture.close())

test('an account is linked by QR, restarted, logged out, linked anew by code, and deleted', async () => {
  const worker = await fixture.supervise()
  const { ctx, id } = await fixture.linked('+972501000001')
  const linked = await getLink(ctx, id)
  expect(linked).toMatchObject({ state: 'working', phone: '+972501000001', linked: true, qr: null, advice: null })
  expect(linked.lid).toEndWith('@lid')
  await expect(requestLink(ctx, id)).rejects.toMatchObject({ code: 'already_linked' })

  await restartAccount(ctx, id)
  await fixture.until(async () => (await getLink(ctx, id)).since > linked.since, 'the account to connect anew')
  await fixture.untilState(ctx, id, 'working')

  expect(await logoutAccount(ctx, id)).toEqual({ done: true })
  expect(await fixture.untilState(ctx, id, 'logged_out')).toMatchObject({ linked: false, reason: 'requested' })
  const [kept] = await fixture.domain.handle
    .sql`select count(*)::int as keys from whatsapp_keys where account_id = ${id}`
  expect(kept).toEqual({ keys: 0 })
  await fixture.until(async () => worker.held().length === 0, 'the account to be given back')

  await requestLink(ctx, id, { phone: '050-100-0001' })
  const { pairingCode } = await fixture.until(async () => {
    const view = await getLink(ctx, id)
    return view.pairingCode ? view : null
  }, 'a pairing code')
  await fixture.sandbox.enterCode('+972501000001', pairingCode ?? '')
  await fixture.untilState(ctx, id, 'working')

  await deleteAccount(ctx, id)
  expect(await listLinks(ctx)).toEqual([])
  await fixture.until(async () => worker.held().length === 0, 'the account to be let go')
  expect(fixture.sandbox.isOnline('+972501000001')).toBe(false)
  await worker.stop()
})

test('an account that is linked anew while it is still being given up shows a QR code', async () => {
  const worker = await fixture.supervise()
  const { ctx, id } = await fixture.linked('+972501000004', { ...AT_ONCE, gapMs: 600_000 })
  // Giving up an account takes as long as there are messages that may have another way.
  await fixture.domain.handle
    .sql`update businesses set fallback_whatsapp_provider = 'twilio' where id = ${ctx.businessId}`
  for (let index = 0; index < 80; index++)
    await requestMessage(ctx, { to: '0502220009', text: `${index}`, provider: 'baileys' }, NO_TWILIO)
  await logoutAccount(ctx, id)
  await fixture.untilState(ctx, id, 'logged_out')
  expect(worker.held()).toEqual([id])
  await requestLink(ctx, id)
  const { qr } = await fixture.until(async () => {
    const view = await getLink(ctx, id)
    return view.qr ? view : null
  }, 'a QR code')
  await fixture.sandbox.scan(qr ?? '', '+972501000004')
  await fixture.untilState(ctx, id, 'working')
  await deleteAccount(ctx, id)
  await worker.stop()
}, 60_000)

test('a phone that belongs to another account is unlinked again', async () => {
  const worker = await fixture.supervise()
  await fixture.linked('+972501000002')
  const ctx = await fixture.domain.newBusiness()
  const { id } = await createAccount(ctx, AT_ONCE)
  const { qr } = await fixture.until(async () => {
    const view = await getLink(ctx, id)
    return view.qr ? view : null
  }, 'a QR code')
  await fixture.sandbox.scan(qr ?? '', '+972501000002')
  expect(await fixture.untilState(ctx, id, 'failed')).toMatchObject({ reason: 'number_taken', phone: null })
  await worker.stop()
})

test('ten accounts spread evenly over two workers, and move when one leaves', async () => {
  const first = await fixture.supervise({ timing: { graceMs: 60_000 } })
  const before = first.held().length
  const accounts = []
  for (let index = 0; index < 10 - before; index++) accounts.push(await fixture.linked(`+9725011${index}0000`))
  await fixture.until(async () => first.held().length === 10, 'the first worker to hold all')
  const second = await fixture.supervise({ timing: { graceMs: 60_000 } })
  await fixture.until(async () => first.held().length === 5 && second.held().length === 5, 'an even spread', 30_000)
  expect(first.held().filter((id) => second.held().includes(id))).toEqual([])

  const moving = second.held()
  const begin = performance.now()
  await second.stop()
  expect(performance.now() - begin).toBeLessThan(3_000)
  await fixture.until(async () => first.held().length === 10, 'the other worker to take over', 10_000)
  for (const { ctx, id } of accounts) await fixture.untilState(ctx, id, 'working')
  expect(moving.every((id) => first.held().includes(id))).toBe(true)
  await first.stop()
}, 90_000)

test('what an earlier owner still wants to write is refused', async () => {
  const ctx = await fixture.domain.newBusiness()
  const { id } = await createAccount(ctx, AT_ONCE)
  const timing = { leaseMs: 30_000, graceMs: 0 }
  const leaseOf = async (owner: string) => {
    const lease = (await acquireLeases(fixture.domain.ctx, owner, timing)).find(({ accountId }) => accountId === id)
    if (!lease) throw new Error('no lease')
    return lease
  }
  const early = await leaseOf('one')
  const old = createAuthStore(fixture.domain.ctx, early)
  await old.write({ creds: 'sealed 1', keys: [{ type: 'session', id: 'a', value: 'x' }] })
  await releaseLease(fixture.domain.ctx, early)
  const young = createAuthStore(fixture.domain.ctx, await leaseOf('two'))
  for (const work of [
    () => old.write({ creds: 'sealed 2', keys: [] }),
    () => old.write({ keys: [{ type: 'session', id: 'a', value: 'y' }] }),
    () => old.clear(),
    () => old.readCreds(),
  ])
    await expect(work()).rejects.toMatchObject({ code: STALE_OWNER })
  expect(await young.readCreds()).toBe('sealed 1')
  expect(await young.readKeys('session', ['a', 'b'])).toEqual(new Map([['a', 'x']]))
  await young.write({ keys: [{ type: 'session', id: 'a', value: null }] })
  expect(await young.readKeys('session', ['a'])).toEqual(new Map())
  await deleteAccount(ctx, id)
})

test('a worker that vanished is replaced when its lease has run out', async () => {
  const ctx = await fixture.domain.newBusiness()
  const { id } = await createAccount(ctx, AT_ONCE)
  const leases = await acquireLeases(fixture.domain.ctx, 'another-machine/1 77 gone', { leaseMs: 1_500, graceMs: 0 })
  expect(leases.map(({ accountId }) => accountId)).toContain(id)
  expect((await getLink(ctx, id)).owner).toBe('another-machine/1 77 gone')
  const worker = await fixture.supervise()
  expect(worker.held()).not.toContain(id)
  await fixture.until(async () => worker.held().includes(id), 'the account to be taken over', 10_000)
  await worker.stop()
  await deleteAccount(ctx, id)
})

test('sends wait in the queue while their linked account is away, and fail when it is deleted', async () => {
  const worker = await fixture.supervise()
  const { ctx, id } = await fixture.linked('+972501000003')
  await worker.stop()
  const settings = NO_TWILIO
  const { id: messageId } = await requestMessage(
    ctx,
    { to: '0502220001', text: 'later', provider: 'baileys' },
    settings,
  )
  const statusOf = async () =>
    (await fixture.domain.handle.sql`select status, error_code from messages where id = ${messageId}`)[0]
  await quietFor(500, 'the message would have been given up')
  expect(await statusOf()).toEqual({ status: 'queued', error_code: null })
  const next = await fixture.supervise()
  await fixture.until(async () => (await statusOf())?.status === 'delivered', 'the message to be delivered')
  await next.stop()
  const lost = await requestMessage(ctx, { to: '0502220001', text: 'never', provider: 'baileys' }, settings)
  await deleteAccount(ctx, id)
  const [row] = await fixture.domain.handle.sql`select status, error_code from messages where id = ${lost.id}`
  expect(row).toEqual({ status: 'failed', error_code: 'account_deleted' })
})

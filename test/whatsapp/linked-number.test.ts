import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { BusinessContext } from '../../src/domain/context.ts'
import { requestMessage } from '../../src/domain/messages/index.ts'
import {
  confirmNumber,
  createAccount,
  getLink,
  logoutAccount,
  refuseNumber,
  requestLink,
} from '../../src/domain/whatsapp/index.ts'
import { AT_ONCE, type LinkedFixture, NO_TWILIO, openLinkedFixture } from '../support/linked.ts'
import { quietFor } from '../support/wait.ts'

let fixture: LinkedFixture
let customers = 0

beforeAll(async () => {
  fixture = await openLinkedFixture()
  await fixture.supervise()
})
afterAll(() => fixture.close())

const OWN = ['+972501000701', '+972501000702', '+972501000703', '+972501000704', '+972501000705'] as const
const OTHER = ['+972501000711', '+972501000712', '+972501000713', '+972501000714', '+972501000715'] as const

async function linkAgain(ctx: BusinessContext, id: string, phone: string): Promise<void> {
  if ((await getLink(ctx, id)).state === 'working') {
    await logoutAccount(ctx, id)
    await fixture.untilState(ctx, id, 'logged_out')
  }
  await requestLink(ctx, id)
  const { qr } = await fixture.until(async () => {
    const view = await getLink(ctx, id)
    return view.qr ? view : null
  }, 'a QR code')
  await fixture.sandbox.scan(qr ?? '', phone)
  await fixture.untilState(ctx, id, 'working')
}

async function request(ctx: BusinessContext, text: string): Promise<string> {
  customers += 1
  const to = `+9725222207${String(customers).padStart(2, '0')}`
  return (await requestMessage(ctx, { to, text, provider: 'baileys' }, NO_TWILIO)).id
}

async function statusOf(id: string): Promise<string> {
  const [row] = await fixture.domain.handle.sql<{ status: string }[]>`select status from messages where id = ${id}`
  return row?.status ?? ''
}

const delivered = (id: string) =>
  fixture.until(async () => (await statusOf(id)) === 'delivered', 'the message to arrive')

async function actionsOf(id: string) {
  return await fixture.domain.handle.sql<{ action: string; data: Record<string, unknown> | null }[]>`
    select action, data from audit_log where entity_id = ${id} order by id`
}

test('the first number and the same number again send at once, and each link is audited with its number', async () => {
  const { ctx, id } = await fixture.linked(OWN[0])
  expect(await getLink(ctx, id)).toMatchObject({ phone: OWN[0], confirmationNeeded: null })
  await delivered(await request(ctx, 'first'))
  await linkAgain(ctx, id, OWN[0])
  expect(await getLink(ctx, id)).toMatchObject({ phone: OWN[0], confirmationNeeded: null })
  await delivered(await request(ctx, 'again'))
  const linked = (await actionsOf(id)).filter(({ action }) => action === 'whatsapp.linked')
  expect(linked.map(({ data }) => data?.confirmationNeeded)).toEqual([false])
})

test('an account that another number links receives, and sends once a member confirms that number', async () => {
  const { ctx, id } = await fixture.linked(OWN[1])
  await logoutAccount(ctx, id)
  await fixture.untilState(ctx, id, 'logged_out')
  const waited = await request(ctx, 'queued before the link')
  await linkAgain(ctx, id, OTHER[1])
  const view = await getLink(ctx, id)
  expect(view).toMatchObject({
    state: 'working',
    phone: OTHER[1],
    confirmationNeeded: { phone: OTHER[1], expectedPhone: OWN[1] },
  })
  expect(view.advice).toContain('was expected')
  const during = await request(ctx, 'requested after the link')
  await fixture.sandbox.send({ from: '+972522220790', to: OTHER[1] }, { kind: 'text', text: 'who is it?' })
  await fixture.until(async () => {
    const [row] = await fixture.domain.handle.sql`select 1 from messages where account_id = ${id} and direction = 'in'`
    return row
  }, 'the inbound message')
  await quietFor(1_500, 'what waits would have been sent')
  expect([await statusOf(waited), await statusOf(during)]).toEqual(['queued', 'queued'])

  await expect(confirmNumber(ctx, id, OWN[1])).rejects.toMatchObject({ code: 'another_number' })
  expect(await confirmNumber(ctx, id, OTHER[1])).toMatchObject({ confirmationNeeded: null, advice: null })
  await delivered(waited)
  await delivered(during)
  await expect(confirmNumber(ctx, id, OTHER[1])).rejects.toMatchObject({ code: 'nothing_to_confirm' })
  expect((await actionsOf(id)).map(({ action }) => action)).toContain('whatsapp.confirm')
  await linkAgain(ctx, id, OTHER[1])
  expect((await getLink(ctx, id)).confirmationNeeded).toBeNull()
}, 60_000)

test('a number that is refused is unlinked, and the expected one links and sends without a question', async () => {
  const { ctx, id } = await fixture.linked(OWN[2])
  await linkAgain(ctx, id, OTHER[2])
  const waiting = await request(ctx, 'waits for the right phone')
  await expect(refuseNumber(ctx, id, OWN[2])).rejects.toMatchObject({ code: 'another_number' })
  await refuseNumber(ctx, id, OTHER[2])
  expect(await fixture.untilState(ctx, id, 'logged_out')).toMatchObject({
    linked: false,
    phone: null,
    confirmationNeeded: null,
  })
  await fixture.until(async () => !fixture.sandbox.isOnline(OTHER[2]), 'the phone to be unlinked')
  expect(await statusOf(waiting)).toBe('queued')
  await linkAgain(ctx, id, OWN[2])
  expect((await getLink(ctx, id)).confirmationNeeded).toBeNull()
  await delivered(waiting)
}, 60_000)

test('the number a pairing code was asked for is the expected one', async () => {
  const { ctx, id } = await fixture.linked(OWN[3])
  await logoutAccount(ctx, id)
  await fixture.untilState(ctx, id, 'logged_out')
  await requestLink(ctx, id, { phone: OTHER[3] })
  const { pairingCode } = await fixture.until(async () => {
    const view = await getLink(ctx, id)
    return view.pairingCode ? view : null
  }, 'a pairing code')
  await fixture.sandbox.enterCode(OTHER[3], pairingCode ?? '')
  expect(await fixture.untilState(ctx, id, 'working')).toMatchObject({ phone: OTHER[3], confirmationNeeded: null })
  await delivered(await request(ctx, 'by the number that was named'))
}, 60_000)

test('a first link by another number than the one a pairing code was asked for waits for a member', async () => {
  const ctx = await fixture.domain.newBusiness()
  const { id } = await createAccount(ctx, AT_ONCE)
  await requestLink(ctx, id, { phone: OWN[4] })
  const { qr } = await fixture.until(async () => {
    const view = await getLink(ctx, id)
    return view.pairingCode && view.qr ? view : null
  }, 'both codes')
  await fixture.sandbox.scan(qr ?? '', OTHER[4])
  expect(await fixture.untilState(ctx, id, 'working')).toMatchObject({
    confirmationNeeded: { phone: OTHER[4], expectedPhone: OWN[4] },
  })
  await expect(request(ctx, 'waits').then(statusOf)).resolves.toBe('queued')
}, 60_000)

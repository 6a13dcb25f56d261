import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { reachOf, runAlerts } from '../../../src/domain/alerts/index.ts'
import {
  archiveStaff,
  bookSlot,
  cancelAppointment,
  cancelByCustomer,
  createAppointment,
  endOf,
  getAppointment,
  listStaff,
  moveAppointment,
  noteNoShow,
  noteNoticeStatus,
  offerSlots,
  readAppointmentRow,
  restoreAppointment,
  saveBookingSettings,
  saveService,
  saveStaff,
  sendNotices,
  settleHolds,
  takeNoticeSms,
} from '../../../src/domain/appointments/index.ts'
import { addPhoneNumber, updateBusiness } from '../../../src/domain/businesses/index.ts'
import { setOptOut } from '../../../src/domain/contacts/index.ts'
import { type BusinessContext, within } from '../../../src/domain/context.ts'
import { applyMessageStatus, deliverMessage } from '../../../src/domain/messages/index.ts'
import { jobs } from '../../../src/jobs/registry.ts'
import { newId } from '../../../src/lib/ids.ts'
import { addDates, wallClock } from '../../../src/lib/local-time.ts'
import { signTwilioRequest } from '../../../src/sandbox/carrier/signature.ts'
import { ACCOUNT_SID, AUTH_TOKEN, startTestCarrier } from '../../sandbox/carrier/support.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { eventually } from '../../support/wait.ts'

/** Notices to customers by each way, against the carrier: time is the test's own. */
const PUBLIC = 'https://crm.example.com'
const NUMBER = '+97233330000'
const ZONE = 'Asia/Jerusalem'
const MINUTE = 60_000
const ALL_DAY = { before: [60], from: '00:00', to: '24:00', followUpAfter: null }

let api: TestApi
let server: TestServer
let business: BusinessContext
let serial = 0
const carrier = startTestCarrier({ enforceWindow: true })

beforeAll(async () => {
  api = await createTestApi()
  server = await startTestServer(api.url, {
    PUBLIC_BASE_URL: PUBLIC,
    TRUSTED_PROXIES: 'none',
    TWILIO_ACCOUNT_SID: ACCOUNT_SID,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    TWILIO_API_BASE_URL: carrier.url,
    TWILIO_WHATSAPP_FROM: 'whatsapp:+14155238886',
    TRANZILA_TERMINAL: 'terminal',
    TRANZILA_APP_KEY: 'key',
    TRANZILA_SECRET: 'a secret of the tests',
  })
  carrier.settings.connectRules = [{ publicBaseUrl: PUBLIC, connectBaseUrl: server.url }]
  business = within(api.ctx, api.businessId)
  await addPhoneNumber(business, { number: NUMBER })
  await updateBusiness(business, { language: 'en', name: 'Acme', timezone: ZONE })
  await listStaff(business)
  await api.ctx.db.execute(sql`update staff set capacity = 100`)
}, 60_000)
afterAll(async () => {
  await server.stop()
  await carrier.close()
  await api.close()
})
beforeEach(async () => {
  await api.ctx.db.execute(sql`truncate appointments, messages, inbound_events cascade`)
  await api.ctx.db.execute(sql`update businesses set created_at = now()`)
  carrier.messages.clear()
  carrier.calls.clear()
  carrier.answers.clear()
  carrier.faults.clear()
})

const phone = () => `+97250${6_000_000 + ++serial}`
const send = (at: Date) => sendNotices(api.ctx, server.deps.notices, at)
const textsTo = (to: string) => [...carrier.messages.values()].filter((each) => each.to === to).map(({ body }) => body)
const notices = (id: string) =>
  api.ctx.db.execute<{ id: string; kind: string; state: string; way: string | null; detail: string | null }>(
    sql`select id, kind, state, way, detail from appointment_notices where appointment_id = ${id} order by id`,
  )
const noticeOf = async (id: string, kind: string) => (await notices(id)).find((each) => each.kind === kind)

/** An appointment of which only a reminder is left to send; `days` from now. */
async function remind(more: Partial<NonNullable<Parameters<typeof saveBookingSettings>[1]['reminders']>>, days = 3) {
  await saveBookingSettings(business, { reminders: { ...ALL_DAY, ...more } })
  const to = phone()
  const startsAt = new Date(Date.now() + days * 24 * 60 * MINUTE + 61 * MINUTE)
  const id = await createAppointment(business, {
    startsAt: startsAt.toISOString(),
    minutes: 30,
    phone: to,
    name: 'Dana',
  })
  await api.ctx.db.execute(sql`update appointment_notices set state = 'dropped' where kind = 'booked'`)
  return { id, to, at: new Date(startsAt.getTime() - 60 * MINUTE) }
}

/** The next event of a job that came by a webhook of the carrier. */
async function takeEvent<N extends 'message.status' | 'sms.status'>(job: N, wanted: string) {
  const payload = await eventually(async () => {
    const rows = await api.ctx.db.execute<{ payload: string }>(
      sql`select payload from inbound_events where job = ${job} order by id`,
    )
    return rows.map((row) => row.payload).find((text) => text.includes(wanted))
  }, `${job} with ${wanted}`)
  return jobs[job].payload.parse(JSON.parse(payload))
}

async function deliverMessages() {
  const rows = await api.ctx.db.execute<{ id: string }>(sql`select id from messages where status = 'queued'`)
  for (const { id } of rows)
    await deliverMessage(business, id, {
      pool: api.database.sql,
      senderOf: server.deps.twilioWhatsApp,
      settings: server.deps.sendSettings,
    })
}

test('a reminder goes by WhatsApp, then by SMS, then by a call that is answered with a key, each once', async () => {
  const { id, to, at } = await remind({ ways: ['whatsapp', 'sms', 'voice'] })
  expect(await send(new Date(at.getTime() - MINUTE))).toBe(0)
  expect(await send(at)).toBe(1)
  await deliverMessages()
  // The customer has not written for a day: WhatsApp says so after it took the message.
  await applyMessageStatus(api.ctx, (await takeEvent('message.status', 'undelivered')) as never)
  carrier.faults.add({ to, effect: { kind: 'delivery_failure', status: 'undelivered', errorCode: 30_003 } })
  expect(await send(at)).toBe(1)
  expect(textsTo(to)).toEqual([expect.stringContaining('Answer 1 to confirm')])
  const report = (await takeEvent('sms.status', 'undelivered')) as never
  carrier.answers.set(to, { outcome: 'answered', script: [{ dtmf: '1', when: 'barge_in', bargeInMs: 200 }] })
  // A report that comes twice is one.
  for (let run = 0; run < 2; run += 1)
    expect(await noteNoticeStatus(business, (await noticeOf(id, 'reminder'))?.id ?? '', report)).toBe(true)
  expect(await send(at)).toBe(1)
  await eventually(async () => (await getAppointment(business, id)).customerConfirmedAt, 'the key confirms it')
  const call = await eventually(() => [...carrier.calls.values()].find((each) => each.report), 'the call is over')
  expect(call).toMatchObject({ from: NUMBER, to })
  expect(call.report?.said[0]?.text).toContain('this is Acme, with a reminder of your appointment')
  expect(call.report?.codes).toEqual([])
  for (let run = 0; run < 3; run += 1) expect(await send(new Date(at.getTime() + run * 10 * MINUTE))).toBe(0)
  expect([textsTo(to).length, textsTo(`whatsapp:${to}`).length, carrier.calls.size]).toEqual([1, 1, 1])
  expect(await noticeOf(id, 'reminder')).toMatchObject({ state: 'sent', way: 'voice' })
}, 30_000)

test('with the window shut the template goes; without one the SMS; an answer of no one ends it; opt-out ends all', async () => {
  await api.ctx.db.execute(sql`update businesses set created_at = now() - interval '3 days'`)
  const contentSid = `HX${'a'.repeat(32)}`
  const shut = await remind({ ways: ['whatsapp', 'sms'], templates: { en: { reminder: contentSid } } })
  expect(await send(shut.at)).toBe(1)
  await deliverMessages()
  const [template] = [...carrier.messages.values()]
  expect(template).toMatchObject({ to: `whatsapp:${shut.to}`, contentSid })
  expect(JSON.parse(template?.contentVariables ?? '{}')).toMatchObject({
    1: 'Acme',
    3: expect.stringContaining('/book/a/'),
  })
  const own = await remind({ ways: ['whatsapp', 'sms'], texts: { en: { reminder: 'Come to {business}! {link}' } } })
  expect(await send(own.at)).toBe(1)
  expect(textsTo(own.to)).toEqual([expect.stringMatching(/^Come to Acme! https:.*\/book\/a\//)])
  const rung = await remind({ ways: ['voice'] })
  carrier.answers.set(rung.to, { outcome: 'no-answer' })
  expect(await send(rung.at)).toBe(1)
  await eventually(async () => (await noticeOf(rung.id, 'reminder'))?.state === 'pending', 'no one answered')
  expect(await send(rung.at)).toBe(0)
  expect(await noticeOf(rung.id, 'reminder')).toMatchObject({ state: 'failed', detail: 'no-answer' })
  const out = await remind({ ways: ['sms', 'voice'] })
  const { contactId } = await getAppointment(business, out.id)
  await setOptOut(business, contactId ?? '', true)
  expect(await send(out.at)).toBe(0)
  expect(await noticeOf(out.id, 'reminder')).toMatchObject({ state: 'dropped', detail: 'contact_opted_out' })
  expect(textsTo(out.to)).toEqual([])
  await expect(remind({ texts: { en: { reminder: '{constructor}' } } })).rejects.toThrow('It may hold')
}, 30_000)

test('an answer that was lost, a process that died, and several workers at once: one SMS', async () => {
  const { id, to, at } = await remind({ ways: ['sms', 'voice'] }, 0)
  carrier.faults.add({ operation: 'messages.create', times: 1, effect: { kind: 'response_lost' } })
  expect(await send(at)).toBe(0)
  expect(textsTo(to)).toHaveLength(1)
  for (const minutes of [0.5, 2]) await send(new Date(at.getTime() + minutes * MINUTE))
  expect(await noticeOf(id, 'reminder')).toMatchObject({ state: 'sent', way: 'sms' })
  // Killed after the carrier took it, and the appointment was cancelled meanwhile.
  const killed = await remind({ ways: ['sms'] }, 0)
  await send(killed.at)
  await api.ctx.db.execute(sql`update appointment_notices set state = 'sending', sent_at = null, provider_ref = null
    where appointment_id = ${killed.id} and kind = 'reminder'`)
  await send(new Date(killed.at.getTime() + 10 * MINUTE))
  expect(await noticeOf(killed.id, 'reminder')).toMatchObject({ state: 'sent' })
  const many = await remind({ ways: ['sms'] })
  await Promise.all(Array.from({ length: 6 }, () => send(many.at)))
  expect([textsTo(to), textsTo(killed.to), textsTo(many.to)].map((texts) => texts.length)).toEqual([1, 1, 1])
  expect(carrier.calls.size).toBe(0)
}, 30_000)

test('what a member takes back within half a minute is not written to the customer; another person at the same time neither', async () => {
  const reminders = { before: [], from: '00:00', to: '24:00', followUpAfter: null, ways: ['sms' as const] }
  await saveBookingSettings(business, { reminders })
  const member = within(api.ctx, business.businessId, { kind: 'user', id: newId() })
  const to = phone()
  const startsAt = new Date(Date.now() + 20 * 86_400_000)
  const inHours = (hours: number) => ({ startsAt: new Date(startsAt.getTime() + hours * 3_600_000).toISOString() })
  const id = await createAppointment(member, { ...inHours(0), minutes: 30, phone: to })
  const person = await saveStaff(business, { name: 'Dana' })
  const seconds = (after: number) => send(new Date(Date.now() + after * 1_000))
  await seconds(0)
  expect(textsTo(to)).toHaveLength(1)
  await moveAppointment(member, id, inHours(2))
  await moveAppointment(member, id, inHours(0))
  await api.ctx.db.execute(sql`update appointments set customer_confirmed_at = now() where id = ${id}`)
  await moveAppointment(member, id, { ...inHours(0), staffId: person })
  expect((await getAppointment(business, id)).customerConfirmedAt).not.toBeNull()
  await cancelAppointment(member, id)
  await restoreAppointment(member, id)
  await seconds(60)
  expect(textsTo(to)).toHaveLength(1)
  await moveAppointment(member, id, inHours(1))
  await moveAppointment(member, id, inHours(3))
  await seconds(0)
  expect(textsTo(to)).toHaveLength(1)
  await seconds(60)
  expect(textsTo(to).slice(1)).toEqual([expect.stringContaining('was moved')])
  await cancelAppointment(member, id)
  await seconds(60)
  expect(textsTo(to).slice(2)).toEqual([expect.stringContaining('was cancelled')])
})

async function postSms(from: string, body: string, token = AUTH_TOKEN): Promise<number> {
  const params = {
    MessageSid: `SM${newId().replaceAll('-', '')}`,
    From: from,
    To: NUMBER,
    Body: body,
    AccountSid: ACCOUNT_SID,
  }
  const headers = { 'X-Twilio-Signature': signTwilioRequest(token, `${PUBLIC}/webhook/sms`, params) }
  return (await fetch(`${server.url}/webhook/sms`, { method: 'POST', body: new URLSearchParams(params), headers }))
    .status
}

test('answers by SMS are done and answered once; what is unclear is answered once; a stranger and a consent word', async () => {
  await eventually(async () => {
    await postSms(phone(), 'x')
    return (await api.ctx.db.execute(sql`select from inbound_events where job = 'alert.reply'`)).length > 0
  }, 'the web server knows the number')
  const { id, to, at } = await remind({ ways: ['sms'] })
  await send(at)
  expect(await postSms(to, '2', 'another token')).toBe(403)
  expect(await postSms(to, '2')).toBe(204)
  const [row] = await api.ctx.db.execute<{ payload: string }>(
    sql`select payload from inbound_events where job = 'alert.reply' order by id desc limit 1`,
  )
  const reply = jobs['alert.reply'].payload.parse(JSON.parse(row?.payload ?? 'null'))
  for (let run = 0; run < 2; run += 1) expect(await takeNoticeSms(business, reply, at)).toBe(true)
  await send(at)
  // An hour before it is too late for that.
  expect(textsTo(to).slice(1)).toEqual([expect.stringContaining('too late to change')])
  await saveBookingSettings(business, { changeMinutes: 0 })
  expect(await takeNoticeSms(business, { ...reply, id: newId() }, at)).toBe(true)
  await send(at)
  expect(textsTo(to).slice(2)).toEqual([expect.stringContaining('Choose another time here: https:')])
  expect(await takeNoticeSms(business, { ...reply, from: phone() }, at)).toBe(false)
  for (const text of ['I am in the car', 'not sure'])
    expect(await takeNoticeSms(business, { ...reply, id: newId(), text }, at)).toBe(true)
  await send(at)
  expect(textsTo(to).slice(3)).toEqual([expect.stringContaining('Only 1 to confirm')])
  await takeNoticeSms(business, { ...reply, id: newId(), text: 'כן' }, at)
  expect((await getAppointment(business, id)).customerConfirmedAt).not.toBeNull()
  await takeNoticeSms(business, { ...reply, id: newId(), text: 'לבטל' }, at)
  await send(at)
  expect(textsTo(to).at(-1)).toContain('was cancelled')
  expect(await getAppointment(business, id)).toMatchObject({ state: 'cancelled' })
  const sent = textsTo(to).length
  expect(await takeNoticeSms(business, { ...reply, id: newId(), text: 'הסר' }, at)).toBe(true)
  await createAppointment(business, { startsAt: new Date(at.getTime() + 1e9).toISOString(), minutes: 30, phone: to })
  await send(at)
  expect(textsTo(to)).toHaveLength(sent)
}, 30_000)

test('who did not come is written to once, in the hours of the day, and not when it was a slip; no thanks then', async () => {
  const { id, to, at } = await remind({ ways: ['sms'], noShow: true, followUpAfter: 60, from: '09:00', to: '18:00' })
  const startsAt = new Date(at.getTime() + 60 * MINUTE)
  await noteNoShow(business, id, new Date(startsAt.getTime() + MINUTE))
  const due = await api.ctx.db.execute<{ at: string }>(
    sql`select due_at as at from appointment_notices where appointment_id = ${id} and kind = 'no_show'`,
  )
  const dueAt = new Date(due[0]?.at ?? '')
  expect(wallClock(dueAt, ZONE).time >= '09:00' && wallClock(dueAt, ZONE).time <= '18:00').toBe(true)
  for (let run = 0; run < 2; run += 1) await send(new Date(dueAt.getTime() + run * 24 * 60 * MINUTE))
  expect(textsTo(to)).toEqual([expect.stringContaining('We missed you')])
})

const paid = (id: string) =>
  api.ctx.db.execute(sql`update payments set state = 'paid', paid_at = now()
    where id = (select deposit_payment_id from appointments where id = ${id})`)

test('a deposit that comes late for someone who is gone is to be refunded, and keeps no other waiting', async () => {
  await saveBookingSettings(business, { reminders: null, noticeMinutes: 0, aheadDays: 366, openPerCustomer: 50 })
  const [dana, yossi] = [await saveStaff(business, { name: 'Dana' }), await saveStaff(business, { name: 'Yossi' })]
  const service = { nameHe: 'עיסוי', nameEn: 'Massage', minutes: 30, deposit: 5_000, staffIds: [dana, yossi] }
  const serviceId = await saveService(business, service)
  const from = addDates(wallClock(new Date(), ZONE).date, 14)
  const [slot, later] = await offerSlots(business, { serviceId }, { from, days: 14 })
  if (!slot || !later) throw new Error('Nothing is free.')
  const hold = async () => {
    const to = phone()
    const row = await bookSlot(business, { slot: slot.slot, source: 'page', requestKey: newId(), phone: to })
    await api.ctx.db.execute(sql`update businesses set created_at = now() - interval '3 days'`)
    await send(new Date())
    return { ...row, to }
  }
  const [first, second] = [await hold(), await hold()]
  expect([first.staffId, second.staffId].sort()).toEqual([dana, yossi].sort())
  // Moved while it waits for its deposit: the link comes again, with the new time, and is the same.
  await moveAppointment(business, second.id, { startsAt: later.startsAt.toISOString() })
  await api.ctx.db.execute(sql`update services set deposit = 6000 where id = ${serviceId}`)
  await send(new Date())
  const links = textsTo(second.to).map((text) => /https:\S+/.exec(text)?.[0])
  expect(links).toHaveLength(2)
  expect(new Set(links).size).toBe(1)
  const over = new Date(Date.now() + 61 * MINUTE)
  await settleHolds(api.ctx, over)
  await archiveStaff(business, first.staffId, over)
  await paid(first.id)
  await paid(second.id)
  await settleHolds(api.ctx, over)
  expect(await getAppointment(business, first.id)).toEqual(
    expect.objectContaining({ state: 'expired', refundDueAt: over }),
  )
  // The business finds room for them after all: nothing is to be given back.
  await api.ctx.db.execute(sql`update staff set archived_at = null where id = ${first.staffId}`)
  await restoreAppointment(business, first.id)
  expect(await getAppointment(business, first.id)).toMatchObject({ state: 'booked', refundDueAt: null })
  expect(await getAppointment(business, second.id)).toEqual(
    expect.objectContaining({ state: 'booked', startsAt: later.startsAt }),
  )
})

test('no time is held for a deposit beyond its start', async () => {
  await saveBookingSettings(business, { reminders: null, noticeMinutes: 0, depositMinutes: 2_880, openPerCustomer: 50 })
  const serviceId = await saveService(business, { nameHe: 'צבע', nameEn: 'Colour', minutes: 30, deposit: 5_000 })
  const [slot] = await offerSlots(business, { serviceId }, { from: wallClock(new Date(), ZONE).date, days: 7 })
  if (!slot) throw new Error('Nothing is free.')
  const soon = new Date(slot.startsAt.getTime() - 90 * MINUTE)
  const row = await bookSlot(business, { slot: slot.slot, source: 'page', requestKey: newId(), phone: phone() }, soon)
  expect(row).toEqual(expect.objectContaining({ state: 'held', heldUntil: slot.startsAt }))
  await saveBookingSettings(business, { depositMinutes: 60 })
})

test('a deposit: the link is sent, it is released in time, and a late one books again or is to be refunded, never silently', async () => {
  await saveBookingSettings(business, { reminders: null, noticeMinutes: 0, aheadDays: 366, openPerCustomer: 50 })
  await api.ctx.db.execute(sql`update staff set capacity = 1`)
  const serviceId = await saveService(business, { nameHe: 'תספורת', nameEn: 'Haircut', minutes: 30, deposit: 5_000 })
  const from = addDates(wallClock(new Date(), ZONE).date, 14)
  const slots = await offerSlots(business, { serviceId }, { from, days: 14 })
  let used = 0
  const book = async (slot = slots[used++]?.slot ?? '') => {
    const to = phone()
    const row = await bookSlot(business, { slot, source: 'whatsapp', requestKey: newId(), phone: to, language: 'en' })
    await api.ctx.db.execute(sql`update businesses set created_at = now() - interval '3 days'`)
    await send(new Date())
    return { to, id: row.id, slot, state: row.state }
  }
  const endOfRow = async (id: string) => {
    const row = await readAppointmentRow(api.ctx, id)
    return row && (await endOf(business, row))
  }
  const [inTime, free, taken, cancelled] = [await book(), await book(), await book(), await book()]
  expect(inTime.state).toBe('held')
  expect(textsTo(inTime.to)).toEqual([
    expect.stringMatching(/\(Haircut\), .*, pay the deposit of ₪50.00 by .*\d\d:\d\d: https:.*\/pay\//),
  ])
  const shown = await api.as({ role: 'owner' }).appointments.get({ id: inTime.id })
  expect(textsTo(inTime.to)[0]).toContain(new URL(shown.deposit?.url ?? '').pathname)
  await paid(inTime.id)
  const later = new Date(Date.now() + 61 * MINUTE)
  await cancelByCustomer(business, cancelled.id)
  await settleHolds(api.ctx, later)
  await send(later)
  expect(await getAppointment(business, inTime.id)).toMatchObject({ state: 'booked', refundDueAt: null })
  for (const { id, to } of [free, taken]) {
    expect(await getAppointment(business, id)).toMatchObject({ state: 'expired' })
    expect(textsTo(to).slice(1)).toEqual([expect.stringContaining('the time was released')])
    expect(await endOfRow(id)).toBe('unpaid')
  }
  await createAppointment(business, {
    startsAt: (await getAppointment(business, taken.id)).startsAt.toISOString(),
    minutes: 30,
  })
  for (const { id } of [free, taken, cancelled]) await paid(id)
  for (let run = 0; run < 2; run += 1) {
    await settleHolds(api.ctx, later)
    await send(later)
  }
  expect(await getAppointment(business, free.id)).toMatchObject({ state: 'booked', refundDueAt: null })
  expect(await getAppointment(business, taken.id)).toEqual(
    expect.objectContaining({ state: 'expired', refundDueAt: later }),
  )
  expect(await getAppointment(business, cancelled.id)).toEqual(
    expect.objectContaining({ state: 'cancelled', refundDueAt: later }),
  )
  expect(textsTo(taken.to).slice(2)).toEqual([expect.stringContaining('return the money')])
  for (const { id } of [taken, cancelled]) expect(await endOfRow(id)).toBe('refund_due')
  expect(await endOfRow(free.id)).toBeNull()
  await runAlerts(api.ctx, reachOf(server.deps.alerts), later)
  const alerts = await api.ctx.db.execute<{ subject: string }>(
    sql`select subject from alert_incidents where kind = 'deposit_late' order by subject`,
  )
  const own = [inTime, free, taken, cancelled].map(({ id }) => id)
  expect(alerts.map(({ subject }) => subject).filter((id) => own.includes(id))).toEqual([taken.id, cancelled.id].sort())
}, 30_000)

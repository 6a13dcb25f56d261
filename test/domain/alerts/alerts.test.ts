import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { and, asc, eq, lte, sql } from 'drizzle-orm'
import { type ParsedMail, simpleParser } from 'mailparser'
import { alertDeliveries, alertIncidents, alertSteps } from '../../../db/schema/index.ts'
import {
  type AlertDeps,
  addChannel,
  confirmPhone,
  noteTextStatus,
  observe,
  reachOf,
  removeChannel,
  runAlerts,
  seeIncident,
  sendAlert,
  sendOverdue,
  sendPhoneCode,
  takeIncident,
  takeSmsReply,
  watchBusinesses,
} from '../../../src/domain/alerts/index.ts'
import { saveMemberAlerts } from '../../../src/domain/alerts/members.ts'
import { addPhoneNumber, createBusiness, updateBusiness } from '../../../src/domain/businesses/index.ts'
import { finishCall, recordCallStatus, registerCall } from '../../../src/domain/calls/index.ts'
import { type BusinessContext, emit, within } from '../../../src/domain/context.ts'
import { deliverMessage, receiveMessage } from '../../../src/domain/messages/index.ts'
import { ensurePushKeys } from '../../../src/domain/push/index.ts'
import { fetchRecording } from '../../../src/domain/recordings/index.ts'
import { jobs } from '../../../src/jobs/registry.ts'
import { newId } from '../../../src/lib/ids.ts'
import { signTwilioRequest } from '../../../src/sandbox/carrier/signature.ts'
import { watchRound } from '../../../workers/alerts.ts'
import { ACCOUNT_SID, AUTH_TOKEN, startTestCarrier } from '../../sandbox/carrier/support.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { insertAppointment } from '../../support/appointments.ts'
import { type MailServer, startMailServer } from '../../support/mail-server.ts'
import { startPushService } from '../../support/push-service.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { eventually } from '../../support/wait.ts'

/**
 * Every way against a real receiver: an SMTP server, a push service that decrypts, receivers of webhooks, and the carrier for
 * WhatsApp, SMS and calls. Time is the test's own.
 */
const PUBLIC = 'https://crm.example.com'
const NUMBER = '+97233330000'
const PHONES = { owner: '+972501110001', manager: '+972501110002', agent: '+972501110003' }
const MINUTE = 60_000

let api: TestApi
let server: TestServer
let mail: MailServer
let push: ReturnType<typeof startPushService>
let hooks: ReturnType<typeof startReceiver>
const carrier = startTestCarrier()
let deps: AlertDeps
let now = new Date()
let business: BusinessContext
let publicKey = ''
type Person = { id: string; name: string; email: string; caller: ReturnType<TestApi['as']> }
let owner: Person
let manager: Person
let agent: Person

function startReceiver() {
  const seen: { path: string; body: string; headers: Headers }[] = []
  const state = { status: 200 }
  const receiver = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      seen.push({ path: new URL(request.url).pathname, body: await request.text(), headers: request.headers })
      return new Response('ok', { status: state.status })
    },
  })
  return { seen, state, url: receiver.url.origin, close: () => receiver.stop(true) }
}

beforeAll(async () => {
  mail = await startMailServer()
  hooks = startReceiver()
  api = await createTestApi()
  server = await startTestServer(api.url, {
    PUBLIC_BASE_URL: PUBLIC,
    TRUSTED_PROXIES: 'none',
    SMTP_URL: mail.url,
    MAIL_FROM: 'AgentLocator <alerts@example.com>',
    TWILIO_ACCOUNT_SID: ACCOUNT_SID,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    TWILIO_API_BASE_URL: carrier.url,
    TWILIO_WHATSAPP_FROM: 'whatsapp:+14155238886',
    TELEGRAM_API_BASE_URL: hooks.url,
    WEBHOOKS_ALLOW_PRIVATE: '1',
  })
  carrier.settings.connectRules = [{ publicBaseUrl: PUBLIC, connectBaseUrl: server.url }]
  deps = { ...server.deps.alerts, push: api.services.api.push, box: api.services.api.alerts.box, now: () => now }
  publicKey = (await ensurePushKeys(api.ctx, deps.push)).publicKey
  push = startPushService(() => publicKey)
  business = within(api.ctx, api.businessId)
  await addPhoneNumber(business, { number: NUMBER })
  await eventually(knowsNumber, 'the web server knows the number', 20_000)
}, 60_000)

/** An SMS is taken as soon as the number is known. */
async function knowsNumber(): Promise<boolean> {
  await postSms('+972509999999', 'x')
  const [row] = await api.ctx.db.execute(sql`select 1 from inbound_events where job = 'alert.reply'`)
  return row !== undefined
}

async function postSms(from: string, body: string, token = AUTH_TOKEN): Promise<number> {
  const sid = `SM${newId().replaceAll('-', '')}`
  const params = { MessageSid: sid, From: from, To: NUMBER, Body: body, AccountSid: ACCOUNT_SID }
  const headers = { 'X-Twilio-Signature': signTwilioRequest(token, `${PUBLIC}/webhook/sms`, params) }
  return (await fetch(`${server.url}/webhook/sms`, { method: 'POST', body: new URLSearchParams(params), headers }))
    .status
}
afterAll(async () => {
  await server.stop()
  push.close()
  hooks.close()
  await mail.stop()
  await carrier.close()
  await api.close()
})

/** One business, which the web server knows, emptied for each test; with an owner, a manager and an agent of its own. */
beforeEach(async () => {
  now = new Date()
  await api.ctx.db.execute(sql`truncate alert_incidents, alert_deliveries, alert_steps, alert_members, alert_channels,
    alert_ladder, alert_settings, alert_watch, push_devices, push_notices, memberships, calls, messages, conversations, contacts cascade`)
  await updateBusiness(business, { language: 'en', name: 'Acme', timezone: 'Asia/Jerusalem' })
  owner = await person('owner')
  manager = await person('manager')
  agent = await person('agent')
  mail.received.length = 0
  mail.recipientStatus = 250
  hooks.seen.length = 0
  hooks.state.status = 200
  push.received.length = 0
  carrier.messages.clear()
  carrier.calls.clear()
  carrier.answers.clear()
  carrier.faults.clear()
})

async function person(role: 'owner' | 'manager' | 'agent'): Promise<Person> {
  const id = await api.addUser(role, business.businessId)
  const options = { userId: id, businessId: business.businessId }
  return { id, name: `A ${role}`, email: `${id}@example.com`, caller: api.as({ role }, options) }
}

async function addDevice({ caller }: Person, language: 'he' | 'en' = 'en') {
  const { id: browser, ...subscription } = push.browser()
  const { id } = await caller.push.subscribe({ subscription, label: 'A telephone', language })
  return { id, browser }
}

/** Members have shown that their numbers are theirs. */
const verified = () =>
  api.ctx.db.execute(sql`update alert_members set phone_verified_at = now() where phone is not null`)

async function saveMine(settings: Parameters<Person['caller']['alerts']['saveMine']>[0]) {
  await owner.caller.alerts.saveMine(settings)
  await verified()
}

const advance = (ms: number) => {
  now = new Date(now.getTime() + ms)
}

/** Does what is due, and sends what is to be sent, until nothing is left for now. @returns the outcomes */
async function deliverDue(): Promise<string[]> {
  const outcomes: string[] = []
  for (let round = 0; round < 10; round++) {
    await runAlerts(api.ctx, reachOf(deps), now)
    const due = await api.ctx.db
      .select()
      .from(alertDeliveries)
      .where(
        and(
          eq(alertDeliveries.state, 'pending'),
          lte(alertDeliveries.notBefore, now),
          eq(alertDeliveries.businessId, business.businessId),
        ),
      )
      .orderBy(asc(alertDeliveries.id))
    if (due.length === 0) break
    for (const { id } of due) outcomes.push(await sendAlert(business, id, deps))
    if (outcomes.at(-1) === 'later') break
  }
  for (const { id } of await api.ctx.db.execute<{ id: string }>(
    sql`select id from messages where business_id = ${business.businessId} and direction = 'out' and status = 'queued'`,
  ))
    await deliverMessage(business, id, {
      pool: api.database.sql,
      senderOf: server.deps.twilioWhatsApp,
      settings: deps.settings,
    })
  return outcomes
}

const deliveries = () =>
  api.ctx.db
    .select()
    .from(alertDeliveries)
    .where(eq(alertDeliveries.businessId, business.businessId))
    .orderBy(asc(alertDeliveries.id))
const incidents = () =>
  api.ctx.db.select().from(alertIncidents).where(eq(alertIncidents.businessId, business.businessId))
const textsTo = (to: string) => [...carrier.messages.values()].filter((each) => each.to === to).map(({ body }) => body)

let serial = 0
const phone = () => `+97250${7_000_000 + ++serial}`

async function missedCall(from = phone()): Promise<string> {
  const call = { callSid: `CA${newId()}`, from, to: NUMBER, at: now }
  const id = await registerCall(business, call)
  await finishCall(business, { ...call, reason: 'caller_hung_up', durationMs: 1_000, metrics: {} })
  await recordCallStatus(api.ctx, { callSid: call.callSid, status: 'completed', at: now.toISOString() })
  // Its delay begins.
  await runAlerts(api.ctx, reachOf(deps), now)
  return id
}

const write = (from: string, body: string, to = business) =>
  receiveMessage(to, {
    provider: 'twilio',
    businessId: to.businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: from, name: 'Dana' },
    body,
    media: [],
    at: now.toISOString(),
  })

const bad = (kind: Parameters<typeof observe>[1]['kind'], subject = 'x', isBad = true) =>
  observe(business, { kind, subject, bad: isBad }, reachOf(deps), now)

/** A condition that is found twice and lasts. */
async function breakDown(kind: Parameters<typeof observe>[1]['kind'], subject = 'x') {
  await bad(kind, subject)
  advance(MINUTE)
  expect(await bad(kind, subject)).toBe('notified')
}

const parsed = (index = 0): Promise<ParsedMail> => simpleParser(mail.received.at(index)?.raw ?? '')

test('with nothing configured the owner is notified of a missed call on the devices and by mail, with one link to the call', async () => {
  const { browser } = await addDevice(owner, 'he')
  await addDevice(manager)
  await updateBusiness(business, { language: 'he', name: 'מספרת "דנה"' })
  const from = phone()
  const id = await missedCall(from)
  expect(await deliverDue()).toEqual([])
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['sent', 'sent', 'sent'])
  const [incident] = await incidents()
  expect(push.messagesOf(browser)).toMatchObject([
    { title: 'שיחה שלא נענתה', url: `calls/${id}?alert=${incident?.id}&business=${api.businessId}` },
  ])
  expect(mail.received.map(({ to }) => to)).toEqual([[owner.email]])
  const got = await parsed()
  expect(got.subject).toBe(`שיחה שלא נענתה: \u2066${from}\u2069`)
  expect(got.headers.get('auto-submitted')).toBe('auto-generated')
  expect(got.messageId).toContain((await deliveries()).find(({ way }) => way === 'email')?.id ?? 'none')
  const raw = mail.received[0]?.raw.replace(/\r\n\s+/g, ' ') ?? ''
  expect(raw).toContain('List-Unsubscribe: <https://crm.example.com/unsubscribe/')
  expect(raw).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click')
  const link = `${PUBLIC}/console/calls/${id}?alert=${incident?.id}&business=${api.businessId}`
  expect(got.text).toContain(link)
  const html = String(got.html)
  expect(html).toContain('<html lang="he" dir="rtl">')
  expect(html).toContain('<body dir="rtl"')
  expect(html).toContain(`<bdi dir="ltr">${from}</bdi>`)
  expect(html).toContain(`href="${link.replace('&', '&amp;')}"`)
  expect(html).toContain('מספרת &quot;דנה&quot;')
  // Decided again, it is the same.
  expect(await deliverDue()).toEqual([])
})

test('what a person wrote is notified by every way but a locked screen; what is urgent goes to the owner at once', async () => {
  const { browser } = await addDevice(owner)
  await write(phone(), 'This is URGENT: <b>water</b> everywhere')
  expect((await deliverDue()).sort()).toEqual(['sent', 'sent'])
  expect(push.messagesOf(browser)).toMatchObject([{ title: 'Urgent message', body: 'Dana' }])
  const got = await parsed()
  expect(got.text).toContain('This is URGENT: <b>water</b> everywhere')
  expect(String(got.html)).toContain('&lt;b&gt;water&lt;/b&gt;')
  await write(phone(), 'It is not urgent, thank you')
  await write(phone(), 'אפשר לדבר עם נציג אנושי?')
  await deliverDue()
  expect((await incidents()).map(({ kind }) => kind).sort()).toEqual(['handover', 'urgent_message'])
})

test('each way has a test that arrives: device, mail, WhatsApp, SMS, call, Slack, Telegram, signed URL', async () => {
  const { browser } = await addDevice(owner)
  await expect(owner.caller.alerts.test({ way: 'sms' })).rejects.toThrow('cannot be reached')
  await saveMine({ phone: '050-1110001', language: 'en' })
  carrier.answers.set(PHONES.owner, {
    outcome: 'answered',
    script: [{ hangup: true, when: 'barge_in', bargeInMs: 300 }],
  })
  for (const way of ['push', 'email', 'whatsapp', 'sms', 'call'] as const) await owner.caller.alerts.test({ way })
  const add = (target: Parameters<typeof owner.caller.alerts.addChannel>[0]['target']) =>
    owner.caller.alerts.addChannel({ target, label: 'A channel', language: 'en' })
  const slack = await add({ way: 'slack', url: `${hooks.url}/slack` })
  const telegram = await add({ way: 'telegram', token: '123456:ABCDEFGHIJKLMNOPQRSTUVWX', chatId: '-100200300' })
  const url = await add({ way: 'webhook', url: `${hooks.url}/any` })
  for (const { id } of [slack, telegram, url]) await owner.caller.alerts.testChannel({ id })
  advance(MINUTE)
  expect(await deliverDue()).toEqual(Array.from({ length: 8 }, () => 'sent'))
  expect(push.messagesOf(browser)).toMatchObject([{ title: 'Notifications work' }])
  expect((await parsed()).subject).toBe('Notifications work')
  expect(textsTo(`whatsapp:${PHONES.owner}`)).toEqual([expect.stringContaining('Notifications work')])
  expect(textsTo(PHONES.owner)).toEqual([expect.stringContaining('Notifications work')])
  const call = [...carrier.calls.values()].find(({ to }) => to === PHONES.owner)
  await eventually(() => call?.report, 'the call is over')
  expect(call?.report?.said.map(({ text }) => text)).toEqual([expect.stringContaining('This is a test.')])
  expect(call?.report?.codes).toEqual([])
  expect(hooks.seen.map(({ path }) => path).sort()).toEqual([
    '/any',
    '/bot123456:ABCDEFGHIJKLMNOPQRSTUVWX/sendMessage',
    '/slack',
  ])
  const signed = hooks.seen.find(({ path }) => path === '/any')
  const [id, at] = ['webhook-id', 'webhook-timestamp'].map((name) => signed?.headers.get(name) ?? '')
  const key = Buffer.from((url.secret ?? '').replace('whsec_', ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${at}.${signed?.body}`).digest('base64')
  expect(signed?.headers.get('webhook-signature')).toBe(`v1,${signature}`)
  expect((await owner.caller.alerts.deliveries({})).items.every(({ state }) => state === 'sent')).toBe(true)
  // A channel's address and secret are answered never again.
  expect(JSON.stringify(await owner.caller.alerts.channels())).not.toContain(hooks.url)
})

test('a customer’s words mention no one in Slack; a channel gets the kinds it wants, one that is off none', async () => {
  const target = { way: 'slack' as const, url: `${hooks.url}/slack` }
  const channel = await owner.caller.alerts.addChannel({
    target,
    label: '#x',
    language: 'en',
    kinds: ['urgent_message'],
  })
  await write(phone(), 'urgent <!channel> & <http://evil|click>')
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  expect(hooks.seen).toHaveLength(1)
  expect(hooks.seen[0]?.body).toContain('&lt;!channel&gt; &amp; &lt;http://evil|click&gt;')
  await owner.caller.alerts.changeChannel({ id: channel.id, enabled: false })
  await write(phone(), 'urgent again')
  await deliverDue()
  expect(hooks.seen).toHaveLength(1)
})

/** Manager by SMS after five minutes, the agent by a call after fifteen. */
async function setLadder() {
  await owner.caller.alerts.saveMine({ rules: { urgent_message: ['email'] }, phone: PHONES.owner })
  await owner.caller.alerts.saveMember({ userId: manager.id, phone: PHONES.manager, rules: { urgent_message: [] } })
  await owner.caller.alerts.saveMember({ userId: agent.id, phone: PHONES.agent, rules: { urgent_message: [] } })
  await verified()
  await owner.caller.alerts.saveEscalation({
    steps: [
      { userId: manager.id, ways: ['sms'], afterMinutes: 5 },
      { userId: agent.id, ways: ['call'], afterMinutes: 15 },
    ],
    kinds: null,
  })
}

test('an escalation goes to the telephone call: read out, a machine takes nothing, the key 1 does, and all who were notified hear it', async () => {
  await setLadder()
  await write(phone(), 'urgent: the shop is open')
  expect(await deliverDue()).toEqual(['sent'])
  expect(mail.received).toHaveLength(1)
  advance(4 * MINUTE)
  expect(await deliverDue()).toEqual([])
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['sent'])
  expect(textsTo(PHONES.manager)).toEqual([expect.stringContaining('No one has reacted yet')])
  // A machine answers, and hangs up after a while: nothing is taken.
  carrier.answers.set(PHONES.agent, {
    outcome: 'answered',
    script: [{ hangup: true, when: 'barge_in', bargeInMs: 300 }],
  })
  advance(10 * MINUTE)
  expect(await deliverDue()).toEqual(['sent'])
  const call = await eventually(() => [...carrier.calls.values()].find(({ report }) => report), 'the call is over')
  expect(call).toMatchObject({ direction: 'outbound-api', from: NUMBER, to: PHONES.agent })
  expect(call.report?.said[0]?.text).toContain('Urgent message')
  expect(call.report?.said[0]?.text).toContain('urgent: the shop is open')
  expect((await incidents())[0]?.takenAt).toBeNull()
  // A person answers the same call's document and presses 1.
  carrier.answers.set(PHONES.agent, { outcome: 'answered', script: [{ dtmf: '1', when: 'barge_in', bargeInMs: 200 }] })
  await api.ctx.db.execute(sql`update alert_deliveries set state = 'pending', attempts = 0 where way = 'call'`)
  expect(await deliverDue()).toEqual(['sent'])
  await eventually(async () => (await incidents())[0]?.takenAt, 'the key took it')
  expect((await incidents())[0]).toMatchObject({ takenBy: agent.id, takenHow: 'call', answer: 'done' })
  const answered = await eventually(
    () => [...carrier.calls.values()].find(({ report }) => report?.keys.length === 1),
    'the second call is over',
  )
  expect(answered.report?.said.at(-1)?.text).toContain('Everybody knows that you take care of it')
  expect(answered.report?.codes).toEqual([])
  expect((await deliverDue()).sort()).toEqual(['sent', 'sent'])
  expect(textsTo(PHONES.manager).at(-1)).toContain('A agent takes care of it')
  expect((await parsed(-1)).subject).toContain('A agent takes care of it')
  advance(3_600_000)
  expect(await deliverDue()).toEqual([])
})

test('one who opens the link or takes it in the console stops the escalation; it is read in the sending transaction', async () => {
  await setLadder()
  await write(phone(), 'urgent')
  await deliverDue()
  const [seen] = await incidents()
  await seeIncident(business, seen?.id ?? '', owner.id, now)
  advance(20 * MINUTE)
  expect(await deliverDue()).toEqual([])
  await write(phone(), 'urgent too')
  await deliverDue()
  advance(6 * MINUTE)
  // The step is done and its delivery written; before it is sent someone takes it.
  await runAlerts(api.ctx, reachOf(deps), now)
  const [waiting] = (await deliveries()).filter(({ state }) => state === 'pending')
  const second = (await incidents()).find(({ id }) => id !== seen?.id)
  await api.ctx.db.execute(sql`update alert_incidents set taken_at = now() where id = ${second?.id}`)
  expect(await sendAlert(business, waiting?.id ?? '', deps)).toBe('dropped')
  expect(textsTo(PHONES.manager)).toEqual([])
})

test('an answer by WhatsApp or SMS from the number that was notified takes it; from another number, or late, it does not', async () => {
  await saveMine({ phone: PHONES.owner, rules: { missed_call: ['whatsapp', 'sms'] } })
  const customer = phone()
  await missedCall(customer)
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['sent', 'sent'])
  expect(textsTo(`whatsapp:${PHONES.owner}`)[0]).toContain('Answer 1')
  await write(phone(), '1')
  await write(PHONES.manager, 'done')
  await write(PHONES.owner, 'how much is 1?')
  await deliverDue()
  expect((await incidents())[0]?.takenAt).toBeNull()
  await write(PHONES.owner, 'אחזור ללקוח!')
  await deliverDue()
  expect((await incidents())[0]).toMatchObject({ takenBy: owner.id, takenHow: 'whatsapp', answer: 'call_back' })
  expect(textsTo(`whatsapp:${PHONES.owner}`).at(-1)).toContain('A owner calls the customer back')
  // By SMS, through the carrier's signed webhook and its job.
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  expect(await postSms(PHONES.owner, '1', 'another token')).toBe(403)
  expect(await postSms(PHONES.owner, 'בוצע')).toBe(204)
  const [row] = await api.ctx.db.execute<{ payload: string }>(
    sql`select payload from inbound_events where job = 'alert.reply' order by id desc limit 1`,
  )
  const stored = JSON.parse(row?.payload ?? 'null')
  expect(stored).toMatchObject({ businessId: business.businessId, from: PHONES.owner, text: 'בוצע' })
  expect(await takeSmsReply(api.ctx, stored, now)).toBe(true)
  const open = (await incidents()).filter(({ takenAt }) => takenAt === null)
  expect(open).toEqual([])
})

test('an SMS that did not arrive is a failed one, and the next way is tried; a report that comes twice is one', async () => {
  await saveMine({ phone: PHONES.owner, rules: { missed_call: ['sms'] } })
  carrier.faults.add({
    to: PHONES.owner,
    effect: { kind: 'delivery_failure', status: 'undelivered', errorCode: 30_005 },
  })
  await missedCall()
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['sent'])
  const payload = await eventually(async () => {
    const rows = await api.ctx.db.execute<{ payload: string }>(
      sql`select payload from inbound_events where job = 'sms.status' and payload like '%undelivered%'`,
    )
    return rows[0]?.payload
  }, 'the carrier reports it')
  const { id, ...report } = jobs['sms.status'].payload.parse(JSON.parse(payload))
  expect(report).toMatchObject({ of: 'alert', businessId: business.businessId, code: '30005' })
  for (let run = 0; run < 2; run++) expect(await noteTextStatus(business, id, report, deps)).toBe(true)
  expect(await deliverDue()).toEqual(['sent'])
  expect((await deliveries()).map(({ way, state }) => `${way} ${state}`)).toEqual(['sms failed', 'email sent'])
  const [other] = await api.ctx.db.execute<{ id: string }>(sql`select id from alert_deliveries where way = 'email'`)
  await noteTextStatus(business, other?.id ?? '', report, deps)
  expect((await deliveries()).map(({ state }) => state)).toEqual(['failed', 'sent'])
})

test('a number gets alerts once its member has proved with a code that it is theirs', async () => {
  await owner.caller.alerts.saveMine({ phone: PHONES.owner, rules: { missed_call: ['sms'] } })
  expect(await owner.caller.alerts.mine()).toMatchObject({ phoneVerified: false, reachable: ['email'] })
  await expect(owner.caller.alerts.test({ way: 'sms' })).rejects.toThrow('cannot be reached')
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  expect(textsTo(PHONES.owner)).toEqual([])
  const codeOf = (text: string | undefined) => /\d{6}/.exec(text ?? '')?.[0] ?? ''
  const confirm = (code: string) => confirmPhone(business, owner.id, code, now)
  await sendPhoneCode(business, owner.id, 'sms', deps, now)
  const code = codeOf(textsTo(PHONES.owner)[0])
  await expect(sendPhoneCode(business, owner.id, 'sms', deps, now)).rejects.toMatchObject({ code: 'too_many_codes' })
  const wrong = code === '000000' ? '000001' : '000000'
  for (let guess = 0; guess < 5; guess++) await expect(confirm(wrong)).rejects.toMatchObject({ code: 'code_wrong' })
  // Guessed at too often, the right one is refused as well.
  await expect(confirm(code)).rejects.toMatchObject({ code: 'code_wrong' })
  advance(2 * MINUTE)
  await write(PHONES.owner, 'hello')
  await sendPhoneCode(business, owner.id, 'whatsapp', deps, now)
  await deliverDue()
  const second = codeOf(textsTo(`whatsapp:${PHONES.owner}`)[0])
  await expect(confirmPhone(business, manager.id, second, now)).rejects.toMatchObject({ code: 'code_wrong' })
  await expect(confirmPhone(business, owner.id, second, new Date(now.getTime() + 11 * MINUTE))).rejects.toMatchObject({
    code: 'code_wrong',
  })
  await confirm(second)
  expect((await owner.caller.alerts.mine()).reachable).toContain('sms')
  // Another number is another person's.
  await owner.caller.alerts.saveMine({ phone: PHONES.agent })
  expect(await owner.caller.alerts.mine()).toMatchObject({ phone: PHONES.agent, phoneVerified: false })
})

test('alerts to a member by WhatsApp are no customer in the inbox, nor are the answers; what else is written is', async () => {
  await saveMine({ phone: PHONES.owner, rules: { missed_call: ['whatsapp'] } })
  const listed = async () => ({
    inbox: (await owner.caller.conversations.list({})).items.map(({ phone }) => phone),
    contacts: (await owner.caller.contacts.list({})).items.map(({ phone }) => phone),
  })
  const customer = phone()
  await missedCall(customer)
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['sent'])
  expect(textsTo(`whatsapp:${PHONES.owner}`)).toHaveLength(1)
  expect(await listed()).toEqual({ inbox: [customer], contacts: [customer] })
  await write(PHONES.owner, '1')
  await deliverDue()
  expect((await incidents())[0]?.takenHow).toBe('whatsapp')
  expect(await listed()).toEqual({ inbox: [customer], contacts: [customer] })
  await write(PHONES.owner, 'do you open on Friday?')
  await deliverDue()
  expect((await listed()).inbox.sort()).toEqual([customer, PHONES.owner].sort())
  expect((await listed()).contacts.sort()).toEqual([customer, PHONES.owner].sort())
  // A customer who is a member as well stays one.
  await write(PHONES.manager, 'I want an appointment')
  await owner.caller.alerts.saveMember({
    userId: manager.id,
    phone: PHONES.manager,
    rules: { missed_call: ['whatsapp'] },
  })
  await verified()
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  expect((await listed()).inbox).toContain(PHONES.manager)
})

test('a button in Telegram takes an alert: with the secret, from its own chat, once', async () => {
  const bot = { ...deps, links: server.deps.alerts.links }
  const channel = (chatId: string) =>
    addChannel(
      business,
      {
        target: { way: 'telegram', token: '123456:AAAAAAAAAAAAAAAAAAAAAAAA', chatId, buttons: true },
        label: chatId,
        language: 'en',
      },
      bot,
    )
  hooks.state.status = 401
  await expect(channel('-100')).rejects.toMatchObject({ code: 'telegram_refused' })
  hooks.state.status = 200
  const { id } = await channel('-100')
  const hook = JSON.parse(hooks.seen.at(-1)?.body ?? '{}')
  expect(hook).toMatchObject({ url: `${PUBLIC}/webhook/telegram/${id}`, allowed_updates: ['callback_query'] })
  expect(hook.secret_token).toMatch(/^[\w-]{32,256}$/)
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  const sent = hooks.seen.map(({ body }) => JSON.parse(body)).find(({ reply_markup }) => reply_markup)
  const [take] = sent.reply_markup.inline_keyboard[0]
  expect(new TextEncoder().encode(take.callback_data).length).toBeLessThanOrEqual(64)
  const press = async (secret: string, more: object = {}) => {
    const callback_query = {
      id: '77',
      data: take.callback_data,
      message: { message_id: 5, chat: { id: -100 } },
      ...more,
    }
    const headers = { 'X-Telegram-Bot-Api-Secret-Token': secret, 'Content-Type': 'application/json' }
    const body = JSON.stringify({ update_id: 1, callback_query })
    return await fetch(`${server.url}/webhook/telegram/${id}`, { method: 'POST', headers, body })
  }
  for (const secret of ['', 'x', hook.secret_token.slice(1)]) expect((await press(secret)).status).toBe(403)
  const answerOf = async (more: object = {}) => (await (await press(hook.secret_token, more)).json()).text
  expect(await answerOf({ message: { message_id: 5, chat: { id: -200 } } })).toContain('nothing to report')
  expect(await answerOf({ data: `done:${newId()}` })).toContain('nothing to report')
  expect((await incidents())[0]?.takenAt).toBeNull()
  expect(await answerOf()).toContain('Thank you')
  expect((await incidents())[0]).toMatchObject({ takenHow: 'telegram', takenBy: null, answer: 'done' })
  expect(hooks.seen.at(-1)?.path).toContain('/editMessageReplyMarkup')
  expect(await answerOf()).toContain('nothing to report')
  // A bot has one webhook: it goes with the last of its channels, and to one that is left before.
  const second = await channel('-300')
  const calls = () =>
    hooks.seen.map(({ path, body }) => `${path.split('/').at(-1)} ${JSON.parse(body).url ?? ''}`.trim())
  hooks.seen.length = 0
  await removeChannel(business, second.id, bot)
  expect(calls()).toEqual([`setWebhook ${PUBLIC}/webhook/telegram/${id}`])
  expect(JSON.parse(hooks.seen[0]?.body ?? '{}').secret_token).toBe(hook.secret_token)
  hooks.seen.length = 0
  hooks.state.status = 500
  await removeChannel(business, id, bot)
  expect(calls()).toEqual(['deleteWebhook'])
  expect((await owner.caller.alerts.channels()).items).toEqual([])
})

test('a thousand changes of state are one alert and one all-clear', async () => {
  const { browser } = await addDevice(owner)
  for (let change = 0; change < 1_000; change++) {
    await bad('whatsapp_down', 'account', change % 2 === 0)
    advance(30_000)
    if (change % 100 === 50) await deliverDue()
  }
  await deliverDue()
  const titles = () => push.messagesOf(browser).map(({ title }) => title)
  expect(titles()).toEqual(['WhatsApp is disconnected'])
  for (let look = 0; look < 40; look++) {
    advance(10 * MINUTE)
    await bad('whatsapp_down', 'account', false)
  }
  await deliverDue()
  expect(titles()).toEqual(['WhatsApp is disconnected', 'Over: WhatsApp is disconnected'])
  // Slow changes, each longer than the quiet of a first all-clear.
  for (let change = 0; change < 40; change++) {
    for (let minute = 0; minute < 15; minute += 3) {
      await bad('whatsapp_down', 'slow', change % 2 === 0)
      advance(3 * MINUTE)
    }
    await deliverDue()
  }
  expect(titles().filter((title) => title === 'WhatsApp is disconnected')).toHaveLength(2)
  expect(titles().filter((title) => title === 'Over: WhatsApp is disconnected').length).toBeLessThanOrEqual(2)
})

test('one lost look is no alert; a condition that lasts is notified once, and again when it returns for long', async () => {
  await bad('disk_filling')
  advance(MINUTE)
  await bad('disk_filling', 'x', false)
  for (let minute = 0; minute < 15; minute++) {
    advance(MINUTE)
    await bad('disk_filling', 'x', false)
  }
  expect(await deliverDue()).toEqual([])
  await breakDown('disk_filling')
  for (let minute = 0; minute < 60; minute++) {
    advance(MINUTE)
    await bad('disk_filling')
  }
  expect(await deliverDue()).toEqual(['sent'])
})

test('an alert about a broken way never goes by that way alone', async () => {
  await saveMine({
    phone: PHONES.owner,
    rules: { whatsapp_down: ['whatsapp'], way_failing: ['email'] },
  })
  await breakDown('whatsapp_down', newId())
  expect((await deliverDue()).sort()).toEqual(['sent', 'sent'])
  expect((await deliveries()).map(({ way }) => way).sort()).toEqual(['email', 'whatsapp'])
  await breakDown('way_failing', 'email')
  await deliverDue()
  const ways = (await deliveries()).filter(({ kind }) => kind === 'way_failing').map(({ way }) => way)
  expect(ways.sort()).toEqual(['email', 'sms'])
})

test('who cannot be notified by one way is notified by another, and that the way fails is an alert of its own', async () => {
  await saveMine({ phone: PHONES.owner, rules: { missed_call: ['email'] } })
  mail.recipientStatus = 550
  await missedCall()
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['failed', 'sent'])
  expect((await deliveries()).map(({ way, state }) => `${way} ${state}`)).toEqual(['email failed', 'whatsapp sent'])
  await watchBusinesses(api.ctx, deps)
  advance(2 * MINUTE)
  await watchBusinesses(api.ctx, deps)
  await deliverDue()
  const notified = (await deliveries()).filter(({ kind }) => kind === 'way_failing')
  expect(notified.some(({ way, state }) => way !== 'email' && state === 'sent')).toBe(true)
})

test('that it is over or taken comes at night of what is critical alone', async () => {
  await updateBusiness(business, { timezone: 'Asia/Jerusalem' })
  const rules = { misconfigured: ['email' as const], queue_stuck: ['email' as const], missed_call: ['email' as const] }
  await owner.caller.alerts.saveMine({ quietFrom: '22:00', quietTo: '07:00', rules })
  now = new Date('2027-01-11T19:50:00Z')
  await breakDown('misconfigured')
  await breakDown('queue_stuck')
  await missedCall()
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['sent', 'sent', 'sent'])
  const [call] = (await incidents()).filter(({ kind }) => kind === 'missed_call')
  now = new Date('2027-01-11T20:05:00Z')
  for (const kind of ['misconfigured', 'queue_stuck'] as const) await bad(kind, 'x', false)
  await takeIncident(business, call?.id ?? '', { by: manager.id, how: 'console' }, now)
  advance(11 * MINUTE)
  for (const kind of ['misconfigured', 'queue_stuck'] as const) expect(await bad(kind, 'x', false)).toBe('over')
  expect(await deliverDue()).toEqual(['sent'])
  expect((await parsed(-1)).subject).toContain('stuck')
  // One comes back and stays: in the morning it is not said to be over.
  for (let minute = 0; minute <= 40; minute += 20) {
    await bad('misconfigured')
    advance(20 * MINUTE)
  }
  now = new Date('2027-01-12T05:00:00Z')
  // Each as it is: a summary would count them as alerts.
  expect(await deliverDue()).toEqual(['sent', 'sent'])
  const subjects = [(await parsed(-1)).subject, (await parsed(-2)).subject]
  expect(subjects.filter((text) => text?.includes('set up wrong'))).toHaveLength(1)
  expect(subjects.join()).not.toContain('Over: ')
})

test('a way that fails into the night wakes no one: the other way waits for the morning', async () => {
  await updateBusiness(business, { timezone: 'Asia/Jerusalem' })
  const night = { quietFrom: '22:00', quietTo: '07:00' }
  await saveMine({ phone: PHONES.owner, rules: { missed_call: ['email'], urgent_message: ['email'] }, ...night })
  now = new Date('2027-01-11T19:30:00Z')
  await missedCall()
  await write(phone(), 'urgent')
  await runAlerts(api.ctx, reachOf(deps), now)
  // Greylisted until after ten.
  now = new Date('2027-01-11T20:30:00Z')
  mail.recipientStatus = 550
  expect((await deliverDue()).sort()).toEqual(['failed', 'failed', 'sent'])
  const others = async () =>
    (await deliveries()).filter(({ way }) => way !== 'email').map(({ kind, state }) => `${kind} ${state}`)
  expect((await others()).sort()).toEqual(['missed_call held', 'urgent_message sent'])
  now = new Date('2027-01-12T05:00:00Z')
  expect(await deliverDue()).toEqual(['sent'])
})

test('at night nothing comes but what is critical; in the morning the rest comes in one summary, at its local time', async () => {
  await updateBusiness(business, { timezone: 'Asia/Jerusalem' })
  await owner.caller.alerts.saveMine({ quietFrom: '22:00', quietTo: '07:00', rules: { urgent_message: ['email'] } })
  // The night in which the clocks go forward.
  now = new Date('2027-03-25T21:00:00Z')
  for (let call = 0; call < 3; call++) await missedCall()
  await write(phone(), 'urgent')
  expect(await deliverDue()).toEqual(['sent'])
  expect((await parsed()).subject).toContain('Urgent message')
  now = new Date('2027-03-26T03:59:00Z')
  expect(await deliverDue()).toEqual([])
  now = new Date('2027-03-26T04:00:00Z')
  expect(await deliverDue()).toEqual(['sent'])
  const got = await parsed(-1)
  expect(got.subject).toContain('3 alerts while it was quiet')
  expect(got.text).toContain('Missed call: 3 times')
  expect(mail.received).toHaveLength(2)
})

test('what a Sabbath or a long holiday holds back comes after it, and can be taken then', async () => {
  await updateBusiness(business, { timezone: 'Asia/Jerusalem' })
  await owner.caller.alerts.saveMine({ quietRestDays: true, rules: { missed_call: ['email'] } })
  // Friday, half past four; the eve of the New Year on a Friday, with two days of rest after the Sabbath's.
  for (const [began, ended] of [
    ['2027-01-08T14:30:00Z', '2027-01-09T18:30:00Z'],
    ['2027-10-01T13:30:00Z', '2027-10-03T17:30:00Z'],
  ] as const) {
    mail.received.length = 0
    now = new Date(began)
    await missedCall()
    expect(await deliverDue()).toEqual([])
    now = new Date(new Date(ended).getTime() - MINUTE)
    expect(await deliverDue()).toEqual([])
    now = new Date(ended)
    expect(await deliverDue()).toEqual(['sent'])
    expect((await parsed()).subject).toContain('Missed call')
    const [latest] = (await incidents()).toSorted((a, b) => b.firstAt.getTime() - a.firstAt.getTime())
    expect(await takeIncident(business, latest?.id ?? '', { by: owner.id, how: 'console' }, now)).toBe(true)
    expect(await deliverDue()).toEqual(['sent'])
  }
})

test('a calendar outside that is not read for hours is an alert, and over when it is read', async () => {
  const row = sql`(id, business_id, kind, name, sealed, state, failures, synced_at)`
  const id = newId()
  await api.ctx.db.execute(sql`insert into calendar_connections ${row}
    values (${id}, ${business.businessId}, 'ics', 'calendar.example.com', 'none', 'failing', 9, ${now.toISOString()})`)
  const of = async () => (await incidents()).filter(({ kind }) => kind === 'calendar_failing').map(({ state }) => state)
  advance(5 * 60 * MINUTE)
  await watchBusinesses(api.ctx, deps)
  expect(await of()).toEqual([])
  advance(60 * MINUTE)
  for (let round = 0; round < 2; round++) {
    await watchBusinesses(api.ctx, deps)
    advance(MINUTE)
  }
  expect(await of()).toEqual(['open'])
  await deliverDue()
  expect((await parsed(-1)).text).toContain('calendar.example.com could not be read for 6 hours')
  await api.ctx.db.execute(sql`update calendar_connections set state = 'connected', failures = 0 where id = ${id}`)
  for (let round = 0; round < 2; round++) {
    await watchBusinesses(api.ctx, deps)
    advance(10 * MINUTE)
  }
  expect(await of()).toEqual(['over'])
  // One that takes no appointments.
  const calendar = newId()
  const startsAt = new Date(now.getTime() + 24 * 60 * MINUTE)
  const appointment = await insertAppointment(api.ctx.db, {
    ...{ businessId: business.businessId, startsAt, endsAt: new Date(startsAt.getTime() + MINUTE) },
  })
  await api.ctx.db.execute(sql`insert into outside_calendars (id, business_id, connection_id, remote_id, name, writable)
    values (${calendar}, ${business.businessId}, ${id}, 'feed', 'Work', true)`)
  await api.ctx.db.execute(sql`insert into calendar_pushes (id, business_id, appointment_id, calendar_id, attempts)
    values (${newId()}, ${business.businessId}, ${appointment}, ${calendar}, 8)`)
  for (let round = 0; round < 3; round++) {
    await watchBusinesses(api.ctx, deps)
    advance(MINUTE)
  }
  await deliverDue()
  expect((await parsed(-1)).text).toContain('Work does not take appointments (1)')
  await api.ctx.db.execute(sql`delete from calendar_connections`)
})

test('a day and a week are summed up once each, at the member’s own time', async () => {
  await updateBusiness(business, { timezone: 'Asia/Jerusalem' })
  now = new Date('2027-01-09T10:00:00Z')
  await addDevice(owner)
  await owner.caller.alerts.saveMine({ rules: { missed_call: ['push'] } })
  await saveMemberAlerts(business, owner.id, { dailyAt: '18:30', weeklyOn: 0 }, { language: 'en' }, now)
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  for (let hour = 0; hour < 48; hour++) {
    advance(3_600_000)
    await deliverDue()
  }
  const subjects = await Promise.all(mail.received.map(async ({ raw }) => (await simpleParser(raw)).subject))
  expect(subjects).toEqual([
    'The day in short: Missed call',
    expect.stringContaining('The day in short'),
    expect.stringContaining('The week in short: Missed call'),
  ])
})

test('what is too much comes in a summary; calls and SMS are limited even when it is critical', async () => {
  await saveMine({ phone: PHONES.owner, rules: { urgent_message: ['sms'] } })
  for (let message = 0; message < 14; message++) await write(phone(), 'urgent')
  await deliverDue()
  expect(textsTo(PHONES.owner)).toHaveLength(10)
  advance(3_600_000 + 1_000)
  expect(await deliverDue()).toEqual(['sent'])
  expect(textsTo(PHONES.owner).at(-1)).toContain('4 alerts while it was quiet')
})

test('what may have been sent is looked up at the carrier, and sent once more by mail, never oftener', async () => {
  await saveMine({
    phone: PHONES.owner,
    rules: { missed_call: ['sms'], urgent_message: ['email'] },
  })
  carrier.faults.add({ operation: 'messages.create', times: 1, effect: { kind: 'response_lost' } })
  await missedCall()
  advance(MINUTE)
  expect(await deliverDue()).toEqual(['later'])
  const again = async () => {
    advance(6 * MINUTE)
    await runAlerts(api.ctx, reachOf(deps), now)
    const [row] = (await deliveries()).filter(({ state }) => state === 'sending')
    return row ? await sendAlert(business, row.id, deps) : 'none'
  }
  expect(await again()).toBe('sent')
  expect(textsTo(PHONES.owner)).toHaveLength(1)
  // A worker that died while it sent: once more, then it is left as unknown.
  await write(phone(), 'urgent')
  await runAlerts(api.ctx, reachOf(deps), now)
  const claim = () =>
    api.ctx.db.execute(sql`update alert_deliveries set state = 'sending', attempts = attempts + 1, claimed_at = ${now.toISOString()},
      queued_at = ${now.toISOString()} where way = 'email' and business_id = ${business.businessId}`)
  await claim()
  const [row] = (await deliveries()).filter(({ way }) => way === 'email')
  expect(await sendAlert(business, row?.id ?? '', deps)).toBe('busy')
  expect(await again()).toBe('sent')
  await claim()
  expect(await again()).toBe('unknown')
  expect(mail.received).toHaveLength(1)
})

test('killed between its steps, and run by several workers at once, each is notified once', async () => {
  await setLadder()
  await addDevice(owner)
  for (let message = 0; message < 5; message++) await write(phone(), 'urgent')
  const rounds = () => Promise.all(Array.from({ length: 6 }, () => runAlerts(api.ctx, reachOf(deps), now)))
  await rounds()
  expect(await incidents()).toHaveLength(5)
  advance(5 * MINUTE)
  // Died after a step was done and before its job was queued: the job is queued by the next round.
  await api.ctx.db.execute(sql`update alert_deliveries set queued_at = null`)
  await rounds()
  const all = await deliveries()
  await Promise.all(all.flatMap(({ id }) => [1, 2, 3].map(() => sendAlert(business, id, deps))))
  await deliverDue()
  expect(textsTo(PHONES.manager)).toHaveLength(5)
  expect(mail.received).toHaveLength(5)
  const steps = await api.ctx.db.select().from(alertSteps).where(eq(alertSteps.businessId, business.businessId))
  expect(steps.filter(({ state }) => state === 'done')).toHaveLength(5)
})

test('an alert goes out beside a queue that is stuck', async () => {
  await breakDown('queue_stuck')
  await runAlerts(api.ctx, reachOf(deps), now)
  expect(await sendOverdue(api.ctx, deps)).toBe(0)
  advance(2 * MINUTE)
  expect(await sendOverdue(api.ctx, deps)).toBe(1)
  expect((await parsed()).subject).toContain('Background work is stuck')
})

test('a business sees and takes its own alerts alone, and its numbers answer for it alone', async () => {
  await saveMine({ phone: PHONES.owner, rules: { missed_call: ['whatsapp'] } })
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  const [incident] = await incidents()
  const otherId = await createBusiness(api.ctx, { name: 'Other', language: 'en' })
  const stranger = await api.addUser('owner', otherId)
  const other = api.as({ role: 'owner' }, { userId: stranger, businessId: otherId })
  const id = incident?.id ?? ''
  for (const attempt of [
    () => other.alerts.get({ id }),
    () => other.alerts.take({ id }),
    () => other.alerts.see({ id }),
    () => other.alerts.saveMember({ userId: owner.id, phone: null }),
    () => other.alerts.saveEscalation({ steps: [{ userId: owner.id, ways: ['sms'], afterMinutes: 1 }], kinds: null }),
  ])
    await expect(attempt()).rejects.toThrow('There is no such')
  expect((await other.alerts.list({})).items).toEqual([])
  expect((await other.alerts.deliveries({})).items).toEqual([])
  // The notified number writes to the other business: nothing is taken.
  await write(PHONES.owner, '1', within(api.ctx, otherId))
  await runAlerts(api.ctx, reachOf(deps), now)
  expect((await incidents())[0]?.takenAt).toBeNull()
  await expect(takeIncident(within(api.ctx, otherId), id, { by: null, how: 'console' }, now)).rejects.toThrow(
    'no such alert',
  )
})

test('a link to unsubscribe asks first and acts by POST; a mail program needs no login, a changed token gets nothing', async () => {
  await missedCall()
  advance(MINUTE)
  await deliverDue()
  const link = /List-Unsubscribe: <([^>]+)>/.exec(mail.received[0]?.raw.replace(/\r\n\s+/g, ' ') ?? '')?.[1] ?? ''
  const path = new URL(link).pathname
  expect((await fetch(`${server.url}${path}`)).status).toBe(200)
  expect((await owner.caller.alerts.mine()).mail).toBe(true)
  const changed = path.replace(/.{3}$/, (end) => (end === 'AAA' ? 'BBB' : 'AAA'))
  expect((await fetch(`${server.url}${changed}`, { method: 'POST' })).status).toBe(404)
  const posted = await fetch(`${server.url}${path}`, {
    method: 'POST',
    body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
  })
  expect(posted.status).toBe(200)
  expect(await posted.text()).toContain('No more alerts are sent by mail')
  expect((await owner.caller.alerts.mine()).mail).toBe(false)
  await missedCall()
  advance(MINUTE)
  expect(await deliverDue()).toEqual([])
})

test('silence is noticed where something always came at these hours, and nowhere else', async () => {
  const times = (weeks: number) =>
    [1, 2, 3, 4, 5].map((part) => new Date(now.getTime() - weeks * 7 * 86_400_000 - part * 20 * MINUTE))
  for (let weeks = 1; weeks <= 4; weeks++)
    for (const at of times(weeks))
      await registerCall(business, { callSid: `CA${newId()}`, from: phone(), to: NUMBER, at })
  await watchBusinesses(api.ctx, deps)
  advance(2 * MINUTE)
  await watchBusinesses(api.ctx, deps)
  expect((await incidents()).map(({ kind, state }) => `${kind} ${state}`)).toEqual(['silence open'])
  expect((await incidents())[0]?.facts).toMatchObject({ hours: 3, usual: 5 })
})

test('events of parts that come later are notified by one entry; what is out of reach is refused with its field', async () => {
  await emit(api.ctx.db, business, { action: 'calendar.needs_reconnect', entity: 'calendar', entityId: newId() })
  expect(await deliverDue()).toEqual(['sent'])
  expect((await parsed()).subject).toContain('A calendar must be connected again')
  const refused = (work: Promise<unknown>, text: string) => expect(work).rejects.toThrow(text)
  await refused(owner.caller.alerts.saveMine({ phone: '12' }), 'no phone number')
  await refused(owner.caller.alerts.saveMine({ quietFrom: '22:00' }), 'a beginning and an end')
  await refused(owner.caller.alerts.saveMine({ rules: { nonsense: ['push'] } }), 'does not exist')
  await refused(
    owner.caller.alerts.saveEscalation({
      steps: [
        { userId: owner.id, ways: ['sms'], afterMinutes: 5 },
        { userId: owner.id, ways: ['call'], afterMinutes: 5 },
      ],
      kinds: null,
    }),
    'later than the one before',
  )
  await refused(agent.caller.alerts.channels(), 'role')
})

test('a round of the watch came through queue and database, and only then pings the dead man’s switch', async () => {
  const pings: number[] = []
  const watched = { ...server.deps, alerts: deps, pingHeartbeat: async () => void pings.push(now.getTime()) }
  await watchRound(watched)
  await watchRound(watched)
  // Once for each minute, whichever worker has the round.
  expect(pings).toHaveLength(1)
  advance(MINUTE)
  await watchRound(watched)
  expect(pings).toHaveLength(2)
  advance(MINUTE)
  const broken = { ...watched, producer: { ...server.deps.producer, queues: [] as never } }
  Object.defineProperty(broken.producer, 'queues', {
    get: () => {
      throw new Error('the queue is away')
    },
  })
  await expect(watchRound(broken)).rejects.toThrow('the queue is away')
  expect(pings).toHaveLength(2)
})

test('what doctor finds is looked at again before it is an alert, and its advice is in it', async () => {
  const kinds = async () => (await incidents()).map(({ kind, state }) => `${kind} ${state}`)
  await watchRound({ ...server.deps, alerts: deps, pingHeartbeat: null })
  // No worker of this installation runs, and its address does not exist: doctor calls both a problem.
  expect((await kinds()).filter((each) => each === 'misconfigured watched').length).toBeGreaterThan(1)
  advance(6 * MINUTE)
  await watchRound({ ...server.deps, alerts: deps, pingHeartbeat: null })
  await deliverDue()
  expect(await kinds()).toContain('misconfigured open')
  const texts = await Promise.all(mail.received.map(async ({ raw }) => (await simpleParser(raw)).text ?? ''))
  expect(texts.some((text) => text.includes('Check DNS, certificate and proxy of PUBLIC_BASE_URL.'))).toBe(true)
  // A backup that is missing for long is noticed as well.
  await api.ctx.db.execute(
    sql`update businesses set created_at = ${new Date(now.getTime() - 9 * 86_400_000).toISOString()}`,
  )
  await watchRound({ ...server.deps, alerts: deps, pingHeartbeat: null })
  expect(await kinds()).toContain('backup_missing watched')
})

test('a voicemail is sent with its words, which are waited for only while they are being written down', async () => {
  const call = { callSid: `CA${newId()}`, from: phone(), to: NUMBER, at: now }
  await registerCall(business, call)
  const job = { businessId: business.businessId, callSid: call.callSid, recordingSid: `RE${newId()}` }
  const source = {
    downloadRecording: async () => ({ data: new Uint8Array(8), contentType: 'audio/wav' }),
    deleteRecording: async () => {},
  }
  const asked: string[] = []
  const transcribe = async ({ language }: { language: string }) => {
    asked.push(language)
    // Meanwhile the alert is decided: it waits.
    expect(await deliverDue()).toEqual(['later'])
    return { text: ' Please call me about the flat ', confidence: 'high' as const }
  }
  await fetchRecording(business, { ...job, at: now.toISOString() }, source, api.services.storage, () => null, {
    transcribe,
  })
  expect(asked).toEqual(['en'])
  advance(10_000)
  expect(await deliverDue()).toEqual(['sent'])
  expect((await parsed()).text).toContain('Please call me about the flat')
})

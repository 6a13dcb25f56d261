import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { alertDeliveries } from '../../../db/schema/index.ts'
import { type AlertDeps, pruneAlerts, runAlerts, sendAlert } from '../../../src/domain/alerts/index.ts'
import { claimStream, finishCall, recordCallStatus, registerCall, saveTurn } from '../../../src/domain/calls/index.ts'
import { saveLead } from '../../../src/domain/leads/index.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import { addPushDevice, ensurePushKeys, type PushDeps } from '../../../src/domain/push/index.ts'
import { fetchRecording } from '../../../src/domain/recordings/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createSecretBox, deriveKey } from '../../../src/lib/secret-box.ts'
import { createWebPush } from '../../../src/providers/push/web-push.ts'
import { alertDeps, REACH } from '../../support/alerts.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { EXAMPLE_PUSH_KEYS, startPushService } from '../../support/push-service.ts'

let api: TestApi
let service: ReturnType<typeof startPushService>
let deps: PushDeps
let alerts: AlertDeps
let publicKey = ''
let owner: { id: string; caller: ReturnType<TestApi['as']> }

beforeAll(async () => {
  api = await createTestApi()
  deps = api.services.api.push
  alerts = alertDeps(api)
  publicKey = (await ensurePushKeys(api.ctx, deps)).publicKey
  service = startPushService(() => publicKey)
  owner = await addMember('owner')
}, 60_000)
afterAll(async () => {
  service.close()
  await api.close()
})
beforeEach(async () => {
  await api.ctx.db.execute(sql`delete from push_devices`)
  await api.ctx.db.execute(sql`delete from alert_deliveries`)
  api.jobs.length = 0
  ahead = 0
})

async function addMember(role: 'owner' | 'manager' | 'agent' | 'viewer') {
  const id = await api.addUser(role)
  return { id, caller: api.as({ role }, { userId: id }) }
}

async function addDevice(
  member = owner,
  more: Partial<Parameters<typeof member.caller.push.subscribe>[0]> = {},
): Promise<{ id: string; browser: string }> {
  const { id: browser, ...subscription } = service.browser()
  const { id } = await member.caller.push.subscribe({ subscription, label: 'A telephone', language: 'en', ...more })
  return { id, browser }
}

/** Decides what changes left behind, and runs the jobs that come of it, whatever their delay. @returns the outcomes */
async function deliverAll(with_: PushDeps = deps): Promise<string[]> {
  await runAlerts(api.ctx, REACH, new Date())
  ahead += 90_000
  const outcomes: string[] = []
  for (const { name, payload } of api.jobs.splice(0))
    if (name === 'alert.send' && 'deliveryId' in payload)
      outcomes.push(await sendAlert(api.business, String(payload.deliveryId), { ...alerts, push: with_, now: later }))
  return outcomes
}

/** Every delay is over, and with each round the next. */
let ahead = 0
const later = () => new Date(Date.now() + ahead)

let serial = 0
const phone = () => `+97250${4_000_000 + ++serial}`

/** A call that the agent took; `from` its number. */
async function answeredCall(from = phone()) {
  const call = { callSid: `CA${newId()}`, from, to: '+97233330000', at: new Date() }
  const id = await registerCall(api.business, call)
  await claimStream(api.business, { ...call, streamSid: 'MZ1', serverId: 'x' })
  return { ...call, id }
}

const end = (call: Awaited<ReturnType<typeof answeredCall>>, reason: 'voicemail_requested' | 'caller_hung_up') =>
  finishCall(api.business, { ...call, reason, durationMs: 1_000, metrics: {} })

const over = ({ callSid }: { callSid: string }) =>
  recordCallStatus(api.ctx, { callSid, status: 'completed', at: new Date().toISOString() })

const write = (from: string, body: string) =>
  receiveMessage(api.business, {
    provider: 'twilio',
    businessId: api.businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: from, name: 'Dana' },
    body,
    media: [],
    at: new Date().toISOString(),
  })

test('a missed call is notified, encrypted for the browser alone, and leads to the call', async () => {
  const { browser } = await addDevice()
  const from = phone()
  const call = await answeredCall(from)
  await end(call, 'voicemail_requested')
  await over(call)
  expect(await deliverAll()).toEqual(['sent'])
  expect(service.messagesOf(browser)).toEqual([
    {
      title: 'Missed call',
      body: from,
      lang: 'en',
      dir: 'ltr',
      tag: `missed_call-${call.id}`,
      url: expect.stringMatching(new RegExp(`^calls/${call.id}\\?alert=`)),
    },
  ])
  expect(service.received.at(-1)).toMatchObject({ ttl: '21600', urgency: 'high' })
  // Decided again, it is the same notification.
  expect(await deliverAll()).toEqual([])
})

test('a caller who may still be recording is waited for; with a message it is a voicemail, not a missed call', async () => {
  const { browser } = await addDevice(owner, { language: 'he' })
  const call = await answeredCall()
  await end(call, 'voicemail_requested')
  expect(await deliverAll()).toEqual(['later'])
  const job = { businessId: api.businessId, callSid: call.callSid, recordingSid: `RE${newId()}` }
  const source = {
    downloadRecording: async () => ({ data: new Uint8Array(8), contentType: 'audio/wav' }),
    deleteRecording: async () => {},
  }
  await fetchRecording(api.business, { ...job, at: new Date().toISOString() }, source, api.services.storage, () => null)
  await over(call)
  expect((await deliverAll()).sort()).toEqual(['dropped', 'sent'])
  expect(service.messagesOf(browser)).toMatchObject([
    { title: 'הודעה קולית חדשה', lang: 'he', dir: 'rtl', url: expect.stringContaining(`calls/${call.id}`) },
  ])
})

test('who hung up before saying anything is missed, who talked to the agent is not', async () => {
  const { browser } = await addDevice()
  const [silent, talked] = [await answeredCall(), await answeredCall()]
  const { callSid } = talked
  const turn = { index: 0, role: 'caller', text: 'Hello', startMs: 0, endMs: 900, interrupted: false } as const
  await saveTurn(api.business, { ...turn, callSid, businessId: api.businessId })
  for (const call of [silent, talked]) {
    await end(call, 'caller_hung_up')
    await over(call)
  }
  expect((await deliverAll()).sort()).toEqual(['dropped', 'sent'])
  expect(service.messagesOf(browser)).toMatchObject([{ url: expect.stringContaining(`calls/${silent.id}`) }])
})

test('what was written is in a notification only where the business wants it', async () => {
  const { browser } = await addDevice()
  const call = await answeredCall()
  const lead = { callSid: call.callSid, source: 'call' as const, name: 'Dana Levi', inquiry: 'A flat in Haifa' }
  await saveLead(api.business, { ...lead, at: new Date() })
  expect(await deliverAll()).toEqual(['sent'])
  expect(service.messagesOf(browser)).toMatchObject([
    { title: 'New lead', body: 'Dana Levi', url: expect.stringContaining('leads') },
  ])
  await expect((await addMember('agent')).caller.push.saveSettings({ showText: true })).rejects.toThrow('Your role')
  await owner.caller.push.saveSettings({ showText: true })
  const next = await answeredCall()
  await saveLead(api.business, { ...lead, callSid: next.callSid, at: new Date() })
  // A lead that is completed later is the same lead.
  await saveLead(api.business, { ...lead, callSid: next.callSid, callbackTime: 'Tomorrow', at: new Date() })
  expect(await deliverAll()).toEqual(['sent'])
  expect(service.messagesOf(browser).at(-1)).toMatchObject({ body: 'Dana Levi\nA flat in Haifa' })
  await owner.caller.push.saveSettings({ showText: false })
})

test('a message is notified to the member whom the conversation is assigned to, and to no other', async () => {
  const agent = await addMember('agent')
  const [theirs, others] = [await addDevice(agent), await addDevice()]
  const from = phone()
  await write(from, 'First')
  expect(await deliverAll()).toEqual([])
  const { items } = await owner.caller.conversations.list({})
  const conversation = items.find((each) => each.phone === from)
  await owner.caller.conversations.assign({ id: conversation?.id ?? '', assigneeId: agent.id })
  await write(from, 'A secret of Dana')
  expect(await deliverAll()).toEqual(['sent'])
  expect(service.messagesOf(theirs.browser)).toMatchObject([
    {
      title: 'New message for you',
      body: 'Dana',
      url: expect.stringContaining(`inbox?contact=${conversation?.contactId}&alert=`),
    },
  ])
  expect(service.messagesOf(others.browser)).toEqual([])
  expect(JSON.stringify(service.received)).not.toContain('A secret of Dana')
})

test('a device gets what it chose; leads that members enter or import are not notified', async () => {
  const device = await addDevice(owner, { kinds: ['voicemail'] })
  const call = await answeredCall()
  await saveLead(api.business, { callSid: call.callSid, source: 'call', name: 'Dana', at: new Date() })
  expect(await deliverAll()).toEqual([])
  await owner.caller.push.change({ id: device.id, kinds: ['lead'] })
  await owner.caller.leads.create({ name: 'Entered by hand' })
  expect(await deliverAll()).toEqual([])
  expect(await owner.caller.push.devices()).toMatchObject({ items: [{ kinds: ['lead'], lastSentAt: null }] })
})

test('a browser that takes none any more is forgotten; a service that is away is tried again, then given up', async () => {
  const [gone, away] = [await addDevice(), await addDevice()]
  service.answer(gone.browser, 410)
  service.answer(away.browser, 503)
  await owner.caller.push.test({ id: gone.id })
  expect(await deliverAll()).toEqual(['gone'])
  expect((await owner.caller.push.devices()).items.map(({ id }) => id)).toEqual([away.id])
  await owner.caller.push.test({ id: away.id })
  await runAlerts(api.ctx, REACH, new Date())
  const [job] = api.jobs.splice(0)
  const deliveryId = job && 'deliveryId' in job.payload ? String(job.payload.deliveryId) : ''
  for (let attempt = 1; attempt < 8; attempt++)
    await expect(sendAlert(api.business, deliveryId, alerts)).rejects.toThrow('answered 503')
  expect(await sendAlert(api.business, deliveryId, alerts)).toBe('failed')
  service.answer(away.browser, 201)
  expect(await sendAlert(api.business, deliveryId, alerts)).toBe('failed')
  await owner.caller.push.test({ id: away.id })
  expect(await deliverAll()).toEqual(['sent'])
  expect(service.messagesOf(away.browser)).toMatchObject([{ title: 'Notifications work' }])
})

test('a push service at a private address is refused, unless the settings allow it', async () => {
  const { id } = await addDevice()
  await owner.caller.push.test({ id })
  const strict = { ...deps, sender: createWebPush({ subject: 'mailto:push@example.com', allowPrivate: false }) }
  expect(await deliverAll(strict)).toEqual(['failed'])
  const rows = await api.ctx.db.execute<{ error: string }>(
    sql`select error from alert_deliveries where device_id = ${id}`,
  )
  expect([...rows]).toEqual([{ error: 'The address of the push service is not a public one.' }])
})

test.each([
  'http://127.0.0.1:8080/x',
  'https://[::1]/x',
  'https://10.0.0.8/x',
  'https://169.254.169.254/latest',
  'https://localhost/x',
  'https://user:password@203.0.114.1/x',
  'https://203.0.114.1:22/x',
])('a subscription at %s is refused where only public addresses are allowed, and stays unknown', async (endpoint) => {
  const strict = { ...deps, sender: createWebPush({ subject: 'mailto:push@example.com', allowPrivate: false }) }
  const ctx = { ...api.business, actor: { kind: 'user', id: owner.id } as const }
  const input = { subscription: { endpoint, keys: EXAMPLE_PUSH_KEYS }, label: 'x', language: 'en' } as const
  await expect(addPushDevice(ctx, strict, input)).rejects.toMatchObject({
    code: 'push_forbidden',
    field: 'subscription.endpoint',
  })
  expect((await owner.caller.push.devices()).items).toEqual([])
  const open = { subscription: { endpoint: 'https://203.0.114.1/x', keys: EXAMPLE_PUSH_KEYS } }
  await addPushDevice(ctx, strict, { ...input, ...open })
})

test('a browser to which nothing can be encrypted is refused, and stays unknown', async () => {
  const endpoint = 'https://127.0.0.1/x'
  const offTheCurve = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]).toString('base64url')
  for (const keys of [
    { ...EXAMPLE_PUSH_KEYS, p256dh: offTheCurve },
    { ...EXAMPLE_PUSH_KEYS, p256dh: Buffer.alloc(65).toString('base64url') },
    { ...EXAMPLE_PUSH_KEYS, auth: 'A'.repeat(20) },
  ])
    await expect(
      owner.caller.push.subscribe({ subscription: { endpoint, keys }, label: 'x', language: 'en' }),
    ).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  expect((await owner.caller.push.devices()).items).toEqual([])
})

test('devices belong to members: an API key has none, another member’s browser is taken, who leaves is not notified', async () => {
  const other = await addMember('viewer')
  const { id: browser, ...subscription } = service.browser()
  const input = { subscription, label: 'Shared', language: 'he' } as const
  const mine = await owner.caller.push.subscribe(input)
  expect((await owner.caller.push.subscribe({ ...input, label: 'Renamed' })).id).toBe(mine.id)
  await expect(other.caller.push.test({ id: mine.id })).rejects.toThrow('no such device of yours')
  const theirs = await other.caller.push.subscribe(input)
  expect((await owner.caller.push.devices()).items).toEqual([])
  await other.caller.push.test({ id: theirs.id })
  await api.ctx.db.execute(sql`delete from memberships where user_id = ${other.id}`)
  expect(await deliverAll()).toEqual(['gone'])
  expect(service.messagesOf(browser)).toEqual([])
  for (let count = 0; count < 20; count++) await addDevice()
  await expect(addDevice()).rejects.toThrow('too many devices')
})

test('the keys stay: made once by whoever is first, sealed, and useless under another secret', async () => {
  const all = await Promise.all(Array.from({ length: 5 }, () => ensurePushKeys(api.ctx, deps)))
  expect(new Set(all.map((keys) => keys.publicKey))).toEqual(new Set([publicKey]))
  const [row] = await api.ctx.db.execute<{ sealed: string }>(sql`select sealed from push_keys`)
  expect(row?.sealed).not.toContain(all[0]?.privateKey ?? 'none')
  const box = createSecretBox(deriveKey('another secret', 'push'))
  await expect(ensurePushKeys(api.ctx, { ...deps, box })).rejects.toThrow('cannot be decrypted')
  const { browser } = await addDevice()
  const [device] = await api.ctx.db.execute<{ sealed: string }>(sql`select sealed from push_devices`)
  expect(device?.sealed).not.toContain(browser)
})

test('what was sent is forgotten after three months', async () => {
  const { id } = await addDevice()
  await owner.caller.push.test({ id })
  await deliverAll()
  const left = () => api.ctx.db.$count(alertDeliveries)
  await pruneAlerts(api.ctx, new Date())
  expect(await left()).toBeGreaterThan(0)
  await pruneAlerts(api.ctx, new Date(Date.now() + 91 * 86_400_000))
  expect(await left()).toBe(0)
})

test('what the version before had not sent becomes an alert once', async () => {
  const { id, browser } = await addDevice()
  const call = await answeredCall()
  await saveLead(api.business, { callSid: call.callSid, source: 'call', name: 'Dana', at: new Date() })
  await api.ctx.db.execute(sql`delete from push_notices`)
  const [lead] = await api.ctx.db.execute<{ id: string }>(sql`select id from leads order by id desc limit 1`)
  await api.ctx.db.execute(sql`insert into push_deliveries (id, business_id, device_id, kind, entity_id) values
    (${newId()}, ${api.businessId}, ${id}, 'lead', ${lead?.id}), (${newId()}, ${api.businessId}, ${id}, 'test', ${newId()})`)
  expect(await deliverAll()).toEqual(['sent'])
  expect(service.messagesOf(browser)).toMatchObject([{ title: 'New lead', body: 'Dana' }])
  expect(await deliverAll()).toEqual([])
})

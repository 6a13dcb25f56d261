import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { WhatsAppSandbox } from '../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../src/sandbox/whatsapp/server.ts'
import { createClient } from '../../src/trpc/client.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'

const PHONE = '+972501000101'
const AT_ONCE = { gapMs: 0, jitterMs: 0, typingMsPerChar: 0, newContactsPerDay: null }
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const VOICE = Buffer.concat([Buffer.from('OggS'), Buffer.alloc(600, 7)])

type PublishedEvent = { type: string; data: Record<string, unknown> | null; entityId: string }

let sandbox: WhatsAppSandbox
let product: Product
let accountId = ''
let last = 0
let vanishing = 0
const streamed: PublishedEvent[] = []
const posted: PublishedEvent[] = []
const files = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url)
    const to = searchParams.get('to')
    if (to !== null) return Response.redirect(to, 302)
    if (pathname === '/photo.png') return new Response(PIXEL, { headers: { 'content-type': 'image/png' } })
    if (pathname === '/voice.ogg') return new Response(VOICE, { headers: { 'content-type': 'audio/ogg' } })
    // There when the message is accepted, gone when the worker comes for it.
    if (pathname === '/vanishing.png' && vanishing++ === 0)
      return new Response(PIXEL, { headers: { 'content-type': 'image/png' } })
    return new Response('no', { status: 404 })
  },
})
const hooks = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    posted.push(eventOf(await request.json()))
    return new Response('')
  },
})
let stream: { unsubscribe(): void } | null = null

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
  product = await startProduct({
    queue: 'postgres',
    carrier: { statusDelaysMs: { queued: 2, sent: 10, delivered: 20, read: 30 } },
    env: { BAILEYS_WEBSOCKET_URL: sandbox.wsUrl },
  })
  const trpc = product.trpc()
  await trpc.webhooks.create.mutate({ url: `http://127.0.0.1:${hooks.port}/`, types: ['whatsapp.*'] })
  const started = Promise.withResolvers<void>()
  stream = createClient({ url: product.url(), apiKey: product.apiKey }).events.stream.subscribe(
    { types: ['whatsapp.*'] },
    {
      onStarted: () => started.resolve(),
      onData: (item) => void streamed.push(eventOf('data' in item ? item.data : item)),
    },
  )
  await started.promise
  // The sandbox's own first account has a number; this one is new.
  for (const { id } of (await trpc.whatsapp.list.query()).items) await trpc.whatsapp.remove.mutate({ id })
  accountId = (await trpc.whatsapp.create.mutate(AT_ONCE)).id
  const { qr } = await eventually(async () => {
    const view = await trpc.whatsapp.get.query({ id: accountId })
    return view.qr ? view : null
  }, 'a QR code')
  await sandbox.scan(qr ?? '', PHONE)
  await untilState('working')
}, 120_000)
afterAll(async () => {
  stream?.unsubscribe()
  await product.stop()
  await sandbox.close()
  await files.stop(true)
  await hooks.stop(true)
})
beforeEach(() => {
  sandbox.clearFaults()
  product.carrier.faults.clear()
})

function eventOf(value: unknown): PublishedEvent {
  const event: Record<string, unknown> = Object(value)
  return { type: String(event.type), entityId: String(event.entityId), data: Object(event.data) }
}
const untilState = (state: string) =>
  eventually(
    async () => (await product.trpc().whatsapp.get.query({ id: accountId })).state === state,
    `the account to be ${state}`,
    30_000,
  )
const customer = () => `+97252${8_000_000 + ++last}`
const send = async (to: string, body: object) => {
  const answer = Object(await (await product.send({ to, ...body })).json())
  expect(answer).toMatchObject({ success: true })
  return String(answer.id)
}
const settled = (id: string, status: string) =>
  eventually(
    async () => {
      const [row] = await product.sql<Record<string, unknown>[]>`select * from messages where id = ${id}`
      return row?.status === status ? row : null
    },
    `the message to be ${status}`,
    50_000,
  )
const overTwilio = (to: string) =>
  [...product.carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`)
const choose = (first: 'twilio' | 'baileys', second: 'twilio' | 'baileys' | null) =>
  product.trpc().businesses.update.mutate({ defaultWhatsappProvider: first, fallbackWhatsappProvider: second })

test('a state of the account reaches the event stream and the webhooks of the business', async () => {
  const states = (reported: PublishedEvent[]) =>
    reported.filter(({ type, entityId }) => type === 'whatsapp.state' && entityId === accountId).map(({ data }) => data)
  for (const reported of [streamed, posted]) {
    await eventually(() => states(reported).some((data) => data?.state === 'working'), 'the working state', 20_000)
    expect(states(reported)).toContainEqual({ state: 'scan_qr', reason: 'not_linked' })
  }
  // No code to link by leaves the installation.
  expect(JSON.stringify([streamed, posted])).not.toContain('"qr"')
})

test('a picture and a voice note leave through the worker, and the phone can open them', async () => {
  await choose('baileys', null)
  const to = customer()
  const photo = await send(to, { text: 'look', media: [{ url: `http://127.0.0.1:${files.port}/photo.png` }] })
  const voice = await send(to, { media: [{ url: `http://127.0.0.1:${files.port}/voice.ogg`, voice: true }] })
  await settled(photo, 'delivered')
  await settled(voice, 'delivered')
  const [image, note] = sandbox.inbox(to)
  expect(image?.message.imageMessage).toMatchObject({ caption: 'look', mimetype: 'image/png' })
  expect(note?.message.audioMessage).toMatchObject({ ptt: true, mimetype: 'audio/ogg; codecs=opus' })
  expect(Buffer.from(await sandbox.receivedMedia(to, image?.id ?? ''))).toEqual(PIXEL)
  expect(Buffer.from(await sandbox.receivedMedia(to, note?.id ?? ''))).toEqual(VOICE)
  const missing = { to, media: [{ url: `http://127.0.0.1:${files.port}/missing.png` }] }
  expect(Object(await (await product.send(missing)).json())).toMatchObject({
    success: false,
    error: { code: 'media_missing', field: 'media.0.url' },
  })
  const vanished = await send(to, { media: [{ url: `http://127.0.0.1:${files.port}/vanishing.png` }] })
  expect(await settled(vanished, 'failed')).toMatchObject({ error_code: 'media_missing' })
})

test('media addresses that lead to a metadata service are not asked, and all fail alike', async () => {
  await choose('baileys', null)
  const metadata = 'http://169.254.169.254/latest/meta-data'
  const redirect = `http://127.0.0.1:${files.port}/redirect?to=${encodeURIComponent(metadata)}`
  for (const url of [
    metadata,
    redirect,
    'http://0.0.0.0:1/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://nothing.invalid/',
  ]) {
    const to = customer()
    const { error_code } = await settled(await send(to, { media: [{ url }] }), 'failed')
    expect({ url, error_code }).toEqual({ url, error_code: 'media_not_fetchable' })
    expect(sandbox.inbox(to)).toEqual([])
  }
})

test('a doubtful outcome goes to no second provider, from either side', async () => {
  await product.trpc().whatsapp.update.mutate({ id: accountId, delivery: 'at-most-once' })
  await choose('baileys', 'twilio')
  const silent = customer()
  sandbox.putAccount({ phone: silent, delivers: false })
  sandbox.addFault({ kind: 'drop_ack', to: silent })
  const doubtful = await send(silent, { text: 'once' })
  expect(await settled(doubtful, 'unknown')).toMatchObject({ provider: 'baileys' })
  expect(overTwilio(silent)).toEqual([])

  await choose('twilio', 'baileys')
  const lost = customer()
  product.carrier.faults.add({ to: `whatsapp:${lost}`, times: 1, effect: { kind: 'response_lost' } })
  const found = await send(lost, { text: 'answered into nothing' })
  await settled(found, 'read')
  expect(overTwilio(lost)).toHaveLength(1)
  expect(sandbox.inbox(lost)).toEqual([])
  await product.trpc().whatsapp.update.mutate({ id: accountId, delivery: 'at-least-once' })
}, 90_000)

test('Twilio without its sender: the linked account sends it, once', async () => {
  await choose('twilio', 'baileys')
  const to = customer()
  product.carrier.faults.add({
    to: `whatsapp:${to}`,
    effect: { kind: 'http_error', status: 400, code: 63007, message: 'no channel with that From' },
  })
  const id = await send(to, { text: 'by the other way' })
  expect(await settled(id, 'delivered')).toMatchObject({ provider: 'baileys', account_id: accountId })
  expect(sandbox.inbox(to)).toHaveLength(1)
  expect(overTwilio(to)).toEqual([])
  const locked = customer()
  product.carrier.faults.add({
    to: `whatsapp:${locked}`,
    effect: { kind: 'http_error', status: 401, code: 20003, message: 'Authenticate' },
  })
  expect(await settled(await send(locked, { text: 'y' }), 'delivered')).toMatchObject({ provider: 'baileys' })
  // What speaks of the message, and not of the sender, is no reason to try elsewhere.
  const wrong = customer()
  product.carrier.faults.add({
    to: `whatsapp:${wrong}`,
    effect: { kind: 'http_error', status: 400, code: 21211, message: 'no such number' },
  })
  expect(await settled(await send(wrong, { text: 'x' }), 'failed')).toMatchObject({ provider: 'twilio' })
  expect(sandbox.inbox(wrong)).toEqual([])
}, 90_000)

test('a restricted linked account: Twilio sends it, once', async () => {
  await choose('baileys', 'twilio')
  const to = customer()
  sandbox.addFault({ kind: 'ack_error', code: '463', to })
  const id = await send(to, { text: 'a first word' })
  expect(await settled(id, 'read')).toMatchObject({ provider: 'twilio' })
  expect(overTwilio(to)).toHaveLength(1)
  expect(sandbox.inbox(to)).toEqual([])
}, 90_000)

test('an account that the phone unlinked: Twilio sends what comes next, and who follows is reported', async () => {
  await choose('baileys', 'twilio')
  sandbox.act(PHONE, { action: 'unlink' })
  await untilState('logged_out')
  const to = customer()
  const id = await send(to, { text: 'still here' })
  expect(await settled(id, 'read')).toMatchObject({ provider: 'twilio' })
  expect(overTwilio(to)).toHaveLength(1)
  for (const reported of [streamed, posted])
    await eventually(() => reported.some(({ data }) => data?.state === 'logged_out'), 'the end to be reported', 20_000)
}, 90_000)

test('an unexpected number is shown, refused and confirmed by REST, and sends only then', async () => {
  const stranger = '+972501000102'
  await choose('baileys', null)
  const trpc = product.trpc()
  const rest = (path: string, body: object) =>
    fetch(`${product.url()}/api/v1/whatsapp-accounts/${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${product.apiKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  const linkAs = async (phone: string) => {
    await trpc.whatsapp.link.mutate({ id: accountId })
    const { qr } = await eventually(async () => {
      const view = await trpc.whatsapp.get.query({ id: accountId })
      return view.qr ? view : null
    }, 'a QR code')
    await sandbox.scan(qr ?? '', phone)
    await untilState('working')
  }
  await trpc.whatsapp.logout.mutate({ id: accountId })
  await untilState('logged_out')
  await linkAs(stranger)
  expect(await trpc.whatsapp.get.query({ id: accountId })).toMatchObject({
    confirmationNeeded: { phone: stranger, expectedPhone: PHONE },
  })
  const waits = await send(customer(), { text: 'not by this phone', provider: 'baileys' })
  expect((await rest(`${accountId}/confirm`, { phone: PHONE })).status).toBe(409)
  expect((await rest(`${accountId}/refuse`, { phone: stranger })).status).toBe(200)
  await untilState('logged_out')
  await linkAs(stranger)
  expect((await rest(`${accountId}/confirm`, { phone: stranger })).status).toBe(200)
  await settled(waits, 'delivered')
}, 90_000)

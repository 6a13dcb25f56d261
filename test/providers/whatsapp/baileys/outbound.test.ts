import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { OutboundMedia, OutboundMessage } from '../../../../src/providers/whatsapp/port.ts'
import type { WhatsAppSandbox } from '../../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'
import { quietFor } from '../../../support/wait.ts'
import { Harness, MapStore } from './harness.ts'

const unacknowledged = (phone: string) => sandbox.unacknowledged(phone).filter((tag) => tag === 'receipt').length

const ME = '+972501111111'
const BOB = '+972502222222'
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const store = new MapStore()
const files = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/missing') return new Response('no', { status: 404 })
    if (pathname === '/broken') return new Response('no', { status: 500 })
    return new Response(PIXEL, { headers: { 'content-type': 'image/png' } })
  },
})
let sandbox: WhatsAppSandbox
let harness: Harness
let count = 0

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
  harness = new Harness(sandbox, store)
  await harness.work(sandbox, ME)
}, 30_000)
afterEach(async () => {
  sandbox.clearFaults()
  sandbox.putAccount({ phone: BOB, delivers: true, reads: false })
  await harness.until(() => harness.state === 'working', 'the account to work')
})
afterAll(async () => {
  await harness.account.stop()
  await files.stop(true)
  await sandbox.close()
})

function message(change: Partial<OutboundMessage> = {}): OutboundMessage & { providerMessageId: string } {
  const id = `out-${++count}`
  return { id, account: 'acc-1', to: BOB, text: 'hello', providerMessageId: `PROV${count}`, ...change }
}
const at = (path: string, change: Partial<OutboundMedia> = {}): OutboundMedia => ({
  url: `http://127.0.0.1:${files.port}${path}`,
  ...change,
})
const got = (id: string) => sandbox.inbox(BOB).filter((delivery) => delivery.id === id)

test('a text is accepted under the id the caller chose, then delivered and read', async () => {
  sandbox.putAccount({ phone: BOB, reads: true })
  const sent = message({ text: 'שלום' })
  expect(await harness.account.send(sent)).toEqual({
    outcome: 'accepted',
    providerMessageId: sent.providerMessageId,
    status: 'sent',
  })
  expect(got(sent.providerMessageId).map((delivery) => delivery.message.extendedTextMessage?.text)).toEqual(['שלום'])
  await harness.until(() => harness.receiptsOf(sent.providerMessageId).includes('read'), 'read')
  expect(harness.receiptsOf(sent.providerMessageId).sort()).toEqual(['delivered', 'read'])
})

test('without an id of the caller, one follows from our row, the same at every attempt', async () => {
  const { providerMessageId: _, ...sent } = message()
  const first = await harness.account.send(sent)
  const second = await harness.account.send(sent)
  expect(first).toMatchObject({ outcome: 'accepted' })
  expect(second).toEqual(first)
})

test('receipts out of order are each reported once', async () => {
  sandbox.putAccount({ phone: BOB, reads: true })
  sandbox.addFault({ kind: 'reverse_receipts' })
  const sent = message()
  await harness.account.send(sent)
  await harness.until(() => harness.receiptsOf(sent.providerMessageId).length === 2, 'both')
  expect(harness.receiptsOf(sent.providerMessageId).toSorted()).toEqual(['delivered', 'read'])
})

test('a reply quotes, and typing is shown before a text', async () => {
  const typist = new Harness(sandbox, new MapStore(), { typingMs: () => 30 })
  await typist.work(sandbox, '+972501111999')
  const reply = message({ replyTo: 'THEIRS1', text: 'yes' })
  await typist.account.send(reply)
  expect(got(reply.providerMessageId)[0]?.message.extendedTextMessage?.contextInfo?.stanzaId).toBe('THEIRS1')
  const typing = sandbox.notices('+972501111999').filter(({ tag }) => tag === 'chatstate')
  expect(typing.map(({ child }) => child)).toEqual(['composing', 'paused'])
  await typist.account.stop()
})

test.each<[string, Partial<OutboundMessage>]>([
  ['image', { text: 'a caption', media: [at('/a.png')] }],
  ['document', { media: [at('/b', { contentType: 'application/pdf', fileName: 'offer.pdf' })] }],
  ['video', { media: [at('/c', { contentType: 'video/mp4' })] }],
  ['voice', { text: undefined, media: [at('/d', { contentType: 'audio/ogg', voice: true })] }],
])('media goes out: %s', async (kind, change) => {
  const sent = message(change)
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
  expect(Buffer.from(await sandbox.receivedMedia(BOB, sent.providerMessageId))).toEqual(PIXEL)
  const received = got(sent.providerMessageId)[0]?.message
  if (kind === 'image') expect(received?.imageMessage).toMatchObject({ caption: 'a caption', mimetype: 'image/png' })
  if (kind === 'document')
    expect(received?.documentMessage).toMatchObject({ fileName: 'offer.pdf', mimetype: 'application/pdf' })
  if (kind === 'video') expect(received?.videoMessage?.mimetype).toBe('video/mp4')
  if (kind === 'voice') expect(received?.audioMessage).toMatchObject({ ptt: true, mimetype: 'audio/ogg; codecs=opus' })
})

test('media that cannot be fetched: rejected when it is missing, retry when its server is in trouble', async () => {
  expect(await harness.account.send(message({ media: [at('/missing')] }))).toMatchObject({
    outcome: 'rejected',
    code: 'media_missing',
  })
  expect(await harness.account.send(message({ media: [at('/broken')] }))).toMatchObject({
    outcome: 'retry',
    code: 'media_unreachable',
  })
  expect(await harness.account.send(message({ media: [{ url: 'file:///etc/passwd' }] }))).toMatchObject({
    outcome: 'rejected',
    code: 'bad_media_url',
  })
})

test.each<[string, Partial<OutboundMessage>]>([
  ['template_not_supported', { template: { contentSid: 'HX1', variables: {} } }],
  ['empty_message', { text: '' }],
  ['too_many_media', { media: [{ url: 'https://a' }, { url: 'https://b' }] }],
  ['voice_with_text', { media: [{ url: 'https://a', voice: true }] }],
  ['not_on_whatsapp', { to: '+972509999999' }],
])('what can never be sent is rejected: %s', async (code, change) => {
  sandbox.putAccount({ phone: '+972509999999', onWhatsApp: false })
  expect(await harness.account.send(message(change))).toMatchObject({ outcome: 'rejected', code })
})

test('error 463 is rejected for good and shows in the status', async () => {
  const sent = message()
  sandbox.addFault({ kind: 'ack_error', code: '463', id: sent.providerMessageId })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'rejected', code: '463' })
  expect(harness.account.status().restriction).toMatchObject({ code: '463' })
  expect(got(sent.providerMessageId)).toEqual([])
  await harness.until(
    () => harness.receipts.some((receipt) => receipt.status === 'failed' && receipt.errorCode === '463'),
    'the failure as a receipt',
  )
})

test('a refusal that may pass is retry; other refusals are final', async () => {
  const later = message()
  sandbox.addFault({ kind: 'ack_error', code: '503', id: later.providerMessageId })
  expect(await harness.account.send(later)).toMatchObject({ outcome: 'retry', code: '503' })
  const never = message()
  sandbox.addFault({ kind: 'ack_error', code: '400', id: never.providerMessageId })
  expect(await harness.account.send(never)).toMatchObject({ outcome: 'rejected', code: '400' })
})

test('dropped ack: unknown; a receipt that comes later decides it', async () => {
  sandbox.putAccount({ phone: BOB, delivers: false })
  const sent = message()
  sandbox.addFault({ kind: 'drop_ack', id: sent.providerMessageId })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'unknown', code: 'no_acknowledgement' })
  const question = { ...sent, since: new Date() }
  expect(await harness.account.reconcile(question)).toEqual({ outcome: 'undecided' })
  sandbox.confirm({ from: BOB, to: ME, ids: [sent.providerMessageId], type: 'delivered' })
  expect(await harness.account.reconcile(question)).toMatchObject({ outcome: 'accepted', status: 'sent' })
}, 10_000)

test('dropped ack, but the receipt comes: accepted, since only what was taken is delivered', async () => {
  const sent = message()
  sandbox.addFault({ kind: 'drop_ack', id: sent.providerMessageId })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
})

test('cut after acceptance: unknown; after the reconnect the stored receipt decides it', async () => {
  const sent = message()
  sandbox.addFault({ kind: 'cut_after_accept', id: sent.providerMessageId })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'unknown', code: 'connection_lost' })
  await harness.until(() => harness.state === 'working', 'the reconnect')
  expect(await harness.account.reconcile({ ...sent, since: new Date() })).toMatchObject({ outcome: 'accepted' })
  expect(got(sent.providerMessageId)).toHaveLength(1)
}, 10_000)

test('cut before acceptance: unknown, undecided, and sending the same id again brings it once', async () => {
  const sent = message()
  sandbox.addFault({ kind: 'cut_before_accept', id: sent.providerMessageId })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'unknown' })
  await harness.until(() => harness.state === 'working', 'the reconnect')
  expect(await harness.account.reconcile({ ...sent, since: new Date() })).toEqual({ outcome: 'undecided' })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
  expect(got(sent.providerMessageId).map(({ attempt }) => attempt)).toEqual([1])
}, 10_000)

test('while the account is away a send is retry, and surely nothing left', async () => {
  const away = new Harness(sandbox, store)
  expect(await away.account.send(message())).toMatchObject({ outcome: 'retry', code: 'account_stopped' })
})

test('sends keep their order and go one at a time', async () => {
  const batch = Array.from({ length: 15 }, (_, index) => message({ text: `number ${index}` }))
  const outcomes = await Promise.all(batch.map((each) => harness.account.send(each)))
  expect(outcomes.every(({ outcome }) => outcome === 'accepted')).toBe(true)
  const ids = batch.map(({ providerMessageId }) => providerMessageId)
  const arrived = sandbox.inbox(BOB).filter(({ id }) => ids.includes(id))
  expect(arrived.map(({ id }) => id)).toEqual(ids)
})

test('the ratchet is stored before the stanza leaves, so that a crash never uses one key twice', async () => {
  await harness.account.send(message())
  const sent = message()
  const order: string[] = []
  store.onWrite = async (changes) => {
    if (!changes.keys.some(({ type }) => type === 'session')) return
    await Bun.sleep(30)
    order.push(got(sent.providerMessageId).length > 0 ? 'stored after it left' : 'stored')
  }
  const seen = sandbox.until(() => got(sent.providerMessageId).length > 0, 5_000).then(() => order.push('arrived'))
  await harness.account.send(sent)
  await seen
  store.onWrite = () => {}
  expect(order.length).toBeGreaterThan(1)
  expect(order.filter((entry) => entry === 'stored after it left')).toEqual([])
  expect(order.at(-1)).toBe('arrived')
})

test('a phone that lost its session gets the message again', async () => {
  const sent = message({ text: 'read me' })
  await sandbox.forgetSessions({ contact: BOB, account: ME })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
  const delivery = await harness.until(() => got(sent.providerMessageId)[0], 'the retried message')
  expect(delivery.message.extendedTextMessage?.text).toBe('read me')
  expect(delivery.attempt).toBe(2)
})

test('a message that an earlier process sent is sent again from what getMessage gives', async () => {
  const sent = message({ text: 'remember me' })
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
  await harness.account.stop()
  const later = new Harness(sandbox, store)
  later.sent.set(sent.providerMessageId, sent)
  await later.work(sandbox, ME)
  sandbox.askAgain({ contact: BOB, account: ME, id: sent.providerMessageId })
  await later.until(() => got(sent.providerMessageId).length === 2, 'the second copy')
  expect(got(sent.providerMessageId)[1]?.message.extendedTextMessage?.text).toBe('remember me')
  sandbox.askAgain({ contact: BOB, account: ME, id: 'NEVER-SENT' })
  expect(await later.text('after', BOB, 'still here')).toMatchObject({ outcome: 'accepted' })
  await later.account.stop()
  await harness.account.start()
}, 10_000)

test('a receipt is acknowledged only once it is stored', async () => {
  const stored = Promise.withResolvers<void>()
  harness.beforeReceipts = () => stored.promise
  const sent = message()
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
  await harness.until(() => unacknowledged(ME) > 0, 'the receipt to be on its way')
  await quietFor(300, 'the receipt would have been acknowledged')
  expect(unacknowledged(ME)).toBeGreaterThan(0)
  stored.resolve()
  await harness.until(() => unacknowledged(ME) === 0, 'the acknowledgement')
  expect(harness.receiptsOf(sent.providerMessageId)).toContain('delivered')
  harness.beforeReceipts = () => {}
})

test('a receipt that cannot be stored cuts the connection, comes again and is stored', async () => {
  let refused = 0
  harness.beforeReceipts = () => {
    refused += 1
    throw new Error('the database is away')
  }
  const sent = message()
  expect(await harness.account.send(sent)).toMatchObject({ outcome: 'accepted' })
  await harness.until(() => harness.state !== 'working', 'the connection to be cut', 25_000)
  expect(refused).toBeGreaterThan(1)
  expect(harness.receiptsOf(sent.providerMessageId)).toEqual([])
  harness.beforeReceipts = () => {}
  await harness.until(() => harness.receiptsOf(sent.providerMessageId).includes('delivered'), 'the receipt', 15_000)
  await harness.until(() => unacknowledged(ME) === 0, 'the acknowledgement')
}, 60_000)

test('a message costs one write of keys, before any byte of it leaves', async () => {
  await harness.account.send(message())
  let writes = 0
  let gotBefore = -1
  const sent = message()
  store.onWrite = async () => {
    writes += 1
    await Bun.sleep(50)
    gotBefore = got(sent.providerMessageId).length
  }
  await harness.account.send(sent)
  store.onWrite = () => {}
  expect({ writes, gotBefore }).toEqual({ writes: 1, gotBefore: 0 })
  expect(got(sent.providerMessageId)).toHaveLength(1)
})

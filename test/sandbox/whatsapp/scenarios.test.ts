import { afterAll, beforeAll, expect, test } from 'bun:test'
import { DisconnectReason, proto } from '@whiskeysockets/baileys'
import type { WhatsAppSandbox } from '../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../src/sandbox/whatsapp/server.ts'
import { Client, linkByQr, MemoryAuth, reopen, until } from './client.ts'

const ME = '972501111111'
const BOB = '972502222222'
const BOB_JID = `${BOB}@s.whatsapp.net`
const { DELIVERY_ACK, READ, ERROR } = proto.WebMessageInfo.Status

let sandbox: WhatsAppSandbox
let client: Client
const auth = new MemoryAuth()
const open: Client[] = []

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
  const bob = sandbox.putAccount({ phone: BOB, name: 'Bob' })
  sandbox.addHistory({ account: ME, contact: BOB, text: 'old hello', fromMe: false, at: 1_700_000_000 })
  sandbox.addHistory({ account: ME, contact: BOB, text: 'old reply', fromMe: true, at: 1_700_000_060 })
  client = await linkByQr(sandbox, auth, ME)
  open.push(client)
  const history = await until(() => client.histories[0], 'the inline history')
  expect(history.map(({ message }) => message?.conversation).sort()).toEqual(['old hello', 'old reply'])
  expect(await client.sock.signalRepository.lidMapping.getPNForLID(`${bob.lid}@lid`)).toBe(`${BOB}:0@s.whatsapp.net`)
}, 30_000)

afterAll(async () => {
  for (const each of open) await each.end()
  await sandbox.close()
})

test('a text is acknowledged, read by the phone that got it, and confirmed as delivered and read', async () => {
  const id = 'AAAA0000000000000001'
  const ack = client.sock.waitForMessage(id, 5_000)
  await client.sock.sendMessage(BOB_JID, { text: 'שלום בוב' }, { messageId: id })
  expect(await ack).toMatchObject({ tag: 'ack', attrs: { class: 'message', id } })
  const [delivery] = await until(() => sandbox.inbox(BOB).length > 0 && sandbox.inbox(BOB), 'the phone to get it')
  expect(delivery?.message.extendedTextMessage?.text).toBe('שלום בוב')
  expect(delivery).toMatchObject({ id, from: ME, to: BOB, attempt: 1 })
  const own = sandbox.inbox(ME, { ownCopies: true }).find((entry) => entry.id === id)
  expect(own?.message.deviceSentMessage?.destinationJid).toBe(BOB_JID)
  await until(() => client.status(id) === DELIVERY_ACK, 'delivered')
  sandbox.confirm({ from: BOB, to: ME, ids: [id], type: 'read' })
  await until(() => client.status(id) === READ, 'read')
})

test('texts addressed by phone number and by LID both arrive, and the client sends a receipt for each', async () => {
  const byPhone = await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: 'from my number' })
  const first = await until(() => client.received(byPhone), 'the first text')
  expect(first.message?.conversation).toBe('from my number')
  const byLid = await sandbox.send({ from: BOB, to: ME, addressing: 'lid' }, { kind: 'text', text: 'from my lid' })
  const second = await until(() => client.received(byLid), 'the second text')
  expect(second.key).toMatchObject({ remoteJidAlt: BOB_JID, fromMe: false })
  expect(second.key.remoteJid).toEndWith('@lid')
  await until(() => sandbox.pending(ME).flat().length === 0, 'everything to be confirmed')
})

test('cut after acceptance: sending the same id again gives the phone two stanzas under one id', async () => {
  const id = 'AAAA0000000000000002'
  sandbox.addFault({ kind: 'cut_after_accept', id })
  const ack = client.sock.waitForMessage(id, 4_000).then(
    (node) => (node ? 'acked' : 'timeout'),
    () => 'closed',
  )
  await client.sock.sendMessage(BOB_JID, { text: 'once only' }, { messageId: id })
  expect(await ack).toBe('closed')
  await until(() => client.closeCode(), 'the close')
  client = await reopen(sandbox, auth)
  open.push(client)
  const second = client.sock.waitForMessage(id, 4_000)
  await client.sock.sendMessage(BOB_JID, { text: 'once only' }, { messageId: id })
  expect(await second).toMatchObject({ tag: 'ack' })
  const copies = sandbox.inbox(BOB).filter((entry) => entry.id === id)
  expect(copies.map(({ attempt }) => attempt)).toEqual([1, 2])
}, 20_000)

test('a dropped ack leaves the sender waiting; ack error 463 reaches it and the phone gets nothing', async () => {
  const dropped = 'AAAA0000000000000003'
  sandbox.putAccount({ phone: BOB, delivers: false })
  sandbox.addFault({ kind: 'drop_ack', id: dropped })
  const none = client.sock.waitForMessage(dropped, 400)
  await client.sock.sendMessage(BOB_JID, { text: 'no acknowledgement' }, { messageId: dropped })
  expect(await none).toBeUndefined()
  expect(sandbox.inbox(BOB).some(({ id }) => id === dropped)).toBe(true)
  sandbox.putAccount({ phone: BOB, delivers: true })
  const refused = 'AAAA0000000000000004'
  sandbox.addFault({ kind: 'ack_error', code: '463', id: refused })
  const error = client.sock.waitForMessage(refused, 3_000)
  await client.sock.sendMessage(BOB_JID, { text: 'restricted' }, { messageId: refused })
  expect(await error).toMatchObject({ attrs: { error: '463' } })
  await until(
    () =>
      client.updates.some(({ key, update }) => key.id === refused && update.status === ERROR) ||
      client.messages(refused).some(({ status }) => status === ERROR),
    'the error status',
  )
  expect(sandbox.inbox(BOB).some(({ id }) => id === refused)).toBe(false)
})

test('what is sent while the device is away waits and comes at the next login, in order', async () => {
  await client.end()
  await sandbox.until(() => !sandbox.isOnline(ME))
  const ids: string[] = []
  for (const text of ['one', 'two', 'three'])
    ids.push(await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text }))
  client = await reopen(sandbox, auth)
  open.push(client)
  await until(() => ids.every((id) => client.received(id)), 'the three texts')
  expect(client.upserts.filter(({ messages }) => messages.some(({ key }) => ids.includes(key.id ?? '')))[0]?.type).toBe(
    'append',
  )
  const order = client.upserts
    .flatMap(({ messages }) => messages.map(({ key }) => key.id ?? ''))
    .filter((id) => ids.includes(id))
  expect(order).toEqual(ids)
  await until(() => sandbox.pending(ME).flat().length === 0, 'everything to be confirmed')
}, 20_000)

test('a duplicate delivery is emitted twice under one id', async () => {
  sandbox.addFault({ kind: 'duplicate', to: ME })
  const id = await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: 'twice' })
  await until(() => client.messages(id).length === 2, 'both copies')
})

test('receipts out of order: read arrives before delivered', async () => {
  sandbox.putAccount({ phone: BOB, reads: true })
  sandbox.addFault({ kind: 'reverse_receipts' })
  const id = 'AAAA0000000000000005'
  await client.sock.sendMessage(BOB_JID, { text: 'backwards' }, { messageId: id })
  await until(() => client.status(id) === READ, 'read')
  const acks = () => sandbox.notices(ME).filter(({ tag, attrs }) => tag === 'ack' && attrs.id === id)
  await until(() => acks().length === 2, 'both receipts to be acknowledged')
  expect(acks().map(({ attrs }) => attrs.type)).toEqual(['read', undefined])
  sandbox.putAccount({ phone: BOB, reads: false })
})

test('typing goes both ways, numbers are looked up, and read receipts go out', async () => {
  await client.sock.sendPresenceUpdate('composing', BOB_JID)
  await until(
    () => sandbox.notices(ME).some(({ tag, child }) => tag === 'chatstate' && child === 'composing'),
    'composing',
  )
  sandbox.putAccount({ phone: '972509999999', onWhatsApp: false })
  const found = await client.sock.onWhatsApp(BOB, '972509999999')
  expect(found?.filter(({ exists }) => exists).map(({ jid }) => jid)).toEqual([BOB_JID])
  const id = await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: 'read me' })
  const message = await until(() => client.received(id), 'the text')
  await client.sock.readMessages([message.key])
  await until(
    () => sandbox.notices(ME).some(({ tag, attrs }) => tag === 'receipt' && attrs.id === id && attrs.type === 'read'),
    'the read receipt',
  )
})

test('a phone that lost its session asks for a retry and gets the message', async () => {
  await sandbox.forgetSessions({ contact: BOB, account: ME })
  const id = 'AAAA0000000000000006'
  await client.sock.sendMessage(BOB_JID, { text: 'can you read me?' }, { messageId: id })
  const delivery = await until(() => sandbox.inbox(BOB).find((entry) => entry.id === id), 'the retried text', 10_000)
  expect(delivery).toMatchObject({ attempt: 2, encryption: 'pkmsg' })
}, 15_000)

test('a contact answers by itself', async () => {
  const eve = '972504444444'
  sandbox.putAccount({ phone: eve, autoReply: 'I am busy' })
  await client.sock.sendMessage(`${eve}@s.whatsapp.net`, { text: 'hello?' })
  await until(
    () => client.upserts.some(({ messages }) => messages.some(({ message }) => message?.conversation === 'I am busy')),
    'the answer',
  )
})

test('a second socket with the same credentials closes the first with 440', async () => {
  const old = client
  client = await reopen(sandbox, auth)
  open.push(client)
  await until(() => old.closeCode() === DisconnectReason.connectionReplaced, '440')
}, 15_000)

test('pairing by code, a wrong code refused, and two real clients talk to each other', async () => {
  const phone = '972503333333'
  const wrongAuth = new MemoryAuth()
  const wrong = new Client(sandbox.wsUrl, wrongAuth)
  open.push(wrong)
  await until(() => wrong.qr(), 'readiness')
  await wrong.sock.requestPairingCode(phone)
  await sandbox.enterCode(phone, 'WRONG123')
  await until(() => wrong.closeCode(), 'the refusal of a wrong code')
  const otherAuth = new MemoryAuth()
  const first = new Client(sandbox.wsUrl, otherAuth)
  await until(() => first.qr(), 'readiness')
  await sandbox.enterCode(phone, await first.sock.requestPairingCode(phone))
  await until(() => first.closeCode() === 515, 'the restart after pairing')
  const other = await reopen(sandbox, otherAuth)
  open.push(other)
  const id = 'BBBB0000000000000001'
  await other.sock.sendMessage(`${ME}@s.whatsapp.net`, { text: 'client to client' }, { messageId: id })
  const message = await until(() => client.received(id), 'the text between clients')
  expect(message.message?.extendedTextMessage?.text).toBe('client to client')
}, 40_000)

test('refused upgrade, refused login, stream error, and a cut socket each end the client', async () => {
  sandbox.addFault({ kind: 'refuse_upgrade', status: 503 })
  const refused = new Client(sandbox.wsUrl, auth, { connectTimeoutMs: 1_000 })
  await until(() => refused.closeCode(), 'the refused upgrade')
  sandbox.addFault({ kind: 'refuse_login', code: '403' })
  const banned = new Client(sandbox.wsUrl, auth)
  await until(() => banned.closeCode() === 403, '403')
  expect(sandbox.act(ME, { action: 'stream_error', code: '503' })).toBe(1)
  await until(() => client.closeCode() === 503, '503')
  client = await reopen(sandbox, auth)
  open.push(client)
  sandbox.act(ME, { action: 'cut' })
  await until(() => client.closeCode() === DisconnectReason.connectionClosed, '428')
}, 20_000)

test('the phone unlinks the device: 401, and the next login is refused with 401', async () => {
  client = await reopen(sandbox, auth)
  open.push(client)
  sandbox.act(ME, { action: 'unlink' })
  await until(() => client.closeCode() === DisconnectReason.loggedOut, '401')
  const again = new Client(sandbox.wsUrl, auth)
  await until(() => again.closeCode() === 401, 'the refused login')
}, 15_000)

import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { MESSAGE_FIELDS } from '../../../../src/providers/whatsapp/baileys/message-content/fields.ts'
import type { WhatsAppSandbox } from '../../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'
import { quietFor } from '../../../support/wait.ts'
import { Harness, MapStore } from './harness.ts'

const ME = '+972501111111'
const BOB = '+972502222222'
let sandbox: WhatsAppSandbox
let harness: Harness
let bobLid: string

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
  bobLid = `${sandbox.putAccount({ phone: BOB, name: 'Bob' }).lid}@lid`
  harness = new Harness(sandbox, new MapStore(), { timing: { unreadableMs: 700 } })
  await harness.work(sandbox, ME)
}, 30_000)
afterEach(() => sandbox.clearFaults())
afterAll(async () => {
  await harness.account.stop()
  await sandbox.close()
})

type How = Omit<Parameters<WhatsAppSandbox['sendRaw']>[0], 'from' | 'to'>
const raw = (message: proto.IMessage | Uint8Array, how: How = {}) =>
  sandbox.sendRaw({ from: BOB, to: ME, ...how }, message)
const stored = (id: string) => harness.inbound.filter((event) => event.id === id)
const arrival = (id: string) => harness.until(() => stored(id)[0], 'the event')
const connections = () => harness.statuses.filter(({ state }) => state === 'starting').length

/** A later message is stored, so the earlier ones were handled. */
async function settle(): Promise<void> {
  await arrival(await raw({ conversation: 'the last one' }))
}

test('from every kind of address: one person, in the chat with that person', async () => {
  const text = (name: string) => ({ conversation: name })
  const list = '1632812345@broadcast'
  for (const how of [
    {},
    { addressing: 'lid' },
    { addressing: 'hosted' },
    { addressing: 'hosted.lid' },
    { group: list },
    { group: list, addressing: 'lid' },
    { attrs: { from: '972502222222@c.us' } },
    { attrs: { from: '972502222222:12@s.whatsapp.net' } },
  ] satisfies How[]) {
    const event = await arrival(await raw(text(JSON.stringify(how)), how))
    expect([how, event]).toMatchObject([
      how,
      { contact: { phone: BOB, lid: bobLid, name: 'Bob' }, group: null, direction: 'in' },
    ])
    expect(event.dedupeKey).toBe(`acc-1/${BOB}/in/${event.id}`)
  }
})

test('status updates, channels, and groups that are not wanted make no event, and cost no connection', async () => {
  const before = connections()
  const ids: string[] = []
  for (const group of ['status@broadcast', '120363001@newsletter', '120363002@g.us'])
    ids.push(await raw({ conversation: 'for everybody' }, { group }))
  await settle()
  for (const id of ids) expect(stored(id)).toEqual([])
  expect(connections()).toBe(before)
})

test('a value in each field of a message: shown or noise as the table says, and no connection is lost', async () => {
  const before = connections()
  const sent: [name: string, id: string][] = []
  const keyed = { key: { id: 'T1', remoteJid: '1@s.whatsapp.net' } }
  for (const name of Object.keys(MESSAGE_FIELDS)) {
    const value = name === 'conversation' ? 'x' : name === 'protocolMessage' ? { ...keyed, type: 0 } : keyed
    sent.push([name, await raw(proto.Message.fromObject({ [name]: value }))])
  }
  await settle()
  for (const [name, id] of sent) {
    const decision = new Map(Object.entries(MESSAGE_FIELDS)).get(name)
    expect([name, stored(id).length]).toEqual([name, decision?.is === 'noise' ? 0 : 1])
  }
  expect(connections()).toBe(before)
}, 60_000)

const nest = (depth: number): proto.IMessage => {
  let message: proto.IMessage = { conversation: 'at the bottom' }
  for (let level = 0; level < depth; level++) message = { ephemeralMessage: { message } }
  return message
}
/** Bytes of a protobuf that nests itself, deeper than any encoder goes. */
function nestBytes(depth: number): Uint8Array {
  let bytes = Buffer.from(proto.Message.encode({ conversation: 'x' }).finish())
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
  for (let level = 0; level < depth; level++) {
    const inner = Buffer.concat([Buffer.from([10, ...varint(bytes.length)]), bytes])
    bytes = Buffer.concat([Buffer.from([0xc2, 2, ...varint(inner.length)]), inner])
  }
  return bytes
}

test.each<[string, proto.IMessage | Uint8Array]>([
  ['a hundred wrappers', nest(100)],
  ['twenty thousand wrappers', nestBytes(20_000)],
  ['three megabytes of text', { conversation: '😀שלום '.repeat(300_000) }],
  ['no protobuf at all', randomBytes(5_000)],
  ['a field from the future', Buffer.from([0xe2, 8, 5, 10, 3, 0x61, 0x62, 0x63])],
  [
    'a protobuf that is cut off',
    proto.Message.encode({ extendedTextMessage: { text: 'long enough' } })
      .finish()
      .subarray(0, 9),
  ],
  ['a NUL', { conversation: 'a\0b' }],
  ['a place that is none', { locationMessage: { degreesLatitude: Number.NaN } }],
  ['a reaction without its message', { reactionMessage: { text: '👍' } }],
  ['a vote without a poll', { pollUpdateMessage: {} }],
  ['an edit without a message', { protocolMessage: { type: 14, editedMessage: { conversation: 'x' } } }],
])(
  '%s: stored once, acknowledged, and the account goes on',
  async (_name, message) => {
    const before = connections()
    const id = await raw(message)
    const event = await arrival(id)
    await settle()
    expect(stored(id)).toHaveLength(1)
    expect(event.direction).toBe('in')
    expect(JSON.stringify(event)).not.toContain('\\u0000')
    expect(connections()).toBe(before)
  },
  30_000,
)

test('an id longer than any index', async () => {
  const id = await raw({ conversation: 'x' }, { id: 'Z'.repeat(4_000) })
  const event = await harness.until(
    () => harness.inbound.find((one) => one.id.startsWith(id.slice(0, 32))),
    'the event',
  )
  expect(event.id.length).toBeLessThan(128)
})

test('a vote in a poll of ours and in a poll of theirs, an edit under the message’s key', async () => {
  const secret = randomBytes(32)
  const poll = {
    messageContextInfo: { messageSecret: secret },
    pollCreationMessageV3: { name: 'When?', options: [{ optionName: 'Sun' }, { optionName: 'Mon' }] },
  }
  const me = `${ME.slice(1)}@s.whatsapp.net`
  const bob = `${BOB.slice(1)}@s.whatsapp.net`
  const seal = (id: string, author: string, sender: string, use: string, plain: Uint8Array, associated: string) => {
    const encIv = randomBytes(12)
    const key = new Uint8Array(hkdfSync('sha256', secret, '', `${id}${author}${sender}${use}`, 32))
    const cipher = createCipheriv('aes-256-gcm', key, encIv).setAAD(Buffer.from(associated))
    return { encPayload: Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]), encIv }
  }
  const selectedOptions = [createHash('sha256').update('Mon').digest()]
  const vote = proto.Message.PollVoteMessage.encode({ selectedOptions }).finish()

  const theirs = await raw(poll)
  expect((await arrival(theirs)).content).toMatchObject({ kind: 'poll', options: ['Sun', 'Mon'] })
  const ours = await sandbox.sendRawAsOwner({ from: ME, to: BOB }, poll)
  expect(await arrival(ours)).toMatchObject({ direction: 'out', content: { kind: 'poll' } })
  for (const [id, author, sender] of [
    [theirs, bob, bob],
    [ours, me, bobLid],
  ] as const) {
    const pollCreationMessageKey = { id, remoteJid: me, fromMe: author === bob }
    const answer = await raw({
      pollUpdateMessage: {
        pollCreationMessageKey,
        vote: seal(id, author, sender, 'Poll Vote', vote, `${id}\0${sender}`),
      },
    })
    expect((await arrival(answer)).content).toEqual({ kind: 'poll_vote', messageId: id, options: ['Mon'] })
  }
  const edited = proto.Message.encode({
    protocolMessage: { type: 14, key: { id: theirs }, editedMessage: { conversation: 'Whenever' } },
  }).finish()
  const edit = await raw({
    secretEncryptedMessage: {
      targetMessageKey: { id: theirs },
      secretEncType: 2,
      ...seal(theirs, bob, bob, 'Message Edit', edited, ''),
    },
  })
  expect((await arrival(edit)).content).toEqual({ kind: 'edit', messageId: theirs, text: 'Whenever' })
})

test('a reaction under the key of a message that we sent', async () => {
  await harness.until(() => harness.state === 'working', 'the account to work')
  expect(await harness.text('secret-1', BOB, 'hello')).toMatchObject({ outcome: 'accepted' })
  const delivery = await sandbox.until(() => sandbox.inbox(BOB).at(-1), 5_000, 'the message')
  const secret = delivery.message.messageContextInfo?.messageSecret
  if (!secret) throw new Error('the message has no key')
  const [me, bob] = [`${ME.slice(1)}@s.whatsapp.net`, `${BOB.slice(1)}@s.whatsapp.net`]
  const encIv = randomBytes(12)
  const key = new Uint8Array(hkdfSync('sha256', secret, '', `${delivery.id}${me}${bob}Enc Reaction`, 32))
  const cipher = createCipheriv('aes-256-gcm', key, encIv)
  const plain = proto.Message.ReactionMessage.encode({ text: '🙏' }).finish()
  const encPayload = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  const id = await raw({ encReactionMessage: { targetMessageKey: { id: delivery.id }, encPayload, encIv } })
  expect((await arrival(id)).content).toEqual({ kind: 'reaction', emoji: '🙏', messageId: delivery.id })
})

test('what cannot be decrypted comes again, and is shown once as it is', async () => {
  sandbox.addFault({ kind: 'garble' })
  const id = await raw({ conversation: 'again' })
  expect((await arrival(id)).content).toEqual({ kind: 'text', text: 'again' })
  await quietFor(900, 'the message would have come a second time')
  expect(stored(id)).toHaveLength(1)
}, 20_000)

test('what cannot be decrypted and never comes again is shown as unreadable, after some time', async () => {
  sandbox.addFault({ kind: 'garble', lost: true })
  const id = await raw({ conversation: 'lost' })
  const event = await arrival(id)
  expect(event).toMatchObject({
    placeholder: true,
    contact: { phone: BOB },
    content: { kind: 'unsupported', type: 'undecryptable', text: '' },
  })
  expect(event.dedupeKey).toBe(`acc-1/${BOB}/in/${id}`)
  await settle()
}, 20_000)

test.each([
  ['view_once_unavailable_fanout', 'view_once'],
  ['view_once', 'view_once'],
  ['hosted_unavailable_fanout', 'hidden_on_linked_devices'],
  [undefined, 'undecryptable'],
])(
  'what WhatsApp keeps from linked devices (%s) is shown as that',
  async (type, shown) => {
    const id = sandbox.withhold({ from: BOB, to: ME, ...(type ? { type } : {}) })
    expect(await arrival(id)).toMatchObject({ placeholder: true, content: { kind: 'unsupported', type: shown } })
  },
  20_000,
)

test.each([
  [false, 'missed_voice_call'],
  [true, 'missed_video_call'],
])('an unanswered call is shown (video: %p)', async (video, type) => {
  const event = await arrival(sandbox.missedCall({ from: BOB, to: ME, video }))
  expect(event).toMatchObject({ contact: { phone: BOB }, content: { kind: 'unsupported', type } })
})

test('a number that WhatsApp has under another one is written to there, and reported once', async () => {
  sandbox.putAccount({ phone: '+5531977776666', knownAs: '+553177776666' })
  for (const id of ['br-1', 'br-2'])
    expect(await harness.text(id, '+5531977776666', 'olá')).toMatchObject({ outcome: 'accepted' })
  expect(sandbox.inbox('+553177776666')).toHaveLength(2)
  expect(sandbox.inbox('+5531977776666')).toEqual([])
  expect(harness.identities).toEqual([{ phone: '+5531977776666', jid: '553177776666@s.whatsapp.net' }])
  sandbox.putAccount({ phone: '+5531966665555', onWhatsApp: false })
  expect(await harness.text('br-3', '+5531966665555', 'olá')).toMatchObject({
    outcome: 'rejected',
    code: 'not_on_whatsapp',
  })
})

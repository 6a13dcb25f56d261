import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { InboundEvent } from '../../../../src/providers/whatsapp/port.ts'
import type { ContentInput } from '../../../../src/sandbox/whatsapp/message-content.ts'
import type { WhatsAppSandbox } from '../../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'
import { Harness, MapStore } from './harness.ts'

const ME = '+972501111111'
const BOB = '+972502222222'
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const store = new MapStore()
let sandbox: WhatsAppSandbox
let harness: Harness
let bobLid: string

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
  bobLid = `${sandbox.putAccount({ phone: BOB, name: 'Bob' }).lid}@lid`
  sandbox.addHistory({ account: ME, contact: BOB, text: 'long ago', fromMe: false, at: 1_700_000_000 })
  sandbox.addHistory({ account: ME, contact: BOB, text: 'a while ago', fromMe: true, at: 1_700_000_100 })
  sandbox.addHistory({ account: ME, contact: BOB, text: 'just before', fromMe: false, at: 1_700_000_200 })
  harness = new Harness(sandbox, store, { historyLimit: 2 })
  await harness.work(sandbox, ME)
}, 30_000)
afterEach(async () => {
  sandbox.clearFaults()
  harness.beforeStore = () => {}
  store.onWrite = () => {}
  store.writeError = null
  await harness.until(() => harness.state === 'working', 'the account to work')
})
afterAll(async () => {
  await harness.account.stop()
  await sandbox.close()
})

const receive = (content: ContentInput, extra: { addressing?: 'pn' | 'lid'; id?: string; group?: string } = {}) =>
  sandbox.send({ from: BOB, to: ME, ...extra }, content)
const stored = (id: string) => harness.inbound.filter((event) => event.id === id)
const arrival = (id: string) => harness.until(() => stored(id)[0], 'the event')
const confirmed = (id: string) =>
  sandbox.notices(ME).some(({ tag, attrs }) => tag === 'receipt' && attrs.id === id && attrs.type !== 'retry')

test('who wrote is followed, and their typing is reported until it ends', async () => {
  const typed: [string | null, boolean][] = []
  const watcher = new Harness(sandbox, new MapStore(), {
    onTyping: ({ phone }, isTyping) => typed.push([phone, isTyping]),
  })
  const phone = '+972501111888'
  await watcher.work(sandbox, phone)
  await sandbox.send({ from: '+972502222333', to: phone }, { kind: 'text', text: 'hello' })
  await sandbox.until(
    () => sandbox.notices(phone).some(({ tag, attrs }) => tag === 'presence' && attrs.type === 'subscribe'),
    8_000,
    'the subscription',
  )
  for (const composing of [true, false]) sandbox.typing({ from: '+972502222333', to: phone, composing })
  await watcher.until(() => typed.length === 2, 'both notices')
  expect(typed).toEqual([
    ['+972502222333', true],
    ['+972502222333', false],
  ])
  await watcher.account.stop()
})

test('the history before the link is handed over up to its limit', async () => {
  await harness.until(() => harness.history.length > 0, 'the history')
  expect(harness.history.map(({ content, direction, source }) => ({ content, direction, source }))).toEqual([
    { content: { kind: 'text', text: 'a while ago' }, direction: 'out', source: 'history' },
    { content: { kind: 'text', text: 'just before' }, direction: 'in', source: 'history' },
  ])
  expect(harness.history[0]?.contact).toMatchObject({ phone: BOB, lid: bobLid })
})

test('a text by number and a text by LID come from one and the same person', async () => {
  const events = [
    await arrival(await receive({ kind: 'text', text: 'by number' })),
    await arrival(await receive({ kind: 'text', text: 'by LID' }, { addressing: 'lid' })),
  ]
  for (const event of events) expect(event.contact).toEqual({ phone: BOB, lid: bobLid, name: 'Bob' })
  expect(events[0]).toMatchObject({
    provider: 'baileys',
    account: 'acc-1',
    direction: 'in',
    group: null,
    source: 'live',
    replyTo: null,
    content: { kind: 'text', text: 'by number' },
  })
  expect(Math.abs((events[0]?.at.getTime() ?? 0) - Date.now())).toBeLessThan(5_000)
})

test.each<[string, ContentInput, Partial<InboundEvent> & { content: InboundEvent['content'] }]>([
  [
    'reply',
    { kind: 'text', text: 'yes', replyTo: { id: 'OURS1', text: 'coming?' } },
    { replyTo: 'OURS1', content: { kind: 'text', text: 'yes' } },
  ],
  [
    'reaction',
    { kind: 'reaction', emoji: '👍', messageId: 'OURS1' },
    { content: { kind: 'reaction', emoji: '👍', messageId: 'OURS1' } },
  ],
  [
    'reaction taken back',
    { kind: 'reaction', emoji: '', messageId: 'OURS1' },
    { content: { kind: 'reaction', emoji: '', messageId: 'OURS1' } },
  ],
  [
    'edit',
    { kind: 'edit', messageId: 'THEIRS1', text: 'better' },
    { content: { kind: 'edit', messageId: 'THEIRS1', text: 'better' } },
  ],
  ['deletion', { kind: 'delete', messageId: 'THEIRS1' }, { content: { kind: 'deletion', messageId: 'THEIRS1' } }],
  [
    'location',
    { kind: 'location', latitude: 32.08, longitude: 34.78, name: 'Office' },
    { content: { kind: 'location', latitude: 32.08, longitude: 34.78, name: 'Office', address: null } },
  ],
  [
    'contact',
    { kind: 'contact', name: 'Dana', phone: '+972503333333' },
    { content: { kind: 'contacts', contacts: [{ name: 'Dana', phones: ['+972503333333'] }] } },
  ],
])('%s', async (_name, content, expected) => {
  expect(await arrival(await receive(content))).toMatchObject(expected)
})

test.each<[string, ContentInput, object, string]>([
  [
    'image',
    { kind: 'image', data: PIXEL, mimeType: 'image/png', caption: 'look' },
    { kind: 'image', contentType: 'image/png' },
    'look',
  ],
  ['video', { kind: 'video', data: PIXEL }, { kind: 'video', contentType: 'video/mp4' }, ''],
  [
    'voice note',
    { kind: 'voice', data: PIXEL, seconds: 7 },
    { kind: 'voice', seconds: 7, contentType: 'audio/ogg; codecs=opus' },
    '',
  ],
  [
    'document',
    { kind: 'document', data: PIXEL, fileName: 'offer.pdf' },
    { kind: 'document', fileName: 'offer.pdf' },
    '',
  ],
])('%s: described, downloaded, and capped', async (_name, content, media, text) => {
  const event = await arrival(await receive(content))
  expect(event.content).toMatchObject({ kind: 'media', text, media: [{ ...media, bytes: PIXEL.length }] })
  if (event.content.kind !== 'media') throw new Error('no media')
  const { url = null, contentType } = event.content.media[0] ?? {}
  if (url === null || !contentType) throw new Error('no file')
  expect(await harness.account.downloadMedia(url, 1_000)).toEqual({ data: PIXEL, contentType })
  await expect(harness.account.downloadMedia(url, PIXEL.length - 1)).rejects.toMatchObject({ code: 'media_too_large' })
})

test('media: a forged reference, a file that is gone, and a changed hash are refused', async () => {
  const event = await arrival(await receive({ kind: 'image', data: PIXEL }))
  if (event.content.kind !== 'media') throw new Error('no media')
  const { url = null } = event.content.media[0] ?? {}
  if (url === null) throw new Error('no file')
  const [scheme = '', body = ''] = url.split(':')
  const reference = JSON.parse(Buffer.from(body, 'base64url').toString())
  const forge = (change: object) =>
    `${scheme}:${Buffer.from(JSON.stringify({ ...reference, ...change })).toString('base64url')}`
  await expect(harness.account.downloadMedia('https://evil.example/x', 1_000)).rejects.toMatchObject({
    code: 'bad_media_reference',
  })
  await expect(harness.account.downloadMedia(forge({ path: 'evil' }), 1_000)).rejects.toMatchObject({
    code: 'bad_media_reference',
  })
  await expect(harness.account.downloadMedia(forge({ path: '/mms/image/gone' }), 1_000)).rejects.toMatchObject({
    code: 'media_gone',
  })
  const hash = Buffer.alloc(32).toString('base64')
  await expect(harness.account.downloadMedia(forge({ hash }), 1_000)).rejects.toMatchObject({ code: 'media_corrupt' })
})

test('the message is stored before its receipt leaves', async () => {
  const order: string[] = []
  harness.beforeStore = async (event) => {
    await Bun.sleep(80)
    order.push(confirmed(event.id) ? 'receipt came first' : 'stored')
  }
  const id = await receive({ kind: 'text', text: 'a lead' })
  await arrival(id)
  await harness.until(() => confirmed(id), 'the receipt')
  expect(order).toEqual(['stored'])
})

test('storing fails: no receipt leaves, and the message comes again until it is stored', async () => {
  let failures = 0
  harness.beforeStore = () => {
    if (failures++ < 3) throw new Error('the database is away')
  }
  const id = await receive({ kind: 'text', text: 'do not lose me' })
  await arrival(id)
  expect(failures).toBe(4)
  expect(stored(id)).toHaveLength(1)
  await harness.until(() => confirmed(id), 'the receipt')
  expect(sandbox.notices(ME).filter(({ attrs }) => attrs.id === id && attrs.type === 'retry')).toEqual([])
  await harness.until(() => sandbox.pending(ME).flat().length === 0, 'everything to be confirmed')
}, 15_000)

test('stored, but the ratchet could not be committed: it comes again, decrypts again, and has the same key', async () => {
  const first = await receive({ kind: 'text', text: 'a session first' })
  // Stored before its ratchet is committed, confirmed after.
  await harness.until(() => confirmed(first), 'the first receipt')
  let tries = 0
  store.onWrite = (changes) => {
    if (changes.keys.some(({ type }) => type === 'session') && tries++ < 1) throw new Error('the database died')
  }
  const id = await receive({ kind: 'text', text: 'sent twice' })
  await harness.until(() => stored(id).length === 2, 'the second telling', 10_000)
  expect(new Set(stored(id).map(({ dedupeKey }) => dedupeKey)).size).toBe(1)
  await harness.until(() => confirmed(id), 'the receipt')
}, 15_000)

test('the owner’s messages from the phone are outbound', async () => {
  const id = await sandbox.sendAsOwner({ from: ME, to: BOB }, { kind: 'text', text: 'I answer myself' })
  const event = await arrival(id)
  expect(event).toMatchObject({ direction: 'out', content: { kind: 'text', text: 'I answer myself' } })
  expect(event.contact).toEqual({ phone: BOB, lid: bobLid, name: null })
  await harness.until(() => sandbox.pending(ME).flat().length === 0, 'its receipt')
  // It names the own device and the chat; the server ends the connection of a client whose receipt has no recipient.
  const receipts = sandbox.notices(ME).filter(({ tag, attrs }) => tag === 'receipt' && attrs.id === id)
  expect(receipts.map(({ attrs }) => attrs)).toEqual([
    { id, type: 'sender', recipient: `${BOB.slice(1)}@s.whatsapp.net`, to: `${ME.slice(1)}@s.whatsapp.net` },
  ])
})

test('what the owner writes, under any address, to a group or to a list, ends no connection', async () => {
  const reconnects = () =>
    sandbox.notices(ME).filter(({ tag, attrs }) => tag === 'presence' || attrs.type === 'retry').length
  const before = reconnects()
  const group = '120363000000000077@g.us'
  const text = { conversation: 'from the phone' }
  const ids = [
    await sandbox.sendRawAsOwner({ from: ME, to: BOB, addressing: 'lid' }, text),
    await sandbox.sendRawAsOwner({ from: ME, to: BOB, group }, text),
    await sandbox.sendRawAsOwner({ from: ME, to: BOB, group: '1700000000@broadcast', recipients: [BOB] }, text),
    await sandbox.sendRawAsOwner({ from: ME, to: BOB }, { reactionMessage: { text: '👍', key: { id: 'x' } } }),
  ]
  await harness.until(() => sandbox.pending(ME).flat().length === 0, 'their receipts', 5_000)
  for (const id of ids) {
    const receipts = sandbox.notices(ME).filter(({ tag, attrs }) => tag === 'receipt' && attrs.id === id)
    for (const { attrs } of receipts) expect(attrs.to?.length ?? 0).toBeGreaterThan(5)
  }
  expect(harness.account.status().state).toBe('working')
  expect(reconnects()).toBe(before)
})

test('the messages of one new sender are stored in the order in which they came, beside those of others', async () => {
  const senders = Array.from({ length: 12 }, (_, index) => `+97250777${String(1_000 + index)}`)
  for (const phone of senders) sandbox.putAccount({ phone, name: phone })
  const sent = await Promise.all(
    senders.map(async (from) => {
      const ids: string[] = []
      for (let index = 0; index < 4; index++)
        ids.push(await sandbox.send({ from, to: ME }, { kind: 'text', text: String(index) }))
      return ids
    }),
  )
  await harness.until(() => sent.flat().every((id) => stored(id).length > 0), 'all of them', 10_000)
  const order = harness.inbound.map(({ id }) => id)
  for (const ids of sent) expect(order.filter((id) => ids.includes(id))).toEqual(ids)
}, 15_000)

test('duplicates of the server have one and the same key', async () => {
  sandbox.addFault({ kind: 'duplicate', to: ME })
  const id = await receive({ kind: 'text', text: 'twice' })
  await harness.until(() => stored(id).length === 2, 'both')
  expect(new Set(stored(id).map(({ dedupeKey }) => dedupeKey)).size).toBe(1)
})

test('what came while the account was away arrives after the restart, in order', async () => {
  await harness.account.stop()
  const ids: string[] = []
  for (let index = 0; index < 20; index++) ids.push(await receive({ kind: 'text', text: `offline ${index}` }))
  await harness.account.start()
  await harness.until(() => ids.every((id) => stored(id).length > 0), 'all of them')
  expect(harness.inbound.filter(({ id }) => ids.includes(id)).map(({ id }) => id)).toEqual(ids)
}, 15_000)

test('an account killed in mid-message gets every message after it came back', async () => {
  const ids: string[] = []
  for (let index = 0; index < 20; index++) {
    ids.push(await receive({ kind: 'text', text: `storm ${index}` }))
    if (index % 5 === 2) sandbox.act(ME, { action: 'cut' })
  }
  await harness.until(() => ids.every((id) => stored(id).length > 0), 'all of them', 15_000)
  await harness.until(() => sandbox.pending(ME).flat().length === 0, 'everything to be confirmed', 10_000)
}, 30_000)

test('a message that cannot be decrypted is asked for again and does not hold up the next one', async () => {
  await harness.account.stop()
  for (const key of [...store.keys.keys()]) if (key.startsWith('session/')) store.keys.delete(key)
  const lost = await receive({ kind: 'text', text: 'on a session we lost' })
  const next = await sandbox.send({ from: '+972507777777', to: ME }, { kind: 'text', text: 'from another contact' })
  await harness.account.start()
  await arrival(next)
  await arrival(lost)
  expect(stored(lost)[0]?.content).toEqual({ kind: 'text', text: 'on a session we lost' })
}, 15_000)

test('messages in and out with one person at once do not spoil their session', async () => {
  const dan = '+972505555555'
  await arrival(await sandbox.send({ from: dan, to: ME }, { kind: 'text', text: 'first' }))
  await harness.text('both-first', dan, 'answer')
  harness.beforeStore = () => Bun.sleep(15)
  const ids: string[] = []
  const outcomes: Promise<unknown>[] = []
  for (let index = 0; index < 15; index++) {
    ids.push(await sandbox.send({ from: dan, to: ME }, { kind: 'text', text: `in ${index}` }))
    outcomes.push(harness.text(`both-${index}`, dan, `out ${index}`))
    await Bun.sleep(7)
  }
  for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ outcome: 'accepted' })
  await harness.until(() => ids.every((id) => stored(id).length === 1), 'all of them')
  expect(sandbox.undecryptable(ME)).toEqual([])
  expect(sandbox.notices(ME).filter(({ attrs }) => attrs.type === 'retry' && ids.includes(attrs.id ?? ''))).toEqual([])
}, 15_000)

test('sessions that both sides opened at the same time stay whole', async () => {
  const eve = '+972506666666'
  const text = { kind: 'text', text: 'written at the same time' } as const
  const crossing = await sandbox.send({ from: eve, to: ME, delayMs: 150 }, text)
  expect(await harness.text('cross-0', eve, 'hello')).toMatchObject({ outcome: 'accepted' })
  expect(stored(crossing)).toEqual([])
  await arrival(crossing)
  for (let round = 1; round < 8; round++) {
    expect(await harness.text(`cross-${round}`, eve, `out ${round}`)).toMatchObject({ outcome: 'accepted' })
    await arrival(await sandbox.send({ from: eve, to: ME }, { kind: 'text', text: `in ${round}` }))
  }
  const retries = sandbox
    .notices(ME)
    .filter(({ attrs }) => attrs.type === 'retry' && attrs.to?.startsWith(eve.slice(1)))
  expect(retries).toEqual([])
  expect(sandbox.undecryptable(ME).filter(({ to }) => to === eve.slice(1))).toEqual([])
}, 15_000)

test('storing a message may trigger a send without harm to the keys', async () => {
  const carol = '+972508888888'
  const replies: Promise<unknown>[] = []
  harness.beforeStore = (event) => {
    if (replies.length === 0) replies.push(harness.text('to-carol', carol, 'a contact wrote'))
    replies.push(harness.text(`reply-${event.id}`, BOB, `you said ${event.id}`))
  }
  const ids: string[] = []
  for (let index = 0; index < 5; index++) ids.push(await receive({ kind: 'text', text: `ping ${index}` }))
  await harness.until(() => ids.every((id) => stored(id).length > 0), 'all of them')
  const outcomes = await Promise.all(replies)
  expect(outcomes).toHaveLength(6)
  // What the send learned must be in the store, not in a transaction of the message that caused it.
  expect([...store.keys.keys()]).toContain(`device-list/${carol.slice(1)}`)
  for (const outcome of outcomes) expect(outcome).toMatchObject({ outcome: 'accepted' })
  const texts = sandbox.inbox(BOB).map(({ message }) => message.extendedTextMessage?.text)
  for (const id of ids) expect(texts).toContain(`you said ${id}`)
  expect(sandbox.inbox(BOB).every(({ attempt }) => attempt === 1)).toBe(true)
}, 15_000)

const GROUP = '120363000000000001@g.us'

test('groups and status broadcasts are acknowledged, and otherwise ignored', async () => {
  const ids = [
    await receive({ kind: 'text', text: 'to all of us' }, { group: GROUP }),
    await receive({ kind: 'text', text: 'my holidays' }, { group: 'status@broadcast' }),
  ]
  const last = await receive({ kind: 'text', text: 'to you alone' })
  await arrival(last)
  for (const id of ids) expect(stored(id)).toEqual([])
  await harness.until(() => sandbox.unacknowledged(ME).length === 0, 'all of it to be acknowledged')
})

test('an account that allows groups hears who wrote in which one, and still no status broadcasts', async () => {
  const own = '+972501111122'
  const open = new Harness(sandbox, new MapStore(), { allowGroups: true })
  await open.work(sandbox, own)
  const write = (text: string, group: string, addressing: 'pn' | 'lid' = 'pn') =>
    sandbox.send({ from: BOB, to: own, group, addressing }, { kind: 'text', text })
  await write('my holidays', 'status@broadcast')
  const ids = [await write('first', GROUP)]
  await open.until(() => open.inbound.length > 0, 'the first message of the group')
  ids.push(await write('second', GROUP, 'lid'))
  const events = await open.until(() => open.inbound.length >= 2 && open.inbound, 'the messages of the group')
  expect(events.map(({ id, group, contact, content }) => ({ id, group, contact, content }))).toEqual(
    ['first', 'second'].map((text, index) => ({
      id: ids[index] ?? '',
      group: GROUP,
      contact: { phone: BOB, lid: bobLid, name: 'Bob' },
      content: { kind: 'text', text },
    })),
  )
  await open.account.stop()
})

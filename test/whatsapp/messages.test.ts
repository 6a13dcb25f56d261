import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { updateBusiness } from '../../src/domain/businesses/index.ts'
import type { BusinessContext } from '../../src/domain/context.ts'
import { closeConversation, getConversation, listConversations } from '../../src/domain/conversations/index.ts'
import {
  changeMessage,
  deliverMessage,
  getMessage,
  listMessages,
  reactToMessage,
  receiveMessage,
  requestMessage,
} from '../../src/domain/messages/index.ts'
import { readTimeline } from '../../src/domain/timeline/index.ts'
import { applyReceipts, changeAccountSettings, getLink, logoutAccount } from '../../src/domain/whatsapp/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { readMessage } from '../../src/providers/whatsapp/baileys/message-content/read.ts'
import { createTwilioWhatsApp } from '../../src/providers/whatsapp/twilio.ts'
import { startCarrier } from '../../src/sandbox/carrier/server.ts'
import { AT_ONCE, type LinkedFixture, openLinkedFixture } from '../support/linked.ts'
import { withSeed } from '../support/seed.ts'
import { randomMessage, seeded } from '../support/whatsapp-definition.ts'

const PHONE = '+972501000009'
const TWILIO = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }

let fixture: LinkedFixture
let ctx: BusinessContext
let id: string
let last = 0

beforeAll(async () => {
  fixture = await openLinkedFixture()
  await fixture.supervise({ settings: TWILIO })
  const made = await fixture.linked(PHONE)
  ctx = made.ctx
  id = made.id
})
afterAll(() => fixture.close())
beforeEach(() => {
  fixture.sandbox.clearFaults()
})

const newContact = () => `+97252${7_000_000 + ++last}`
const send = async (to: string, text: string, extra: object = {}) =>
  (await requestMessage(ctx, { to, text, provider: 'baileys', ...extra }, TWILIO)).id
const settled = (messageId: string, statuses: string[], timeoutMs?: number) =>
  fixture.until(
    async () => {
      const message = await getMessage(ctx, messageId)
      return statuses.includes(message.status) ? message : null
    },
    `the message to be ${statuses.join(' or ')}`,
    timeoutMs,
  )
const messagesOf = async (phone: string) =>
  (await listMessages(ctx, { limit: 100 })).items.filter((item) => item.phone === phone).reverse()
const received = (phone: string, count: number) =>
  fixture.until(async () => {
    const items = (await messagesOf(phone)).filter(({ direction }) => direction === 'in')
    return items.length >= count ? items : null
  }, `${count} messages of ${phone}`)
const textsAt = (phone: string) =>
  fixture.sandbox.inbox(phone).map(({ message }) => message.conversation || message.extendedTextMessage?.text)

test('texts go out in order, and their receipts come back', async () => {
  const [one, two] = [newContact(), newContact()]
  fixture.sandbox.putAccount({ phone: one, reads: true })
  const ids = []
  for (let index = 0; index < 10; index++) ids.push(await send(index % 2 ? one : two, `n${index}`))
  for (const [index, messageId] of ids.entries()) await settled(messageId, [index % 2 ? 'read' : 'delivered'])
  expect(textsAt(one)).toEqual(['n1', 'n3', 'n5', 'n7', 'n9'])
  expect(textsAt(two)).toEqual(['n0', 'n2', 'n4', 'n6', 'n8'])
})

test('a refusal that speaks of the message fails it once; one that speaks of the moment is tried again', async () => {
  const to = newContact()
  fixture.sandbox.addFault({ kind: 'ack_error', code: '400', to })
  expect(await settled(await send(to, 'refused'), ['failed'])).toMatchObject({ errorCode: '400' })
  fixture.sandbox.addFault({ kind: 'ack_error', code: '429', to })
  // WhatsApp asks for ten seconds; the next message to the same person waits behind it.
  const first = await send(to, 'first')
  const second = await send(to, 'second')
  await settled(second, ['delivered'], 20_000)
  await settled(first, ['delivered'])
  expect(textsAt(to)).toEqual(['first', 'second'])
}, 40_000)

test('a lost acknowledgement is sent again under the same id, or left for a person, as the account says', async () => {
  const to = newContact()
  // Nothing proves its arrival: no acknowledgement, no receipt.
  fixture.sandbox.putAccount({ phone: to, delivers: false })
  fixture.sandbox.addFault({ kind: 'drop_ack', to })
  await settled(await send(to, 'again'), ['sent'])
  const copies = fixture.sandbox.inbox(to).map(({ id: stanza }) => stanza)
  expect(copies).toHaveLength(2)
  expect(new Set(copies).size).toBe(1)

  await changeAccountSettings(ctx, id, { delivery: 'at-most-once' })
  fixture.sandbox.addFault({ kind: 'drop_ack', to })
  const doubtful = await send(to, 'once')
  const after = await send(to, 'next')
  expect(await settled(doubtful, ['unknown'])).toMatchObject({ errorCode: 'outcome_unknown' })
  await settled(after, ['sent'])
  expect(textsAt(to)).toEqual(['again', 'again', 'once', 'next'])
  // The phone comes online, which settles the doubt.
  const once = fixture.sandbox
    .inbox(to)
    .find(({ message }) => (message.conversation || message.extendedTextMessage?.text) === 'once')
  fixture.sandbox.confirm({ from: to, to: PHONE, ids: [once?.id ?? ''], type: 'delivered' })
  await settled(doubtful, ['delivered'])
  await changeAccountSettings(ctx, id, { delivery: 'at-least-once' })
})

test('a message that was taken before the line was cut is not sent again when its receipt comes', async () => {
  const to = newContact()
  fixture.sandbox.addFault({ kind: 'cut_after_accept', to })
  await settled(await send(to, 'taken'), ['delivered'])
  expect(textsAt(to)).toEqual(['taken'])
})

test('new contacts are rationed by the day; who wrote first is no new contact', async () => {
  await changeAccountSettings(ctx, id, { newContactsPerDay: 0 })
  const [cold, warm] = [newContact(), newContact()]
  await fixture.sandbox.send({ from: warm, to: PHONE }, { kind: 'text', text: 'hello' })
  await received(warm, 1)
  const rationed = await send(cold, 'cold')
  await settled(await send(warm, 'warm'), ['delivered'])
  expect(await getMessage(ctx, rationed)).toMatchObject({ status: 'queued', errorCode: 'daily_cap' })
  expect(textsAt(cold)).toEqual([])
  await fixture.domain.handle.sql`update messages set status = 'failed' where id = ${rationed}`
  await changeAccountSettings(ctx, id, AT_ONCE)
})

test('everything a contact sends is one row, with its files', async () => {
  const from = newContact()
  const photo = new Uint8Array([0xff, 0xd8, 0xff, ...Buffer.from('a photo')])
  const write = (content: Parameters<typeof fixture.sandbox.send>[1]) =>
    fixture.sandbox.send({ from, to: PHONE }, content)
  fixture.sandbox.addFault({ kind: 'duplicate' })
  const first = await write({ kind: 'text', text: 'שלום' })
  await write({ kind: 'text', text: 'typo' })
  await write({ kind: 'reaction', emoji: '👍', messageId: first, ofAccount: false })
  await write({ kind: 'location', latitude: 32.08, longitude: 34.78, name: 'Office' })
  await write({ kind: 'contact', name: 'Noa', phone: '+972521112222' })
  await write({ kind: 'image', data: photo, caption: 'look' })
  await write({ kind: 'image', data: new Uint8Array(Buffer.from('<script>')), mimeType: 'image/png' })
  const rows = await received(from, 7)
  expect(rows.map(({ kind, body }) => [kind, body])).toEqual([
    ['text', 'שלום'],
    ['text', 'typo'],
    ['reaction', '👍'],
    ['location', 'Office'],
    ['contacts', 'Noa +972521112222'],
    ['image', 'look'],
    ['image', ''],
  ])
  const typo = rows[1]?.providerMessageId ?? ''
  await write({ kind: 'edit', messageId: typo, text: 'text' })
  await fixture.until(async () => (await messagesOf(from))[1]?.body === 'text', 'the edit')
  await write({ kind: 'delete', messageId: typo })
  await fixture.until(async () => (await messagesOf(from))[1]?.kind === 'deleted', 'the deletion')
  // Another contact cannot change it.
  const other = newContact()
  await fixture.sandbox.send({ from: other, to: PHONE }, { kind: 'edit', messageId: first, text: 'forged' })
  await received(other, 1)
  expect((await messagesOf(from))[0]).toMatchObject({ body: 'שלום' })

  const files = await fixture.until(async () => {
    const found = await fixture.domain.handle.sql<
      { state: string; content_type: string; source_url: string; bytes: number }[]
    >`
      select m.state, m.content_type, m.source_url, m.bytes from message_media m
      join messages on messages.id = m.message_id join contacts on contacts.id = messages.contact_id
      where contacts.phone = ${from} order by messages.id`
    return found.every(({ state }) => state === 'stored') && found.length === 2 ? found : null
  }, 'the files')
  // A false picture is not served as one; file keys are not exposed.
  expect(files.map((file) => ({ ...file }))).toEqual([
    { state: 'stored', content_type: 'image/jpeg', source_url: 'whatsapp-media:', bytes: photo.length },
    { state: 'stored', content_type: 'application/octet-stream', source_url: 'whatsapp-media:', bytes: 8 },
  ])
})

test('number and LID are one contact, and a LID is never shown as a number', async () => {
  const from = newContact()
  await fixture.sandbox.send({ from, to: PHONE, addressing: 'lid' }, { kind: 'text', text: 'by lid' })
  await fixture.sandbox.send({ from, to: PHONE, addressing: 'pn' }, { kind: 'text', text: 'by number' })
  const rows = await received(from, 2)
  expect(new Set(rows.map(({ contactId }) => contactId)).size).toBe(1)
  const [strange] = await fixture.domain.handle.sql`
    select count(*)::int as lids from contacts where phone in (select '+' || split_part(value, '@', 1) from contact_identities where kind = 'lid')`
  expect(strange).toEqual({ lids: 0 })
})

test('a group is a conversation of its own, for an account that asks for groups, and nothing for any other', async () => {
  const group = '120363000000000002@g.us'
  const from = newContact()
  const write = (to: string, text: string, where?: string) =>
    fixture.sandbox.send({ from, to, ...(where ? { group: where } : {}) }, { kind: 'text', text })
  await write(PHONE, 'in the group', group)
  await write(PHONE, 'a status', 'status@broadcast')
  await write(PHONE, 'in private')
  expect((await received(from, 1)).map(({ body }) => body)).toEqual(['in private'])

  const other = await fixture.linked('+972501000012')
  const { since } = await getLink(other.ctx, other.id)
  await changeAccountSettings(other.ctx, other.id, { allowGroups: true })
  await fixture.until(async () => (await getLink(other.ctx, other.id)).since > since, 'the account to connect anew')
  await fixture.untilState(other.ctx, other.id, 'working')
  await write('+972501000012', 'in the group', group)
  await write('+972501000012', 'a status', 'status@broadcast')
  await write('+972501000012', 'in private')
  const rows = await fixture.until(async () => {
    const found = await fixture.domain.handle.sql<{ body: string; phone: string | null; name: string | null }[]>`
      select m.body, c.phone, m.data -> 'author' ->> 'phone' as name from messages m join contacts c on c.id = m.contact_id
      where m.account_id = ${other.id} order by m.id`
    return found.length >= 2 ? found : null
  }, 'both messages')
  // A group is not the thread of the person who wrote in it; the writer is stored beside the message.
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { body: 'in the group', phone: null, name: from },
    { body: 'in private', phone: from, name: null },
  ])
  expect(await fixture.domain.handle.sql`select from messages where body in ('in the group', 'a status')`).toHaveLength(
    1,
  )
  await logoutAccount(other.ctx, other.id)
})

test('a reaction leaves once, is replaced and taken back; what is opted out of, refused or uncertain is known', async () => {
  const from = newContact()
  const theirs = await fixture.sandbox.send({ from, to: PHONE }, { kind: 'text', text: 'תודה רבה!' })
  const [message] = await received(from, 1)
  const target = message?.id ?? ''
  const seen = () =>
    fixture.sandbox
      .inbox(from)
      .flatMap(({ message: { reactionMessage: said } }) => (said ? [[said.key?.id, said.text]] : []))
  const shown = async () =>
    (await getMessage(ctx, target)).reactions.map(({ emoji, from: by }) => [emoji, by.direction])
  const react = (emoji: string | null) => reactToMessage(ctx, target, { emoji })
  await closeConversation(ctx, message?.conversationId ?? '')
  // Two members and two presses at once are one.
  await Promise.all([react('👍'), react('👍'), react('👍')])
  await fixture.until(async () => seen().length === 1, 'the reaction')
  await react('👍')
  expect(await shown()).toEqual([['👍', 'out']])
  await react('❤️')
  await react(null)
  await fixture.until(async () => seen().length === 3, 'the reaction to be taken back')
  expect(seen()).toEqual([
    [theirs, '👍'],
    [theirs, '❤️'],
    [theirs, ''],
  ])
  expect(await shown()).toEqual([])
  // It is no word of ours: a closed conversation stays closed.
  expect((await getConversation(ctx, message?.conversationId ?? '')).status).toBe('closed')
  const { items } = await readTimeline(ctx, message?.contactId ?? '', { limit: 20 })
  expect(items.map(({ kind, data }) => [kind, 'body' in data ? data.body : null])).toEqual([['message', 'תודה רבה!']])

  await changeAccountSettings(ctx, id, { delivery: 'at-most-once' })
  fixture.sandbox.putAccount({ phone: from, delivers: false })
  fixture.sandbox.addFault({ kind: 'drop_ack', to: from })
  await react('😂')
  const mine = async (body: string) =>
    (await messagesOf(from)).find((row) => row.direction === 'out' && row.kind === 'reaction' && row.body === body)
  await fixture.until(async () => (await mine('😂'))?.status === 'unknown', 'the reaction to be in doubt')
  expect(await shown()).toEqual([['😂', 'out']])
  fixture.sandbox.addFault({ kind: 'ack_error', code: '400', to: from })
  await react('😮')
  await fixture.until(async () => (await mine('😮'))?.status === 'failed', 'the reaction to be refused')
  // What failed is no reaction, and stands in the thread with the one in doubt, for a person to see.
  expect(await shown()).toEqual([['😂', 'out']])
  const after = await readTimeline(ctx, message?.contactId ?? '', { limit: 20 })
  expect(after.items.filter(({ kind }) => kind === 'message')).toHaveLength(3)
  await changeAccountSettings(ctx, id, { delivery: 'at-least-once' })

  for (const emoji of ['', 'x', '👍👍', '<b>', ' 👍', '1'])
    await expect(reactToMessage(ctx, target, { emoji })).rejects.toThrow()
  const ours = await send(from, 'שלום')
  await expect(reactToMessage(ctx, ours, { emoji: '👍' })).rejects.toMatchObject({ code: 'reaction_not_supported' })
  const other = await fixture.domain.newBusiness()
  await expect(reactToMessage(other, target, { emoji: '👍' })).rejects.toMatchObject({ code: 'message_not_found' })
  const key = newId()
  const overTwilio = await receiveMessage(ctx, {
    ...{ provider: 'twilio', businessId: ctx.businessId, kind: 'text', body: 'hi', media: [], from: { phone: from } },
    ...{ dedupeKey: key, providerMessageId: key, at: new Date().toISOString() },
  })
  await expect(reactToMessage(ctx, overTwilio, { emoji: '👍' })).rejects.toMatchObject({
    code: 'reaction_not_supported',
  })
  await fixture.domain.handle.sql`update contacts set opted_out_at = now() where id = ${message?.contactId ?? ''}`
  await expect(react('🙏')).rejects.toMatchObject({ code: 'contact_opted_out' })
}, 40_000)

test('a word of consent is heeded and confirmed by the account it came to; a group’s is not', async () => {
  const from = newContact()
  const write = (text: string) => fixture.sandbox.send({ from, to: PHONE }, { kind: 'text', text })
  fixture.sandbox.addFault({ kind: 'duplicate' })
  await write('הסירו')
  await fixture.until(async () => textsAt(from).length > 0, 'the confirmation')
  expect(textsAt(from)).toEqual([expect.stringContaining('לא תשלח לך עוד הודעות')])
  await expect(send(from, 'מבצע')).rejects.toMatchObject({ code: 'contact_opted_out' })
  await write('התחל')
  await fixture.until(async () => textsAt(from).length > 1, 'the second confirmation')
  await settled(await send(from, 'תור נקבע'), ['delivered'])

  const said = { provider: 'baileys', businessId: ctx.businessId, kind: 'text', body: 'stop' } as const
  const group = { externalId: '120363000000000009@g.us', phone: null }
  const key = newId()
  await receiveMessage(
    ctx,
    { ...said, media: [], dedupeKey: key, providerMessageId: key, from: group, at: new Date().toISOString() },
    { group: true },
  )
  const [row] = await fixture.domain.handle
    .sql`select opted_out_at from contacts join contact_identities i on i.contact_id = contacts.id
    where i.value = ${group.externalId}`
  expect(row?.opted_out_at).toBeNull()
})

test('what the owner writes on the phone is in the conversation, once', async () => {
  const to = newContact()
  await fixture.sandbox.sendAsOwner({ from: PHONE, to }, { kind: 'text', text: 'from my phone' })
  const own = await fixture.until(async () => (await messagesOf(to))[0], 'the own message')
  expect(own).toMatchObject({ direction: 'out', status: 'sent', body: 'from my phone' })
})

test('history before the link is taken over once, and makes no events', async () => {
  const account = '+972501000010'
  const contact = newContact()
  fixture.sandbox.addHistory({ account, contact, text: 'old question', fromMe: false, at: 1_700_000_000 })
  fixture.sandbox.addHistory({ account, contact, text: 'old answer', fromMe: true, at: 1_700_000_060 })
  const other = await fixture.linked(account)
  const items = await fixture.until(async () => {
    const page = await listMessages(other.ctx, { limit: 10 })
    return page.items.length === 2 ? page.items : null
  }, 'the history')
  expect(items.map(({ direction, body }) => [direction, body]).sort()).toEqual([
    ['in', 'old question'],
    ['out', 'old answer'],
  ])
  const [conversation] = await fixture.domain.handle
    .sql`select unread from conversations where business_id = ${other.ctx.businessId}`
  expect(conversation).toEqual({ unread: 0 })
  await logoutAccount(other.ctx, other.id)
})

test('history that comes late leaves a closed conversation closed; the next word opens it', async () => {
  const business = await fixture.domain.newBusiness()
  const phone = newContact()
  const take = (key: string, how: object, media: { url: string; contentType: string }[] = []) =>
    receiveMessage(
      business,
      {
        provider: 'baileys',
        businessId: business.businessId,
        dedupeKey: key,
        providerMessageId: key,
        kind: 'text',
        from: { phone },
        body: key,
        media,
        at: new Date(Date.now() - 3_600_000).toISOString(),
      },
      how,
    )
  await take('first', {})
  const [conversation] = (await listConversations(business, {})).items
  await closeConversation(business, conversation?.id ?? '')
  const stateOf = async () => {
    const { status, unread } = await getConversation(business, conversation?.id ?? '')
    return { status, unread }
  }
  await take('old', { history: true })
  await take('old and sent', { history: true, own: true })
  await take('old with a file', { history: true }, [{ url: 'whatsapp-media:x', contentType: 'image/png' }])
  expect(await stateOf()).toEqual({ status: 'closed', unread: 0 })
  await take('new', {})
  expect(await stateOf()).toEqual({ status: 'open', unread: 1 })
})

test('a restricted account opens no new chats: they go by the second provider, once', async () => {
  await updateBusiness(ctx, { fallbackWhatsappProvider: 'twilio' })
  const to = newContact()
  fixture.sandbox.addFault({ kind: 'ack_error', code: '463', to })
  const messageId = await send(to, 'hello')
  const moved = await fixture.until(async () => {
    const message = await getMessage(ctx, messageId)
    return message.provider === 'twilio' ? message : null
  }, 'the message to move')
  expect(moved).toMatchObject({ status: 'queued', providerMessageId: null })
  expect(fixture.domain.queued).toContainEqual({
    name: 'whatsapp.send',
    payload: { businessId: ctx.businessId, messageId },
  })
  expect((await getLink(ctx, id)).restriction).toMatchObject({ code: '463' })
  expect(textsAt(to)).toEqual([])

  // The next one is sent there at once; a contact who wrote to us is still answered from the account.
  const next = await getMessage(ctx, await send(newContact(), 'another'))
  expect(next.provider).toBe('twilio')
  const warm = newContact()
  await fixture.sandbox.send({ from: warm, to: PHONE }, { kind: 'text', text: 'hi' })
  await received(warm, 1)
  expect(await settled(await send(warm, 'answer'), ['delivered'])).toMatchObject({ provider: 'baileys' })

  // Without a second provider it fails and is not retried.
  await updateBusiness(ctx, { fallbackWhatsappProvider: null })
  expect(await settled(await send(newContact(), 'alone'), ['failed'])).toMatchObject({
    errorCode: 'account_restricted',
  })
  await fixture.domain.handle.sql`update whatsapp_links set restricted_at = null, restriction_code = null`
})

test('over Twilio, what it surely does not take goes by the linked account: at once, or after the third refused connection', async () => {
  await updateBusiness(ctx, { fallbackWhatsappProvider: 'baileys' })
  const carrier = startCarrier({ port: 0, accountSid: `AC${'0'.repeat(32)}`, authToken: 'token-of-the-tests' })
  const sender = createTwilioWhatsApp({
    accountSid: carrier.accountSid,
    authToken: carrier.authToken,
    apiBaseUrl: carrier.url,
    statusCallbackUrl: 'http://127.0.0.1:9/status',
  })
  const deliveryDeps = { pool: fixture.domain.handle.sql, senderOf: () => sender, settings: TWILIO }
  const ask = async (text: string) => {
    const to = newContact()
    const { id: messageId } = await requestMessage(ctx, { to, text, provider: 'twilio' }, TWILIO)
    return { to, messageId, deliver: () => deliverMessage(ctx, messageId, deliveryDeps) }
  }
  const refuseWith = (status: number, code: number) =>
    void carrier.faults.add({ operation: 'messages.create', times: 1, effect: { kind: 'http_error', status, code } })
  const arrivesByAccount = async ({ to, messageId }: { to: string; messageId: string }, text: string) => {
    expect(await settled(messageId, ['delivered'])).toMatchObject({ provider: 'baileys', errorCode: null })
    expect(textsAt(to)).toEqual([text])
  }
  try {
    // The sender is unavailable, or our credentials are wrong: no further attempts.
    for (const [status, code] of [
      [400, 63007],
      [401, 20003],
    ] as const) {
      refuseWith(status, code)
      const message = await ask(`refused with ${code}`)
      expect(await message.deliver()).toEqual({ done: true, status: 'moved' })
      await arrivesByAccount(message, `refused with ${code}`)
      // Its job, run again, does nothing, and Twilio never receives it.
      expect(await message.deliver()).toMatchObject({ done: true })
    }
    // Rejected because of the message: no other provider is tried.
    refuseWith(400, 63024)
    const wrong = await ask('wrong')
    expect(await wrong.deliver()).toEqual({ done: true, status: 'failed' })
    expect((await getMessage(ctx, wrong.messageId)).provider).toBe('twilio')
    // Accepted, and the answer lost: no other provider may send it.
    carrier.faults.add({ operation: 'messages.create', times: 1, effect: { kind: 'response_lost' } })
    const doubtful = await ask('doubtful')
    expect(await doubtful.deliver()).toMatchObject({ done: false })
    expect([...carrier.messages.values()].map(({ body }) => body)).toEqual(['doubtful'])

    const unreached = await ask('unreached')
    await carrier.close()
    for (const attempt of [1, 2]) {
      expect(await unreached.deliver()).toMatchObject({ done: false, retryInMs: 5_000 })
      expect(await getMessage(ctx, unreached.messageId)).toMatchObject({ provider: 'twilio', status: 'queued' })
      const [row] = await fixture.domain.handle.sql`select attempts from messages where id = ${unreached.messageId}`
      expect(row).toEqual({ attempts: attempt })
    }
    expect(await unreached.deliver()).toEqual({ done: true, status: 'moved' })
    await arrivesByAccount(unreached, 'unreached')

    await fixture.domain.handle
      .sql`update messages set last_attempt_at = now() - interval '1 minute' where id = ${doubtful.messageId}`
    for (let run = 0; run < 4; run += 1) expect(await doubtful.deliver()).toMatchObject({ done: false })
    expect(await getMessage(ctx, doubtful.messageId)).toMatchObject({ provider: 'twilio', status: 'sending' })
    expect(textsAt(doubtful.to)).toEqual([])
  } finally {
    await carrier.close()
    await updateBusiness(ctx, { fallbackWhatsappProvider: null })
  }
}, 60_000)

test('over Twilio, a closed 24-hour window is known before sending', async () => {
  const business = await fixture.domain.newBusiness()
  const inbound = (from: string, hoursAgo: number) =>
    receiveMessage(business, {
      provider: 'twilio',
      businessId: business.businessId,
      dedupeKey: newId(),
      providerMessageId: newId(),
      kind: 'text',
      from: { phone: from },
      body: 'hi',
      media: [],
      at: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(),
    })
  const ask = (to: string, extra: object = { text: 'free' }) =>
    requestMessage(business, { to, provider: 'twilio', ...extra }, TWILIO)
  const [open, closed, stranger] = [newContact(), newContact(), newContact()]
  await inbound(open, 23)
  await inbound(closed, 25)
  await ask(open)
  await expect(ask(closed)).rejects.toMatchObject({ code: 'template_required', field: 'template', status: 409 })
  await ask(closed, { template: { contentSid: `HX${'0'.repeat(32)}`, variables: { 1: 'Dana' } } })
  // A fresh installation cannot know whether a contact wrote to the number earlier; an older one can.
  await ask(stranger)
  await fixture.domain.handle
    .sql`update businesses set created_at = now() - interval '2 days' where id = ${business.businessId}`
  await expect(ask(stranger)).rejects.toMatchObject({ code: 'template_required' })
})

test('what waits for an account that was logged out goes by the second provider', async () => {
  const other = await fixture.linked('+972501000011')
  await updateBusiness(other.ctx, { defaultWhatsappProvider: 'baileys', fallbackWhatsappProvider: 'twilio' })
  fixture.sandbox.act('+972501000011', { action: 'unlink' })
  await fixture.untilState(other.ctx, other.id, 'logged_out')
  const { id: messageId } = await requestMessage(other.ctx, { to: newContact(), text: 'x' }, TWILIO)
  expect((await getMessage(other.ctx, messageId)).provider).toBe('twilio')
})

const raw = (from: string, message: proto.IMessage, how: object = {}) =>
  fixture.sandbox.sendRaw({ from, to: PHONE, ...how }, message)
const rowOf = (providerMessageId: string, kind?: string) =>
  fixture.until(async () => {
    const [row] = await fixture.domain.handle.sql`
      select * from messages where business_id = ${ctx.businessId} and provider_message_id = ${providerMessageId}`
    return row && (!kind || row.kind === kind) ? row : null
  }, `the message ${providerMessageId}`)

test('messages of every form are rows in the chat with their sender, however they were addressed', async () => {
  const from = newContact()
  const FILE = { mimetype: 'image/jpeg', fileLength: 12 }
  const forms: [proto.IMessage, object, { kind: string; body: string }][] = [
    [{ conversation: 'through a list' }, { group: '1632812345@broadcast' }, { kind: 'text', body: 'through a list' }],
    [{ conversation: 'by LID' }, { addressing: 'lid' }, { kind: 'text', body: 'by LID' }],
    [{ conversation: 'hosted' }, { addressing: 'hosted' }, { kind: 'text', body: 'hosted' }],
    [
      {
        interactiveResponseMessage: {
          body: { text: 'Tuesday' },
          nativeFlowResponseMessage: { name: 'quick_reply', paramsJson: '{"id":"d2"}' },
        },
      },
      {},
      { kind: 'choice', body: 'Tuesday' },
    ],
    [{ imageMessage: { ...FILE, caption: 'no key' } }, {}, { kind: 'image', body: 'no key' }],
    [{ conversation: 'nul\0and half \ud83d' }, {}, { kind: 'text', body: 'nuland half \ufffd' }],
    [{ groupInviteMessage: { groupName: 'Team' } }, {}, { kind: 'unsupported', body: 'Team' }],
    [{ conversation: '👩‍👩‍👧'.repeat(30_000) }, {}, { kind: 'text', body: '👩‍👩‍👧'.repeat(8_192) }],
  ]
  for (const [message, how, expected] of forms) {
    const row = await rowOf(await raw(from, message, how))
    expect({ kind: row.kind, body: row.body }).toEqual(expected)
  }
  expect(new Set((await messagesOf(from)).map(({ conversationId }) => conversationId)).size).toBe(1)
  expect(await messagesOf(from)).toHaveLength(forms.length)
}, 30_000)

test('a vote is decrypted with the key that was stored with its poll, and names what was chosen', async () => {
  const from = newContact()
  const secret = randomBytes(32)
  const options = ['Sunday', 'Monday']
  const pollCreationMessageV3 = { name: 'When?', options: options.map((optionName) => ({ optionName })) }
  const poll = await raw(from, { messageContextInfo: { messageSecret: secret }, pollCreationMessageV3 })
  const stored = await rowOf(poll)
  expect(stored.secret).toStartWith('v1.')
  expect(JSON.stringify(await getMessage(ctx, stored.id))).not.toContain(stored.secret)

  const jid = `${from.slice(1)}@s.whatsapp.net`
  const encIv = randomBytes(12)
  const key = new Uint8Array(hkdfSync('sha256', secret, '', `${poll}${jid}${jid}Poll Vote`, 32))
  const cipher = createCipheriv('aes-256-gcm', key, encIv).setAAD(Buffer.from(`${poll}\0${jid}`))
  const selectedOptions = [createHash('sha256').update('Monday').digest()]
  const plain = proto.Message.PollVoteMessage.encode({ selectedOptions }).finish()
  const encPayload = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  const vote = { pollCreationMessageKey: { id: poll }, vote: { encPayload, encIv } }
  expect(await rowOf(await raw(from, { pollUpdateMessage: vote }))).toMatchObject({
    kind: 'poll_vote',
    body: 'Monday',
    reply_to: poll,
  })
})

test('what stood for an unreadable message gives way to the message itself, also to a word of consent', async () => {
  const from = newContact()
  await raw(from, { conversation: 'hello' })
  const id = fixture.sandbox.withhold({ from, to: PHONE, type: 'view_once' })
  expect(await rowOf(id)).toMatchObject({ kind: 'unsupported', data: { type: 'view_once', placeholder: true } })
  await raw(from, { conversation: 'STOP' }, { id })
  expect(await rowOf(id, 'text')).toMatchObject({ body: 'STOP', data: {} })
  const [contact] = await fixture.domain.handle.sql`
    select opted_out_at from contacts where business_id = ${ctx.businessId} and phone = ${from}`
  expect(contact?.opted_out_at).not.toBeNull()
  const inbound = (await messagesOf(from)).filter(({ direction }) => direction === 'in')
  expect(inbound.map(({ body }) => body)).toEqual(['hello', 'STOP'])
})

test('a message goes to the id under which WhatsApp knows the number', async () => {
  const [phone, known] = ['+5531977776666', '+553177776666']
  fixture.sandbox.putAccount({ phone, knownAs: known })
  await settled(await send(phone, 'olá'), ['delivered'])
  expect(textsAt(known)).toEqual(['olá'])
  expect(textsAt(phone)).toEqual([])
})

function encodable(message: Record<string, unknown>): Uint8Array | null {
  try {
    return proto.Message.encode(proto.Message.fromObject(message)).finish()
  } catch {
    return null
  }
}

test(
  'whatever protobuf comes, the account stays connected and every message that says something is a row',
  withSeed(async (first) => {
    const from = newContact()
    const since = (await getLink(ctx, id)).since
    const ids: string[] = []
    for (let seed = first; ids.length < 150; seed++) {
      const bytes = encodable(randomMessage(seeded(seed)))
      // Edits, deletions and answers to messages that are not stored make no row, or one without text.
      const content = bytes && readMessage(proto.Message.decode(bytes), bytes).content
      if (bytes && content && content.kind !== 'deletion')
        ids.push(await fixture.sandbox.sendRaw({ from, to: PHONE }, bytes))
    }
    ids.push(await raw(from, { conversation: 'the last one' }))
    // A burst is not always decrypted in the order in which it came.
    await fixture.until(
      async () => {
        const rows = await fixture.domain.handle.sql`
        select from messages where business_id = ${ctx.businessId} and provider_message_id in ${fixture.domain.handle.sql(ids)}`
        return rows.length === ids.length
      },
      'a row for every message',
      45_000,
    )
    expect(await getLink(ctx, id)).toMatchObject({ state: 'working', since })
  }, 1),
  60_000,
)

test('what the owner sends to a broadcast list stands in the chat with each recipient, and creates no contact of the list or the owner', async () => {
  const members = [newContact(), newContact()]
  for (const phone of members) fixture.sandbox.putAccount({ phone })
  for (const addressing of ['pn', 'lid'] as const) {
    const providerMessageId = await fixture.sandbox.sendRawAsOwner(
      { from: PHONE, to: members[0] ?? '', group: '1632812345@broadcast', addressing, recipients: members },
      { conversation: `posted by ${addressing}` },
    )
    const rows = await fixture.until(async () => {
      const found = await fixture.domain.handle.sql`select m.direction, m.status, m.body, c.phone from messages m
        join contacts c on c.id = m.contact_id
        where m.business_id = ${ctx.businessId} and m.provider_message_id = ${providerMessageId} order by c.phone`
      return found.length === 2 ? found : null
    }, 'a row for each recipient')
    expect([...rows]).toEqual(
      members.map((phone) => ({ direction: 'out', status: 'sent', body: `posted by ${addressing}`, phone })),
    )
  }
  for (const phone of members) {
    const items = await messagesOf(phone)
    expect(items.map(({ data }) => data?.broadcastList)).toEqual(['1632812345@broadcast', '1632812345@broadcast'])
    const conversation = await getConversation(ctx, items[0]?.conversationId ?? '')
    expect(conversation.unread).toBe(0)
  }
  const [own] = await fixture.domain.handle.sql`select 1 from contacts where business_id = ${ctx.businessId}
    and phone = ${PHONE}`
  expect(own).toBeUndefined()
}, 30_000)

test('what the owner took back from a broadcast list still counts as the list’s: a receipt moves none of its rows', async () => {
  const members = [newContact(), newContact()]
  for (const phone of members) fixture.sandbox.putAccount({ phone })
  const providerMessageId = await fixture.sandbox.sendRawAsOwner(
    { from: PHONE, to: members[0] ?? '', group: '1632812346@broadcast', recipients: members },
    { conversation: 'a mistake' },
  )
  const [phone = ''] = members
  await fixture.until(async () => (await messagesOf(phone)).length === 1, 'the message')
  const contact = { phone, name: null }
  const deletion = { provider: 'baileys' as const, accountId: id, direction: 'out' as const, contact, text: null }
  expect(await changeMessage(ctx, { ...deletion, providerMessageId, at: new Date() })).toBe(true)
  await applyReceipts(ctx, id, [{ account: id, providerMessageId, status: 'read', errorCode: null, at: new Date() }])
  const [message] = await messagesOf(phone)
  expect(message).toMatchObject({ kind: 'deleted', status: 'sent', data: { broadcastList: '1632812346@broadcast' } })
}, 30_000)

test('what the owner sends to a broadcast list without named members is one visible row of the list', async () => {
  const list = '1632899999@broadcast'
  const providerMessageId = await fixture.sandbox.sendRawAsOwner(
    { from: PHONE, to: newContact(), group: list },
    { conversation: 'to whom?' },
  )
  const row = await rowOf(providerMessageId)
  expect(row).toMatchObject({ direction: 'out', body: 'to whom?', data: { broadcastList: list } })
  const [contact] = await fixture.domain.handle.sql`select phone, name from contacts where id = ${row.contact_id}`
  expect(contact).toEqual({ phone: null, name: 'Broadcast list' })
  const status = await fixture.sandbox.sendRawAsOwner(
    { from: PHONE, to: newContact(), group: 'status@broadcast' },
    { conversation: 'my own status' },
  )
  const after = newContact()
  await raw(after, { conversation: 'after it' })
  await received(after, 1)
  const [noise] = await fixture.domain.handle.sql`select 1 from messages where provider_message_id = ${status}`
  expect(noise).toBeUndefined()
}, 30_000)

test('a placeholder is unread once and gives its place to the message, and what is said about a message is not unread', async () => {
  const from = newContact()
  const unread = async () => {
    const [row] = await fixture.domain.handle.sql<{ unread: number; status: string }[]>`
      select v.unread, v.status from conversations v join contacts c on c.id = v.contact_id
      where c.business_id = ${ctx.businessId} and c.phone = ${from}`
    return row?.unread
  }
  const hidden = fixture.sandbox.withhold({ from, to: PHONE, type: 'view_once' })
  const placeholder = await rowOf(hidden)
  await raw(from, { conversation: 'the next one' })
  await received(from, 2)
  expect(await unread()).toBe(2)

  await raw(from, { conversation: 'what it was' }, { id: hidden })
  const message = await rowOf(hidden, 'text')
  expect(message).toMatchObject({ id: placeholder.id, body: 'what it was' })
  expect((await messagesOf(from)).map(({ body }) => body)).toEqual(['what it was', 'the next one'])
  expect(await unread()).toBe(2)

  const key = { id: hidden, remoteJid: `${PHONE.slice(1)}@s.whatsapp.net`, fromMe: false }
  const { Type } = proto.Message.ProtocolMessage
  const early = `EARLY${from.slice(-7)}`
  const edit = (id: string, text: string) => ({
    protocolMessage: { type: Type.MESSAGE_EDIT, key: { ...key, id }, editedMessage: { conversation: text } },
  })
  await raw(from, { reactionMessage: { key, text: '👍' } })
  await raw(from, edit(hidden, 'what it really was'))
  await raw(from, edit(early, 'edited before it came'))
  await raw(from, { protocolMessage: { type: Type.REVOKE, key: { ...key, id: 'never-here' } } })
  await raw(from, { pinInChatMessage: { key, type: 1 } })
  await raw(from, { conversation: 'as it was first' }, { id: early })
  await fixture.until(async () => (await rowOf(early, 'text')).body === 'edited before it came', 'the early edit')
  expect((await rowOf(hidden)).body).toBe('what it really was')
  expect(await unread()).toBe(3)
  await raw(from, { protocolMessage: { type: Type.REVOKE, key } })
  await rowOf(hidden, 'deleted')
  expect(await unread()).toBe(3)
}, 30_000)

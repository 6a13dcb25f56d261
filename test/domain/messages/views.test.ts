import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { listEvents } from '../../../src/domain/events/index.ts'
import { exportCsv } from '../../../src/domain/exports/index.ts'
import {
  describeContent,
  getMessage,
  listMessages,
  requestMessage,
  takeInbound,
} from '../../../src/domain/messages/index.ts'
import { searchEverything } from '../../../src/domain/search/index.ts'
import { readTimeline } from '../../../src/domain/timeline/index.ts'
import type { InboundMessage } from '../../../src/jobs/registry.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

const TWILIO = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }
const PHONE = '+972501234567'

let domain: TestDomain
let ctx: BusinessContext
let count = 0

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

const take = async (fields: Partial<InboundMessage>, on = ctx): Promise<string> => {
  count += 1
  const id = fields.providerMessageId ?? `P${count}`
  await takeInbound(on, {
    provider: 'baileys',
    businessId: on.businessId,
    dedupeKey: id,
    providerMessageId: id,
    kind: 'text',
    from: { phone: PHONE, name: 'Dana' },
    body: '',
    media: [],
    at: new Date(1_760_000_000_000 + count * 1_000).toISOString(),
    ...fields,
  })
  return id
}
const shown = async (providerMessageId: string, on = ctx) => {
  const [row] = await domain.handle.sql<{ id: string }[]>`
    select id from messages where provider_message_id = ${providerMessageId} and business_id = ${on.businessId}`
  return row ? await getMessage(on, row.id) : null
}

test('a message in every view is the same: words, data, files, what it answers, what was said about it', async () => {
  const asked = await requestMessage(
    ctx,
    { to: PHONE, text: 'Which day?', media: [{ url: 'https://x/a.pdf', contentType: 'application/pdf' }] },
    TWILIO,
  )
  await domain.handle.sql`update messages set provider_message_id = 'OUT', provider = 'baileys' where id = ${asked.id}`
  await take({
    providerMessageId: 'IN',
    kind: 'image',
    body: 'סלון',
    replyTo: 'OUT',
    media: [
      {
        kind: 'image',
        url: 'https://x/1',
        contentType: 'image/jpeg',
        fileName: 'א.jpg',
        seconds: null,
        thumbnail: '/9j/',
      },
      { kind: 'voice', url: null, contentType: 'audio/ogg', seconds: 7 },
    ],
    data: {
      fileName: 'א.jpg',
      seconds: null,
      bytes: 'many',
      secret: 'KEY-OF-THE-MESSAGE',
      anything: 'internal',
      forwarded: true,
      referral: {
        sourceType: 'ad',
        sourceId: '1',
        url: null,
        headline: 'Sale',
        body: null,
        mediaUrl: null,
        clickId: 'c',
      },
    },
  })
  await take({ kind: 'reaction', body: '👍', replyTo: 'IN' })
  await take({ kind: 'reaction', body: '❤️', replyTo: 'IN' })
  await take({ kind: 'reaction', body: '🙏', replyTo: 'OUT' })
  await take({ kind: 'reaction', body: '', replyTo: 'OUT' })
  const answer = await shown('IN')
  const [file] = answer?.media ?? []
  expect(answer).toMatchObject({
    kind: 'image',
    body: 'סלון',
    data: { fileName: 'א.jpg' },
    media: [
      {
        kind: 'image',
        fileName: 'א.jpg',
        state: 'pending',
        url: null,
        thumbnailUrl: `/api/v1/media/${file?.id}/thumbnail`,
      },
      { kind: 'voice', seconds: 7, state: 'unavailable', url: null, thumbnailUrl: null, transcript: null },
    ],
    replyTo: { id: asked.id, providerMessageId: 'OUT' },
    reactions: [{ emoji: '❤️', from: { direction: 'in', phone: PHONE, name: 'Dana' } }],
    forwarded: true,
    referral: { headline: 'Sale', clickId: 'c' },
    editedAt: null,
    deletedAt: null,
  })
  expect(JSON.stringify(answer)).not.toMatch(/KEY-OF|internal|many/)
  // Taken back, it is gone.
  expect(await getMessage(ctx, asked.id)).toMatchObject({
    reactions: [],
    media: [{ id: null, state: 'external', url: 'https://x/a.pdf' }],
  })

  if (!answer) throw new Error('no message')
  const inList = (await listMessages(ctx, {})).items.find(({ id }) => id === answer.id)
  expect(inList).toEqual(answer)
  const timeline = await readTimeline(ctx, answer.contactId, {})
  const entry = timeline.items.find(({ id }) => id === answer.id)
  for (const [name, value] of Object.entries(entry?.data ?? {}))
    expect([name, value]).toEqual([name, Reflect.get(answer, name)])
  expect(Object.keys(entry?.data ?? {})).toContain('media')
  const [hit] = (await searchEverything(ctx, { q: 'סלון' })).messages
  expect(hit?.message).toEqual(answer)
  const { csv } = await exportCsv(ctx, { kind: 'messages' })
  const cells = csv.split('\r\n').find((line) => line.replace('"', '').startsWith(answer.id))
  for (const part of ['image', 'סלון', 'א.jpg', asked.id, '❤️']) expect(cells).toContain(part)
})

test('the timeline shows a reaction with its message, and alone only when that is not here', async () => {
  const contact = '+972501230002'
  const from = { phone: contact }
  await take({ providerMessageId: 'T1', from, body: 'poll', kind: 'poll' })
  await take({ from, kind: 'reaction', body: '👍', replyTo: 'T1' })
  await take({ from, kind: 'poll_vote', body: 'a', data: { options: ['a', 'b'] }, replyTo: 'T1' })
  await take({ from, kind: 'reaction', body: '😢', replyTo: 'unknown id' })
  const message = await shown('T1')
  const { items } = await readTimeline(ctx, message?.contactId ?? '', {})
  expect(items.map(({ data }) => 'body' in data && data.body)).toEqual(['😢', 'poll'])
  expect(message).toMatchObject({ reactions: [{ emoji: '👍' }], votes: [{ options: ['a', 'b'] }] })
  // The list is the log of everything: there they are as well, each with what it is about.
  const { items: log } = await listMessages(ctx, { contactId: message?.contactId ?? '' })
  expect(log.map(({ body, replyTo }) => [body, replyTo?.id ?? null])).toEqual([
    ['😢', null],
    ['a', message?.id ?? ''],
    ['👍', message?.id ?? ''],
    ['poll', null],
  ])
})

test('in a group each member has one reaction, and another’s words are not edited', async () => {
  const group = { phone: null, externalId: '120363@g.us' }
  const by = (phone: string) => ({ author: { phone, lid: null, name: `N${phone}` } })
  await take({ providerMessageId: 'G1', from: group, body: 'hello', data: by('+1') })
  for (const [phone, body] of [
    ['+1', '👍'],
    ['+2', '👍'],
    ['+2', '👎'],
  ] as const)
    await take({ from: group, kind: 'reaction', body, replyTo: 'G1', data: by(phone) })
  await take({ from: group, kind: 'edit', body: 'forged', replyTo: 'G1', data: by('+2') })
  expect(await shown('G1')).toMatchObject({
    body: 'hello',
    reactions: [
      { emoji: '👍', from: { phone: '+1', name: 'N+1' } },
      { emoji: '👎', from: { phone: '+2', name: 'N+2' } },
    ],
  })
  await take({ from: group, kind: 'edit', body: 'mine', replyTo: 'G1', data: by('+1') })
  expect(await shown('G1')).toMatchObject({ body: 'mine' })
})

const orders = <T>(items: T[]): T[][] =>
  items.length < 2
    ? [items]
    : items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))

test('edits, a reaction and a deletion come to the same in every order, each brought twice', async () => {
  let round = 0
  for (const withDeletion of [false, true])
    for (const order of orders(['message', 'edit 1', 'edit 2', 'reaction', ...(withDeletion ? ['deletion'] : [])])) {
      const business = await domain.newBusiness()
      const id = `O${++round}`
      const at = (minute: number) => new Date(1_760_000_000_000 + minute * 60_000).toISOString()
      const parts: Record<string, Partial<InboundMessage>> = {
        message: {
          providerMessageId: id,
          body: 'first',
          at: at(1),
          media: [{ url: 'https://x/1', contentType: 'image/png' }],
        },
        'edit 1': { providerMessageId: `${id}e1`, kind: 'edit', body: 'second', replyTo: id, at: at(2) },
        'edit 2': { providerMessageId: `${id}e2`, kind: 'edit', body: 'third', replyTo: id, at: at(3) },
        reaction: { providerMessageId: `${id}r`, kind: 'reaction', body: '👍', replyTo: id, at: at(4) },
        deletion: { providerMessageId: `${id}d`, kind: 'deletion', replyTo: id, at: at(5) },
      }
      for (const part of [...order, ...order]) await take(parts[part] ?? {}, business)
      const message = await shown(id, business)
      const expected = withDeletion
        ? { kind: 'deleted', body: '', deletedAt: new Date(at(5)), media: [], reactions: [{ emoji: '👍' }] }
        : { body: 'third', editedAt: new Date(at(3)), deletedAt: null, reactions: [{ emoji: '👍' }] }
      expect([order, message]).toMatchObject([order, expected])
      expect([order, (await listMessages(business, {})).items.map(({ kind }) => kind).toSorted()]).toEqual([
        order,
        [withDeletion ? 'deleted' : 'text', 'reaction'].toSorted(),
      ])
    }
}, 180_000)

test('a message and its deletion at the same moment: it is deleted, whoever wins', async () => {
  for (let round = 0; round < 40; round += 1) {
    const id = `R${round}`
    const message = {
      providerMessageId: id,
      body: 'regretted',
      ...(round % 2 ? { media: [{ url: 'https://x/1', contentType: 'image/png' }] } : {}),
    }
    await Promise.all([
      take(message),
      take({ kind: 'deletion', replyTo: id }),
      take({ kind: 'edit', body: 'changed', replyTo: id }),
    ])
    expect([id, await shown(id)]).toMatchObject([id, { kind: 'deleted', body: '' }])
  }
  // Another person's deletion, early or late, is none.
  const stranger = { phone: '+972509999999' }
  await take({ kind: 'deletion', replyTo: 'S1', from: stranger })
  await take({ providerMessageId: 'S1', body: 'stays' })
  await take({ kind: 'deletion', replyTo: 'S1', from: stranger })
  expect(await shown('S1')).toMatchObject({ kind: 'text', body: 'stays' })
  expect(await domain.handle.sql`select 1 from contacts where phone = ${stranger.phone}`).toHaveLength(1)
})

test('events say enough to act on, by the quick way as by the long one, and less once a message is taken back', async () => {
  const business = await domain.newBusiness()
  const long = await take({ body: 'the first makes the person known', providerMessageId: 'E1' }, business)
  const quick = await take({ body: 'quick', providerMessageId: 'E2', replyTo: 'E1' }, business)
  await take(
    {
      kind: 'image',
      providerMessageId: 'E3',
      media: [{ kind: 'image', url: 'https://x/1', contentType: 'image/png', fileName: 'a.png' }],
    },
    business,
  )
  await take({ kind: 'edit', replyTo: 'E2', body: 'quicker' }, business)
  await requestMessage(business, { to: PHONE, text: 'asked', media: [{ url: 'https://x/a.jpg' }] }, TWILIO)
  await requestMessage(business, { to: '+972501230077', text: 'asked of a stranger' }, TWILIO)
  const ofMessages = async () =>
    (await listEvents(business, { limit: 50 })).items.filter(({ entity }) => entity === 'message').toReversed()
  const events = await ofMessages()
  expect(events.map(({ type }) => type)).toEqual([
    'message.receive',
    'message.receive',
    'message.receive',
    'message.edit',
    'message.request',
    'message.request',
  ])
  const keys = [
    'body',
    'contactId',
    'conversationId',
    'direction',
    'id',
    'kind',
    'media',
    'occurredAt',
    'provider',
    'replyTo',
  ]
  for (const { type, data } of events) expect([type, Object.keys(data ?? {}).toSorted()]).toEqual([type, keys])
  const [first, second, third, edit, request] = events.map(({ data }) => data)
  const [one, two] = [await shown(long, business), await shown(quick, business)]
  expect(first).toMatchObject({
    id: one?.id,
    body: 'the first makes the person known',
    occurredAt: one?.occurredAt.toISOString(),
  })
  expect(second).toMatchObject({ id: two?.id, body: 'quick', replyTo: { id: one?.id, providerMessageId: 'E1' } })
  expect(third).toMatchObject({ kind: 'image', media: [{ kind: 'image', fileName: 'a.png', id: expect.any(String) }] })
  expect(edit).toMatchObject({ id: two?.id, body: 'quicker' })
  expect(request).toMatchObject({ direction: 'out', body: 'asked', media: [{ id: null, url: 'https://x/a.jpg' }] })
  await take({ kind: 'deletion', replyTo: 'E2' }, business)
  const after = (await ofMessages()).filter(({ entityId }) => entityId === two?.id)
  expect(after.map(({ type }) => type)).toEqual(['message.receive', 'message.edit', 'message.delete'])
  expect(JSON.stringify(after)).not.toContain('quick')
})

test('everything that a content can be has a line or a file to see, and comes through its view', async () => {
  const contents: Parameters<typeof describeContent>[0][] = [
    { kind: 'text', text: 'words' },
    { kind: 'reaction', emoji: '👍', messageId: 'X' },
    { kind: 'edit', text: 'words', messageId: 'X' },
    { kind: 'location', latitude: 0, longitude: 0, name: null, address: null },
    { kind: 'contacts', contacts: [{ name: 'Noa', phones: ['1'], emails: ['n@x'], organization: 'Acme' }] },
    {
      kind: 'media',
      media: [
        {
          kind: 'sticker',
          url: null,
          contentType: 'image/webp',
          fileName: null,
          bytes: 5,
          seconds: null,
          gif: true,
          viewOnce: true,
        },
      ],
      text: '',
    },
    { kind: 'choice', text: 'yes', id: '1', description: 'd', source: 'list', data: { a: [1] } },
    { kind: 'interactive', text: 't', header: 'h', footer: null, choices: [{ id: null, text: 'c', url: 'u' }] },
    { kind: 'poll', question: 'q', options: ['a'], selectable: null },
    { kind: 'poll_vote', messageId: 'X', options: ['a'] },
    {
      kind: 'order',
      text: '',
      orderId: null,
      items: [{ id: null, name: 'n', quantity: 1, amount: 5 }],
      total: 5,
      currency: 'ILS',
    },
    { kind: 'product', text: 'p', id: null, amount: null, currency: null, url: 'u' },
    { kind: 'event', name: 'n', description: null, startsAt: null, endsAt: null, place: null, cancelled: true },
    { kind: 'unsupported', type: 'hologram', text: '' },
  ]
  for (const content of contents) {
    const extras = { mentions: ['+1'], quoted: 'q', extra: { A: 'b' }, forwardScore: 2 }
    const { target, ...described } = describeContent(content, extras)
    const id = await take({ ...described, replyTo: target ?? 'Q' })
    const view = await shown(id)
    const { forwardScore: _, quoted: __, ...data } = JSON.parse(JSON.stringify(described.data))
    for (const [name, value] of Object.entries(data))
      if (value !== null)
        expect([content.kind, name, Reflect.get(view?.data ?? {}, name)]).toEqual([content.kind, name, value])
    expect(view).toMatchObject({ kind: described.kind, body: described.body, forwarded: true, replyTo: { text: 'q' } })
    expect([
      content.kind,
      described.body !== '' || described.media.length > 0 || content.kind === 'unsupported',
    ]).toEqual([content.kind, true])
  }
})

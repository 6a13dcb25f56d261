import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { type InboundWhatsApp, sendInboundWhatsApp } from '../../src/sandbox/carrier/inbound-whatsapp.ts'
import {
  BAILEYS_SECRET,
  eventually,
  type Product,
  queueOfThisRun,
  startProduct,
  WHATSAPP_SENDER,
} from '../support/product.ts'
import { quietFor } from '../support/wait.ts'

type Row = Record<string, unknown>

describe.each([queueOfThisRun()])('inbound WhatsApp on %s', (queue) => {
  let product: Product
  let accountId = ''
  let last = 0
  const customer = () => `+97250${6_000_000 + ++last}`

  beforeAll(async () => {
    product = await startProduct({
      queue,
      prepare: async (ctx) => {
        // Two businesses: whom a message is for is reported by its sender account alone.
        await createBusiness(ctx, { name: 'Second', language: 'en' })
      },
    })
    const [account] = await product.sql<{ id: string }[]>`select id from whatsapp_accounts where provider = 'baileys'`
    accountId = account?.id ?? ''
  })
  afterAll(() => product.stop())

  const messageOf = (providerId: string) =>
    eventually(
      async () =>
        (
          await product.sql<Row[]>`select m.*, c.phone, c.name as contact_name from messages m
            join contacts c on c.id = m.contact_id where m.provider_message_id = ${providerId}`
        )[0],
      `the message ${providerId}`,
    )

  describe('from Twilio', () => {
    const receive = (options: Partial<InboundWhatsApp> & { from: string }) =>
      sendInboundWhatsApp({
        carrier: product.carrier,
        webhookUrl: `${product.publicBaseUrl}/webhook/whatsapp/twilio`,
        to: WHATSAPP_SENDER,
        ...options,
      })

    test('a word of consent: heeded, and confirmed by one message that the carrier delivers', async () => {
      const from = customer()
      await receive({ from, body: 'הסר', profileName: 'רון', deliveries: 3, parallel: true })
      const toThem = () =>
        [...product.carrier.messages.values()].filter(
          (message) => message.direction === 'outbound-api' && message.to === `whatsapp:${from}`,
        )
      const [confirmation] = await eventually(
        () => (/delivered|read/.test(toThem()[0]?.status ?? '') ? toThem() : null),
        'the confirmation',
        30_000,
      )
      expect(confirmation?.body).toContain('לא תשלח לך עוד הודעות')
      const refused = await product.send({ to: from, text: 'מבצע' })
      expect([refused.status, await refused.json()]).toEqual([
        403,
        expect.objectContaining({ error: expect.objectContaining({ code: 'contact_opted_out' }) }),
      ])
      await receive({ from, body: 'התחל' })
      await eventually(() => toThem().length === 2, 'the second confirmation', 30_000)
      expect((await product.send({ to: from, text: 'תור נקבע' })).ok).toBe(true)
    })

    test('a text: 204 with an empty body, a contact, a conversation, a message', async () => {
      const from = customer()
      const { messageSid, deliveries } = await receive({ from, body: 'שלום, יש תור?', profileName: 'דנה' })
      expect(deliveries).toMatchObject([{ status: 204, body: '' }])
      expect(deliveries[0]?.latencyMs).toBeLessThan(1_000)
      const row = await messageOf(messageSid)
      expect(row).toMatchObject({
        business_id: product.businessId,
        direction: 'in',
        status: 'received',
        provider: 'twilio',
        kind: 'text',
        body: 'שלום, יש תור?',
        phone: from,
        contact_name: 'דנה',
      })
      const [thread] = await product.sql`select contact_id from conversations where id = ${String(row.conversation_id)}`
      expect(thread?.contact_id).toBe(row.contact_id)
      // The next one goes to the same person and thread.
      const next = await messageOf((await receive({ from, body: 'עוד משהו' })).messageSid)
      expect([next.contact_id, next.conversation_id]).toEqual([row.contact_id, row.conversation_id])
    })

    test('delivered ten times at once it is one row', async () => {
      const from = customer()
      const { messageSid, deliveries } = await receive({ from, body: 'once', deliveries: 10, parallel: true })
      expect(deliveries.map((each) => each.status)).toEqual(Array(10).fill(204))
      await messageOf(messageSid)
      await receive({ from, body: 'once', messageSid })
      await quietFor(200, 'the message would have been stored twice')
      expect(await product.sql`select 1 from messages where provider_message_id = ${messageSid}`).toHaveLength(1)
      expect(await product.sql`select 1 from contacts where phone = ${from}`).toHaveLength(1)
    })

    test('files are fetched, stored and checked', async () => {
      const photo = crypto.getRandomValues(new Uint8Array(40_000))
      photo.set([0xff, 0xd8, 0xff])
      const files = [
        { bytes: photo, contentType: 'image/jpeg' },
        { bytes: new TextEncoder().encode('%PDF-1.4 not really'), contentType: 'application/pdf' },
      ]
      const { messageSid } = await receive({ from: customer(), media: files })
      const row = await messageOf(messageSid)
      expect(row.kind).toBe('image')
      const stored = await eventually(async () => {
        const rows = await product.sql<Row[]>`select * from message_media where message_id = ${String(row.id)}
          and state = 'stored' order by index`
        return rows.length === 2 && rows
      }, 'both files')
      for (const [index, file] of files.entries())
        expect(stored[index]).toMatchObject({
          content_type: file.contentType,
          bytes: file.bytes.length,
          sha256: createHash('sha256').update(file.bytes).digest('hex'),
        })
    })

    test('a button, a place, a reply keep what they carry', async () => {
      const from = customer()
      const button = await receive({ from, buttonText: 'כן', buttonPayload: 'confirm:7' })
      expect(await messageOf(button.messageSid)).toMatchObject({
        kind: 'choice',
        body: 'כן',
        data: { choice: { id: 'confirm:7', text: 'כן', source: 'template' } },
      })
      const place = await receive({ from, location: { latitude: 32.08, longitude: 34.78, label: 'Tel Aviv' } })
      expect(await messageOf(place.messageSid)).toMatchObject({
        kind: 'location',
        body: 'Tel Aviv',
        data: { latitude: 32.08, longitude: 34.78, name: 'Tel Aviv' },
      })
      const reply = await receive({ from, body: 'to that', repliedTo: button.messageSid })
      expect(await messageOf(reply.messageSid)).toMatchObject({ reply_to: button.messageSid })
    })

    test('contact cards, reactions, lists, forms, orders and advertisements, as the API shows them', async () => {
      const from = customer()
      const { client } = { client: product.trpc() }
      const shown = async (sid: string) => {
        const row = await messageOf(sid)
        return await client.messages.get.query({ id: String(row.id) })
      }
      const first = await receive({ from, body: 'first', forwarded: true, frequentlyForwarded: true })
      await receive({ from, reaction: { messageSid: first.messageSid, emoji: '👍' } })
      const last = await receive({ from, reaction: { messageSid: first.messageSid, emoji: '❤️' } })
      await messageOf(last.messageSid)
      expect(await shown(first.messageSid)).toMatchObject({
        forwarded: true,
        reactions: [{ emoji: '❤️', from: { direction: 'in', phone: from } }],
      })
      const card = await receive({ from, contacts: [{ name: 'נועה לוי', phone: '+972521112222' }] })
      await messageOf(card.messageSid)
      const people = await eventually(async () => {
        const view = await shown(card.messageSid)
        return view.kind === 'contacts' && view
      }, 'the people of the card')
      expect(people).toMatchObject({
        body: 'נועה לוי +972521112222',
        data: { contacts: [{ name: 'נועה לוי', phones: ['+972521112222'] }] },
      })
      const row = await receive({ from, list: { id: 'r1', title: '10:00', description: 'with Dana' } })
      expect(await shown(row.messageSid)).toMatchObject({
        kind: 'choice',
        body: '10:00',
        data: { choice: { id: 'r1' } },
      })
      const form = await receive({ from, flow: { flow_token: 't', day: 'sunday' } })
      expect(await shown(form.messageSid)).toMatchObject({ kind: 'choice', body: 'day: sunday' })
      const order = await receive({
        from,
        order: { catalogId: '1', items: [{ id: 'A', quantity: 2, price: 30.5, currency: 'ILS' }] },
      })
      expect(await shown(order.messageSid)).toMatchObject({ kind: 'order', data: { order: { total: 6_100 } } })
      const ad = await receive({
        from,
        body: 'מעוניין',
        referral: { sourceType: 'ad', headline: 'Sale', ctwaClid: 'c1' },
      })
      expect(await shown(ad.messageSid)).toMatchObject({ referral: { headline: 'Sale', clickId: 'c1' } })
      const strange = await receive({ from, body: '', messageType: 'hologram', extraParams: { HologramDepth: '3' } })
      expect(await shown(strange.messageSid)).toMatchObject({
        kind: 'unsupported',
        data: { type: 'hologram', extra: { HologramDepth: '3' } },
      })
    })

    test('a sender without a number is a contact all the same', async () => {
      const fields = {
        MessageSid: `SM${'a'.repeat(31)}${queue === 'redis' ? 1 : 2}`,
        From: 'whatsapp:ID.abcdef0123456789',
        ExternalUserId: 'whatsapp:ID.abcdef0123456789',
        To: `whatsapp:${WHATSAPP_SENDER}`,
        Body: 'who am I',
        NumMedia: '0',
      }
      expect((await product.post('/webhook/whatsapp/twilio', fields)).status).toBe(204)
      expect(await messageOf(fields.MessageSid)).toMatchObject({ phone: null, body: 'who am I' })
    })

    test.each(['wrong', 'none'] as const)('with a %s signature: refused, nothing written', async (mode) => {
      const rows = await product.countRows()
      const jobs = await product.jobsStored(0, 'message.receive')
      const fields = { MessageSid: 'SMforged', From: 'whatsapp:+972501', To: `whatsapp:${WHATSAPP_SENDER}`, Body: 'x' }
      for (const path of ['/webhook/whatsapp/twilio', '/webhook/whatsapp/status'])
        expect((await product.post(path, { ...fields, MessageStatus: 'read' }, mode)).status).toBe(403)
      expect(await product.jobsStored(0, 'message.receive')).toBe(jobs)
      expect((await product.countRows()).messages).toBe(rows.messages ?? -1)
    })

    test('a sender account that no one has, and a form that is none', async () => {
      const jobs = await product.jobsStored(0, 'message.receive')
      const fields = { MessageSid: 'SMx', From: 'whatsapp:+972501234567', To: 'whatsapp:+14150000000', Body: 'x' }
      const unknown = await product.post('/webhook/whatsapp/twilio', fields)
      expect(unknown.status).toBe(404)
      expect(await unknown.json()).toMatchObject({ error: { code: 'account_not_found', field: 'To' } })
      for (const broken of [{}, { MessageSid: 'SMx' }, { ...fields, From: '' }]) {
        const answer = await product.post('/webhook/whatsapp/twilio', broken as Record<string, string>)
        expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
          400,
          'invalid_input',
        ])
      }
      expect(await product.jobsStored(0, 'message.receive')).toBe(jobs)
    })
  })

  describe('from Baileys', () => {
    const post = (body: unknown, secret: string | null = BAILEYS_SECRET) =>
      fetch(`${product.url()}/webhook/whatsapp/baileys`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(secret === null ? {} : { 'X-BAILEYS-SECRET': secret }) },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })

    test.each([
      ['none', null],
      ['an empty one', ''],
      ['another', 'baileys-secret-of-the-testX'],
      ['a longer one', `${BAILEYS_SECRET}x`],
      ['a shorter one', BAILEYS_SECRET.slice(0, -1)],
      ['the right one in capitals', BAILEYS_SECRET.toUpperCase()],
    ])('secret: %s is refused', async (_, secret) => {
      const jobs = await product.jobsStored(0, 'message.receive')
      const answer = await post({ accountId, id: 'B0', from: customer(), text: 'x' }, secret)
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
        401,
        'invalid_secret',
      ])
      expect(await product.jobsStored(0, 'message.receive')).toBe(jobs)
    })

    test('a message in its plain form', async () => {
      const from = customer()
      const answer = await post({ accountId, id: 'B1', from, name: 'Avi', text: 'היי', timestamp: 1_750_000_000 })
      expect([answer.status, await answer.text()]).toEqual([204, ''])
      expect(await messageOf('B1')).toMatchObject({
        business_id: product.businessId,
        account_id: accountId,
        provider: 'baileys',
        direction: 'in',
        status: 'received',
        body: 'היי',
        phone: from,
        contact_name: 'Avi',
        occurred_at: new Date(1_750_000_000_000),
      })
    })

    test("a message in Baileys' own form, its sender behind a LID, is the person of that number", async () => {
      const from = customer()
      await post({ accountId, id: 'B2', from, text: 'by number' })
      const first = await messageOf('B2')
      const answer = await post({
        accountId,
        key: {
          id: 'B3',
          remoteJid: '98765432109876@lid',
          remoteJidAlt: `${from.slice(1)}@s.whatsapp.net`,
          fromMe: false,
        },
        message: { extendedTextMessage: { text: 'by lid' } },
        pushName: 'Noa',
        messageTimestamp: 1_750_000_100,
      })
      expect(answer.status).toBe(204)
      const second = await messageOf('B3')
      expect(second).toMatchObject({ body: 'by lid', contact_id: first.contact_id, phone: from })
    })

    test('a LID is never taken for a number; met with its number later, it is one person', async () => {
      const lid = '11122233344455@lid'
      await post({ accountId, id: 'B4', from: lid, text: 'who' })
      const before = await messageOf('B4')
      expect(before.phone).toBeNull()
      const from = customer()
      await post({ accountId, id: 'B5', from, lid, text: 'me' })
      const after = await messageOf('B5')
      expect(after.phone).toBe(from)
      expect((await messageOf('B4')).contact_id).toBe(after.contact_id)
    })

    test('many at once, the same ten times, and our own words among them', async () => {
      const from = customer()
      const events = [
        { accountId, id: 'B6', from, text: 'one' },
        { accountId, id: 'B7', from, text: 'two' },
        {
          accountId,
          key: { id: 'B8', remoteJid: `${from.slice(1)}@s.whatsapp.net`, fromMe: true },
          message: { conversation: 'our own' },
        },
      ]
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => post(index % 2 ? events : { messages: events })),
      )
      expect(answers.map((answer) => answer.status)).toEqual(Array(10).fill(204))
      await messageOf('B6')
      await messageOf('B7')
      await quietFor(200, 'the refused message would have been stored')
      const rows =
        await product.sql`select provider_message_id as id from messages where provider_message_id in ('B6', 'B7', 'B8')`
      expect(rows.map((row) => row.id).toSorted()).toEqual(['B6', 'B7'])
    })

    test('each message of a batch is judged for itself, and the answer has a word on each', async () => {
      const from = customer()
      const jid = `${from.slice(1)}@s.whatsapp.net`
      const raw = (id: string, remoteJid: string, message: unknown) => ({ accountId, key: { id, remoteJid }, message })
      const answer = await post({
        messages: [
          raw('C1', jid, { ephemeralMessage: { message: { extendedTextMessage: { text: 'the words inside' } } } }),
          raw('C2', '120363000000000002@g.us', { conversation: 'in a group' }),
          raw('C3', 'status@broadcast', { conversation: 'a status' }),
          raw('C4', '120363000000000003@newsletter', { conversation: 'a channel' }),
          { accountId, id: 'C8', from: '120363000000000002@g.us', text: 'in a group' },
          { accountId, id: 'C9', from: 'status@broadcast', text: 'a status' },
          { accountId, id: 'C10', from, fromMe: true, text: 'our own' },
          { accountId, id: 'C5', from: 'someone', text: 'x' },
          'no object',
          { accountId: '019d0000-0000-7000-8000-000000000000', id: 'C6', from, text: 'x' },
          { accountId, id: 'C7', from, text: 'last', timestamp: 'never', name: 7, media: 'none' },
        ],
      })
      expect([answer.status, await answer.json()]).toEqual([
        200,
        {
          success: true,
          results: [
            { id: 'C1', result: 'accepted' },
            { id: 'C2', result: 'ignored', code: 'group' },
            { id: 'C3', result: 'ignored', code: 'status' },
            { id: 'C4', result: 'ignored', code: 'channel' },
            { id: 'C8', result: 'ignored', code: 'group' },
            { id: 'C9', result: 'ignored', code: 'status' },
            { id: 'C10', result: 'ignored', code: 'own_message' },
            { id: 'C5', result: 'refused', code: 'invalid_input', message: expect.any(String), field: 'from' },
            { id: null, result: 'refused', code: 'invalid_input', message: expect.any(String) },
            { id: 'C6', result: 'refused', code: 'account_not_found', message: expect.any(String), field: 'accountId' },
            { id: 'C7', result: 'accepted' },
          ],
        },
      ])
      expect(await messageOf('C1')).toMatchObject({ kind: 'text', body: 'the words inside', phone: from })
      expect(await messageOf('C7')).toMatchObject({ body: 'last' })
    })

    test('a file is fetched where the bridge says it lies, like any address that a stranger names: without credentials', async () => {
      const asked: (string | null)[] = []
      const png = Buffer.from(
        'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
        'base64',
      )
      const files = Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        fetch(request) {
          asked.push(request.headers.get('authorization'))
          return new Response(png, { headers: { 'Content-Type': 'image/png' } })
        },
      })
      try {
        const stateOf = async (id: string) =>
          (
            await product.sql`select file.state from message_media as file join messages on messages.id = file.message_id
            where messages.provider_message_id = ${id} and file.state <> 'pending'`
          )[0]?.state
        const media = (url: string) => [{ url, contentType: 'image/png' }]
        const from = customer()
        const own = { accountId, id: 'BF1', from, text: '', media: media(new URL('/a.png', files.url).href) }
        expect((await post(own)).status).toBe(204)
        expect(await eventually(() => stateOf('BF1'), 'the file')).toBe('stored')
        expect(asked).toEqual([null])
        // The carrier's own host gives nothing without the account's keys, which a bridge cannot borrow.
        const calls = `${product.carrier.url}/2010-04-01/Accounts/${product.carrier.accountSid}/Calls.json`
        expect((await post({ accountId, id: 'BF2', from, text: '', media: media(calls) })).status).toBe(204)
        expect(await eventually(() => stateOf('BF2'), 'the end of the second')).toBe('failed')
      } finally {
        await files.stop(true)
      }
    })

    test('an event comes in an envelope too, as bridges that tell of other things send it', async () => {
      const from = customer()
      const id = from.slice(1)
      const raw = {
        accountId,
        key: { id: 'ENV1', remoteJid: `${id}@s.whatsapp.net` },
        message: { conversation: 'one' },
      }
      const envelopes = [
        { event: 'messages.upsert', instance: 'main', data: raw },
        { event: 'messages.upsert', data: { messages: [{ ...raw, key: { ...raw.key, id: 'ENV2' } }] } },
        { event: 'messages.upsert', data: [{ ...raw, key: { ...raw.key, id: 'ENV3' } }] },
        { event: 'message', session: 'default', payload: { accountId, id: 'ENV4', from: `${id}@c.us`, body: 'four' } },
      ]
      for (const envelope of envelopes) expect((await post(envelope)).status).toBe(204)
      for (const known of ['ENV1', 'ENV2', 'ENV3', 'ENV4'])
        expect(await messageOf(known)).toMatchObject({ phone: from })
      expect((await post({ event: 'connection.update' })).status).toBe(400)
    })

    test('an edit, a reaction and a deletion that overtake their message are applied when it comes', async () => {
      const from = customer()
      const remoteJid = `${from.slice(1)}@s.whatsapp.net`
      const raw = (id: string, message: unknown) => ({ accountId, key: { id, remoteJid }, message })
      const about = (id: string) => ({ id, remoteJid })
      await post([
        raw('D1e', {
          protocolMessage: { type: 'MESSAGE_EDIT', key: about('D1'), editedMessage: { conversation: 'new words' } },
        }),
        raw('D1r', { reactionMessage: { key: about('D1'), text: '👍' } }),
        raw('D2d', { protocolMessage: { type: 0, key: about('D2') } }),
      ])
      await eventually(
        async () =>
          (await product.sql`select 1 from messages where provider_message_id in ('D1e', 'D1r')`).length === 2 &&
          (await product.sql`select 1 from early_deletions where provider_message_id = 'D2'`).length === 1,
        'what came early',
      )
      await post([raw('D1', { conversation: 'old words' }), raw('D2', { conversation: 'regretted' })])
      const first = await messageOf('D1')
      const client = product.trpc()
      expect(await client.messages.get.query({ id: String(first.id) })).toMatchObject({
        body: 'new words',
        editedAt: expect.any(String),
        reactions: [{ emoji: '👍' }],
      })
      expect(await messageOf('D2')).toMatchObject({ kind: 'deleted', body: '' })
      expect(await product.sql`select 1 from messages where provider_message_id = 'D1e'`).toHaveLength(0)
    })

    test('the same id in another chat is another message', async () => {
      const [one, two] = [customer(), customer()]
      await post([
        { accountId, id: 'B9', from: one, text: 'a' },
        { accountId, id: 'B9', from: two, text: 'b' },
      ])
      await eventually(
        async () => (await product.sql`select 1 from messages where provider_message_id = 'B9'`).length === 2,
        'both messages',
      )
    })

    test.each([
      ['no JSON', '{', 400, 'invalid_json'],
      ['nothing', [], 400, 'invalid_input'],
      ['no id', { from: '+972501234567', text: 'x' }, 400, 'invalid_input'],
      ['no sender', { id: 'BX', text: 'x' }, 400, 'invalid_input'],
      ['a sender that is no number', { id: 'BX', from: 'someone', text: 'x' }, 400, 'invalid_input'],
      [
        'an unknown account',
        { id: 'BX', accountId: '019d0000-0000-7000-8000-000000000000', from: '+972501234567' },
        404,
        'account_not_found',
      ],
      [
        'no one in particular, with two businesses',
        { id: 'BX', from: '+972501234567', text: 'x' },
        404,
        'account_not_found',
      ],
      ['too much', { id: 'BX', from: '+972501234567', text: 'x'.repeat(1_100_000) }, 413, 'body_too_large'],
    ] as [string, unknown, number, string][])(
      '%s is refused, and nothing is written',
      async (_, body, status, code) => {
        const jobs = await product.jobsStored(0, 'message.receive')
        const answer = await post(body)
        expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
          status,
          code,
        ])
        expect(await product.jobsStored(0, 'message.receive')).toBe(jobs)
      },
    )
  })
})

import { expect, test } from 'bun:test'
import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { proto, type WAMessage } from '@whiskeysockets/baileys'
import Long from 'long'
import { describeContent } from '../../../../src/domain/messages/message-content.ts'
import { type NormaliseOptions, normaliseMessage } from '../../../../src/providers/whatsapp/baileys/inbound.ts'
import type { SealedUse } from '../../../../src/providers/whatsapp/baileys/message-content/decision.ts'
import { readMessage } from '../../../../src/providers/whatsapp/baileys/message-content/read.ts'
import type { InboundContent } from '../../../../src/providers/whatsapp/port.ts'
import { randomNumbers, withSeed } from '../../../support/seed.ts'
import { randomMessage } from '../../../support/whatsapp-definition.ts'

const KEY = new Uint8Array(32).fill(7)
const FILE = { mimetype: 'image/jpeg', mediaKey: KEY, directPath: '/v/1', fileLength: 12 }

const cases: [string, proto.IMessage, object][] = [
  [
    'native-flow answer',
    {
      interactiveResponseMessage: {
        body: { text: 'Tuesday' },
        nativeFlowResponseMessage: { name: 'quick_reply', paramsJson: '{"id":"day-2","display_text":"Tuesday"}' },
        contextInfo: { stanzaId: 'Q1' },
      },
    },
    { kind: 'choice', text: 'Tuesday', id: 'day-2', source: 'button' },
  ],
  [
    'row of a native-flow list',
    {
      interactiveResponseMessage: {
        nativeFlowResponseMessage: {
          name: 'menu_options',
          paramsJson: '{"id":"r1","title":"Cut","description":"30 min"}',
        },
      },
    },
    { kind: 'choice', text: 'Cut', id: 'r1', description: '30 min' },
  ],
  [
    'filled-in form',
    {
      interactiveResponseMessage: {
        body: { text: 'Sent' },
        nativeFlowResponseMessage: {
          name: 'flow',
          paramsJson: '{"response_json":"{\\"name\\":\\"Dana\\",\\"day\\":\\"Sunday\\"}","flow_token":"t"}',
        },
      },
    },
    { kind: 'choice', source: 'flow', data: { name: 'Dana', day: 'Sunday' } },
  ],
  [
    'form without words',
    {
      interactiveResponseMessage: {
        nativeFlowResponseMessage: { name: 'flow', paramsJson: '{"name":"Dana","flow_token":"t"}' },
      },
    },
    { kind: 'choice', source: 'flow', text: 'name: Dana' },
  ],
  [
    'broken answer',
    { interactiveResponseMessage: { nativeFlowResponseMessage: { name: 'quick_reply', paramsJson: '{"id":' } } },
    { kind: 'choice', text: 'quick_reply', data: { text: '{"id":' } },
  ],
  [
    'button',
    { buttonsResponseMessage: { selectedButtonId: 'b1', selectedDisplayText: 'Yes' } },
    { kind: 'choice', text: 'Yes', id: 'b1', source: 'button' },
  ],
  [
    'template button',
    { templateButtonReplyMessage: { selectedId: 't1', selectedDisplayText: 'Call me' } },
    { kind: 'choice', text: 'Call me', id: 't1', source: 'template' },
  ],
  [
    'list row',
    { listResponseMessage: { title: 'Haircut', description: '30 min', singleSelectReply: { selectedRowId: 'row-3' } } },
    { kind: 'choice', text: 'Haircut', id: 'row-3', description: '30 min', source: 'list' },
  ],
  [
    'buttons',
    {
      buttonsMessage: {
        text: 'Hello',
        contentText: 'Shall we confirm?',
        footerText: 'The salon',
        buttons: [
          { buttonId: '1', buttonText: { displayText: 'Yes' } },
          { nativeFlowInfo: { name: 'cta_url', paramsJson: '{"display_text":"Site","url":"https://example.com"}' } },
        ],
      },
    },
    {
      kind: 'interactive',
      text: 'Shall we confirm?',
      header: 'Hello',
      footer: 'The salon',
      choices: [
        { id: '1', text: 'Yes' },
        { id: null, text: 'Site', url: 'https://example.com' },
      ],
    },
  ],
  [
    'template with a picture',
    {
      templateMessage: {
        hydratedTemplate: {
          imageMessage: FILE,
          hydratedContentText: 'Your order is ready',
          hydratedFooterText: 'Shop',
          hydratedButtons: [
            { urlButton: { displayText: 'Track', url: 'https://example.com/t' } },
            { callButton: { displayText: 'Call', phoneNumber: '+972501234567' } },
          ],
        },
      },
    },
    {
      kind: 'interactive',
      text: 'Your order is ready',
      media: [{ kind: 'image', contentType: 'image/jpeg', bytes: 12 }],
      choices: [
        { text: 'Track', url: 'https://example.com/t' },
        { text: 'Call', url: 'tel:+972501234567' },
      ],
    },
  ],
  [
    'interactive with a native-flow list',
    {
      interactiveMessage: {
        header: { title: 'Menu' },
        body: { text: 'Choose' },
        footer: { text: 'open until five' },
        nativeFlowMessage: {
          buttons: [
            {
              name: 'single_select',
              buttonParamsJson: '{"title":"Open","sections":[{"title":"A","rows":[{"id":"r1","title":"Cut"}]}]}',
            },
          ],
        },
      },
    },
    {
      kind: 'interactive',
      text: 'Choose',
      header: 'Menu',
      footer: 'open until five',
      choices: [{ text: 'Open' }, { id: 'r1', text: 'Cut' }],
    },
  ],
  [
    'carousel',
    {
      interactiveMessage: {
        body: { text: 'Ours' },
        carouselMessage: {
          cards: [
            { header: { title: 'One', imageMessage: FILE }, body: { text: 'first' } },
            { body: { text: 'second' } },
          ],
        },
      },
    },
    { kind: 'interactive', text: 'Ours\nOne\nfirst\nsecond', media: [{ kind: 'image' }] },
  ],
  [
    'list',
    {
      listMessage: {
        title: 'Services',
        description: 'What do you need?',
        buttonText: 'Show',
        sections: [{ title: 'Hair', rows: [{ rowId: '1', title: 'Cut', description: '30 min' }] }],
      },
    },
    {
      kind: 'interactive',
      header: 'Services',
      text: 'What do you need?\nHair',
      choices: [{ id: '1', text: 'Cut', description: '30 min' }],
    },
  ],
  [
    'order',
    {
      orderMessage: {
        orderId: 'o1',
        itemCount: 3,
        message: 'please',
        orderTitle: 'The shop',
        totalAmount1000: Long.fromNumber(79_900),
        totalCurrencyCode: 'ils',
      },
    },
    { kind: 'order', orderId: 'o1', text: 'The shop\nplease', total: 7_990, currency: 'ILS', items: [{ quantity: 3 }] },
  ],
  [
    'order details',
    {
      interactiveMessage: {
        body: { text: 'Your bill' },
        nativeFlowMessage: {
          buttons: [
            {
              name: 'review_and_pay',
              buttonParamsJson:
                '{"reference_id":"A1","currency":"BRL","total_amount":{"value":2500,"offset":100},"order":{"items":[{"retailer_id":"p1","name":"Soap","quantity":2,"amount":{"value":1250,"offset":100}}]}}',
            },
          ],
        },
      },
    },
    {
      kind: 'order',
      text: 'Your bill',
      orderId: 'A1',
      total: 2_500,
      currency: 'BRL',
      items: [{ id: 'p1', name: 'Soap', quantity: 2, amount: 1_250 }],
    },
  ],
  [
    'product',
    {
      productMessage: {
        product: {
          productId: 'p1',
          title: 'Soap',
          description: 'soft',
          currencyCode: 'ILS',
          priceAmount1000: 12_500,
          productImage: FILE,
        },
      },
    },
    { kind: 'product', text: 'Soap\nsoft', id: 'p1', amount: 1_250, currency: 'ILS', media: [{ kind: 'image' }] },
  ],
  ...(['pollCreationMessage', 'pollCreationMessageV2', 'pollCreationMessageV3', 'pollCreationMessageV5'] as const).map(
    (name): [string, proto.IMessage, object] => [
      name,
      { [name]: { name: 'When?', options: [{ optionName: 'Sun' }, { optionName: 'Mon' }], selectableOptionsCount: 1 } },
      { kind: 'poll', question: 'When?', options: ['Sun', 'Mon'], selectable: 1 },
    ],
  ),
  [
    'event',
    {
      eventMessage: {
        name: 'Opening',
        description: 'come',
        startTime: Long.fromNumber(1_800_000_000),
        location: { name: 'Shop' },
      },
    },
    { kind: 'event', name: 'Opening', description: 'come', startsAt: '2027-01-15T08:00:00.000Z', place: 'Shop' },
  ],
  [
    'captioned picture without a key',
    { imageMessage: { caption: 'my leg', mimetype: 'image/png' } },
    { kind: 'media', text: 'my leg', media: [{ kind: 'image', url: null, contentType: 'image/png' }] },
  ],
  [
    'view once, second form',
    { viewOnceMessageV2: { message: { imageMessage: { ...FILE, caption: 'look' } } } },
    { kind: 'media', text: 'look', media: [{ viewOnce: true }] },
  ],
  [
    'view once, voice',
    { viewOnceMessageV2Extension: { message: { audioMessage: { ...FILE, ptt: true, seconds: 4 } } } },
    { kind: 'media', media: [{ kind: 'voice', seconds: 4, viewOnce: true }] },
  ],
  ['view once without its content', { viewOnceMessageV2: {} }, { kind: 'unsupported', type: 'view_once' }],
  [
    'animated picture',
    { videoMessage: { ...FILE, mimetype: 'video/mp4', gifPlayback: true } },
    { kind: 'media', media: [{ gif: true, contentType: 'video/mp4' }] },
  ],
  [
    'round film',
    { ptvMessage: { ...FILE, mimetype: 'video/mp4', seconds: 3 } },
    { kind: 'media', media: [{ kind: 'video', seconds: 3 }] },
  ],
  [
    'document with caption',
    {
      documentWithCaptionMessage: { message: { documentMessage: { ...FILE, fileName: 'offer.pdf', caption: 'see' } } },
    },
    { kind: 'media', text: 'see', media: [{ fileName: 'offer.pdf' }] },
  ],
  [
    'live location',
    { liveLocationMessage: { degreesLatitude: 32, degreesLongitude: 34, caption: 'on my way' } },
    { kind: 'location', live: true, text: 'on my way' },
  ],
  [
    'card',
    {
      contactMessage: {
        displayName: 'Dana',
        vcard:
          'BEGIN:VCARD\nFN:Dana L\nORG:Salon;\nitem1.TEL;waid=972501234567;type="CELL,x":+972 50-\n 123 4567\nEMAIL;TYPE=work:d@example.com\nEND:VCARD',
      },
    },
    {
      kind: 'contacts',
      contacts: [{ name: 'Dana', phones: ['+972 50-123 4567'], emails: ['d@example.com'], organization: 'Salon' }],
    },
  ],
  [
    'group invitation',
    { groupInviteMessage: { groupName: 'Team', caption: 'join us' } },
    { kind: 'unsupported', type: 'group_invite', text: 'Team\njoin us' },
  ],
  [
    'payment request',
    {
      requestPaymentMessage: {
        amount1000: 50_000,
        currencyCodeIso4217: 'INR',
        noteMessage: { extendedTextMessage: { text: 'lunch' } },
      },
    },
    { kind: 'unsupported', type: 'payment_request', text: '50.00 INR\nlunch' },
  ],
  [
    'missed call',
    { callLogMesssage: { isVideo: true, callOutcome: 1 } },
    { kind: 'unsupported', type: 'missed_video_call' },
  ],
  [
    'comment',
    { commentMessage: { message: { conversation: 'nice' }, targetMessageKey: { id: 'T1' } } },
    { kind: 'text', text: 'nice' },
  ],
  [
    'answer to a question',
    { questionResponseMessage: { key: { id: 'T1' }, text: 'blue' } },
    { kind: 'text', text: 'blue' },
  ],
  [
    'assistant’s answer',
    { richResponseMessage: { submessages: [{ messageText: 'one' }, { messageText: 'two' }] } },
    { kind: 'text', text: 'one\ntwo' },
  ],
  [
    'edit of a caption in wrappers',
    {
      ephemeralMessage: {
        message: {
          editedMessage: {
            message: {
              protocolMessage: {
                type: 14,
                key: { id: 'M1' },
                editedMessage: { documentWithCaptionMessage: { message: { documentMessage: { caption: 'new' } } } },
              },
            },
          },
        },
      },
    },
    { kind: 'edit', messageId: 'M1', text: 'new' },
  ],
  [
    'sent by another device of ours',
    { deviceSentMessage: { message: { ephemeralMessage: { message: { conversation: 'hi' } } } } },
    { kind: 'text', text: 'hi' },
  ],
]

test.each(cases)('%s', (_name, message, expected) => {
  const bytes = proto.Message.encode(message).finish()
  expect(readMessage(message).content).toMatchObject(expected)
  expect(readMessage(proto.Message.decode(bytes), bytes).content).toMatchObject(expected)
})

test('what surrounds a message is kept: quote, forwards, mentions, the advertisement behind it', () => {
  const contextInfo: proto.IContextInfo = {
    stanzaId: 'Q1',
    quotedMessage: { imageMessage: { caption: 'the old one' } },
    isForwarded: true,
    forwardingScore: 5,
    mentionedJid: ['972501234567:3@s.whatsapp.net', '100200@lid', 'nonsense'],
    externalAdReply: {
      sourceType: 'ad',
      sourceId: '12',
      sourceUrl: 'https://fb.me/x',
      title: 'Sale',
      body: 'now',
      ctwaClid: 'clid',
    },
  }
  expect(
    readMessage({ ephemeralMessage: { message: { extendedTextMessage: { text: 'how much?', contextInfo } } } }),
  ).toMatchObject({
    replyTo: 'Q1',
    extras: {
      quoted: 'the old one',
      forwarded: true,
      forwardScore: 5,
      mentions: ['+972501234567', '100200@lid'],
      referral: {
        sourceType: 'ad',
        sourceId: '12',
        url: 'https://fb.me/x',
        headline: 'Sale',
        body: 'now',
        clickId: 'clid',
      },
    },
  })
})

const field = (number: number, bytes: Uint8Array): Uint8Array => {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
  return Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length), ...bytes])
}
const readRaw = (bytes: Uint8Array) => readMessage(proto.Message.decode(bytes), bytes).content

test('a field that Baileys does not know is shown, with its words', () => {
  const words = Buffer.concat([
    field(1, Buffer.from('שלום לך')),
    field(2, Buffer.from('3EB0C767D26A1B2C3D4E5F60718293')),
    field(3, field(1, Buffer.from('and more'))),
  ])
  expect(readRaw(field(140, words))).toEqual({
    kind: 'unsupported',
    type: 'message_field_140',
    text: 'שלום לך\nand more',
  })
})

test('a wrapper that Baileys does not know is looked into, at the top and inside of others', () => {
  const inner = field(1, proto.Message.encode({ imageMessage: { ...FILE, caption: 'hidden' } }).finish())
  expect(readRaw(field(141, inner))).toMatchObject({ kind: 'media', text: 'hidden' })
  expect(readRaw(field(40, field(1, field(141, inner))))).toMatchObject({ kind: 'media', text: 'hidden' })
})

test('wrappers of any depth are looked into; beyond all sense the words remain', () => {
  const nest = (depth: number): proto.IMessage => {
    let message: proto.IMessage = { conversation: 'at the bottom' }
    for (let level = 0; level < depth; level++)
      message = { [level % 2 ? 'viewOnceMessage' : 'ephemeralMessage']: { message } }
    return message
  }
  expect(readMessage(nest(20)).content).toEqual({ kind: 'text', text: 'at the bottom' })
  for (const depth of [33, 100, 500, 5_000])
    expect(readMessage(nest(depth)).content).toMatchObject({
      kind: 'unsupported',
      text: depth < 900 ? 'at the bottom' : '',
    })
})

const hostile: [string, proto.IMessage][] = [
  ['a megabyte of text', { conversation: `start ${'שלום 👩‍👩‍👧 '.repeat(100_000)}` }],
  ['one letter with a megabyte of marks', { conversation: `a${'\u0301'.repeat(1_000_000)}` }],
  ['NUL and halves of characters', { conversation: '\0\ud800x\udc00' }],
  [
    'a place that is none',
    { locationMessage: { degreesLatitude: Number.NaN, degreesLongitude: Number.POSITIVE_INFINITY, name: 'x' } },
  ],
  ['a place off the map', { locationMessage: { degreesLatitude: 900, degreesLongitude: -4_000 } }],
  ['numbers beyond numbers', { orderMessage: { totalAmount1000: Long.MAX_VALUE, itemCount: -1 } }],
  ['a time beyond time', { eventMessage: { name: 'x', startTime: Long.MAX_VALUE, endTime: Long.MIN_VALUE } }],
  ['a reaction to nothing', { reactionMessage: { text: '👍' } }],
  [
    'a file of -1 bytes',
    {
      documentMessage: {
        ...FILE,
        fileLength: Long.NEG_ONE,
        fileName: '../../etc/passwd\0',
        mimetype: 'text/html\r\nX: y',
      },
    },
  ],
  ['a short media key', { imageMessage: { mediaKey: new Uint8Array(3), directPath: 'x' } }],
  ['an edit of nothing', { protocolMessage: { type: 14, editedMessage: { conversation: 'x' } } }],
  [
    'an edit without an end',
    {
      protocolMessage: {
        type: 14,
        key: { id: 'x' },
        editedMessage: { protocolMessage: { type: 14, key: { id: 'x' }, editedMessage: {} } },
      },
    },
  ],
  [
    'ten thousand options',
    {
      pollCreationMessage: {
        name: 'q',
        options: Array.from({ length: 10_000 }, (_, index) => ({ optionName: `${index}` })),
      },
    },
  ],
  [
    'ten thousand cards',
    { contactsArrayMessage: { contacts: Array.from({ length: 10_000 }, () => ({ vcard: 'TEL:1' })) } },
  ],
  ['an id of a megabyte', { reactionMessage: { key: { id: 'x'.repeat(1_000_000) }, text: 'y'.repeat(1_000_000) } }],
  [
    'JSON without an end',
    { interactiveResponseMessage: { nativeFlowResponseMessage: { name: 'flow', paramsJson: '['.repeat(200_000) } } },
  ],
  [
    'JSON of the prototype',
    {
      interactiveResponseMessage: {
        nativeFlowResponseMessage: { name: 'flow', paramsJson: '{"__proto__":{"x":1},"constructor":"y"}' },
      },
    },
  ],
  [
    'values of wrong types',
    { conversation: Object(7), imageMessage: Object('x'), listMessage: { sections: Object({ length: 9 }) } },
  ],
]

test.each(hostile)('%s: is read without a fault, and bounded', async (_name, body) => {
  const key = { remoteJid: '972502222222@s.whatsapp.net', id: 'X'.repeat(3_000), fromMe: false }
  const message: WAMessage = {
    key,
    message: body,
    messageTimestamp: Number.MAX_SAFE_INTEGER,
    pushName: `\0${'n'.repeat(9_999)}`,
  }
  const started = performance.now()
  const event = await normaliseMessage(message, OPTIONS)
  expect(performance.now() - started).toBeLessThan(2_000)
  if (!event) throw new Error('the message is lost')
  const text = JSON.stringify(event)
  expect(text.length).toBeLessThan(700_000)
  expect(text).not.toContain('\\u0000')
  expect(text).not.toMatch(/\\ud[89a-f]/i)
  expect(event.id.length).toBeLessThanOrEqual(128)
  expect(Math.abs(event.at.getTime() - Date.now())).toBeLessThan(60_000)
})

test(
  'messages at random, of the definition’s form, are read without a fault, and can be stored',
  withSeed(async (first) => {
    const key = { remoteJid: '972502222222@s.whatsapp.net', id: 'R1', fromMe: false }
    let events = 0
    for (let seed = first; seed < first + 3_000; seed++) {
      const body = randomMessage(randomNumbers(seed))
      const event = await normaliseMessage({ key, message: body, messageTimestamp: 1 + seed - first }, OPTIONS)
      if (!event) continue
      events += 1
      const { body: text, data, media } = describeContent(event.content, event.extras)
      const row = JSON.stringify({ text, data, media })
      if (/\\u0000|\\ud[89a-f]/i.test(row) || row.length > 3_000_000 || !Number.isFinite(event.at.getTime()))
        throw new Error(`seed ${seed} cannot be stored: ${row.slice(0, 500)}`)
    }
    expect(events).toBeGreaterThan(1_500)
  }, 1),
  60_000,
)

const ME = { id: '972501111111:5@s.whatsapp.net', lid: '111@lid' }
const BOB = { phone: '972502222222@s.whatsapp.net', lid: '222@lid' }
const OPTIONS: NormaliseOptions = {
  account: 'acc-1',
  allowGroups: false,
  source: 'live',
  resolver: { phoneJidOf: async () => BOB.phone, lidOf: async () => BOB.lid },
  me: ME,
}

function sealUnder(secret: Uint8Array, use: SealedUse, id: string, author: string, sender: string, plain: Uint8Array) {
  const encIv = randomBytes(12)
  const key = new Uint8Array(hkdfSync('sha256', secret, '', `${id}${author}${sender}${use}`, 32))
  const cipher = createCipheriv('aes-256-gcm', key, encIv)
  if (use === 'Poll Vote' || use === 'Event Response') cipher.setAAD(Buffer.from(`${id}\0${sender}`))
  return { encPayload: Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]), encIv }
}
const hashOf = (option: string) => createHash('sha256').update(option).digest()
const plainVote = proto.Message.PollVoteMessage.encode({ selectedOptions: [hashOf('Mon'), hashOf('unknown')] }).finish()
const plainEdit = proto.Message.encode({
  protocolMessage: { type: 14, key: { id: 'T1' }, editedMessage: { conversation: 'new' } },
}).finish()
const plainEvent = proto.Message.encode({ eventMessage: { name: 'Moved', isCanceled: true } }).finish()

type Seal = (secret: Uint8Array, author: string, sender: string) => proto.IMessage
const key = { id: 'T1', remoteJid: BOB.phone }
const answers: [string, Seal, InboundContent][] = [
  [
    'poll vote',
    (secret, author, sender) => ({
      pollUpdateMessage: {
        pollCreationMessageKey: key,
        vote: sealUnder(secret, 'Poll Vote', 'T1', author, sender, plainVote),
      },
    }),
    { kind: 'poll_vote', messageId: 'T1', options: ['Mon', '?'] },
  ],
  [
    'reaction',
    (secret, author, sender) => ({
      encReactionMessage: {
        targetMessageKey: key,
        ...sealUnder(
          secret,
          'Enc Reaction',
          'T1',
          author,
          sender,
          proto.Message.ReactionMessage.encode({ text: '❤️' }).finish(),
        ),
      },
    }),
    { kind: 'reaction', emoji: '❤️', messageId: 'T1' },
  ],
  [
    'comment',
    (secret, author, sender) => ({
      encCommentMessage: {
        targetMessageKey: key,
        ...sealUnder(
          secret,
          'Enc Comment',
          'T1',
          author,
          sender,
          proto.Message.encode({ conversation: 'well' }).finish(),
        ),
      },
    }),
    { kind: 'text', text: 'well' },
  ],
  [
    'event response',
    (secret, author, sender) => ({
      encEventResponseMessage: {
        eventCreationMessageKey: key,
        ...sealUnder(
          secret,
          'Event Response',
          'T1',
          author,
          sender,
          proto.Message.EventResponseMessage.encode({ response: 2 }).finish(),
        ),
      },
    }),
    { kind: 'choice', text: 'not going', id: 'not_going', source: 'other' },
  ],
  [
    'edit',
    (secret, author, sender) => ({
      secretEncryptedMessage: {
        targetMessageKey: key,
        secretEncType: 2,
        ...sealUnder(secret, 'Message Edit', 'T1', author, sender, plainEdit),
      },
    }),
    { kind: 'edit', messageId: 'T1', text: 'new' },
  ],
  [
    'event edit',
    (secret, author, sender) => ({
      secretEncryptedMessage: {
        targetMessageKey: key,
        secretEncType: 1,
        ...sealUnder(secret, 'Event Edit', 'T1', author, sender, plainEvent),
      },
    }),
    { kind: 'edit', messageId: 'T1', text: 'Moved' },
  ],
]

test.each(answers)(
  '%s: opens with the key of its message, whichever way the two are addressed',
  async (_name, seal, expected) => {
    const secret = randomBytes(32)
    const options = {
      ...OPTIONS,
      findSecret: async () => ({ secret: secret.toString('base64'), options: ['Sun', 'Mon'] }),
    }
    for (const author of ['972501111111@s.whatsapp.net', ME.lid, BOB.phone, BOB.lid])
      for (const sender of [BOB.phone, BOB.lid]) {
        const body = { ephemeralMessage: { message: seal(secret, author, sender) } }
        const message = {
          key: { remoteJid: BOB.phone, id: 'A1', fromMe: false },
          message: body,
          messageTimestamp: 1_700_000_000,
        }
        expect((await normaliseMessage(message, options))?.content).toEqual(expected)
        const closed = await normaliseMessage(message, { ...options, findSecret: async () => null })
        expect(closed).toMatchObject({ content: { kind: 'unsupported', text: '' }, replyTo: 'T1' })
        const wrong = { secret: randomBytes(32).toString('base64'), options: null }
        expect((await normaliseMessage(message, { ...options, findSecret: async () => wrong }))?.content.kind).toBe(
          'unsupported',
        )
      }
  },
)

test('the key that comes with a message is handed over, from whatever depth it stands at', async () => {
  const secret = randomBytes(32)
  const poll = { name: 'q', options: [] }
  for (const body of [
    { messageContextInfo: { messageSecret: secret }, pollCreationMessageV3: poll },
    { ephemeralMessage: { message: { messageContextInfo: { messageSecret: secret }, pollCreationMessageV3: poll } } },
    { pollCreationMessage: { ...poll, encKey: secret } },
  ]) {
    const message = {
      key: { remoteJid: BOB.phone, id: 'P1', fromMe: false },
      message: body,
      messageTimestamp: 1_700_000_000,
    }
    expect((await normaliseMessage(message, OPTIONS))?.secret).toBe(secret.toString('base64'))
  }
})

import { describe, expect, test } from 'bun:test'
import { describeContent } from '../../../src/domain/messages/index.ts'
import { readTwilioMessage, TWILIO_FIELDS } from '../../../src/http/webhooks/whatsapp/twilio-message.ts'

/**
 * Every parameter of "Twilio's request to your incoming message Webhook URL"
 * (twilio.com/docs/messaging/guides/webhook-request, modified 2026-03-09), with the page's own example where it has one.
 * The last group is sent by Twilio without being on that page.
 */
const DOCUMENTED: Record<string, string> = {
  MessageSid: 'SM0000000000000000000000000000000a',
  SmsSid: 'SM0000000000000000000000000000000a',
  SmsMessageSid: 'SM0000000000000000000000000000000a',
  AccountSid: 'AC0000000000000000000000000000000b',
  MessagingServiceSid: 'MG0000000000000000000000000000000c',
  From: 'whatsapp:+972501234567',
  To: 'whatsapp:+14155238886',
  Body: 'Ahoy! Let’s build something amazing.',
  NumMedia: '1',
  NumSegments: '1',
  'MediaContentType{N}': 'image/jpeg',
  'MediaUrl{N}': 'https://api.twilio.com/2010-04-01/Accounts/AC0/Messages/MM0/Media/ME0',
  ButtonPayload: 'postback_data_1234',
  ButtonText: 'Cancel Appointment',
  ButtonType: 'REPLY',
  InteractiveData: '{"flowResponse":{"flow_token":"abcd1234","screen_1_Choose_one_0":"1_Wear_the_same_as_usual"}}',
  FlowData: '{"screen_1_Choose_one_0":"1_Wear_the_same_as_usual","flow_token":"abcd1234"}',
  ChannelMetadata: '{"type":"whatsapp","data":{"context":{"ProfileName":"From the metadata"}}}',
  Latitude: '51.51322977399644',
  Longitude: '-0.2197976373036567',
  Address: '187 Freston Road, London, Greater London W10 6TH',
  Label: 'The Harrow Club',
  FromCity: 'SAN FRANCISCO',
  FromState: 'CA',
  FromZip: '94103',
  FromCountry: 'US',
  ToCity: 'SAUSALITO',
  ToState: 'CA',
  ToZip: '94965',
  ToCountry: 'US',
  ProfileName: 'Perspective Coffee',
  WaId: '14017122661',
  Forwarded: 'true',
  FrequentlyForwarded: 'true',
  ReferralBody: 'Learn more about our company by sending us a message on WhatsApp',
  ReferralHeadline: 'Send us a message',
  ReferralSourceId: '118588094077142',
  ReferralSourceType: 'post',
  ReferralSourceUrl: 'https://fb.me/xyz123',
  ReferralMediaId: 'e420b130-f934-4acf-a5e6-f964f776bxyz',
  ReferralMediaContentType: 'image/jpeg',
  ReferralMediaUrl: 'https://api.twilio.com/2010-04-01/Accounts/AC0/Messages/MM0/Media/ME1',
  ReferralNumMedia: '0',
  ReferralCtwaClid: 'ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv',
  OriginalRepliedMessageSender: 'whatsapp:+14017122661',
  OriginalRepliedMessageSid: 'SM0000000000000000000000000000000d',
  // Not on the page:
  ApiVersion: '2010-04-01',
  SmsStatus: 'received',
  MessageType: 'text',
  ExternalUserId: 'whatsapp:ID.4566546130240823',
  ListId: 'row-7',
  ListTitle: 'Tuesday, 10:00',
  ListDescription: 'with Dana',
  OptOutType: 'STOP',
}

const NEEDED = {
  MessageSid: 'SM1',
  From: 'whatsapp:+972501234567',
  To: 'whatsapp:+14155238886',
}
const read = (fields: Record<string, string>) => {
  const message = readTwilioMessage({ ...NEEDED, ...fields })
  return { ...message, described: describeContent(message.content, message.extras) }
}

test('the table decides every documented field, and no other', () => {
  expect(Object.keys(TWILIO_FIELDS).toSorted()).toEqual(Object.keys(DOCUMENTED).toSorted())
})

/** What has to stand beside a field for it to mean something. */
const BESIDE: Record<string, Record<string, string>> = {
  Latitude: { Longitude: '34.78' },
  Longitude: { Latitude: '32.08' },
  Address: { Latitude: '32.08', Longitude: '34.78' },
  Label: { Latitude: '32.08', Longitude: '34.78' },
  ListDescription: { ListId: 'row' },
  'MediaContentType{N}': { MediaUrl0: 'https://api.twilio.com/x' },
  WaId: { From: 'whatsapp:username' },
  MessageType: { Body: 'x' },
}

describe('each field alone', () => {
  test.each(Object.entries(DOCUMENTED))('%s is used as the table says', (name, value) => {
    const use = TWILIO_FIELDS[name]
    const field = name.replace('{N}', '0')
    const beside = BESIDE[name] ?? {}
    const shown = (fields: Record<string, string>) => {
      const { content: _, unknown, ...rest } = read(fields)
      expect(unknown).toEqual([])
      return rest
    }
    const [without, withIt] = [shown(beside), shown({ ...beside, [field]: name === 'MessageType' ? 'image' : value })]
    if (use === 'ignored') expect(withIt).toEqual(without)
    else if (use === 'required') expect(() => readTwilioMessage({ ...NEEDED, [field]: '' })).toThrow()
    else if (name === 'SmsSid' || name === 'SmsMessageSid')
      expect(readTwilioMessage({ ...NEEDED, MessageSid: '', [field]: value }).id).toBe(value)
    else if (use === 'extra') expect(withIt.extras.extra).toEqual({ [field]: value })
    // The type only says how the others are to be read.
    else if (name !== 'MessageType') expect(withIt).not.toEqual(without)
  })

  test.each(Object.keys(DOCUMENTED).filter((name) => TWILIO_FIELDS[name] !== 'required'))(
    '%s empty, blank, absurd or a megabyte long costs nothing of the message',
    (name) => {
      const field = name.replace('{N}', '0')
      for (const value of ['', '   ', 'NaN', '-1', '\u0000', '{"', '💥'.repeat(50_000), '../../etc/passwd']) {
        const message = read({ Body: 'the words', [field]: value })
        if (name !== 'Body') expect(message.described.body).toContain('the words')
        expect(JSON.stringify(message.extras).length).toBeLessThan(20_000)
        expect(message.content).not.toMatchObject({ latitude: 0 })
      }
    },
  )
})

describe('what people send', () => {
  test('a place: a line to read and a place to open; half a place is none', () => {
    const place = { MessageType: 'location', Latitude: '32.0853', Longitude: '34.7818' }
    expect(read(place).described).toMatchObject({ kind: 'location', body: '32.0853, 34.7818' })
    expect(read({ ...place, Label: 'משרד', Address: 'הרצל 1' }).described).toMatchObject({
      body: 'משרד, הרצל 1',
      data: { latitude: 32.0853, longitude: 34.7818, name: 'משרד', address: 'הרצל 1' },
    })
    for (const odd of ['', ' ', '0x10', '91', 'north', '1e400', '-'])
      expect(read({ ...place, Latitude: odd, Label: 'משרד' }).described).toMatchObject({
        kind: 'unsupported',
        body: 'משרד',
        data: { type: 'location' },
      })
    expect(read({ ...place, Latitude: '0', Longitude: '0' }).described.data).toMatchObject({
      latitude: 0,
      longitude: 0,
    })
  })

  test('a button of a template, a button of a session, a row of a list: the words and the id', () => {
    expect(read({ MessageType: 'button', Body: 'כן', ButtonText: 'כן', ButtonPayload: 'confirm:7' }).described).toEqual(
      {
        kind: 'choice',
        body: 'כן',
        media: [],
        target: null,
        data: { choice: { id: 'confirm:7', text: 'כן', description: null, source: 'template', data: undefined } },
      },
    )
    expect(read({ MessageType: 'interactive', ButtonText: 'No' }).described.data.choice).toMatchObject({
      id: null,
      text: 'No',
      source: 'button',
    })
    expect(read({ ListId: 'r1', ListTitle: '10:00', ListDescription: 'Dana' }).described).toMatchObject({
      body: '10:00',
      data: { choice: { id: 'r1', source: 'list', description: 'Dana' } },
    })
  })

  test('a form that was filled in: its answers as a line each, and as data', () => {
    const answers = { flow_token: 'secret', name: 'Dana', days: ['sun', 'mon'], note: null }
    for (const fields of [
      { FlowData: JSON.stringify(answers) },
      { InteractiveData: JSON.stringify({ flowResponse: answers }) },
    ] as Record<string, string>[])
      expect(read(fields).described).toMatchObject({
        kind: 'choice',
        body: 'name: Dana\ndays: sun, mon\nnote: null',
        data: { choice: { source: 'flow', data: answers } },
      })
  })

  test('a reaction belongs to its message; taken back it is empty; without a message it is a word', () => {
    const about = { MessageType: 'reaction', OriginalRepliedMessageSid: 'SM9' }
    expect(read({ ...about, Body: '👍' }).described).toMatchObject({ kind: 'reaction', body: '👍', target: 'SM9' })
    expect(read({ ...about, Body: '' }).described).toMatchObject({ kind: 'reaction', body: '', target: 'SM9' })
    expect(read({ MessageType: 'reaction', Body: '👍' }).described).toMatchObject({ kind: 'text', body: '👍' })
  })

  test('ten files, and some that cannot be had', () => {
    const files = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [
        [`MediaUrl${index}`, `https://api.twilio.com/${index}`],
        [`MediaContentType${index}`, index % 2 ? 'audio/ogg' : 'image/jpeg'],
      ]).flat(),
    )
    const { described } = read({ NumMedia: '10', ...files, Body: 'all of them' })
    expect(described.media.map(({ kind }) => kind)).toEqual(
      Array.from({ length: 5 }, () => ['image', 'voice']).flat() as never,
    )
    expect(described).toMatchObject({ kind: 'image', body: 'all of them' })
    // The count is a side field: what is addressed is there whatever it says.
    for (const NumMedia of ['', '0', 'many', '-3', '99999999'])
      expect(read({ NumMedia, MediaUrl0: 'https://api.twilio.com/x' }).described.media).toHaveLength(1)
    for (const MediaUrl0 of ['', 'javascript:alert(1)', 'no address', `https://x/${'y'.repeat(3_000)}`])
      expect(read({ NumMedia: '1', MediaUrl0 }).described.media).toEqual([
        { kind: 'document', url: null, contentType: 'application/octet-stream', fileName: null, seconds: null },
      ])
  })

  test('an order: its items and their sum', () => {
    const order = {
      catalog_id: '1',
      text: 'please',
      product_items: [
        { product_retailer_id: 'A', quantity: 2, item_price: 30.5, currency: 'ILS' },
        { product_retailer_id: 'B', quantity: '1', item_price: '10', currency: 'ILS' },
      ],
    }
    expect(read({ MessageType: 'order', InteractiveData: JSON.stringify({ order }) }).described).toMatchObject({
      kind: 'order',
      body: 'please\nA × 2\nB × 1\n71.00 ILS',
      data: { order: { total: 7_100, currency: 'ILS' } },
    })
    expect(read({ MessageType: 'order', Body: 'an order' }).described).toMatchObject({ kind: 'text', body: 'an order' })
    expect(read({ MessageType: 'order' }).described).toMatchObject({ kind: 'unsupported', data: { type: 'order' } })
  })

  test('an advertisement, a forwarded message, an answer', () => {
    const message = read({
      Body: 'hi',
      ReferralSourceType: 'ad',
      ReferralCtwaClid: 'clid',
      ReferralHeadline: '',
      FrequentlyForwarded: 'true',
      OriginalRepliedMessageSid: 'SM9',
    })
    expect(message.extras).toEqual({
      forwarded: true,
      forwardScore: 5,
      referral: {
        sourceType: 'ad',
        sourceId: null,
        url: null,
        headline: null,
        body: null,
        mediaUrl: null,
        clickId: 'clid',
      },
    })
    expect(message.replyTo).toBe('SM9')
    expect(read({ Body: 'hi', Forwarded: 'false', FrequentlyForwarded: 'false' }).extras).toEqual({})
  })

  test('an unknown type and unknown fields: the text stays, the fields are stored, bounded, and named', () => {
    const message = read({ MessageType: 'hologram', Body: 'look', HologramUrl: 'https://x', HologramDepth: '3' })
    expect(message.described).toMatchObject({
      kind: 'text',
      body: 'look',
      data: { extra: { MessageType: 'hologram', HologramUrl: 'https://x', HologramDepth: '3' } },
    })
    expect(message.unknown).toEqual(['HologramUrl', 'HologramDepth'])
    expect(read({ MessageType: 'hologram' }).described).toMatchObject({
      kind: 'unsupported',
      data: { type: 'hologram' },
    })
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`New${index}x`, 'v'.repeat(9_000)]))
    expect(JSON.stringify(read({ Body: 'x', ...many }).extras).length).toBeLessThan(40_000)
    expect(read({ Body: 'x', '__proto__x y': 'v', constructor: 'v', toString: 'v' }).described.body).toBe('x')
  })
})

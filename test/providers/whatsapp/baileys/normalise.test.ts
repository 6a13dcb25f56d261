import { expect, test } from 'bun:test'
import type { WAMessage } from '@whiskeysockets/baileys'
import { normaliseMessage } from '../../../../src/providers/whatsapp/baileys/inbound.ts'

const LID = '100200300400500@lid'
const resolver = { phoneJidOf: async () => null, lidOf: async () => null }
const options = { account: 'acc-1', allowGroups: false, source: 'live', resolver } as const

function message(key: WAMessage['key'], body: WAMessage['message'] = { conversation: 'hello' }): WAMessage {
  return { key: { id: 'X1', fromMe: false, ...key }, message: body, messageTimestamp: 1_700_000_000, pushName: 'Bob' }
}

test('a LID whose number is unknown is never shown as a phone number', async () => {
  const event = await normaliseMessage(message({ remoteJid: LID }), options)
  expect(event?.contact).toEqual({ phone: null, lid: LID, name: 'Bob' })
  expect(event?.dedupeKey).toBe(`acc-1/${LID}/in/X1`)
})

test('a LID is resolved to its number, from the message or from what is known', async () => {
  const alt = await normaliseMessage(message({ remoteJid: LID, remoteJidAlt: '972502222222@s.whatsapp.net' }), options)
  expect(alt?.contact.phone).toBe('+972502222222')
  const known = { ...options, resolver: { ...resolver, phoneJidOf: async () => '972502222222@s.whatsapp.net' } }
  expect((await normaliseMessage(message({ remoteJid: LID }), known))?.dedupeKey).toBe(alt?.dedupeKey)
})

test('status updates, channels, assistants and announcements are no conversation with a person', async () => {
  for (const remoteJid of [
    'status@broadcast',
    '123@newsletter',
    '867051314767696@bot',
    '13135550002@s.whatsapp.net',
    '0@s.whatsapp.net',
    '0@c.us',
    '972502222222@call',
    'nonsense',
  ])
    expect(await normaliseMessage(message({ remoteJid, participant: LID }), options)).toBeNull()
})

test('what came through a list of its sender’s belongs into the chat with the sender', async () => {
  const key = { remoteJid: '1632812345@broadcast', participant: '972502222222:7@s.whatsapp.net', remoteJidAlt: LID }
  expect(await normaliseMessage(message(key), options)).toMatchObject({
    contact: { phone: '+972502222222', lid: LID },
    group: null,
    dedupeKey: 'acc-1/+972502222222/in/X1',
  })
  expect(await normaliseMessage(message({ ...key, fromMe: true }), options)).toBeNull()
})

test.each([
  ['972502222222@s.whatsapp.net', '+972502222222'],
  ['972502222222:12@s.whatsapp.net', '+972502222222'],
  ['972502222222_1:12@s.whatsapp.net', '+972502222222'],
  ['972502222222@c.us', '+972502222222'],
  ['972502222222:99@hosted', '+972502222222'],
  ['100200300400500:99@hosted.lid', LID],
  ['100200300400500:3@lid', LID],
])('%s is the chat with %s', async (remoteJid, person) => {
  const event = await normaliseMessage(message({ remoteJid }), options)
  expect(event?.dedupeKey).toBe(`acc-1/${person}/in/X1`)
  expect(person.startsWith('+') ? event?.contact.phone : event?.contact.lid).toBe(person)
})

test('groups are ignored unless the account says otherwise; then the writer is the participant', async () => {
  const inGroup = message({ remoteJid: '123-456@g.us', participant: '972502222222@s.whatsapp.net' })
  expect(await normaliseMessage(inGroup, options)).toBeNull()
  expect(await normaliseMessage(inGroup, { ...options, allowGroups: true })).toMatchObject({
    group: '123-456@g.us',
    contact: { phone: '+972502222222' },
    dedupeKey: 'acc-1/123-456@g.us/in/X1',
  })
})

test('a deletion by an administrator says whose message it was', async () => {
  const revoke = (participant: string) =>
    message(
      { remoteJid: '123-456@g.us', participant: '972502222222@s.whatsapp.net' },
      { protocolMessage: { type: 0, key: { id: 'M1', participant } } },
    )
  const inGroup = { ...options, allowGroups: true, me: { id: '972501111111:4@s.whatsapp.net', lid: '777:4@lid' } }
  const contentOf = async (participant: string, edit?: string) =>
    (await normaliseMessage(revoke(participant), { ...inGroup, edit }))?.content
  const deletion = { kind: 'deletion', messageId: 'M1' } as const
  expect(await contentOf('972503333333@s.whatsapp.net', '7')).toEqual(deletion)
  expect(await contentOf('972503333333@s.whatsapp.net', '8')).toEqual({
    ...deletion,
    by: 'administrator',
    direction: 'in',
  })
  expect(await contentOf('777@lid', '8')).toEqual({ ...deletion, by: 'administrator', direction: 'out' })
})

test('protocol messages are dropped; content without a shape is unsupported', async () => {
  const key = { remoteJid: '972502222222@s.whatsapp.net' }
  expect(await normaliseMessage(message(key, { protocolMessage: { type: 5 } }), options)).toBeNull()
  expect(await normaliseMessage(message(key, null), options)).toBeNull()
  expect(await normaliseMessage(message(key, {}), options)).toBeNull()
  expect(await normaliseMessage(message(key, { paymentInviteMessage: {} }), options)).toMatchObject({
    content: { kind: 'unsupported', type: 'payment_invite', text: '' },
  })
})

test('disappearing and view-once wrappers are looked into', async () => {
  const body = {
    ephemeralMessage: { message: { extendedTextMessage: { text: 'gone soon', contextInfo: { stanzaId: 'Q1' } } } },
  }
  const event = await normaliseMessage(message({ remoteJid: '972502222222@s.whatsapp.net' }, body), options)
  expect(event).toMatchObject({ content: { kind: 'text', text: 'gone soon' }, replyTo: 'Q1' })
})

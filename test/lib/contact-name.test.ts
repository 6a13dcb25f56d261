import { expect, test } from 'bun:test'
import { contactChanges } from '../../src/domain/contacts/index.ts'
import { readTwilioMessage } from '../../src/http/webhooks/whatsapp/twilio-message.ts'
import { cutContactName, fitsContactName } from '../../src/lib/contact-name.ts'
import { cutCharacters } from '../../src/lib/text.ts'
import { normaliseMessage } from '../../src/providers/whatsapp/baileys/inbound.ts'

const EMOJI = '😀'
const FAMILY = '👩‍👩‍👧'

test('a name is limited by characters, not by UTF-16 units, and cut by whole ones', () => {
  expect(cutContactName(EMOJI.repeat(200))).toBe(EMOJI.repeat(200))
  expect(cutContactName(EMOJI.repeat(250))).toBe(EMOJI.repeat(200))
  // Five code points each: forty fill the limit, and none is halved.
  expect(cutContactName(`a${FAMILY.repeat(50)}`)).toBe(`a${FAMILY.repeat(39)}`)
  expect(cutContactName(' \0 ')).toBeNull()
  expect(cutCharacters('abc', 3)).toBe('abc')
  expect([fitsContactName(EMOJI.repeat(200)), fitsContactName(EMOJI.repeat(201))]).toEqual([true, false])
})

test('every channel and the API keep the same name', async () => {
  const name = EMOJI.repeat(200)
  const long = EMOJI.repeat(300)
  expect(contactChanges.parse({ name }).name).toBe(name)
  expect(contactChanges.safeParse({ name: `${name}!` }).success).toBe(false)
  const twilio = readTwilioMessage({
    MessageSid: `SM${'0'.repeat(32)}`,
    From: 'whatsapp:+972501112233',
    To: 'whatsapp:+14155238886',
    Body: 'x',
    ProfileName: long,
  })
  expect(twilio.from.name).toBe(name)
  const linked = await normaliseMessage(
    { key: { id: 'X', remoteJid: '972501112233@s.whatsapp.net' }, message: { conversation: 'x' }, pushName: long },
    {
      account: 'a',
      allowGroups: false,
      source: 'live',
      resolver: { phoneJidOf: async () => null, lidOf: async () => null },
    },
  )
  expect(linked?.contact.name).toBe(name)
})

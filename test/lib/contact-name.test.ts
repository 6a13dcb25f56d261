import { expect, test } from 'bun:test'
import { appointmentChanges } from '../../src/domain/appointments/index.ts'
import { businessSettings } from '../../src/domain/businesses/index.ts'
import { contactChanges } from '../../src/domain/contacts/index.ts'
import { readRow } from '../../src/domain/imports/read-row.ts'
import { leadChanges } from '../../src/domain/leads/index.ts'
import { callTools } from '../../src/domain/receptionist/index.ts'
import { readTwilioMessage } from '../../src/http/webhooks/whatsapp/twilio-message.ts'
import { cutContactName, fitsContactName } from '../../src/lib/contact-name.ts'
import { cleanName, cutCharacters } from '../../src/lib/text.ts'
import { normaliseMessage } from '../../src/providers/whatsapp/baileys/inbound.ts'

const EMOJI = '😀'
const FAMILY = '👩‍👩‍👧'

test.each(
  [...'\u061C\u200E\u200F\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069'].map((each) => [
    `U+${each.charCodeAt(0).toString(16).toUpperCase()}`,
    each,
  ]),
)('%s turns no text around a name, wherever the name comes in', (_, control) => {
  const typed = `${control}Dana ${control}Levi${control}`
  expect(cutContactName(typed)).toBe('Dana Levi')
  expect(cutContactName(control)).toBeNull()
  expect(cleanName(typed)).toBe('Dana Levi')
  for (const schema of [
    contactChanges.pick({ name: true }),
    leadChanges.pick({ name: true }),
    appointmentChanges.pick({ name: true }),
    businessSettings.pick({ name: true }),
    callTools.update_contact.args,
  ]) {
    expect(schema.parse({ name: typed }).name).toBe('Dana Levi')
    expect(schema.safeParse({ name: control }).success).toBe(false)
  }
  const mapped = [{ index: 0, column: 'name', field: 'name' }]
  expect(readRow([typed], 1, { kind: 'contacts', mapped, amounts: null, dates: null })).toMatchObject({
    ok: true,
    value: { name: 'Dana Levi' },
  })
  // What it needs for Hebrew and for emoji stays.
  expect(cutContactName('דנה 👩\u200D👧 לוי')).toBe('דנה 👩\u200D👧 לוי')
})

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

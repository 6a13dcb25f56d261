import { describe, expect, test } from 'bun:test'
import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'
import { z } from 'zod'
import {
  canonicalPhone,
  formatPhone,
  isSamePhone,
  isWithheld,
  networkPhone,
  parsePhone,
  phonesIn,
  phoneVariants,
} from '../../src/lib/phone.ts'

test('every spelling of a number is one number', () => {
  for (const spelling of [
    '+972501234567',
    '050-1234567',
    '050 123 4567',
    '(050) 1234567',
    '050.123.4567',
    '+972-50-123-4567',
    '972-50-123-4567',
    '\u200f050\u05be123\u05be4567',
    '\u2067050-1234567\u2069',
    '00972 50 1234567',
    '+972 (0)50-123-4567',
    '+9720501234567',
    '050\u00a0123\u202f4567',
    '050‑123–4567',
    '٠٥٠١٢٣٤٥٦٧',
    '۰۵۰۱۲۳۴۵۶۷',
    '０５０１２３４５６７',
    '＋９７２５０１２３４５６７',
    '0501234567.0',
    '501234567',
    '501234567.0',
    '972501234567',
    '972501234567.0',
    '972,501,234,567',
    '5.01234567E+08',
    '9.72501234567E+11',
    "'0501234567",
    '="0501234567"',
    '"0501234567"',
    "'+972501234567",
    'whatsapp:+972501234567',
    '972501234567@s.whatsapp.net',
    '972501234567:12@s.whatsapp.net',
    '972501234567_1:3@c.us',
    '972501234567@hosted',
    'tel:+972501234567',
    'tel:+972501234567;ext=5',
    '0501234567 x12',
    '0501234567 ext. 12',
    '050-1234567 שלוחה 3',
    '0501234567#12',
    'נייד: 050-1234567',
    "טל' 050-1234567",
    'Mobile: 0501234567',
    ' 0501234567\t',
  ])
    expect({ spelling, phone: parsePhone(spelling) }).toEqual({ spelling, phone: '+972501234567' })
})

test('what is no number is refused, never made up', () => {
  for (const text of [
    '',
    ' ',
    'whatsapp:',
    '12',
    'abc',
    '+',
    '+1',
    'whatsapp:+9725XXXXXXX',
    '100',
    '*2700',
    '12345',
    '72975',
    'ACME',
    'a@b.com',
    '5.01E+08',
    '9.72501E+11',
    '9.72501E11',
    '0501111108.5',
    '+9725011111080',
    '05012345678',
    '050123456',
    '0500000000',
    '+972500000000',
    '0000000000',
    '1111111111',
    '9999999999',
    '1234567890',
    '0123456789',
    '1.5',
    '3.14159',
    '2026-11-26',
    '26/11/2026',
    'call 0501234567 please',
    '0501234567/0527654321',
    'sip:alice@2.55.201.10',
    'client:bob',
    'whatsapp:ID.99',
    '123456789012345@lid',
    '120363041234567890@g.us',
    '972501234567@broadcast',
    '0501234567@example.com',
    'FALSE',
    '#N/A',
    '#REF!',
    '-',
    '∞',
    '٣',
    '12,50',
    '₪100',
    '100000000',
    '1e9',
    'NaN',
    '+99912345678',
  ])
    expect({ text, phone: parsePhone(text) }).toEqual({ text, phone: null })
})

test('numbers that ring and the metadata do not know yet are numbers', () => {
  for (const text of [
    '050-1111108',
    '0521234567',
    '0541234567',
    '0551234567',
    '0581234567',
    '073-1234567',
    '077-1234567',
  ])
    expect(parsePhone(text)).toMatch(/^\+972\d{9}$/)
  expect([parsePhone('03-1234567'), parsePhone('1-700-500-500'), parsePhone('1800-500-500')]).toEqual([
    '+97231234567',
    '+9721700500500',
    '+9721800500500',
  ])
  // A carrier's own word is proof; what a person types is not.
  expect([networkPhone('+19990001234'), parsePhone('+19990001234')]).toEqual(['+19990001234', null])
})

test('a cell with several numbers gives them all', () => {
  for (const [cell, phones] of [
    ['0501234567 ::: 052-7654321', ['+972501234567', '+972527654321']],
    ['050-1234567, 052-7654321', ['+972501234567', '+972527654321']],
    ['050-1234567/052-7654321', ['+972501234567', '+972527654321']],
    ['050-1234567\n+1 415 523 8886', ['+972501234567', '+14155238886']],
    ['050-1234567 או 03-7654321', ['+972501234567', '+97237654321']],
    ['0501234567 0501234567', ['+972501234567']],
    ['050-1234567; x', ['+972501234567']],
    ['03/1234567', ['+97231234567']],
    ['nothing', []],
  ] as const)
    expect({ cell, phones: phonesIn(cell) }).toEqual({ cell, phones: [...phones] })
})

describe('a caller as a carrier names one', () => {
  // Twilio's documentation of anonymous calls, each also as a SIP user, and what other carriers write.
  test.each([
    '+266696687',
    '266696687',
    '+7378742833',
    '+17378742833',
    '+2562533',
    '+8656696',
    '+86282452253',
    '+464',
    'anonymous',
    'Anonymous',
    'ANONYMOUS',
    'Restricted',
    'unavailable',
    'unknown',
    'private',
    'Blocked',
    'Withheld',
    'Private Number',
    'No Caller ID',
    '',
    ' ',
    'sip:Restricted@54.172.60.2',
    'sip:anonymous@anonymous.invalid',
    '<sip:Anonymous@host>',
    'sip:266696687@10.0.0.1',
    'sip:+86282452253@host',
    'sips:unavailable@unknown.invalid',
  ])('%p withholds the number', (from) => {
    expect([networkPhone(from), isWithheld(from), formatPhone(from)]).toEqual([null, true, 'withheld'])
  })

  test.each([
    'sip:alice@2.55.201.10',
    'sip:100@pbx.example.com',
    'sip:2.55.201.10',
    'client:bob',
    'client:+972501234567',
    'ACME',
    '72975',
    '+9725',
    'whatsapp:ID.99',
    'sip:alice+972501234567@host',
    '+464123',
  ])('%p has no number', (from) => {
    expect([networkPhone(from), isWithheld(from)]).toEqual([null, false])
  })

  test.each([
    'sip:+972501234567@host',
    'sip:972501234567@host',
    'sip:0501234567@10.0.0.1;user=phone',
    '<sip:+972501234567@host>',
    'sips:+972501234567@host:5061',
    'sip:%2B972501234567@host',
    'sip:+972501234567;ext=5@host',
    '+972501234567',
    '0501234567',
    '972501234567',
    'whatsapp:+972501234567',
    'tel:+972501234567',
    '972501234567:7@s.whatsapp.net',
  ])('%p is the number in it', (from) => {
    expect(networkPhone(from)).toBe('+972501234567')
  })
})

/** An example of every region of the library. */
const EXAMPLES = z
  .record(z.string(), z.string())
  .parse(await Bun.file(require.resolve('libphonenumber-js/examples.mobile.json')).json())
const REGIONS = getCountries().map((country) => [country, EXAMPLES[country] ?? ''] as const)

describe('every region', () => {
  test('has its example', () => {
    expect(REGIONS.filter(([, example]) => example === '')).toEqual([])
    expect(REGIONS.length).toBeGreaterThan(240)
  })

  test.each(REGIONS)('%s: every form of its example is the one number', (country: CountryCode, example) => {
    const number = parsePhoneNumberFromString(example, country)
    if (!number) throw new Error('no example')
    const e164 = number.number
    const digits = e164.slice(1)
    const forms = {
      international: number.formatInternational(),
      uri: number.getURI(),
      'dialled from abroad': `00${digits}`,
      'with blanks and marks': `\u202a${number.formatInternational()}\u202c`,
      'WhatsApp address': `whatsapp:${e164}`,
      'WhatsApp id': `${digits}@s.whatsapp.net`,
      'WhatsApp id of a device': `${digits}:3@s.whatsapp.net`,
      'old WhatsApp id': `${digits}@c.us`,
      'hosted WhatsApp id': `${digits}@hosted`,
      spreadsheet: `+${digits}.0`,
      apostrophe: `'${e164}`,
      extension: `${e164};ext=12`,
      ...(digits.length >= 11 ? { 'digits alone': digits, 'as a number': `${digits}.0` } : {}),
    }
    for (const [form, text] of Object.entries(forms))
      expect({ form, text, phone: parsePhone(text) }).toEqual({ form, text, phone: e164 })
    expect(parsePhone(number.formatNational(), country)).toBe(e164)
    for (const text of [e164, `whatsapp:${e164}`, `sip:${e164}@host`, `${digits}@s.whatsapp.net`])
      expect(networkPhone(text)).toBe(e164)
    expect(phoneVariants(e164)).toContain(e164)
    expect(isSamePhone(e164, canonicalPhone(e164))).toBe(true)
  })
})

describe('one person under two spellings', () => {
  test.each([
    ['Brazil', '+5531988887777', '+553188887777'],
    ['Brazil, São Paulo', '+5511987654321', '+551187654321'],
    ['Mexico', '+525512345678', '+5215512345678'],
    ['Argentina', '+5491123456789', '+541123456789'],
    ['Argentina, Córdoba', '+5493515551234', '+543515551234'],
    ['Benin', '+2290161234567', '+22961234567'],
    ['Côte d’Ivoire, Orange', '+2250707123456', '+22507123456'],
    ['Côte d’Ivoire, MTN', '+2250544123456', '+22544123456'],
    ['Côte d’Ivoire, Moov', '+2250101123456', '+22501123456'],
  ])('%s', (_, canonical, other) => {
    for (const text of [canonical, other]) {
      expect(canonicalPhone(text)).toBe(canonical)
      expect(phoneVariants(text)).toEqual([canonical, other])
      expect(parsePhone(text)).not.toBeNull()
      for (const form of [text, `whatsapp:${text}`, `${text.slice(1)}@s.whatsapp.net`, `${text.slice(1)}:4@c.us`])
        expect(canonicalPhone(networkPhone(form) ?? '')).toBe(canonical)
    }
    expect(isSamePhone(canonical, other)).toBe(true)
  })

  test('others stay apart', () => {
    // A landline of Brazil has eight digits for ever; a mobile of a new series never had eight.
    for (const phone of [
      '+551133334444',
      '+5511954321098',
      '+14155238886',
      '+972501234567',
      '+2252721234567',
      '+2250799123456',
    ])
      expect(phoneVariants(phone)[0]).toBe(phone)
    expect(phoneVariants('+5531954321098')).toEqual(['+5531954321098'])
    expect(isSamePhone('+553133334444', '+5531933334444')).toBe(false)
  })

  test('the canonical spelling is its own, and the set is the same for each of its members', () => {
    let state = 20_261_126
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return state % below
    }
    const codes = [
      '55',
      '52',
      '54',
      '229',
      '225',
      ...new Set(getCountries().map((country) => getCountryCallingCode(country))),
    ]
    for (let round = 0; round < 20_000; round += 1) {
      const code = codes[round % 3 === 0 ? random(5) : random(codes.length)] ?? '1'
      const length = Math.max(4, 7 + random(6) - (code.length - 1))
      const phone = `+${code}${Array.from({ length }, () => random(10)).join('')}`
      const canonical = canonicalPhone(phone)
      expect(canonicalPhone(canonical)).toBe(canonical)
      const all = phoneVariants(phone)
      expect(all[0]).toBe(canonical)
      for (const variant of all) expect(phoneVariants(variant)).toEqual(all)
      const read = parsePhone(phone)
      if (read) expect(parsePhone(read)).toBe(read)
    }
  })
})

test('reading is stable: what was read reads as itself', () => {
  for (const [country, example] of REGIONS) {
    const e164 = parsePhone(example, country)
    if (e164) expect([parsePhone(e164), networkPhone(e164)]).toEqual([e164, e164])
  }
})

test('numbers are shown as their country writes them', () => {
  expect(formatPhone('+972501234567')).toBe('050-123-4567')
  expect(formatPhone('+14155552671')).toBe('+1 415 555 2671')
  expect(formatPhone('sip:alice@host')).toBe('sip:alice@host')
})

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
    '(+972)501234567',
    '(+972) 50-123-4567',
    '( +972 ) 50 123 4567',
    '+00972501234567',
    '+972 050 1234567',
    'p:+972501234567',
    'https://wa.me/972501234567',
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
    '2700*',
    '+972*2700',
    '1599',
    '101',
    '144',
    '(',
    '(+)',
    '+00',
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

describe('one person as people of the country write the number', () => {
  test.each<[string, string, string[]]>([
    ['Israel, 02', '+97226221234', ['02-6221234', '026221234', '+972 2 622 1234', '26221234', '972-2-6221234']],
    ['Israel, 03', '+97235551234', ['03-5551234', '35551234', '(03) 555-1234', '9720 3 5551234']],
    ['Israel, 04', '+97248551234', ['04-8551234', '+972-(0)4-8551234']],
    ['Israel, 08', '+97288551234', ['08-8551234', '97288551234']],
    ['Israel, 09', '+97298551234', ['09-8551234', '+972.9.855.1234']],
    ...['72', '73', '74', '76', '77', '78', '79'].map((code): [string, string, string[]] => [
      `Israel, 0${code}`,
      `+972${code}1234567`,
      [`0${code}-1234567`, `${code}1234567`, `972${code}1234567`, `+972 0${code} 123 4567`],
    ]),
    ['Israel, toll free', '+9721800500500', ['1-800-500-500', '1800500500', '+972 1 800 500 500']],
    ['Israel, shared cost', '+9721700500500', ['1-700-500-500', '1700500500']],
    [
      'Palestine, Jawwal',
      '+970599123456',
      ['0599123456', '059-912-3456', '599123456', '970599123456', '+972599123456'],
    ],
    ['Palestine, Ooredoo', '+970569123456', ['0569123456', '+970 569 123 456', '972569123456', '00970569123456']],
    ['USA', '+14155552671', ['1-415-555-2671', '+1 (415) 555-2671', '14155552671', '001 415 555 2671']],
    ['Canada', '+16135550123', ['+1 613-555-0123', '16135550123']],
    ['Britain', '+447911123456', ['+44 (0)7911 123456', '+44 07911 123456', '00447911123456', '447911123456']],
    ['Germany', '+4915123456789', ['+49 (0) 151 23456789', '+49/151/23456789', '4915123456789']],
    ['France', '+33612345678', ['+33 (0)6 12 34 56 78', '+33 06 12 34 56 78', '33612345678']],
    ['Italy', '+393331234567', ['+39 333 1234567', '0039 333 1234567', '393331234567']],
    ['Spain', '+34612345678', ['+34 612 34 56 78', '0034612345678']],
    ['Russia', '+79161234567', ['+7 (916) 123-45-67', '79161234567', '007 916 1234567']],
    ['Ukraine', '+380501234567', ['+38 050 123 45 67', '+38(050)1234567', '380501234567']],
    ['Poland', '+48512345678', ['+48 512 345 678', '48512345678']],
    ['Netherlands', '+31612345678', ['+31 (0)6 12345678', '+31 06 12345678']],
    ['Turkey', '+905321234567', ['+90 (532) 123 45 67', '+90 0532 123 4567']],
    ['India', '+919876543210', ['+91-98765-43210', '+91 098765 43210', '919876543210']],
    ['China', '+8613812345678', ['+86 138 1234 5678', '0086 13812345678']],
    ['Emirates', '+971501234567', ['+971 050 123 4567', '971501234567']],
    ['Jordan', '+962791234567', ['+962 (0)79 123 4567', '00962 79 1234567']],
    ['Egypt', '+201001234567', ['+20 0100 123 4567', '+2 01001234567', '002 01001234567']],
    ['Saudi Arabia', '+966501234567', ['+966 050 123 4567', '966501234567']],
    ['Thailand', '+66812345678', ['+66 (0)81 234 5678', '66812345678']],
    ['Hungary', '+36301234567', ['+36 30 123 4567', '+36 06 30 123 4567']],
    ['Romania', '+40721234567', ['+40 0721 234 567']],
    ['Ethiopia', '+251911234567', ['+251 0911 234567', '251911234567']],
    ['Georgia', '+995555123456', ['+995 555 12 34 56']],
    ['Philippines', '+639171234567', ['+63 0917 123 4567', '639171234567']],
    ['Australia', '+61412345678', ['+61 (0)412 345 678', '+61 0412345678']],
    ['South Africa', '+27821234567', ['+27 (0)82 123 4567']],
    ['Cyprus', '+35796123456', ['+357 96 123456', '35796123456']],
    ['Greece', '+306912345678', ['+30 691 234 5678', '306912345678']],
    [
      'Mexico',
      '+525512345678',
      ['+52 1 55 1234 5678', '5215512345678', '525512345678', '+52 044 55 1234 5678', '+52 01 55 1234 5678'],
    ],
    [
      'Argentina',
      '+5491123456789',
      ['+54 9 11 2345-6789', '+54 11 2345 6789', '+54 11 15 2345 6789', '+54 011 15 2345 6789', '541123456789'],
    ],
    ['Brazil', '+5511987654321', ['+55 (11) 98765-4321', '+55 11 8765-4321', '+55 011 98765 4321', '551187654321']],
    ['Côte d’Ivoire', '+2250707123456', ['+225 07 12 34 56', '2250707123456', '22507123456']],
  ])('%s', (_, canonical, spellings) => {
    for (const spelling of [canonical, ...spellings])
      expect({ spelling, phone: canonicalPhone(parsePhone(spelling) ?? '') }).toEqual({ spelling, phone: canonical })
  })
})

describe('one person under two spellings', () => {
  test.each([
    ['Brazil', '+5531988887777', '+553188887777'],
    ['Brazil, São Paulo', '+5511987654321', '+551187654321'],
    ['Mexico', '+525512345678', '+5215512345678'],
    ['Argentina', '+5491123456789', '+541123456789'],
    ['Palestine, Jawwal', '+970599123456', '+972599123456'],
    ['Palestine, Ooredoo', '+970569123456', '+972569123456'],
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

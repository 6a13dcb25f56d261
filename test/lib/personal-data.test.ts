import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  hasIbanCheck,
  hasIdCheckDigit,
  maskDeep,
  maskPersonalData,
  PERSONAL_DATA,
  type PersonalData,
} from '../../src/lib/personal-data.ts'

const OWN = '+972501234567'
const all = { kinds: new Set(PERSONAL_DATA), ownPhones: [OWN] }
const only = (...kinds: PersonalData[]) => ({ kinds: new Set(kinds), ownPhones: [OWN] })
const REMOVED = /removed\]|הוסרה?\]/

const nineDigits = fc.integer({ min: 10_000_000, max: 99_999_999 }).map((first) => {
  const digits = String(first)
  const last = [...Array(10).keys()].find((each) => hasIdCheckDigit(`${digits}${each}`))
  return `${digits}${last}`
})
const iban = fc
  .tuple(fc.constantFrom('IL', 'DE', 'GB', 'FR'), fc.stringMatching(/^\d{18}$/))
  .map(([country, account]) => {
    const check = [...Array(97).keys()].find((each) =>
      hasIbanCheck(`${country}${String(each + 2).padStart(2, '0')}${account}`),
    )
    return `${country}${String((check ?? 0) + 2).padStart(2, '0')}${account}`
  })
const mobile = fc
  .tuple(fc.constantFrom('050', '052', '053', '054', '058'), fc.stringMatching(/^[2-9]\d{6}$/))
  .filter(([area, rest]) => `+972${area.slice(1)}${rest}` !== OWN)
const forms = ([area, rest]: [string, string]) => [
  `${area}${rest}`,
  `${area}-${rest}`,
  `${area} ${rest.slice(0, 3)} ${rest.slice(3)}`,
  `+972${area.slice(1)}${rest}`,
  `+972 ${area.slice(1)}-${rest.slice(0, 3)}-${rest.slice(3)}`,
  [...`${area}${rest}`].join(' '),
]
const around = fc.constantFrom<[string, string]>(
  ['', ''],
  ['my number is ', ', thanks'],
  ['המספר שלי הוא ', ' תודה'],
  ['ל-', '.'],
  ['(', ')'],
)

describe('every value of a kind that is masked is gone, wherever it stands', () => {
  test('ID numbers', () => {
    fc.assert(
      fc.property(nineDigits, around, fc.boolean(), (id, [head, tail], dashed) => {
        const form = dashed ? `${id.slice(0, 8)}-${id.slice(8)}` : id
        const masked = maskPersonalData(`${head}${form}${tail}`, only('id_number'))
        expect(masked).not.toContain(id.slice(2, 8))
        expect(masked).toMatch(REMOVED)
        expect(masked.startsWith(head) && masked.endsWith(tail)).toBeTrue()
      }),
    )
  })

  test('phone numbers, but not the contact’s own', () => {
    fc.assert(
      fc.property(mobile, around, fc.nat(5), (parts, [head, tail], form) => {
        const masked = maskPersonalData(`${head}${forms(parts)[form]}${tail}`, only('phone'))
        expect(masked.replace(/\D/g, '')).toBe('')
        expect(masked).toMatch(REMOVED)
      }),
    )
    for (const form of forms(['050', '1234567'])) expect(maskPersonalData(`call ${form}`, all)).toBe(`call ${form}`)
  })

  test('e-mail addresses', () => {
    fc.assert(
      fc.property(fc.emailAddress(), around, (email, [head, tail]) => {
        // Characters that no one's mailbox has are no part of what is found.
        fc.pre(/^[\w.+-]+@/.test(email))
        const masked = maskPersonalData(`${head}${email}${tail}`, only('email'))
        expect(masked).not.toContain('@')
        expect(masked).toMatch(REMOVED)
      }),
    )
  })

  test('IBANs, in groups or not, with words after them', () => {
    fc.assert(
      fc.property(iban, around, fc.boolean(), (number, [head, tail], grouped) => {
        const form = grouped ? number.replace(/(.{4})(?=.)/g, '$1 ') : number
        const masked = maskPersonalData(`${head}${form}${tail}`, only('bank_account'))
        expect(masked.replace(/\D/g, '')).toBe('')
        expect(masked).toMatch(REMOVED)
      }),
    )
  })
})

test('masked twice it is the same, and what is not asked for stays', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string(),
          nineDigits,
          iban,
          mobile.map(([a, b]) => a + b),
          fc.emailAddress(),
        ),
        { maxLength: 6 },
      ),
      (parts) => {
        const text = parts.join(' ')
        const once = maskPersonalData(text, all)
        expect(maskPersonalData(once, all)).toBe(once)
        fc.pre(!/\d[ \-.]?(?:\d[ \-.]?){11}\d/.test(text))
        expect(maskPersonalData(text, only())).toBe(text)
      },
    ),
  )
})

test.each([
  ['תעודת הזהות שלי 12345674', 'תעודת הזהות שלי [מספר זהות הוסר]'],
  ['ת"ז 123456782', 'ת"ז [מספר זהות הוסר]'],
  ['ת״ז: 1 2 3 4 5 6 7 8 2', 'ת״ז: [מספר זהות הוסר]'],
  ['my ID is 123 456 782, ok?', 'my ID is [ID number removed], ok?'],
  ['תעבירו לבנק לאומי סניף 800 חשבון 1234567', 'תעבירו לבנק לאומי סניף 800 חשבון [חשבון בנק הוסר]'],
  ['חשבון בנק 10-800-123456', 'חשבון בנק [חשבון בנק הוסר]'],
  ['account number 12345678 please', 'account number [bank account removed] please'],
  ['תחזרו לאשתי 03-5551234 או dana@acme.co.il', 'תחזרו לאשתי [טלפון הוסר] או [דוא״ל הוסר]'],
  ['המספר אפס: 0 5 2 3 3 3 4 4 4 4', 'המספר אפס: [טלפון הוסר]'],
  ['050-1234567 052-3334444 053-3334444', '050-1234567 [phone number removed] [phone number removed]'],
  ['card 4580 4580 4580 4580', 'card [card number removed]'],
])('%s', (text, masked) => {
  expect(maskPersonalData(text, all)).toBe(masked)
})

/** What people of a business say and write all day. */
test.each([
  'הזמנה 123456782 מוכנה',
  'הזמנה מספר 123456782',
  'מספר ההזמנה שלך הוא 123456782',
  'order #123456782 has shipped',
  'Order number: 0521234568',
  'invoice 2026-00123',
  'חשבונית 100234567',
  'מק"ט 521234567',
  'tracking no. 123456782',
  'המחיר 123,456,782 ₪',
  'הדירה עולה 2,900,000 ש״ח',
  '₪123456782',
  '123456782 ₪',
  'החשבון 350 ש״ח כולל מע״מ',
  'החשבון יצא 12500 ש״ח',
  'your account balance is 1,250.00',
  'נפגש ב-05.12.2026 בשעה 10:30',
  'on 02-12-2026 at 08:30, 04-12-2026 at 9',
  '2026-12-02T08:30:00+02:00',
  'דירה 4 חדרים, 120 מ״ר, קומה 3 מתוך 8',
  'between 08:00 and 18:00, Sunday to Thursday',
  'call 100 or 1-800-800-800',
  'ציון 123456783',
  'IL12 is the model',
  'version 1.2.3.4, lot 20261128',
  'the code is 482913',
  '0c9f2a52-1234-4567-8901-0521234567ab',
])('%s stays', (text) => {
  expect(maskPersonalData(text, all)).toBe(text)
})

test('deep in what a tool was given, with names of fields as they are', () => {
  expect(maskDeep({ phone: ['052-3334444'], more: { note: 'id 123456782', n: 5, at: null } }, all)).toEqual({
    phone: ['[phone number removed]'],
    more: { note: 'id [ID number removed]', n: 5, at: null },
  })
})

import { type CountryCode, type PhoneNumber, parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { canonicalPhone, dialledToday } from './phone-plans.ts'

export { canonicalPhone, dialledToday, isSamePhone, phoneVariants } from './phone-plans.ts'

/** Israel's numbering plan, since the library's metadata are years behind: 5x mobile, 7x voice over IP, one-digit area codes. */
const ISRAEL = /^\+972(5\d{8}|7\d{8}|[23489]\d{7})$/

/** Words that carriers send as keypad digits for a withheld number (Twilio: "What do anonymous calls look like?"). */
const WITHHELD = ['anonymous', 'restricted', 'blocked', 'unknown', 'unavailable', 'private', 'withheld'] as const
const KEYS = ['abc', 'def', 'ghi', 'jkl', 'mno', 'pqrs', 'tuv', 'wxyz']
const onKeypad = (word: string) =>
  word.replace(/./g, (letter) => String(KEYS.findIndex((key) => key.includes(letter)) + 2))
const WITHHELD_NUMBERS = new Set(['464', ...WITHHELD.flatMap((word) => [onKeypad(word), `1${onKeypad(word)}`])])

const WHATSAPP_ID = /^(?:whatsapp:)?\+?(\d{6,15})(?:_\d+)?(?::\d+)?@(?:s\.whatsapp\.net|c\.us|hosted)$/i
const SIP = /^<?sips?:([^@;>]*)(?:;[^@>]*)?@/i
const LABEL =
  /^(?:(?:https?:\/\/)?(?:wa\.me\/|api\.whatsapp\.com\/send\/?\?phone=)|tel|phone|mobile|cell|fax|whatsapp|wa|p(?=:)|טלפון|טל|נייד|פלאפון|סלולרי)[.'׳]?:?\s*(?=[+\d(])/i
const DATE = /^(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3\d{4})$/
const EXTENSION =
  /\s*(?:;\s*(?:ext|phone-context|isub)=\S*|,{2,}\d+|(?:#|x|ext\.?|extension|שלוחה|שלו['׳])\s*:?\s*\d{1,7}#?)$/i

/** Parses a typed number, with `country` when it has no code. @returns E.164, or null */
export function parsePhone(input: string, country: CountryCode = 'IL'): string | null {
  const text = plainNumber(input)
  const id = WHATSAPP_ID.exec(text)?.[1]
  if (id) return networkPhone(`+${id}`)
  const number = digitsOf(text)
  if (number === null) return null
  if (/^(\+|00)/.test(number)) return accept(number, country, isValid)
  // A long number may have lost its plus sign, in WhatsApp or a spreadsheet.
  return (
    accept(number, country, isValid) ??
    (/^[1-9]\d{10,14}$/.test(number) ? accept(`+${number}`, country, isValid) : null)
  )
}

/** A network's number, accepted if unknown to the metadata. E.164; null: withheld, SIP, client, short code, name. */
export function networkPhone(input: string): string | null {
  const text = plainNumber(input)
  const sip = SIP.exec(text)?.[1]
  const user = sip === undefined ? text.replace(/^whatsapp:/i, '') : decoded(sip)
  const number = digitsOf(WHATSAPP_ID.exec(user)?.[1]?.replace(/^/, '+') ?? user)
  if (number === null) return null
  return number.startsWith('+') ? accept(number, 'IL', (parsed) => parsed.isPossible()) : accept(number, 'IL', isValid)
}

export function isWithheld(from: string): boolean {
  const text = plainNumber(from)
  const user = (SIP.exec(text)?.[1] ?? text).toLowerCase().replace(/^\+/, '')
  if (user === '' || WITHHELD_NUMBERS.has(user)) return true
  return /^[\p{L} _-]+$/u.test(user) && (WITHHELD.some((word) => user.includes(word)) || /no ?caller ?id/.test(user))
}

export function withheldNumbers(): string[] {
  return [...WITHHELD_NUMBERS].map((digits) => `+${digits}`)
}

/** The number that earlier versions read from a text: for finding the rows that they wrote. */
export function formerReading(text: string): string | null {
  const read = parsePhoneNumberFromString(text.trim().replace(/^whatsapp:/i, ''), 'IL')
  return read?.isPossible() ? read.number : null
}

/** Every number in a cell with one or several, in order, each person once. */
export function phonesIn(cell: string, country: CountryCode = 'IL'): string[] {
  const whole = parsePhone(cell, country)
  if (whole) return [whole]
  const parts = plainNumber(cell).split(/:::|[,;|\n/]|\s(?:או|or|and|ו-?)\s|\s+(?=[+0])/i)
  return [...new Set(parts.flatMap((part) => parsePhone(part, country) ?? []))]
}

/** E.164 in the form of its country (`050-123-4567`); any other text unchanged. */
export function formatPhone(e164: string): string {
  if (isWithheld(e164)) return 'withheld'
  const parsed = parsePhoneNumberFromString(networkPhone(e164) ?? '')
  if (!parsed) return e164
  return parsed.country === 'IL' ? parsed.formatNational() : parsed.formatInternational()
}

export function plainNumber(input: string): string {
  return input
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .replace(/\p{Nd}/gu, asciiDigit)
    .replace(/[\u05be\p{Pd}\u2212]/gu, '-')
    .replace(/\s+/g, ' ')
    .trim()
}

function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0
  if (code < 0x80) return digit
  let zero = code
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1
  return String((code - zero) % 10)
}

/** The digits of a number, with its plus sign; null when the text has other characters. */
function digitsOf(text: string): string | null {
  const written = unquoted(text)
  const number = spreadsheetNumber(written) ?? written
  const bare = number.replace(LABEL, '').replace(EXTENSION, '')
  if (!/^(?:\( *)?\+?[\d ()./-]+$/.test(bare) || !/\d/.test(bare) || DATE.test(bare)) return null
  return bare
    .replace(/^\( *(\+ *\d+) *\)/, '$1')
    .replace(/^\+ *(?:00)?/, '+')
    .replace(/(?!^\+)\D/g, '')
}

/** Removes what spreadsheets add to keep a number a text: `'050…`, `="050…"`. */
function unquoted(text: string): string {
  return text
    .replace(/^['’]/, '')
    .replace(/^="?|^"|"$/g, '')
    .trim()
}

/** A number that a spreadsheet formatted: `501111108.0`, `9.72501111108E+11`. Empty when digits were rounded away. */
function spreadsheetNumber(text: string): string | null {
  if (/^\d{1,3}(,\d{3}){2,}(\.0+)?$/.test(text)) return text.replace(/\.0+$/, '').replaceAll(',', '')
  if (/^\+?\d{6,}[.,]0+$/.test(text)) return text.replace(/[.,]0+$/, '')
  const exponent = /^(\d)[.,](\d+)e\+?(\d{1,2})$/i.exec(text)
  if (!exponent) return null
  const [, first = '', rest = '', power = ''] = exponent
  return rest.length === Number(power) ? first + rest : ''
}

function accept(number: string, country: CountryCode, judge: (parsed: PhoneNumber) => boolean): string | null {
  if (WITHHELD_NUMBERS.has(number.replace(/^\+/, ''))) return null
  // Mexico had the prefixes 01, 044 and 045 until 2019; people still write them after the country code.
  const written = number.replace(/^00/, '+').replace(/^\+520(?:1|44|45)(?=\d{10}$)/, '+52')
  // Old spellings first: today's plan does not know them.
  const read = parsePhoneNumberFromString(dialledToday(written), country)?.number
  if (!read) return null
  for (const spelling of new Set([dialledToday(read), canonicalPhone(read)])) {
    const parsed = parsePhoneNumberFromString(spelling)
    if (parsed && !isDummy(parsed.nationalNumber) && judge(parsed)) return parsed.number
  }
  return null
}

function isValid(parsed: PhoneNumber): boolean {
  return parsed.isValid() || ISRAEL.test(parsed.number)
}

/** A placeholder that people type into a form: zeros to the end, or one digit throughout. */
function isDummy(national: string): boolean {
  return /^\d{0,2}0{7,}$/.test(national) || /^(\d)\1+$/.test(national)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

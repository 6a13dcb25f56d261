import { type CountryCode, type PhoneNumber, parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { canonicalPhone, dialledToday } from './phone-plans.ts'

export { canonicalPhone, dialledToday, isSamePhone, phoneVariants } from './phone-plans.ts'

/**
 * Israel's numbering plan, which the library's metadata follow years behind: 5x mobile, 7x voice over IP, one digit of an area.
 * Every number of it may ring.
 */
const ISRAEL = /^\+972(5\d{8}|7\d{8}|[23489]\d{7})$/

/** Words that carriers spell on a keypad where a caller withholds the number (Twilio: "What do anonymous calls look like?"). */
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

/**
 * A phone number as somebody typed it or a spreadsheet wrote it, as E.164; null when it is no valid number: nothing is made up.
 * @param country where a number without a country code is dialled from
 */
export function parsePhone(input: string, country: CountryCode = 'IL'): string | null {
  const text = plainNumber(input)
  const id = WHATSAPP_ID.exec(text)?.[1]
  if (id) return networkPhone(`+${id}`)
  const number = digitsOf(text)
  if (number === null) return null
  if (/^(\+|00)/.test(number)) return accept(number, country, isValid)
  // Without a country code it is of this country; longer ones are what WhatsApp and spreadsheets leave of +972….
  return (
    accept(number, country, isValid) ??
    (/^[1-9]\d{10,14}$/.test(number) ? accept(`+${number}`, country, isValid) : null)
  )
}

/**
 * A phone number as a network names a party of its own: a carrier's From and To, a WhatsApp id. That it rang or wrote proves
 * that it exists, so a number that the metadata do not know is taken; a withheld caller, a SIP user or client without a
 * number, a short code and a sender's name are nobody: null.
 */
export function networkPhone(input: string): string | null {
  const text = plainNumber(input)
  const sip = SIP.exec(text)?.[1]
  const user = sip === undefined ? text.replace(/^whatsapp:/i, '') : decoded(sip)
  const number = digitsOf(WHATSAPP_ID.exec(user)?.[1]?.replace(/^/, '+') ?? user)
  if (number === null) return null
  return number.startsWith('+') ? accept(number, 'IL', (parsed) => parsed.isPossible()) : accept(number, 'IL', isValid)
}

/** Whether a carrier says with this that the caller withholds the number. */
export function isWithheld(from: string): boolean {
  const text = plainNumber(from)
  const user = (SIP.exec(text)?.[1] ?? text).toLowerCase().replace(/^\+/, '')
  if (user === '' || WITHHELD_NUMBERS.has(user)) return true
  return /^[\p{L} _-]+$/u.test(user) && (WITHHELD.some((word) => user.includes(word)) || /no ?caller ?id/.test(user))
}

/** The numbers that carriers give in place of a withheld one, as they would stand in E.164. */
export function withheldNumbers(): string[] {
  return [...WITHHELD_NUMBERS].map((digits) => `+${digits}`)
}

/** The number that earlier versions saw in any text with digits in it: for finding what they wrote. */
export function formerReading(text: string): string | null {
  const read = parsePhoneNumberFromString(text.trim().replace(/^whatsapp:/i, ''), 'IL')
  return read?.isPossible() ? read.number : null
}

/** Every number in a cell that may hold several, in their order, each person once. */
export function phonesIn(cell: string, country: CountryCode = 'IL'): string[] {
  const whole = parsePhone(cell, country)
  if (whole) return [whole]
  const parts = plainNumber(cell).split(/:::|[,;|\n/]|\s(?:או|or|and|ו-?)\s|\s+(?=[+0])/i)
  return [...new Set(parts.flatMap((part) => parsePhone(part, country) ?? []))]
}

/** E.164 as people of its country write it (`050-123-4567`), for pages and terminals; what is no number as it is. */
export function formatPhone(e164: string): string {
  if (isWithheld(e164)) return 'withheld'
  const parsed = parsePhoneNumberFromString(networkPhone(e164) ?? '')
  if (!parsed) return e164
  return parsed.country === 'IL' ? parsed.formatNational() : parsed.formatInternational()
}

/** One spelling of digits, hyphens and blanks, without marks that nobody sees. */
export function plainNumber(input: string): string {
  return input
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .replace(/\p{Nd}/gu, asciiDigit)
    .replace(/[\u05be\p{Pd}\u2212]/gu, '-')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Decimal digits of every script stand in tens, the zero first. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0
  if (code < 0x80) return digit
  let zero = code
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1
  return String((code - zero) % 10)
}

/** Digits, with a plus in front when there was one; null for what has anything in it that no number has. */
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

/** Without what spreadsheets put around a number so that it stays a text: `'050…`, `="050…"`. */
function unquoted(text: string): string {
  return text
    .replace(/^['’]/, '')
    .replace(/^="?|^"|"$/g, '')
    .trim()
}

/** A number that a spreadsheet wrote as one: `501111108.0`, `9.72501111108E+11`. Digits that were rounded away are no number. */
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
  // Within Mexico 01, 044 and 045 stood before a number until 2019; people put the country in front of all that.
  const written = number.replace(/^00/, '+').replace(/^\+520(?:1|44|45)(?=\d{10}$)/, '+52')
  // Old spellings first: they are no numbers of today's plan.
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

/** What people type where a form wants a number: zeros to the end, or one digit throughout. */
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

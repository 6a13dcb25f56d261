import { redactCards } from './cards.ts'
import { isSamePhone, parsePhone } from './phone.ts'

/** Kinds of personal data that a business may have masked. Numbers of payment cards always are. */
export const PERSONAL_DATA = ['id_number', 'email', 'phone', 'bank_account'] as const
export type PersonalData = (typeof PERSONAL_DATA)[number]

export type Masking = {
  kinds: ReadonlySet<PersonalData>
  /** Numbers that stay: the contact's own, and the business's. */
  ownPhones: readonly string[]
}

const PLACEHOLDERS: Readonly<Record<PersonalData, { he: string; en: string }>> = {
  id_number: { he: '[מספר זהות הוסר]', en: '[ID number removed]' },
  email: { he: '[דוא״ל הוסר]', en: '[e-mail address removed]' },
  phone: { he: '[טלפון הוסר]', en: '[phone number removed]' },
  bank_account: { he: '[חשבון בנק הוסר]', en: '[bank account removed]' },
}

const HEBREW = /[\u0590-\u05ff]/

/**
 * Replaces numbers of payment cards, and the kinds asked for, by words in the text's language. Numbers are found by their check
 * digits, their numbering plan or the words before them, so that order numbers, prices and dates stay. Applied twice, it is the same.
 */
export function maskPersonalData(text: string, { kinds, ownPhones }: Masking): string {
  const language = HEBREW.test(text) ? 'he' : 'en'
  const put = (kind: PersonalData) => PLACEHOLDERS[kind][language]
  let masked = redactCards(text)
  // Addresses first: their digits are part of them. Then what has most digits.
  if (kinds.has('email')) masked = masked.replace(EMAIL, put('email'))
  if (kinds.has('bank_account')) masked = maskAccounts(masked, put('bank_account'))
  if (kinds.has('id_number')) masked = maskIds(masked, put('id_number'))
  if (kinds.has('phone')) masked = maskPhones(masked, ownPhones, put('phone'))
  return masked
}

/** `maskPersonalData` over every string of a JSON value; names of fields stay. */
export function maskDeep<Value>(value: Value, masking: Masking): Value
export function maskDeep(value: unknown, masking: Masking): unknown {
  if (typeof value === 'string') return maskPersonalData(value, masking)
  if (Array.isArray(value)) return value.map((each: unknown) => maskDeep(each, masking))
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, maskDeep(each, masking)]))
}

const EMAIL = /[\p{L}\p{N}._%+'-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+\p{L}{2,24}/gu

/** What is numbered by a business, before a number: it is no person's. Hebrew has one-letter prefixes. */
const OTHER_NUMBER =
  /(?:הזמנ\p{L}*|חשבונית|קבלה|מק["״']?ט|דגם|משלוח|מעקב|פריט|סידורי|הצעה|פוליס\p{L}*|תיק|קריאה|order|invoice|receipt|sku|model|item|tracking|shipment|serial|quote|ticket|case|ref(?:erence)?|part|policy|p\.?o\.?)(?:\s*(?:מספר|מס['׳]?|number|no\.?|num\.?|id|is|הוא|היא|שלי|שלך))*\s*[:#.\-–]?\s*#?$/iu
const ID_WORDS =
  /(?:ת["״'.]?\s?ז\.?|תעוד\p{L}*\s+ה?זהות|מספר\s+ה?זהות|מס['׳]?\s+ה?זהות|זהות|teudat\s+zehut|id|i\.d\.|identity)(?:[\s:#.\-–]|(?:card|number|no|num|is|של[יוהךנ]?\p{L}*|מספר|הוא|היא))*$/iu
/** Nine digits together, with a dash before the check digit, in groups of three, or one by one as they are dictated. */
const ID_FORMS =
  /(?<!\d[-.,:/]?|[a-z]-?|[₪$€£+#]\s?)(?:\d{9}|\d{8}-\d|\d{3}([ -])\d{3}\1\d{3}|\d(?:[ ,]{1,2}\d){8})(?!\d|[-.,:/]\d|\s*(?:₪|\$|€|ש["״']?ח|שקל))/giu
/** After the words for it also shorter: leading zeros are left out by people. */
const SHORT_ID = /(?<!\d)\d{7,8}(?!\d|[-.,:/]\d)/gu

function maskIds(text: string, placeholder: string): string {
  const named = text.replace(SHORT_ID, (found, at: number) =>
    ID_WORDS.test(before(text, at)) && hasIdCheckDigit(found) ? placeholder : found,
  )
  return named.replace(ID_FORMS, (found, _group, at: number) => {
    const digits = found.replace(/\D/g, '')
    if (!hasIdCheckDigit(digits)) return found
    const words = before(named, at)
    if (ID_WORDS.test(words)) return placeholder
    // A landline has nine digits with its zero.
    return OTHER_NUMBER.test(words) || /^0[23489]/.test(digits) ? found : placeholder
  })
}

/** The check digit of the Israeli population registry: digits times 1, 2, 1, 2 …, digits of the products added. */
export function hasIdCheckDigit(digits: string): boolean {
  const padded = digits.padStart(9, '0')
  if (!/^\d{9}$/.test(padded) || /^0+$/.test(padded)) return false
  const sum = [...padded].reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

const before = (text: string, at: number) => text.slice(Math.max(0, at - 40), at)

/** ISO 13616: country, two check digits, up to 30 letters and digits, often in groups of four. */
const IBAN = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Z0-9])/giu
/** Bank, branch and account, as Israelis write them; only codes of banks that exist (Bank of Israel, "Bank codes"). */
const TRIPLE =
  /(?<![\d./-])(?:0?4|0?9|1[0-4]|1[78]|20|2[26]|31|34|46|52|54|68|99)([-/])\d{3}\1\d{2,3}[-/]?\d{2,6}(?:[-/]\d{1,2})?(?![\d/-])/g
/** A number after words for an account, also with its branch between. An account is a bill too: the number is of five digits or more. */
const NAMED_ACCOUNT =
  /((?:(?:מספר|מס['׳]?)\s+)?(?:ה|ב|ל|מ)?חשבון(?![\p{L}])(?:\s+(?:ה?בנק|מספר|מס['׳]?|שלי|שלנו|הוא|עו["״]ש))*|סניף\s+\d{1,3}[\s,]+(?:ו?חשבון\s+)?|(?:bank\s+)?account(?:\s+(?:number|no\.?|num\.?|is|#))*|branch\s+\d{1,3}[\s,]+(?:account\s+)?)([\s:#.\-–]*)(\d[\d/-]{3,14}\d)(?![\d.,]*\d|\s*(?:₪|\$|€|ש["״']?ח|שקל))/giu

function maskAccounts(text: string, placeholder: string): string {
  return text
    .replace(IBAN, (found) => maskIban(found, placeholder))
    .replace(TRIPLE, (found) => (isDate(found) ? found : placeholder))
    .replace(NAMED_ACCOUNT, (found, words: string, gap: string, number: string) =>
      number.replace(/\D/g, '').length < 5 || isDate(number)
        ? found
        : `${words}${gap === '' && !/\s$/.test(words) ? ' ' : gap}${placeholder}`,
    )
}

/** The words after an IBAN look like its groups: the longest beginning with right check digits is it. */
function maskIban(found: string, placeholder: string): string {
  for (let end = found.length; end >= 15; end--) {
    const part = found.slice(0, end)
    if (/[ -]$/.test(part) || /^[A-Z0-9]/i.test(found.slice(end))) continue
    if (hasIbanCheck(part.replace(/[ -]/g, ''))) return `${placeholder}${found.slice(end)}`
  }
  return found
}

/** ISO 13616 with ISO/IEC 7064, MOD 97-10. */
export function hasIbanCheck(iban: string): boolean {
  const plain = iban.toUpperCase()
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(plain)) return false
  let rest = 0
  for (const letter of `${plain.slice(4)}${plain.slice(0, 4)}`)
    for (const digit of String(Number.parseInt(letter, 36))) rest = (rest * 10 + Number(digit)) % 97
  return rest === 1
}

const isDate = (text: string) => /^(\d{1,2}([-/.])\d{1,2}\2\d{2,4}|\d{4}([-/.])\d{1,2}\3\d{1,2})(?!\d)/.test(text)

/** With a code or a zero before it: without, a number is any number. Digits may be dictated one by one. */
const PHONE_FORM =
  /(?<!\d[-.,:/]?|[a-z]-?|[₪$€£#]\s?)\(?(?:\+\d|0)(?:[ \-.(),\u00a0\u2010-\u2015]{0,2}\d){7,17}(?!\d)/giu

function maskPhones(text: string, ownPhones: readonly string[], placeholder: string): string {
  const form = new RegExp(PHONE_FORM)
  let masked = ''
  let done = 0
  for (let match = form.exec(text); match; match = form.exec(text)) {
    const { index, 0: found } = match
    if (isDate(found.replace(/^\(/, '')) || OTHER_NUMBER.test(before(text, index))) continue
    const phone = phoneIn(found, text.slice(index + found.length))
    if (!phone) continue
    // Digits after it may be of another.
    form.lastIndex = index + phone.end
    if (ownPhones.some((own) => isSamePhone(own, phone.number))) continue
    masked += text.slice(done, index) + placeholder
    done = form.lastIndex
  }
  return masked + text.slice(done)
}

/** The longest number that these digits begin with, and where it ends. */
function phoneIn(found: string, after: string): { number: string; end: number } | null {
  for (let end = found.length; end >= 8; end--) {
    const rest = found.slice(end) + after
    if (!/\d$/.test(found.slice(0, end)) || /^(?:\d|[-.,:/]\d)/.test(rest)) continue
    const number = parsePhone(found.slice(0, end).replace(/[^\d+]/g, ''))
    if (number) return { number, end }
  }
  return null
}

import type { Language } from '../port.ts'
import { ENGLISH_MONTHS, englishDigit, englishNumber } from './english-numbers.ts'
import { HEBREW_MONTHS, hebrewCount, hebrewDigit, hebrewNumber, withAnd } from './hebrew-numbers.ts'

/** How a language says the things that are written with digits. */
type Speller = {
  number: (value: number) => string
  digit: (digit: string) => string
  money: (whole: number, cents: number, currency: Currency) => string
  time: (hours: number, minutes: number) => string
  date: (day: number, month: number, year: number | null) => string
  percent: (value: number) => string
  point: string
}
type Currency = 'shekel' | 'dollar' | 'euro'

const NUMBER = String.raw`\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d{1,9}(?:\.\d{1,2})?`
const SIGN = String.raw`₪|\$|€`
const WORD = String.raw`₪|\$|€|ש"ח|ש״ח|שקלים|שקל|NIS\b|ILS\b|USD\b|EUR\b|shekels?\b|dollars?\b`
const MONEY = new RegExp(`(?<![\\d.,])(?:(${SIGN})\\s?(${NUMBER})|(${NUMBER})\\s?(${WORD}))(?!\\d)`, 'g')
const TIME = /(?<![\d:])([01]?\d|2[0-3]):([0-5]\d)(?![\d:])/g
const DATE = /(?<![\d/.])(0?[1-9]|[12]\d|3[01])[/.](0?[1-9]|1[0-2])(?:[/.]((?:19|20)\d\d))?(?![\d/.]*\d)/g
const PHONE = /(?<![\d.])\+?\d(?:[ -]?\d){6,14}(?!\d)/g
const PERCENT = /(?<![\d.,])(\d{1,9})\s?%/g
const DECIMAL = /(?<![\d.,])(\d{1,9})\.(\d{1,6})(?!\d)/g
const THOUSANDS = /(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)/g
const PLAIN = /\d+/g

/**
 * Writes every number of a text in words: money, times, dates, percents, decimals and counts by value, telephone and
 * identity numbers digit by digit in their groups. Everything else stays as it is.
 */
export function spellOut(text: string, language: Language): string {
  const speller = language === 'he' ? HEBREW : ENGLISH
  const spoken = (words: string) => ` ${words} `
  return text
    .replace(MONEY, (_, sign, after, before, word) => spoken(sayMoney(after ?? before, sign ?? word, speller)))
    .replace(TIME, (_, hours, minutes) => spoken(speller.time(Number(hours), Number(minutes))))
    .replace(DATE, (match, day, month, year) =>
      // 3.5 is a number; 3/5 and 3.5.2026 are days.
      match.includes('/') || year
        ? spoken(speller.date(Number(day), Number(month), year ? Number(year) : null))
        : match,
    )
    .replace(THOUSANDS, (match) => match.replaceAll(',', ''))
    .replace(PHONE, (match) => spoken(sayDigits(match, speller)))
    .replace(PERCENT, (_, value) => spoken(speller.percent(Number(value))))
    .replace(DECIMAL, (_, whole, part) =>
      spoken(`${speller.number(Number(whole))} ${speller.point} ${[...part].map(speller.digit).join(' ')}`),
    )
    .replace(PLAIN, (digits) =>
      spoken(digits.length > 1 && digits.startsWith('0') ? sayDigits(digits, speller) : speller.number(Number(digits))),
    )
    .replace(/ +/g, ' ')
    .replace(/ ([.,!?;:])/g, '$1')
    .trim()
}

function sayMoney(amount: string, unit: string, speller: Speller): string {
  const [whole = '0', cents = ''] = amount.replaceAll(',', '').split('.')
  const currency = /\$|USD|dollar/i.test(unit) ? 'dollar' : /€|EUR/.test(unit) ? 'euro' : 'shekel'
  return speller.money(Number(whole), Number(cents.padEnd(2, '0')), currency)
}

/** Digit by digit with a pause between groups: as written, else the last four and threes before them. */
function sayDigits(written: string, speller: Speller): string {
  const local = written.replace(/^\+972[ -]?0?/, '0').replace(/^\+/, '')
  const groups = /[ -]/.test(local) ? local.split(/[ -]+/) : groupDigits(local)
  return groups.map((group) => [...group].map(speller.digit).join(' ')).join(', ')
}

function groupDigits(digits: string): string[] {
  if (digits.length < 7) return [digits]
  const head = digits.slice(0, -4)
  return [...(head.match(/.{1,3}/g) ?? []), digits.slice(-4)]
}

const HEBREW: Speller = {
  number: (value) => hebrewNumber(value),
  digit: hebrewDigit,
  money(whole, cents, currency) {
    const nouns = {
      shekel: { one: 'שֶׁ֫קֶל', many: 'שְׁקָלִים', cent: { one: 'אֲגוֹרָה', many: 'אֲגוֹרוֹת' } },
      dollar: { one: 'דּ֫וֹלָר', many: 'דּ֫וֹלָרִים', cent: { one: 'סֶנְט', many: 'סֶ֫נְטִים' } },
      euro: { one: 'אֵ֫ירוֹ', many: 'אֵ֫ירוֹ', cent: { one: 'סֶנְט', many: 'סֶ֫נְטִים' } },
    }[currency]
    const sum = hebrewCount(whole, nouns)
    if (cents === 0) return sum
    // Agorot are feminine, cents are masculine.
    const small = currency === 'shekel' ? `${hebrewNumber(cents)} ${nouns.cent.many}` : hebrewCount(cents, nouns.cent)
    return whole === 0 ? small : `${sum} ${withAnd(small)}`
  },
  time(hours, minutes) {
    const hour = hebrewNumber(hours === 0 ? 12 : hours > 12 ? hours - 12 : hours)
    const part = hours < 5 ? 'בַּלַּ֫יְלָה' : hours < 12 ? 'בַּבּ֫וֹקֶר' : hours < 17 ? 'בַּצׇּהֳרַ֫יִם' : hours < 21 ? 'בָּעֶ֫רֶב' : 'בַּלַּ֫יְלָה'
    if (minutes === 0) return `${hour} ${part}`
    if (minutes === 15) return `${hour} וָרֶ֫בַע ${part}`
    if (minutes === 30) return `${hour} וָחֵ֫צִי ${part}`
    return `${hour} ${withAnd(hebrewNumber(minutes))} ${part}`
  },
  date(day, month, year) {
    const date = `${hebrewNumber(day, 'masculine')} בְּ${HEBREW_MONTHS[month - 1]}`
    return year === null ? date : `${date} ${hebrewNumber(year)}`
  },
  percent: (value) => hebrewCount(value, { one: 'אָחוּז', many: 'אֲחוּזִים' }),
  point: 'נְקֻדָּה',
}

const ENGLISH: Speller = {
  number: englishNumber,
  digit: englishDigit,
  money(whole, cents, currency) {
    const name = {
      shekel: ['shekel', 'agora', 'agorot'],
      dollar: ['dollar', 'cent', 'cents'],
      euro: ['euro', 'cent', 'cents'],
    }[currency]
    const sum = `${englishNumber(whole)} ${name[0]}${whole === 1 ? '' : 's'}`
    if (cents === 0) return sum
    const small = `${englishNumber(cents)} ${cents === 1 ? name[1] : name[2]}`
    return whole === 0 ? small : `${sum} and ${small}`
  },
  time(hours, minutes) {
    const hour = englishNumber(hours % 12 === 0 ? 12 : hours % 12)
    const minute = minutes === 0 ? '' : minutes < 10 ? ` oh ${englishNumber(minutes)}` : ` ${englishNumber(minutes)}`
    return `${hour}${minute} ${hours < 12 ? 'A M' : 'P M'}`
  },
  date(day, month, year) {
    const date = `${ENGLISH_MONTHS[month - 1]} ${englishNumber(day)}`
    if (year === null) return date
    const tail = year % 100
    const said =
      year >= 2000 && year < 2010
        ? englishNumber(year)
        : `${englishNumber(Math.floor(year / 100))} ${tail < 10 ? `oh ${englishNumber(tail)}` : englishNumber(tail)}`
    return `${date}, ${said}`
  },
  percent: (value) => `${englishNumber(value)} percent`,
  point: 'point',
}

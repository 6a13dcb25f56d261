import { addDates, weekdayOf } from '../../../lib/local-time.ts'

const NAMED_DAYS: readonly (readonly [RegExp, number])[] = [
  [/(?<!\p{L})(day after tomorrow|in two days|[ובלמ]{0,2}מחרתיים|[ול]?בעוד יומיים)(?!\p{L})/iu, 2],
  [/(?<!\p{L})(tomorrow|[ובלמ]{0,2}מחר)(?!\p{L})/iu, 1],
  [/(?<!\p{L})(today|tonight|[ובלמ]{0,2}היום|[ול]{0,2}הערב)(?!\p{L})/iu, 0],
]
const WEEKDAYS = [
  /(?<!\p{L})(sunday|[בל]?יום (ראשון|א)|[בל]?ראשון(?!\s+ל?ציון))(?!\p{L})/iu,
  /(?<!\p{L})(monday|[בל]?יום (שני|ב)|[בל]?שני)(?!\p{L})/iu,
  /(?<!\p{L})(tuesday|[בל]?יום (שלישי|ג)|[בל]?שלישי)(?!\p{L})/iu,
  /(?<!\p{L})(wednesday|[בל]?יום (רביעי|ד)|[בל]?רביעי)(?!\p{L})/iu,
  /(?<!\p{L})(thursday|[בל]?יום (חמישי|ה)|[בל]?חמישי)(?!\p{L})/iu,
  /(?<!\p{L})(friday|[בל]?יום (שישי|ו)|[בל]?שישי)(?!\p{L})/iu,
  /(?<!\p{L})(saturday|[בל]?שבת)(?!\p{L})/iu,
]
const NUMERIC_DATE = /(?<![\d:])(\d{1,2})[./](\d{1,2})(?:[./](\d{4}|\d{2}))?(?![\d:])/
const ISO_DATE = /(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)/

/** The day that a text names, on or after today. @param today `YYYY-MM-DD` @returns `YYYY-MM-DD`, null when it names none */
export function readDate(text: string, today: string): string | null {
  const iso = ISO_DATE.exec(text)
  if (iso) return valid(iso[0])
  const numeric = NUMERIC_DATE.exec(text)
  if (numeric) {
    const [, day = '', month = '', year] = numeric
    const given = year ? (year.length === 2 ? `20${year}` : year) : today.slice(0, 4)
    const date = valid(`${given}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`)
    if (date && !year && date < today) return valid(`${Number(given) + 1}${date.slice(4)}`)
    return date
  }
  for (const [pattern, days] of NAMED_DAYS) if (pattern.test(text)) return addDates(today, days)
  const weekday = WEEKDAYS.findIndex((pattern) => pattern.test(text))
  if (weekday === -1) return null
  const ahead = (weekday - weekdayOf(today) + 7) % 7
  return addDates(today, ahead === 0 ? 7 : ahead)
}

function valid(date: string): string | null {
  try {
    return Temporal.PlainDate.from(date, { overflow: 'reject' }).toString()
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

const CLOCK = /(?<![\d./])(\d{1,2}):(\d{2})(?!\d)\s*(am|pm|a\.m\.|p\.m\.)?/i
const HOUR = /(?<![\d./:])(\d{1,2})\s*(am|pm|a\.m\.|p\.m\.)(?!\p{L})/iu
const AT_HOUR = /(?<!\p{L})(?:at|around|by|ב-?|בשעה|לשעה|ל-)\s*(\d{1,2})(?![\d./:]|\s*(?:\p{L}*₪|%))/iu
const HOUR_WORDS: readonly (readonly [RegExp, number])[] = [
  [/(?<!\p{L})(?:at noon|noon|בצהריים|12 בצהריים)(?!\p{L})/iu, 12],
  [/(?<!\p{L})(?:at eleven|באחת[ -]עשרה)(?!\p{L})/iu, 11],
  [/(?<!\p{L})(?:at one|באחת)(?!\p{L})/iu, 13],
  [/(?<!\p{L})(?:at two|בשתיים)(?!\p{L})/iu, 14],
  [/(?<!\p{L})(?:at three|בשלוש)(?!\p{L})/iu, 15],
  [/(?<!\p{L})(?:at four|בארבע)(?!\p{L})/iu, 16],
  [/(?<!\p{L})(?:at five|בחמש)(?!\p{L})/iu, 17],
  [/(?<!\p{L})(?:at six|בשש)(?!\p{L})/iu, 18],
  [/(?<!\p{L})(?:at eight|בשמונה)(?!\p{L})/iu, 8],
  [/(?<!\p{L})(?:at nine|בתשע)(?!\p{L})/iu, 9],
  [/(?<!\p{L})(?:at ten|בעשר)(?!\p{L})/iu, 10],
]

/** The time of day that a text names, `HH:MM`; null when it names none. Hours that no business keeps are of the afternoon. */
export function readTime(text: string): string | null {
  const clock = CLOCK.exec(text)
  if (clock) return toTime(Number(clock[1]), Number(clock[2]), clock[3])
  const half = HOUR.exec(text)
  if (half) return toTime(Number(half[1]), 0, half[2])
  const at = AT_HOUR.exec(text)
  if (at) return toTime(Number(at[1]), 0, undefined)
  for (const [pattern, hour] of HOUR_WORDS) if (pattern.test(text)) return toTime(hour, 0, undefined)
  return null
}

function toTime(hour: number, minute: number, half: string | undefined): string | null {
  let h = hour
  if (half && /^p/i.test(half) && h < 12) h += 12
  if (half && /^a/i.test(half) && h === 12) h = 0
  if (!half && h >= 1 && h <= 6) h += 12
  if (h > 23 || minute > 59) return null
  return `${String(h).padStart(2, '0')}:${String(minute).padStart(2, '0')}`
}

export const DATE_STYLES = ['dmy', 'mdy', 'excel-1904'] as const
export type DateStyle = (typeof DATE_STYLES)[number]

/** A date as `2024-05-03` or `2024-05-03T14:30`, in the local time of whoever wrote it; with `Z` where the file says UTC. */
export type ReadDate =
  | { kind: 'date'; value: string; style: 'dmy' | 'mdy' | null }
  | { kind: 'ambiguous' }
  | { kind: 'refused'; code: string; reason: string }

const ENGLISH = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const HEBREW = [
  'ינואר',
  'פברואר',
  'מרץ|מרס',
  'אפריל',
  'מאי',
  'יוני',
  'יולי',
  'אוגוסט',
  'ספטמבר',
  'אוקטובר',
  'נובמבר',
  'דצמבר',
]

const DAY_MS = 86_400_000
/** The day that spreadsheets count from; 1904 in old ones of the Mac. */
const EPOCH = Date.UTC(1899, 11, 30)
const EPOCH_1904 = Date.UTC(1904, 0, 1)

/** Reads ISO, day-month, month names, spreadsheet days, stamps (s, ms). Without a style `03/05/2024` is `ambiguous`. */
export function readDate(text: string, style: DateStyle | null): ReadDate {
  const plain = text
    .normalize('NFKC')
    .replace(/[\p{Cf}]/gu, '')
    .replace(/\s+/g, ' ')
    .replace(/ \([^()]*\)$/, '')
    .replace(/ (?:at|בשעה) (?=\d)/i, ' ')
    .replace(/^יום \p{L}+['׳]?,? /u, '')
    .trim()
  return readNumber(plain, style) ?? readYearFirst(plain) ?? readNamed(plain) ?? readNumeric(plain, style) ?? refused()
}

function readNumber(text: string, style: DateStyle | null): ReadDate | null {
  if (/^\d{13}$/.test(text) || /^\d{10}$/.test(text)) {
    const at = new Date(Number(text) * (text.length === 10 ? 1_000 : 1))
    return { kind: 'date', value: `${at.toISOString().slice(0, 16)}Z`, style: null }
  }
  if (!/^\d{5}(?:[.,]\d+)?$/.test(text)) return null
  const serial = Number(text.replace(',', '.'))
  const at = new Date((style === 'excel-1904' ? EPOCH_1904 : EPOCH) + Math.round(serial * 1_440) * 60_000)
  const iso = at.toISOString()
  return { kind: 'date', value: at.getTime() % DAY_MS === 0 ? iso.slice(0, 10) : iso.slice(0, 16), style: null }
}

function readYearFirst(text: string): ReadDate | null {
  const match = /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ,]+(\S.*))?$/.exec(text) ?? compact(text)
  return match ? dateOf(match[1], match[3], match[4], match[5], null) : null
}

function compact(text: string): (string | undefined)[] | null {
  const match = /^((?:19|20)\d{2})(\d{2})(\d{2})$/.exec(text)
  return match ? [match[0], match[1], '', match[2], match[3], undefined] : null
}

function readNamed(text: string): ReadDate | null {
  const words = text.replace(/^\p{L}+,? (?=\d|\p{L}+ \d)/u, (day) => (monthOf(day) ? day : ''))
  const first = /^(\d{1,2})(?:st|nd|rd|th)?[ .-]*(?:ב)?(\p{L}+)\.?[ ,.-]+(\d{4}|\d{2})(?:[ ,]+(\S.*))?$/u.exec(words)
  if (first) return namedDate(first[3], first[2], first[1], first[4])
  const second = /^(\p{L}+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?:[ ,]+(\S.*))?$/u.exec(words)
  return second ? namedDate(second[3], second[1], second[2], second[4]) : null
}

function namedDate(
  year: string | undefined,
  name = '',
  day: string | undefined,
  time: string | undefined,
): ReadDate | null {
  const month = monthOf(name)
  return month ? dateOf(year, String(month), day, time, null) : null
}

function monthOf(name: string): number | null {
  const word = name.toLowerCase().replace(/[^\p{L}]/gu, '')
  const index = ENGLISH.findIndex((month) => word.startsWith(month) && /^[a-z]{3,9}$/.test(word))
  const hebrew = HEBREW.findIndex((months) => months.split('|').some((month) => word === month || word === `ב${month}`))
  return index >= 0 ? index + 1 : hebrew >= 0 ? hebrew + 1 : null
}

function readNumeric(text: string, style: DateStyle | null): ReadDate | null {
  const match = /^(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[ ,T]+(\S.*))?$/.exec(text)
  if (!match) return null
  const [, a = '', separator, b = '', year, time] = match
  const dayFirst = () => dateOf(year, b, a, time, separator === '.' ? null : 'dmy')
  const monthFirst = () => dateOf(year, a, b, time, 'mdy')
  // With dots between them the day stands first, wherever dates are written so.
  if (separator === '.' || Number(a) > 12) return dayFirst()
  if (Number(b) > 12) return monthFirst()
  if (a === b) return dateOf(year, b, a, time, null)
  if (style !== 'dmy' && style !== 'mdy') return { kind: 'ambiguous' }
  return style === 'dmy' ? dayFirst() : monthFirst()
}

function dateOf(year = '', month = '', day = '', time: string | undefined, style: 'dmy' | 'mdy' | null): ReadDate {
  // Two digits as spreadsheets read them: up to 29 is this century.
  const full = year.length === 2 ? Number(year) + (Number(year) < 30 ? 2000 : 1900) : Number(year)
  const at = new Date(Date.UTC(full, Number(month) - 1, Number(day)))
  if (at.getUTCMonth() !== Number(month) - 1 || at.getUTCDate() !== Number(day) || full < 1900 || full > 2200)
    return refused('import_no_such_day', 'there is no such day')
  const clock = time === undefined ? '' : readTime(time)
  if (clock === null) return refused('import_time', 'the time cannot be read; write it as 14:30')
  const value = at.toISOString().slice(0, 10)
  const offset = /([+-])(\d\d):(\d\d)$/.exec(clock)
  if (!offset) return { kind: 'date', value: value + clock, style }
  const utc = new Date(`${value}${clock}`).toISOString()
  return { kind: 'date', value: `${utc.slice(0, 16)}Z`, style }
}

/** @returns `T14:30`, with `Z` when it says UTC, with `+03:00` when it says another zone; null when it is no time */
function readTime(text: string): string | null {
  const match =
    /^(\d{1,2}):(\d{2})(?::\d{2}(?:[.,]\d+)?)? ?([ap])?\.?(?:m\.?)? ?(z|utc|gmt|(?:utc|gmt)?[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?$/i.exec(
      text,
    )
  if (!match) return null
  const [, hours = '', minutes = '', half, zone] = match
  const hour = half ? (Number(hours) % 12) + (half.toLowerCase() === 'p' ? 12 : 0) : Number(hours)
  if (hour > 23 || Number(minutes) > 59) return null
  const offset = /([+-])(\d\d):?(\d\d)?$/.exec(zone ?? '')
  const [, sign = '+', offsetHours = '00', offsetMinutes = '00'] = offset ?? []
  const isUtc = `${offsetHours}${offsetMinutes}` === '0000'
  const suffix = isUtc ? 'Z' : `${sign}${offsetHours}:${offsetMinutes}`
  return `T${String(hour).padStart(2, '0')}:${minutes}${zone ? suffix : ''}`
}

function refused(code = 'import_date', reason = 'no date; write it as 2024-05-31'): ReadDate {
  return { kind: 'refused', code, reason }
}

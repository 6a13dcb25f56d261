import { randomBytes } from 'node:crypto'

export type SidKind = 'AC' | 'CA' | 'MZ' | 'SM' | 'MM' | 'ME' | 'RE' | 'PN' | 'RQ'

/** An identifier in Twilio's form: two letters and 32 hex digits. */
export function newSid(kind: SidKind): string {
  return kind + randomBytes(16).toString('hex')
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (value: number): string => String(value).padStart(2, '0')

/** A date as the 2010-04-01 API writes it: `Sun, 22 Nov 2026 11:15:00 +0000`. */
export function formatRfc2822(date: Date): string {
  const day = `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
}

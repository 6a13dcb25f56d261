import type { HolidayRule, HolidayRules } from '../../../db/schema/index.ts'

export const HOLIDAY_KINDS = ['rest', 'independence', 'eve', 'cholHamoed', 'purim', 'fast'] as const
export type HolidayKind = (typeof HOLIDAY_KINDS)[number]

/** What a business has that sets none: closed on the days of rest and on Independence Day. */
export const DEFAULT_HOLIDAYS: Record<HolidayKind, HolidayRule> = {
  rest: 'closed',
  independence: 'closed',
  eve: 'open',
  cholHamoed: 'open',
  purim: 'open',
  fast: 'open',
}

/** When a business closes on a day that its rules call half. */
export const HALF_DAY_ENDS = '13:00'

/** Tishri is M01, Nisan M07. */
const REST = new Set(['M01-1', 'M01-2', 'M01-10', 'M01-15', 'M01-22', 'M07-15', 'M07-21', 'M09-6'])
const CHOL_HAMOED = new Set([
  ...[16, 17, 18, 19, 20, 21].map((day) => `M01-${day}`),
  ...[16, 17, 18, 19, 20].map((day) => `M07-${day}`),
])

/** The kinds of holiday that a date is in Israel. @param date `YYYY-MM-DD` */
export function holidaysOn(date: string): HolidayKind[] {
  const day = Temporal.PlainDate.from(date)
  const here = nameOf(day)
  const kinds: HolidayKind[] = []
  if (REST.has(here)) kinds.push('rest')
  if (isIndependenceDay(day)) kinds.push('independence')
  // The eve of the second day of the New Year is its first.
  if (!REST.has(here) && REST.has(nameOf(day.add({ days: 1 })))) kinds.push('eve')
  if (CHOL_HAMOED.has(here)) kinds.push('cholHamoed')
  // In a leap year Purim is in the second Adar, which the calendar calls M06 as in every year.
  if (here === 'M06-14') kinds.push('purim')
  if (isFast(day)) kinds.push('fast')
  return kinds
}

/** The strictest of the rules of a date's holidays. */
export function ruleOn(date: string, rules: HolidayRules): HolidayRule {
  const found = holidaysOn(date).map((kind) => rules[kind] ?? DEFAULT_HOLIDAYS[kind])
  return found.includes('closed') ? 'closed' : found.includes('half') ? 'half' : 'open'
}

function nameOf(day: Temporal.PlainDate): string {
  const hebrew = day.withCalendar('hebrew')
  return `${hebrew.monthCode}-${hebrew.day}`
}

/** The fifth of Iyar, moved away from the Sabbath: from Friday a day back, from Saturday two, from Monday a day on. */
function isIndependenceDay(day: Temporal.PlainDate): boolean {
  return [-2, -1, 0, 1].some((moved) => {
    const fifth = day.subtract({ days: moved })
    if (nameOf(fifth) !== 'M08-5') return false
    const shift = { 5: -1, 6: -2, 1: 1 }[fifth.dayOfWeek] ?? 0
    return shift === moved
  })
}

/** Gedaliah, the tenth of Tevet, Esther, the seventeenth of Tammuz and the ninth of Av; on a Saturday they are moved. */
function isFast(day: Temporal.PlainDate): boolean {
  const on = (name: string, shift: number) => {
    const usual = nameOf(day)
    if (day.dayOfWeek !== 6 && usual === name) return true
    const from = day.subtract({ days: shift })
    return from.dayOfWeek === 6 && nameOf(from) === name
  }
  return on('M01-3', 1) || on('M04-10', 1) || on('M06-13', -2) || on('M10-17', 1) || on('M11-9', 1)
}

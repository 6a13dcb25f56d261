import { expect, test } from 'bun:test'
import type { WeekHours } from '../../../db/schema/index.ts'
import { type AvailabilityQuery, findSlots, type StaffTimes } from '../../../src/domain/appointments/availability.ts'
import { WEEKDAYS } from '../../../src/lib/weekdays.ts'
import { randomNumbers, withSeed } from '../../support/seed.ts'

const MINUTE = 60_000
/** Of each kind of change: by an hour, half an hour, a whole day, at midnight, at one minute past, none. */
const CHANGES: [string, string][] = [
  ['Asia/Jerusalem', '2027-03-25T20:00Z'],
  ['Asia/Jerusalem', '2027-10-30T20:00Z'],
  ['America/New_York', '2027-03-14T04:00Z'],
  ['America/New_York', '2027-11-07T03:00Z'],
  ['Australia/Lord_Howe', '2027-04-03T10:00Z'],
  ['Australia/Lord_Howe', '2027-10-02T10:00Z'],
  ['Pacific/Apia', '2011-12-29T20:00Z'],
  ['America/St_Johns', '2010-11-06T22:00Z'],
  ['Asia/Beirut', '2027-03-27T18:00Z'],
  ['America/Havana', '2027-11-07T02:00Z'],
  ['Asia/Kathmandu', '2027-03-25T20:00Z'],
  ['Africa/Casablanca', '2027-02-07T00:00Z'],
  ['UTC', '2027-03-25T20:00Z'],
]

type Clock = (at: number) => { date: string; time: string; day: (typeof WEEKDAYS)[number] }
const clocks = new Map<string, Clock>()

/** What `Intl` says the clock shows: no code of ours, and none of Temporal's. */
function clockOf(timeZone: string): Clock {
  const known = clocks.get(timeZone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
    hourCycle: 'h23',
  })
  const shown = new Map<number, ReturnType<Clock>>()
  const read: Clock = (at) => {
    const parts = format.formatToParts(at)
    const get = (type: string) => parts.find((part) => part.type === type)?.value ?? ''
    const date = `${get('year')}-${get('month')}-${get('day')}`
    return {
      date,
      time: `${get('hour')}:${get('minute')}`,
      day: WEEKDAYS[new Date(`${date}T00:00Z`).getUTCDay()] ?? 'sun',
    }
  }
  const clock: Clock = (at) => {
    const found = shown.get(at) ?? read(at)
    shown.set(at, found)
    return found
  }
  clocks.set(timeZone, clock)
  return clock
}

const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** Every minute is looked at. */
function bruteForce(query: AvailabilityQuery): string[] {
  const clock = clockOf(query.timeZone)
  const margin = 26 * 60
  const first = query.from - margin * MINUTE
  const count = (query.to - query.from) / MINUTE + 2 * margin
  const shown = Array.from({ length: count }, (_, i) => clock(first + i * MINUTE))
  const found: string[] = []
  for (const staff of query.staff) {
    const within = (week: WeekHours, i: number) => {
      const { time, day } = shown[i] ?? { time: '', day: 'sun' as const }
      return (week[day] ?? []).some(([from, to]) => from <= time && time < to)
    }
    const isOpen = shown.map(({ date, time }, i) => {
      const rule = query.dateRule(date)
      const at = first + i * MINUTE
      if (rule === 'closed' || (rule !== 'open' && time >= rule.until)) return false
      if (staff.absences.some((each) => each.from <= at && at < each.to)) return false
      return within(staff.hours, i) && !within(staff.breaks, i)
    })
    const seen = new Set<string>()
    for (let i = 0; i < count; i += 1) {
      const at = first + i * MINUTE
      const { date, time, day } = shown[i] ?? { date: '', time: '', day: 'sun' as const }
      const isFirst = !seen.has(`${date} ${time}`)
      seen.add(`${date} ${time}`)
      if (!isFirst || at < query.from || at >= query.to) continue
      const onStep = (staff.hours[day] ?? []).some(
        ([from, to]) =>
          from <= time && time < to && (minutesOf(time) - minutesOf(from)) % (query.stepMinutes ?? 1) === 0,
      )
      if (!onStep || isOpen.slice(i, i + query.minutes).length < query.minutes) continue
      if (isOpen.slice(i, i + query.minutes).includes(false)) continue
      const span = { from: at - query.bufferBefore * MINUTE, to: at + (query.minutes + query.bufferAfter) * MINUTE }
      for (let seat = 0; seat < staff.capacity; seat += 1) {
        const taken = staff.busy.some((busy) => {
          const pad = busy.area ? (query.travel?.(busy.area) ?? 0) * MINUTE : 0
          return (busy.seat === null || busy.seat === seat) && busy.from - pad < span.to && busy.to + pad > span.from
        })
        if (taken) continue
        found.push(`${new Date(at).toISOString()} ${staff.id} ${seat}`)
        break
      }
    }
  }
  return found.sort()
}

test(
  'the free starts are those that a look at every minute finds, in zones with every kind of clock change',
  withSeed((seed) => {
    const random = randomNumbers(seed)
    const int = (below: number) => Math.floor(random() * below)
    const time = (minutes: number) =>
      `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
    const week = (chance: number, most: number): WeekHours =>
      Object.fromEntries(
        WEEKDAYS.flatMap((day) => {
          if (random() > chance) return []
          const cuts = [...new Set(Array.from({ length: 2 * (1 + int(most)) }, () => int(97) * 15))].sort(
            (a, b) => a - b,
          )
          const spans: [string, string][] = []
          for (let i = 0; i + 1 < cuts.length; i += 2) spans.push([time(cuts[i] ?? 0), time(cuts[i + 1] ?? 0)])
          return spans.length > 0 ? [[day, spans]] : []
        }),
      )
    let slots = 0
    for (const [timeZone, start] of CHANGES)
      for (let run = 0; run < 4; run += 1) {
        const from = Date.parse(start) + int(8) * 15 * MINUTE
        const to = from + 30 * 60 * MINUTE
        const span = (longest: number) => {
          const at = from + int(30 * 60) * MINUTE
          return { from: at, to: at + (1 + int(longest)) * MINUTE }
        }
        const member = (id: string): StaffTimes => {
          const capacity = 1 + int(3)
          return {
            id,
            capacity,
            // Half of them are open in the night, when clocks change.
            hours: run % 2 ? week(0.9, 3) : Object.fromEntries(WEEKDAYS.map((day) => [day, [['00:00', '24:00']]])),
            breaks: week(0.4, 1),
            absences: Array.from({ length: int(2) }, () => span(200)),
            busy: Array.from({ length: int(8) }, () => ({
              ...span(120),
              seat: random() < 0.2 ? null : int(capacity),
              area: ['north', 'south', null][int(3)] ?? null,
            })),
          }
        }
        const closedOn = random() < 0.3 ? clockOf(timeZone)(to).date : ''
        const query: AvailabilityQuery = {
          timeZone,
          from,
          to,
          minutes: 5 + int(20) * 5,
          bufferBefore: int(3) * 10,
          bufferAfter: int(3) * 10,
          stepMinutes: [15, 20, 30, 60][int(4)] ?? 15,
          staff: [member('a'), member('b')],
          dateRule: (date) => (date === closedOn ? 'closed' : run === 3 ? { until: '13:00' } : 'open'),
          travel: (area) => (area === 'north' ? 25 : 70),
        }
        const found = findSlots(query).map(
          (slot) => `${new Date(slot.startsAt).toISOString()} ${slot.staffId} ${slot.seat}`,
        )
        expect({ timeZone, run, found: found.sort() }).toEqual({ timeZone, run, found: bruteForce(query) })
        slots += found.length
      }
    expect(slots).toBeGreaterThan(500)
  }),
  30_000,
)

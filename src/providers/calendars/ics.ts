import type { CalendarComponent, VEvent, VFreebusy } from 'node-ical'
import { exceptionsOf, expandEvent, instantOf } from './ics-series.ts'
import { prepareIcs, withoutExtraDate } from './ics-text.ts'
import type { OutsideEvent, OwnEvent, Window } from './port.ts'

/** Occurrences that are kept of one text. */
const MAX_OF_TEXT = 10_000
/** A rule of an older series would be walked through from its start. */
const EARLIEST = Date.UTC(1970, 0, 1)

export type ReadIcs = { events: OutsideEvent[]; skipped: number }

/**
 * The occurrences of a calendar's text in a window. What cannot be read is counted and left out.
 * @param objectOf names what an event belongs to, by its UID
 * @param addresses the owner's, as `addressOf` writes them: what these declined is not busy
 * @throws Error for a text that is no calendar
 */
export async function readIcs(
  text: string,
  window: Window,
  objectOf: (uid: string) => string,
  options: { etag?: string | null; addresses?: readonly string[] } = {},
): Promise<ReadIcs> {
  if (!/BEGIN:VCALENDAR/i.test(text)) throw new Error('The text is no calendar.')
  // Half a megabyte with its zones: loaded where a calendar is read.
  const { default: ical } = await import('node-ical')
  const prepared = await prepareIcs(text, window)
  const result: ReadIcs = { events: [], skipped: prepared.refused }
  const parsed = Object.values(ical.sync.parseICS(prepared.text))
  const components = parsed.filter(isEvent)
  result.events.push(...parsed.filter(isFreeBusy).flatMap((each) => busyTimesOf(each, window, objectOf)))
  // An extra date that has an exception is what the exception says.
  const replaced = new Set(
    components.flatMap((each) => exceptionsOf(each).map(({ recurrenceid }) => keyOf(each.uid, recurrenceid))),
  )
  for (const component of components) {
    const uid = component.uid ?? ''
    if (uid !== withoutExtraDate(uid) && replaced.has(keyOf(withoutExtraDate(uid), component.start))) continue
    try {
      const occurrences = occurrencesOf(ical, component, window, objectOf(withoutExtraDate(uid)), options)
      result.events.push(...occurrences)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      result.skipped += 1
    }
    if (result.events.length > MAX_OF_TEXT) {
      result.skipped += result.events.length - MAX_OF_TEXT
      result.events.length = MAX_OF_TEXT
      break
    }
  }
  return result
}

const keyOf = (uid: string | undefined, at: Date | undefined) => `${uid} ${at?.getTime()}`

const isEvent = (component: CalendarComponent | { type: string } | undefined): component is VEvent =>
  component?.type === 'VEVENT'

const isFreeBusy = (component: CalendarComponent | { type: string } | undefined): component is VFreebusy =>
  component?.type === 'VFREEBUSY'

/** Busy times that are published without their events (RFC 5545, 3.6.4). */
function busyTimesOf(published: VFreebusy, window: Window, objectOf: (uid: string) => string): OutsideEvent[] {
  const uid = published.uid ?? 'freebusy'
  const objectId = objectOf(uid)
  return (published.freebusy ?? []).slice(0, MAX_OF_TEXT).flatMap(({ type, start, end }): OutsideEvent[] => {
    if (!start || !end || type === 'FREE') return []
    const [startsAt, endsAt] = [instantOf(start, false, window.zone), instantOf(end, false, window.zone)]
    if (endsAt <= startsAt || endsAt <= window.from || startsAt >= window.to) return []
    return [
      {
        ...{ objectId, eventId: `${objectId}#${startsAt.getTime()}`, uid, startsAt, endsAt, busy: true, allDay: false },
        ...{ etag: null, title: null, ours: null },
      },
    ]
  })
}

function occurrencesOf(
  ical: typeof import('node-ical').default,
  event: VEvent,
  window: Window,
  objectId: string,
  { etag = null, addresses = [] }: { etag?: string | null; addresses?: readonly string[] },
): OutsideEvent[] {
  if (!event.start || Number.isNaN(event.start.getTime())) throw new Error('The event has no start.')
  if (event.rrule && event.start.getTime() < EARLIEST) throw new Error('The series is too old.')
  const uid = withoutExtraDate(event.uid ?? '')
  const found: OutsideEvent[] = []
  for (const { own, startsAt, endsAt, allDay, title } of expandEvent(ical, event, window)) {
    if (own.status === 'CANCELLED' || endsAt <= startsAt) continue
    if (endsAt <= window.from || startsAt >= window.to) continue
    found.push({
      objectId,
      eventId: `${objectId}#${startsAt.getTime()}`,
      ...{ uid, startsAt, endsAt, allDay, etag, title },
      busy: own.transparency !== 'TRANSPARENT' && !isFreeAtMicrosoft(own) && !isDeclined(own, addresses),
      ours: oursOf(own, uid),
    })
  }
  return found
}

/** [MS-OXCICAL], `X-MICROSOFT-CDO-BUSYSTATUS`: as in the API of Microsoft, who works elsewhere is not busy. */
function isFreeAtMicrosoft(event: object): boolean {
  return ['FREE', 'WORKINGELSEWHERE'].includes(String(Reflect.get(event, 'MICROSOFT-CDO-BUSYSTATUS')))
}

/** An address of a person in small letters, a mail address without its scheme. */
export const addressOf = (address: string) =>
  address
    .trim()
    .toLowerCase()
    .replace(/^mailto:/, '')

function isDeclined({ attendee }: Pick<VEvent, 'attendee'>, addresses: readonly string[]): boolean {
  if (!attendee) return false
  return [attendee].flat().some((each) => {
    if (typeof each === 'string') return false
    // iCloud names people by a path or `urn:uuid:`, with the address beside it (EMAIL of RFC 7986, section 6.2).
    const names = [each.val, Reflect.get(each.params, 'EMAIL')].map((name) => addressOf(String(name ?? '')))
    return each.params.PARTSTAT === 'DECLINED' && names.some((name) => addresses.includes(name))
  })
}

const OURS = /^([0-9a-f-]{36})@agentlocator$/

function oursOf(event: object, uid: string): OutsideEvent['ours'] {
  const appointmentId = OURS.exec(uid)?.[1]
  if (!appointmentId) return null
  const revision = Reflect.get(event, 'AGENTLOCATOR-REVISION')
  return { appointmentId, revision: Number(revision) || 0 }
}

/** One of the events of a text that we write. */
export type IcsEvent = Omit<OwnEvent, 'key' | 'zone'>

/** A calendar in iCalendar (RFC 5545): times in UTC, which need no zone. @param name of a feed */
export function writeIcs(events: readonly IcsEvent[], feed?: { name: string; refreshMinutes: number }): string {
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//AgentLocator//EN', 'CALSCALE:GREGORIAN']
  if (feed)
    lines.push(
      'METHOD:PUBLISH',
      `NAME:${escapeText(feed.name)}`,
      `X-WR-CALNAME:${escapeText(feed.name)}`,
      `REFRESH-INTERVAL;VALUE=DURATION:PT${feed.refreshMinutes}M`,
      `X-PUBLISHED-TTL:PT${feed.refreshMinutes}M`,
    )
  for (const event of events) lines.push(...eventLines(event))
  lines.push('END:VCALENDAR')
  return `${lines.map(fold).join('\r\n')}\r\n`
}

function eventLines(event: IcsEvent): string[] {
  return [
    'BEGIN:VEVENT',
    `UID:${uidOf(event.appointmentId)}`,
    `DTSTAMP:${utc(event.changedAt)}`,
    `LAST-MODIFIED:${utc(event.changedAt)}`,
    `SEQUENCE:${event.revision}`,
    `DTSTART:${utc(event.startsAt)}`,
    `DTEND:${utc(event.endsAt)}`,
    `SUMMARY:${escapeText(event.title)}`,
    ...(event.description ? [`DESCRIPTION:${escapeText(event.description)}`] : []),
    'STATUS:CONFIRMED',
    'TRANSP:OPAQUE',
    `X-AGENTLOCATOR-REVISION:${event.revision}`,
    'END:VEVENT',
  ]
}

export const uidOf = (appointmentId: string): string => `${appointmentId}@agentlocator`

const utc = (at: Date) => at.toISOString().replace(/\.\d{3}|[-:]/g, '')

function escapeText(text: string): string {
  return text
    .replace(/\\/g, '\\\\')
    .replace(/[;,]/g, '\\$&')
    .replace(/\r\n?|\n/g, '\\n')
}

/** Lines are folded by octets, at most 75, and not within a character. */
function fold(line: string): string {
  const encoder = new TextEncoder()
  if (encoder.encode(line).length <= 75) return line
  const parts: string[] = []
  let part = ''
  let size = 0
  for (const character of line) {
    const length = encoder.encode(character).length
    // A continued line begins with a space.
    if (size + length > (parts.length === 0 ? 75 : 74)) {
      parts.push(part)
      part = ''
      size = 0
    }
    part += character
    size += length
  }
  parts.push(part)
  return parts.join('\r\n ')
}

/**
 * Changes our event in a text that others may have changed: what it does not know stays, as reminders that a person added.
 * @throws Error for a text that is no calendar
 */
export async function editIcs(text: string, event: IcsEvent): Promise<string> {
  const { default: ICAL } = await import('ical.js')
  const calendar = new ICAL.Component(ICAL.parse(text))
  const own = calendar.getAllSubcomponents('vevent').find((each) => !each.hasProperty('recurrence-id'))
  if (!own) throw new Error('The calendar has no event.')
  const at = (date: Date) => ICAL.Time.fromJSDate(date, true)
  for (const name of ['duration', 'dtstart', 'dtend', 'rrule', 'exdate', 'rdate']) own.removeAllProperties(name)
  own.updatePropertyWithValue('dtstart', at(event.startsAt))
  own.updatePropertyWithValue('dtend', at(event.endsAt))
  own.updatePropertyWithValue('dtstamp', at(event.changedAt))
  own.updatePropertyWithValue('last-modified', at(event.changedAt))
  own.updatePropertyWithValue('summary', event.title)
  own.updatePropertyWithValue('description', event.description)
  own.updatePropertyWithValue('status', 'CONFIRMED')
  own.updatePropertyWithValue(
    'sequence',
    Math.max(event.revision, Number(own.getFirstPropertyValue('sequence') ?? 0) + 1),
  )
  own.updatePropertyWithValue('x-agentlocator-revision', String(event.revision))
  // Else the server mails whom a person invited.
  for (const name of ['attendee', 'organizer'])
    for (const property of own.getAllProperties(name)) property.setParameter('schedule-agent', 'CLIENT')
  return calendar.toString()
}

import { and, eq, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  appointmentNotices,
  type appointments,
  bookingSettings,
  type NoticeWay,
  type ReminderRules,
} from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { addDates, instantOf, wallClock } from '../../lib/local-time.ts'
import type { BusinessContext } from '../context.ts'
import type { BusinessCalendar } from './business-calendar.ts'
import type { AnswerKind } from './notice-texts.ts'

const MINUTE = 60_000
const DAY_MINUTES = 1_440
/** A slip of the hand is taken back before the customer hears of it. */
const NO_SHOW_AFTER_MS = 15 * MINUTE
/** The same, of a move or a cancellation. */
const SECOND_THOUGHT_MS = 30_000

type Row = typeof appointments.$inferSelect
type NewNotice = typeof appointmentNotices.$inferInsert

/**
 * Writes down what a customer is to be notified, in the change's own transaction; what was planned for an earlier time is dropped.
 * A business without rules tells nothing.
 */
export async function planNotices(
  tx: Executor,
  ctx: BusinessContext,
  calendar: Pick<BusinessCalendar, 'settings'>,
  row: Row,
  now: Date,
  kind: 'booked' | 'moved' | 'cancelled',
  before?: Pick<Row, 'startsAt'>,
): Promise<void> {
  const change = await unknownChange(tx, row, kind, before)
  await dropPlanned(tx, row.id, kind)
  const rules = calendar.settings.reminders
  if (!rules || !row.contactId) return
  const notice = noticeOf(ctx, row)
  // A member who changes their mind has written to no one.
  const dueAt = ctx.actor.kind === 'user' && kind !== 'booked' ? new Date(now.getTime() + SECOND_THOUGHT_MS) : now
  const planned: NewNotice[] = change ? [{ ...notice, ...change, id: newId(), dueAt }] : []
  if (kind !== 'cancelled') {
    for (const before of rules.before) {
      const dueAt = reminderTime(row.startsAt, before, rules, row.zone)
      if (dueAt > now) planned.push({ ...notice, id: newId(), kind: 'reminder', before, dueAt })
    }
    if (rules.followUpAfter !== null) {
      const after = new Date(row.endsAt.getTime() + rules.followUpAfter * MINUTE)
      planned.push({ ...notice, id: newId(), kind: 'follow_up', dueAt: nextOpen(after, rules, row.zone) })
    }
  }
  if (planned.length > 0) await tx.insert(appointmentNotices).values(planned).onConflictDoNothing()
}

/**
 * What a customer does not know yet: nothing where a change was taken back before they were written to, or only another person
 * receives them. `detail` of a move that waits to be sent is the time that they know.
 */
async function unknownChange(
  tx: Executor,
  { id, startsAt }: Row,
  kind: 'booked' | 'moved' | 'cancelled',
  before?: Pick<Row, 'startsAt'>,
): Promise<Pick<NewNotice, 'kind' | 'detail'> | null> {
  const unsent = await tx
    .select({ kind: appointmentNotices.kind, detail: appointmentNotices.detail })
    .from(appointmentNotices)
    .where(
      and(
        eq(appointmentNotices.appointmentId, id),
        eq(appointmentNotices.state, 'pending'),
        eq(appointmentNotices.attempts, 0),
        inArray(appointmentNotices.kind, ['booked', 'moved', 'cancelled']),
      ),
    )
  const unsentOf = (of: string) => unsent.find((each) => each.kind === of)
  if (kind === 'cancelled') return unsentOf('booked') ? null : { kind }
  if (kind === 'booked') return unsentOf('cancelled') ? null : { kind }
  if (unsentOf('booked')) return { kind: 'booked' }
  const known = unsentOf('moved')?.detail ?? before?.startsAt.toISOString() ?? null
  return known === startsAt.toISOString() ? null : { kind, detail: known }
}

/** The link by which the deposit of a held appointment is paid. It is sent whatever the rules: without it nothing can be booked. */
export async function planDeposit(tx: Executor, ctx: BusinessContext, row: Row, now: Date): Promise<void> {
  if (!row.contactId) return
  await tx
    .insert(appointmentNotices)
    .values({ ...noticeOf(ctx, row), id: newId(), kind: 'deposit', dueAt: now })
    .onConflictDoNothing()
}

/** Customers who were asked for a deposit hear that it did not come, or that it came too late. */
export async function planEnd(
  tx: Executor,
  ctx: BusinessContext,
  rows: Pick<Row, 'id' | 'revision'>[],
  kind: 'released' | 'refund_due',
  now: Date,
): Promise<void> {
  if (rows.length === 0) return
  for (const { id } of rows) await dropPlanned(tx, id, kind)
  await tx
    .insert(appointmentNotices)
    .values(rows.map((row) => ({ ...noticeOf(ctx, row), id: newId(), kind, dueAt: now })))
    .onConflictDoNothing()
}

/** A customer who did not come is written to, where the business wants it. */
export async function planNoShow(tx: Executor, ctx: BusinessContext, row: Row, now: Date): Promise<void> {
  const [settings] = await tx
    .select({ rules: bookingSettings.reminders })
    .from(bookingSettings)
    .where(eq(bookingSettings.businessId, ctx.businessId))
  const rules = settings?.rules
  if (!rules?.noShow || !row.contactId) return
  const dueAt = nextOpen(new Date(now.getTime() + NO_SHOW_AFTER_MS), rules, row.zone)
  await tx
    .insert(appointmentNotices)
    .values({ ...noticeOf(ctx, row), id: newId(), kind: 'no_show', dueAt })
    .onConflictDoNothing()
}

/** An answer to what a customer answered by SMS or telephone, once for each `key`. */
export async function planAnswer(
  tx: Executor,
  ctx: BusinessContext,
  row: Pick<Row, 'id' | 'revision'>,
  answer: { kind: AnswerKind; key: string; ways: NoticeWay[] },
  now: Date,
): Promise<void> {
  await tx
    .insert(appointmentNotices)
    .values({ ...noticeOf(ctx, row), ...answer, id: newId(), dueAt: now })
    .onConflictDoNothing()
}

function noticeOf(ctx: BusinessContext, { id, revision }: Pick<Row, 'id' | 'revision'>) {
  return { businessId: ctx.businessId, appointmentId: id, revision }
}

async function dropPlanned(tx: Executor, appointmentId: string, why: string): Promise<void> {
  await tx
    .update(appointmentNotices)
    .set({ state: 'dropped', detail: why })
    .where(and(eq(appointmentNotices.appointmentId, appointmentId), eq(appointmentNotices.state, 'pending')))
}

/**
 * When a reminder goes out: whole days before are days of the calendar, at the same time of the clock. Outside the hours in which
 * people are written to it is moved, into them on the same day or to their end on the day before.
 */
export function reminderTime(
  startsAt: Date,
  before: number,
  { from, to }: Pick<ReminderRules, 'from' | 'to'>,
  timeZone: string,
): Date {
  const start = wallClock(startsAt, timeZone)
  const exact = new Date(startsAt.getTime() - before * MINUTE)
  const wall =
    before % DAY_MINUTES === 0
      ? { date: addDates(start.date, -before / DAY_MINUTES), time: start.time }
      : wallClock(exact, timeZone)
  if (wall.time > to) return onClock(wall.date, to, timeZone)
  if (wall.time >= from) return before % DAY_MINUTES === 0 ? onClock(wall.date, wall.time, timeZone) : exact
  const opening = onClock(wall.date, from, timeZone)
  return opening < startsAt ? opening : onClock(addDates(wall.date, -1), to, timeZone)
}

/** The first moment from then on in the hours in which people are written to. */
export function nextOpen(at: Date, { from, to }: Pick<ReminderRules, 'from' | 'to'>, timeZone: string): Date {
  const { date, time } = wallClock(at, timeZone)
  if (time < from) return onClock(date, from, timeZone)
  return time > to ? onClock(addDates(date, 1), from, timeZone) : at
}

/** An hour that the clocks leave out is the one after it. The end of a day is its last minute. */
function onClock(date: string, clock: string, timeZone: string): Date {
  const time = clock === '24:00' ? '23:59' : clock
  const at = instantOf(date, time, timeZone)
  if (!Number.isNaN(at.getTime())) return at
  return new Date(Temporal.PlainDateTime.from(`${date}T${time}`).toZonedDateTime(timeZone).epochMilliseconds)
}

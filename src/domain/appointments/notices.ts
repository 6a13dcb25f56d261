import { and, asc, eq, gt, inArray, lt, lte, or, sql } from 'drizzle-orm'
import {
  appointmentNotices,
  appointments,
  bookingSettings,
  businesses,
  contacts,
  messages,
  type NoticeWay,
  type ReminderRules,
  services,
} from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { DEFAULT_SETTINGS } from './business-calendar.ts'
import type { NoticeDeps } from './notice-deps.ts'
import { type Due, sendBy } from './notice-ways.ts'
import { nextOpen } from './plan-notices.ts'

const BATCH = 200
/** So many are sent at once. */
const PARALLEL = 8
/** A round ends after this, so that the sweeps behind it are not kept waiting; the next one goes on. */
const ROUND_MS = 20_000
/** A follow-up that was held up longer is not sent. */
const STALE_MS = 24 * 3_600_000
/** What is later than this is looked at again, whether it is still an hour at which people are written to. */
const LATE_MS = 30 * 60_000
/** An attempt that has not ended for this long has died. */
const CLAIM_MS = 5 * 60_000
/** What may have been sent is looked up once more after this. */
const UNKNOWN_MS = 60_000
/** Of one way, before the next is tried. */
const ATTEMPTS = 5
/** What may have arrived is looked up so often, and not repeated then. */
const UNKNOWN_ATTEMPTS = 3
/** A message that WhatsApp refuses later than this is not followed by another way. */
const HANDED_OVER_MS = 24 * 3_600_000
/** No other way may be used then. */
const FINAL_CODES = new Set(['contact_opted_out', 'person_erased', 'business_blocked'])

type Notice = typeof appointmentNotices.$inferSelect
type Appointment = typeof appointments.$inferSelect

/**
 * Notifies customers of what is due, each once: the row of the appointment is read anew, and what no longer holds is dropped. Run by
 * several workers at once, or after one died in the middle, each is sent once.
 * @returns how many were sent
 */
export async function sendNotices(ctx: DomainContext, deps: NoticeDeps, now = new Date()): Promise<number> {
  await followFailed(ctx, now)
  const began = performance.now()
  const stale = new Date(now.getTime() - CLAIM_MS)
  const due = await ctx.db
    .select({ id: appointmentNotices.id, businessId: appointmentNotices.businessId })
    .from(appointmentNotices)
    .where(
      or(
        and(eq(appointmentNotices.state, 'pending'), lte(appointmentNotices.dueAt, now)),
        and(eq(appointmentNotices.state, 'sending'), lt(appointmentNotices.claimedAt, stale)),
      ),
    )
    .orderBy(asc(appointmentNotices.dueAt), asc(appointmentNotices.id))
    .limit(BATCH)
  let sent = 0
  for (let at = 0; at < due.length && performance.now() - began < ROUND_MS; at += PARALLEL) {
    const results = await Promise.allSettled(
      due.slice(at, at + PARALLEL).map(({ id, businessId }) => sendNotice(within(ctx, businessId), id, deps, now)),
    )
    for (const each of results) {
      if (each.status === 'fulfilled') sent += each.value ? 1 : 0
      else ctx.log.warn({ error: errorMessage(each.reason) }, 'an appointment notice was not sent, tried again')
    }
  }
  return sent
}

/** Takes a notice for one attempt; one that no longer holds is dropped, one that is far too late for its day waits for the next. */
async function claimNotice(ctx: BusinessContext, id: string, now: Date): Promise<(Due & { again: boolean }) | null> {
  return await ctx.db.transaction(async (tx) => {
    const [notice] = await tx
      .select()
      .from(appointmentNotices)
      .where(and(eq(appointmentNotices.id, id), eq(appointmentNotices.businessId, ctx.businessId)))
      .for('update')
    if (!notice) return null
    const again = notice.state === 'sending'
    if (again && now.getTime() - (notice.claimedAt?.getTime() ?? 0) < CLAIM_MS) return null
    if (notice.state !== 'pending' && !again) return null
    const [row] = await tx
      .select({
        appointment: appointments,
        service: services,
        phone: contacts.phone,
        optedOutAt: contacts.optedOutAt,
        business: businesses.name,
        language: businesses.language,
        rules: bookingSettings.reminders,
        changeMinutes:
          sql<number>`coalesce(${bookingSettings.changeMinutes}, ${DEFAULT_SETTINGS.changeMinutes})`.mapWith(Number),
      })
      .from(appointments)
      .innerJoin(businesses, eq(businesses.id, appointments.businessId))
      .leftJoin(contacts, eq(contacts.id, appointments.contactId))
      .leftJoin(services, eq(services.id, appointments.serviceId))
      .leftJoin(bookingSettings, eq(bookingSettings.businessId, appointments.businessId))
      .where(and(eq(appointments.id, notice.appointmentId), eq(appointments.businessId, ctx.businessId)))
    if (!row) return null
    const set = async (changes: Partial<typeof appointmentNotices.$inferInsert>) => {
      await tx.update(appointmentNotices).set(changes).where(eq(appointmentNotices.id, id))
    }
    if (again && notice.attempts >= UNKNOWN_ATTEMPTS) {
      await set({ state: 'unknown', sentAt: now, detail: notice.detail ?? 'outcome_unknown' })
      return null
    }
    const { phone, optedOutAt } = row
    const over = overBecause(notice, row.appointment, now) ?? (optedOutAt ? 'contact_opted_out' : null)
    // One whose attempt died may have arrived: it is looked up whatever has become of the appointment.
    if (!phone || (over && !again)) {
      await set({ state: 'dropped', detail: phone ? over : 'no_phone' })
      return null
    }
    const later = again ? null : heldUntil(notice, row, now)
    if (later) {
      await set({ dueAt: later })
      return null
    }
    const claimed = { state: 'sending' as const, claimedAt: now, attempts: notice.attempts + 1 }
    await set(claimed)
    return { ...row, phone, notice: { ...notice, ...claimed }, over, again }
  })
}

async function sendNotice(ctx: BusinessContext, id: string, deps: NoticeDeps, now: Date): Promise<boolean> {
  const due = await claimNotice(ctx, id, now)
  if (!due) return false
  const { notice, again } = due
  const write = async (changes: Partial<typeof appointmentNotices.$inferInsert>) => {
    // Whoever claimed it later writes for itself.
    await ctx.db
      .update(appointmentNotices)
      .set(changes)
      .where(
        and(
          eq(appointmentNotices.id, id),
          eq(appointmentNotices.state, 'sending'),
          eq(appointmentNotices.claimedAt, now),
        ),
      )
  }
  const tried = [...notice.tried]
  let why = notice.detail ?? 'no_way'
  for (const way of waysOf(due, deps, ctx.businessId)) {
    if (tried.includes(way)) continue
    if (way === 'voice' && due.rules && nextOpen(now, due.rules, due.appointment.zone) > now) continue
    const isResumed = again && notice.way === way
    await write({ way, tried, address: way === 'whatsapp' ? null : due.phone })
    try {
      const { ref, detail } = await sendBy(ctx, way, due, isResumed, deps)
      if (ref === 'absent') {
        await write({ state: 'dropped', detail: due.over })
        return false
      }
      await write({ state: 'sent', way, tried, detail, providerRef: ref, sentAt: now })
      return true
    } catch (error) {
      if (!(error instanceof AppError)) {
        await write({ state: 'pending', claimedAt: null })
        throw error
      }
      why = error.code
      if (FINAL_CODES.has(why)) {
        await write({ state: 'dropped', detail: why })
        return false
      }
      const passes = error.kind === 'unavailable' || error.kind === 'rate_limited'
      if (why === 'outcome_unknown') {
        await write({ detail: why, claimedAt: new Date(now.getTime() - CLAIM_MS + UNKNOWN_MS) })
        return false
      }
      if (passes && why !== 'not_configured' && notice.attempts < ATTEMPTS) {
        await write({ state: 'pending', tried, detail: why })
        return false
      }
      tried.push(way)
    }
  }
  ctx.log.warn({ noticeId: id, kind: notice.kind, code: why }, 'appointment notice given up')
  await write({ state: 'failed', tried, detail: why })
  return false
}

/** By which ways a customer is notified of it, in order. Only reminders are read out. */
function waysOf(
  { notice, rules }: Pick<Due, 'notice' | 'rules'>,
  deps: Pick<NoticeDeps, 'carrierOf'>,
  businessId: string,
): NoticeWay[] {
  const chosen = notice.ways ?? rules?.ways ?? (rules ? ['whatsapp'] : ['whatsapp', 'sms'])
  const can = chosen.filter((way) => way !== 'voice' || notice.kind === 'reminder')
  // A link that has to be read, where the business chose calls alone.
  const ways: NoticeWay[] = can.length > 0 ? can : ['whatsapp', 'sms']
  return deps.carrierOf(businessId) ? ways : ways.filter((way) => way === 'whatsapp')
}

/**
 * What was held up until people are no longer written to waits for the morning; a reminder only where that is early enough.
 */
function heldUntil(
  { kind, dueAt }: Notice,
  { rules, appointment }: { rules: ReminderRules | null; appointment: Appointment },
  now: Date,
): Date | null {
  const waits = kind === 'reminder' || kind === 'follow_up' || kind === 'no_show'
  if (!waits || !rules || now.getTime() - dueAt.getTime() < LATE_MS) return null
  const open = nextOpen(now, rules, appointment.zone)
  return open > now && (kind !== 'reminder' || open < appointment.startsAt) ? open : null
}

function overBecause(notice: Notice, appointment: Appointment, now: Date): string | null {
  const { kind } = notice
  if (notice.revision !== appointment.revision) return 'changed'
  if (kind === 'cancelled') return appointment.state === 'cancelled' ? null : 'restored'
  if (kind === 'no_show') return appointment.state === 'no_show' ? null : 'restored'
  if (kind === 'refund_due') return appointment.refundDueAt ? null : 'settled'
  if (kind === 'released') return appointment.state === 'expired' ? null : appointment.state
  if (kind === 'deposit' || kind === 'offer') {
    if (appointment.state !== 'held') return appointment.state
    return appointment.heldUntil && appointment.heldUntil > now ? null : 'over'
  }
  if (appointment.state !== 'booked') return appointment.state
  if (kind === 'follow_up') return now.getTime() - notice.dueAt.getTime() > STALE_MS ? 'too_late' : null
  return appointment.startsAt <= now ? 'begun' : null
}

/** A message that WhatsApp took and refused later is followed by the next way. @returns how many */
async function followFailed(ctx: DomainContext, now: Date): Promise<number> {
  const rows = await ctx.db
    .select({ id: appointmentNotices.id, businessId: appointmentNotices.businessId, code: messages.errorCode })
    .from(appointmentNotices)
    .innerJoin(
      messages,
      and(
        eq(messages.businessId, appointmentNotices.businessId),
        // Only a message's id is compared.
        sql`${messages.id} = case when ${appointmentNotices.state} = 'sent' and ${appointmentNotices.way} = 'whatsapp'
          then ${appointmentNotices.detail}::uuid end`,
      ),
    )
    .where(
      and(
        eq(appointmentNotices.state, 'sent'),
        eq(appointmentNotices.way, 'whatsapp'),
        gt(appointmentNotices.sentAt, new Date(now.getTime() - HANDED_OVER_MS)),
        eq(messages.status, 'failed'),
      ),
    )
    .limit(BATCH)
  for (const { id, businessId, code } of rows)
    await takeFailure(within(ctx, businessId), id, 'whatsapp', code ?? 'failed')
  return rows.length
}

/**
 * A notice that was sent did not arrive: the next way is tried. Of a way that it was not sent by, or heard twice, it does nothing.
 * @returns whether another way is tried
 */
export async function takeFailure(ctx: BusinessContext, id: string, way: NoticeWay, code: string): Promise<boolean> {
  const final = FINAL_CODES.has(code)
  const rows = await ctx.db
    .update(appointmentNotices)
    .set({
      state: final ? 'dropped' : 'pending',
      detail: code,
      attempts: 0,
      claimedAt: null,
      tried: sql`array_append(${appointmentNotices.tried}, ${way}::text)`,
    })
    .where(
      and(
        eq(appointmentNotices.id, id),
        eq(appointmentNotices.businessId, ctx.businessId),
        eq(appointmentNotices.way, way),
        inArray(appointmentNotices.state, ['sent', 'unknown']),
      ),
    )
    .returning({ id: appointmentNotices.id })
  return rows.length > 0 && !final
}

import { and, eq } from 'drizzle-orm'
import { appointmentNotices, appointments, businesses } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { actOnReply } from './notice-replies.ts'
import { SPOKEN, sayWhen } from './notice-texts.ts'
import { takeFailure } from './notices.ts'
import { planAnswer } from './plan-notices.ts'

/** What is said to a customer who is rung up. Without `ask` there is nothing to press a key for. */
export type SpokenNotice = { language: 'he' | 'en'; text: string; ask: string | null }

const KEYS = { 1: 'confirm', 2: 'move', 3: 'cancel' } as const
const HOW_IT_FAILS = new Set(['busy', 'no-answer', 'failed', 'canceled'])
const NOT_DELIVERED = new Set(['undelivered', 'failed'])

/** The words for a customer who answers the call of a reminder. */
export async function speakNotice(ctx: BusinessContext, noticeId: string, now: Date): Promise<SpokenNotice> {
  const { row, language } = await findCall(ctx, noticeId)
  const words = SPOKEN[language]
  if (!row || !holds(row, now)) return { language, text: words.over, ask: null }
  const { appointment, business } = row
  const facts = { business, when: sayWhen(language, appointment.startsAt, appointment.zone), link: '' }
  return { language, text: words.reminder(facts), ask: words.ask }
}

/**
 * Does what the key asks for that a customer pressed; a machine presses none, so it changes nothing.
 * @returns the words for it, or null to read the reminder out again
 */
export async function takeNoticeKey(
  ctx: BusinessContext,
  noticeId: string,
  pressed: string,
  now: Date,
): Promise<SpokenNotice | null> {
  const key = pressed === '1' || pressed === '2' || pressed === '3' ? pressed : null
  if (!key) return null
  const { row, language } = await findCall(ctx, noticeId)
  const words = SPOKEN[language]
  // Pressed and heard again: it is cancelled by this very call.
  if (row?.appointment.state === 'cancelled' && key === '3') return { language, text: words.cancelled, ask: null }
  if (!row || !holds(row, now)) return { language, text: words.over, ask: null }
  const answer = await actOnReply(ctx, row.appointment.id, KEYS[key], now)
  if (answer === 'move') {
    const link = { kind: 'move' as const, key: noticeId, ways: ['sms' as const, 'whatsapp' as const] }
    await planAnswer(ctx.db, ctx, row.appointment, link, now)
  }
  return { language, text: words[answer === null ? 'cancelled' : answer === 'unclear' ? 'move' : answer], ask: null }
}

/** How the call of a reminder ended: one that no one answered is followed by the next way. */
export async function endNoticeCall(ctx: BusinessContext, noticeId: string, status: string): Promise<void> {
  if (HOW_IT_FAILS.has(status)) await takeFailure(ctx, noticeId, 'voice', status)
}

/**
 * What became of an SMS by the carrier: one that did not arrive is followed by the next way.
 * @returns whether it is known; a report may come before the answer to the request that sent it
 */
export async function noteNoticeStatus(
  ctx: BusinessContext,
  noticeId: string,
  { status, code }: { status: string; code: string | null },
): Promise<boolean> {
  if (!NOT_DELIVERED.has(status)) return true
  const [row] = await ctx.db
    .select({ state: appointmentNotices.state })
    .from(appointmentNotices)
    .where(and(eq(appointmentNotices.id, noticeId), eq(appointmentNotices.businessId, ctx.businessId)))
  if (row?.state === 'sending') return false
  await takeFailure(ctx, noticeId, 'sms', code ? `carrier_${code}` : status)
  return true
}

type Called = {
  notice: typeof appointmentNotices.$inferSelect
  appointment: typeof appointments.$inferSelect
  business: string
}

const holds = ({ notice, appointment }: Called, now: Date) =>
  appointment.state === 'booked' && appointment.revision === notice.revision && appointment.startsAt > now

async function findCall(
  ctx: BusinessContext,
  noticeId: string,
): Promise<{ row: Called | null; language: 'he' | 'en' }> {
  const [row] = await ctx.db
    .select({
      notice: appointmentNotices,
      appointment: appointments,
      business: businesses.name,
      language: businesses.language,
    })
    .from(appointmentNotices)
    .innerJoin(appointments, eq(appointments.id, appointmentNotices.appointmentId))
    .innerJoin(businesses, eq(businesses.id, appointmentNotices.businessId))
    .where(
      and(
        eq(appointmentNotices.id, noticeId),
        eq(appointmentNotices.businessId, ctx.businessId),
        eq(appointmentNotices.way, 'voice'),
      ),
    )
  return { row: row ?? null, language: row?.appointment.language ?? row?.language ?? 'he' }
}

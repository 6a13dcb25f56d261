import { and, asc, desc, eq, gt, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm'
import { appointmentNotices, appointments, businesses, contacts, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { isSamePhone } from '../../lib/phone.ts'
import { findContactByPhone, readConsentWord, writeOptOut } from '../contacts/index.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { requestMessage } from '../messages/index.ts'
import { cancelByCustomer, canStillChange } from './booking.ts'
import { readCalendar } from './business-calendar.ts'
import type { NoticeDeps } from './notice-deps.ts'
import { type AnswerKind, noticeText, type Reply, readReply, sayWhen } from './notice-texts.ts'
import { planAnswer } from './plan-notices.ts'

const BATCH = 100

/**
 * Reads what customers answered to their reminders over WhatsApp, and does it; an answer that asks for nothing clear is left to a
 * person.
 * @returns how many were understood
 */
export async function readReplies(ctx: DomainContext, deps: NoticeDeps, now = new Date()): Promise<number> {
  const rows = await ctx.db
    .select({
      noticeId: appointmentNotices.id,
      businessId: appointmentNotices.businessId,
      appointmentId: appointments.id,
      messageId: messages.id,
      body: messages.body,
    })
    .from(appointmentNotices)
    .innerJoin(appointments, eq(appointments.id, appointmentNotices.appointmentId))
    .innerJoin(
      messages,
      and(
        eq(messages.businessId, appointmentNotices.businessId),
        eq(messages.contactId, appointments.contactId),
        eq(messages.direction, 'in'),
        gt(messages.createdAt, appointmentNotices.sentAt),
        or(sql`${appointmentNotices.replyMessageId} is null`, gt(messages.id, appointmentNotices.replyMessageId)),
      ),
    )
    .where(
      and(
        eq(appointmentNotices.kind, 'reminder'),
        eq(appointmentNotices.state, 'sent'),
        isNotNull(appointmentNotices.sentAt),
        eq(appointmentNotices.revision, appointments.revision),
        inArray(appointments.state, ['booked']),
        gt(appointments.startsAt, now),
      ),
    )
    .orderBy(asc(messages.id), desc(appointmentNotices.sentAt))
    .limit(BATCH)
  let understood = 0
  const seen = new Set<string>()
  for (const row of rows) {
    // An answer is about the reminder that was sent last.
    const reply = seen.has(row.messageId) ? null : readReply(row.body ?? '')
    seen.add(row.messageId)
    if (reply) {
      await answerByWhatsApp(within(ctx, row.businessId), row.appointmentId, row.messageId, reply, deps, now)
      understood += 1
    }
    await ctx.db
      .update(appointmentNotices)
      .set({ replyMessageId: row.messageId })
      .where(eq(appointmentNotices.id, row.noticeId))
  }
  return understood
}

/**
 * Does what a customer answered, by whichever way; done already, it stays so.
 * @returns what to answer; null where the notice of the cancellation is the answer
 */
export async function actOnReply(
  ctx: BusinessContext,
  appointmentId: string,
  reply: Reply,
  now: Date,
): Promise<AnswerKind | null> {
  if (reply === 'move') return (await isChangeable(ctx, appointmentId, now)) ? 'move' : 'too_late'
  if (reply === 'confirm') {
    await ctx.db.transaction(async (tx) => {
      const confirmed = await tx
        .update(appointments)
        .set({ customerConfirmedAt: now })
        .where(
          and(
            eq(appointments.id, appointmentId),
            eq(appointments.businessId, ctx.businessId),
            eq(appointments.state, 'booked'),
            isNull(appointments.customerConfirmedAt),
          ),
        )
        .returning({ id: appointments.id })
      if (confirmed.length > 0)
        await audit(tx, ctx, { action: 'appointment.customer_confirm', entity: 'appointment', entityId: appointmentId })
    })
    return 'confirmed'
  }
  try {
    await cancelByCustomer(ctx, appointmentId, now)
    return null
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
    return 'too_late'
  }
}

async function isChangeable(ctx: BusinessContext, appointmentId: string, now: Date): Promise<boolean> {
  const [row] = await ctx.db
    .select({ startsAt: appointments.startsAt })
    .from(appointments)
    .where(and(eq(appointments.id, appointmentId), eq(appointments.businessId, ctx.businessId)))
  const { settings } = await readCalendar(ctx.db, ctx)
  return row !== undefined && canStillChange(row.startsAt, settings.changeMinutes, now)
}

async function answerByWhatsApp(
  ctx: BusinessContext,
  appointmentId: string,
  messageId: string,
  reply: Reply,
  deps: NoticeDeps,
  now: Date,
): Promise<void> {
  const [row] = await ctx.db
    .select({
      appointment: appointments,
      phone: contacts.phone,
      business: businesses.name,
      language: businesses.language,
    })
    .from(appointments)
    .innerJoin(businesses, eq(businesses.id, appointments.businessId))
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .where(and(eq(appointments.id, appointmentId), eq(appointments.businessId, ctx.businessId)))
  if (!row?.phone) return
  const text = await actOnReply(ctx, appointmentId, reply, now)
  if (!text) return
  const language = row.appointment.language ?? row.language
  const facts = {
    business: row.business,
    when: sayWhen(language, row.appointment.startsAt, row.appointment.zone),
    link: deps.bookingLinks.urlOf(appointmentId),
  }
  try {
    const request = {
      to: row.phone,
      text: noticeText(language, text, facts),
      idempotencyKey: `appointment-answer-${messageId}`,
    }
    await requestMessage(ctx, request, deps.messages)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    ctx.log.warn({ appointmentId, code: error.code }, 'answer about an appointment not sent')
  }
}

/**
 * Takes an SMS of a customer: an answer to a reminder that went to this number, or a consent word. What is not
 * understood is answered with what is. Taken twice, it is done and answered once.
 * @returns whether it was one
 */
export async function takeNoticeSms(
  ctx: BusinessContext,
  sms: { id: string; from: string; text: string },
  now: Date,
): Promise<boolean> {
  const consent = readConsentWord(sms.text)
  if (consent) {
    const contactId = await findContactByPhone(ctx.db, ctx, sms.from)
    if (!contactId) return false
    await ctx.db.transaction((tx) => writeOptOut(tx, ctx, contactId, consent.optedOut, { by: 'sms' }))
    return true
  }
  const reminders = await ctx.db
    .select({ address: appointmentNotices.address, appointment: appointments })
    .from(appointmentNotices)
    .innerJoin(appointments, eq(appointments.id, appointmentNotices.appointmentId))
    .where(
      and(
        eq(appointmentNotices.businessId, ctx.businessId),
        eq(appointmentNotices.kind, 'reminder'),
        inArray(appointmentNotices.state, ['sent', 'unknown']),
        inArray(appointmentNotices.way, ['sms', 'voice']),
        eq(appointmentNotices.revision, appointments.revision),
        eq(appointments.state, 'booked'),
        gt(appointments.startsAt, now),
      ),
    )
    .orderBy(desc(appointmentNotices.sentAt))
  const about = reminders.find(({ address }) => address !== null && isSamePhone(address, sms.from))?.appointment
  if (!about) return false
  const reply = readReply(sms.text)
  const answer = reply ? await actOnReply(ctx, about.id, reply, now) : 'unclear'
  // Once: a machine that answers each SMS would be answered for ever.
  const key = answer === 'unclear' ? '' : sms.id
  if (answer) await planAnswer(ctx.db, ctx, about, { kind: answer, key, ways: ['sms'] }, now)
  return true
}

/** Whether a text answers a reminder that the contact was sent: `readReplies` acts on it. Changes nothing. */
export async function answersReminder(
  ctx: BusinessContext,
  contactId: string,
  text: string,
  now: Date,
): Promise<boolean> {
  if (!readReply(text)) return false
  const [row] = await ctx.db
    .select({ id: appointmentNotices.id })
    .from(appointmentNotices)
    .innerJoin(appointments, eq(appointments.id, appointmentNotices.appointmentId))
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.contactId, contactId),
        eq(appointmentNotices.kind, 'reminder'),
        eq(appointmentNotices.state, 'sent'),
        gt(appointments.startsAt, now),
      ),
    )
    .limit(1)
  return row !== undefined
}

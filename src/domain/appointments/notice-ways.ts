import { and, eq, isNotNull } from 'drizzle-orm'
import {
  appointmentNotices,
  type appointments,
  messages,
  type NoticeWay,
  type ReminderRules,
  type services,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { Telephony } from '../../providers/telephony/port.ts'
import { listPhoneNumbers } from '../businesses/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { requestMessage } from '../messages/index.ts'
import { formatMoney } from '../payments/index.ts'
import { canStillChange } from './booking.ts'
import { requestDeposit } from './deposits.ts'
import type { NoticeDeps } from './notice-deps.ts'
import { type NoticeFacts, noticeText, sayUntil, sayWhen } from './notice-texts.ts'

const RING_SECONDS = 40

/** A notice to be sent, with what it says. */
export type Due = {
  notice: typeof appointmentNotices.$inferSelect
  appointment: typeof appointments.$inferSelect
  service: typeof services.$inferSelect | null
  phone: string
  business: string
  language: 'he' | 'en'
  rules: ReminderRules | null
  /** Until so long before it, customers move and cancel by themselves. */
  changeMinutes: number
  /** Why it does not hold any more; then an attempt that may have arrived is looked up, and nothing is sent. */
  over: string | null
}
/** `ref` is the carrier's id, `detail` that of a message; `absent`: nothing was sent, and nothing is to be. */
type Sent = { ref: string | null; detail: string | null }

const languageOf = ({ appointment, language }: Pick<Due, 'appointment' | 'language'>) =>
  appointment.language ?? language

/**
 * Sends a notice by one way. An attempt that is resumed is looked up first.
 * @throws AppError `outcome_unknown` when it may have been sent; one of another code when it was not
 */
export async function sendBy(
  ctx: BusinessContext,
  way: NoticeWay,
  due: Due,
  isResumed: boolean,
  deps: NoticeDeps,
): Promise<Sent> {
  if (way === 'whatsapp') return await sendWhatsApp(ctx, due, deps)
  const carrier = deps.carrierOf(ctx.businessId)
  if (!carrier)
    throw new AppError('conflict', 'telephony_not_configured', 'Twilio is not configured for this business.')
  return way === 'sms'
    ? await sendSms(ctx, carrier, due, isResumed, deps)
    : await ringUp(ctx, carrier, due, isResumed, deps)
}

async function sendWhatsApp(ctx: BusinessContext, due: Due, deps: NoticeDeps): Promise<Sent> {
  const { notice, phone, rules, over } = due
  const idempotencyKey = `appointment-notice-${notice.id}`
  if (over) {
    const [taken] = await ctx.db
      .select({ id: messages.id })
      .from(messages)
      .where(and(eq(messages.businessId, ctx.businessId), eq(messages.idempotencyKey, idempotencyKey)))
    return taken ? { ref: null, detail: taken.id } : { ref: 'absent', detail: null }
  }
  const { text, facts } = await composeNotice(ctx, due, deps)
  try {
    const { id } = await requestMessage(ctx, { to: phone, text, idempotencyKey }, deps.messages)
    return { ref: null, detail: id }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    // An earlier attempt was taken, with other words.
    if (error.code === 'idempotency_conflict') return { ref: null, detail: null }
    if (error.code !== 'template_required') throw error
    const templates: Record<string, string | undefined> = rules?.templates?.[languageOf(due)] ?? {}
    const contentSid = templates[notice.kind]
    if (!contentSid) throw error
    const variables = { 1: facts.business, 2: facts.when, 3: facts.link }
    const request = { to: phone, template: { contentSid, variables }, idempotencyKey }
    const { id } = await requestMessage(ctx, request, deps.messages)
    return { ref: null, detail: id }
  }
}

async function sendSms(
  ctx: BusinessContext,
  carrier: Telephony,
  due: Due,
  isResumed: boolean,
  deps: NoticeDeps,
): Promise<Sent> {
  const { notice, phone, over } = due
  const { text } = await composeNotice(ctx, due, deps)
  const message = { from: await senderOf(ctx), to: phone, text }
  if (isResumed) {
    const found = await carrier.findText({ ...message, since: notice.dueAt })
    if (found) return { ref: found, detail: null }
  }
  if (over) return { ref: 'absent', detail: null }
  const statusUrl = deps.links.textStatus(ctx.businessId, notice.id)
  return { ref: await carrier.sendText({ ...message, statusUrl }), detail: null }
}

async function ringUp(
  ctx: BusinessContext,
  carrier: Telephony,
  { notice, phone, over }: Due,
  isResumed: boolean,
  { links }: NoticeDeps,
): Promise<Sent> {
  const call = { from: await senderOf(ctx), to: phone }
  if (isResumed) {
    const others = await ctx.db
      .select({ ref: appointmentNotices.providerRef })
      .from(appointmentNotices)
      .where(
        and(
          eq(appointmentNotices.businessId, ctx.businessId),
          eq(appointmentNotices.address, phone),
          isNotNull(appointmentNotices.providerRef),
        ),
      )
    const otherIds = others.flatMap(({ ref }) => ref ?? [])
    const found = await carrier.findRing({ ...call, since: notice.dueAt, otherIds })
    if (found) return { ref: found, detail: null }
  }
  if (over) return { ref: 'absent', detail: null }
  const url = links.call(ctx.businessId, notice.id)
  const statusUrl = links.callEnded(ctx.businessId, notice.id)
  return { ref: await carrier.ring({ ...call, url, statusUrl, seconds: RING_SECONDS }), detail: null }
}

/** The number that customers are notified from: the first of the business. */
async function senderOf(ctx: BusinessContext): Promise<string> {
  const [first] = await listPhoneNumbers(ctx)
  if (!first) throw new AppError('conflict', 'no_number', 'The business has no number to send from.')
  return first.e164
}

/** What a notice says. @throws AppError those of `requestDeposit` */
async function composeNotice(
  ctx: BusinessContext,
  due: Due,
  deps: NoticeDeps,
): Promise<{ text: string; facts: NoticeFacts }> {
  const { notice, appointment, service, rules } = due
  const language = languageOf(due)
  const { heldUntil } = appointment
  const deposit = notice.kind === 'deposit' ? await depositLink(ctx, due, deps) : null
  const facts = {
    business: due.business,
    when: sayWhen(language, appointment.startsAt, appointment.zone),
    link: deposit ?? deps.bookingLinks.urlOf(appointment.id),
    ...(service ? { service: language === 'en' ? service.nameEn : service.nameHe } : {}),
    ...(service?.deposit ? { amount: formatMoney(language, service.deposit, 'ILS') } : {}),
    ...(heldUntil ? { until: sayUntil(language, heldUntil, appointment.zone, notice.dueAt) } : {}),
  }
  // What is offered is not refused then.
  const isLate =
    notice.kind === 'reminder' &&
    !canStillChange(appointment.startsAt, due.changeMinutes, notice.claimedAt ?? notice.dueAt)
  return { text: noticeText(language, isLate ? 'reminder_late' : notice.kind, facts, rules?.texts), facts }
}

/** Where the business can take no payment, a person has to know: the customer waits for a link. */
async function depositLink(ctx: BusinessContext, { appointment }: Due, deps: NoticeDeps): Promise<string | null> {
  try {
    return await requestDeposit(ctx, appointment, deps.payments)
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
    await audit(ctx.db, ctx, {
      action: 'appointment.deposit_unavailable',
      entity: 'appointment',
      entityId: appointment.id,
      data: { code: error.code },
    })
    throw error
  }
}

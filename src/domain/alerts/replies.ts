import { and, desc, eq, gt, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { alertDeliveries, alertIncidents } from '../../../db/schema/index.ts'
import { isSamePhone } from '../../lib/phone.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { isSettled, takeIncidentIn } from './incidents.ts'

/** An answer is one to what was sent within this time. */
const ANSWERED_WITHIN_MS = 24 * 3_600_000
const MOST_ANSWERABLE = 50

const DONE = new Set([
  '1',
  'done',
  'ok',
  'taken',
  'mine',
  'בוצע',
  'טופל',
  'מטפל',
  'מטפלת',
  'אני מטפל',
  'אני מטפלת',
  'לקחתי',
  'אני',
])
const CALL_BACK = new Set([
  'call back',
  'callback',
  'calling back',
  'i will call back',
  'אחזור',
  'אחזור ללקוח',
  'אחזור אליו',
  'אחזור אליה',
  'חוזר ללקוח',
  'חוזרת ללקוח',
  'להתקשר בחזרה',
])

/** What a whole message answers to an alert; null when it is no answer. */
export function readAnswer(text: string): 'done' | 'call_back' | null {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s]/gu, ' ')
    .trim()
    .replace(/\s+/g, ' ')
  if (DONE.has(words)) return 'done'
  return CALL_BACK.has(words) ? 'call_back' : null
}

type Reply = { from: string; text: string; way: 'whatsapp' | 'sms' }

/**
 * Takes an answer to an alert, from the very number that was notified of it, for the latest that no one has taken yet.
 * @returns whether it was one
 */
export async function takeReplyIn(tx: Executor, ctx: BusinessContext, reply: Reply, now: Date): Promise<boolean> {
  const answer = readAnswer(reply.text)
  if (!answer) return false
  const notified = await tx
    .select({ userId: alertDeliveries.userId, address: alertDeliveries.address, incident: alertIncidents })
    .from(alertDeliveries)
    .innerJoin(
      alertIncidents,
      and(eq(alertIncidents.id, alertDeliveries.incidentId), eq(alertIncidents.businessId, ctx.businessId)),
    )
    .where(
      and(
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.way, reply.way),
        inArray(alertDeliveries.state, ['sent', 'unknown']),
        inArray(alertDeliveries.purpose, ['alert', 'escalation']),
        gt(alertDeliveries.sentAt, new Date(now.getTime() - ANSWERED_WITHIN_MS)),
      ),
    )
    .orderBy(desc(alertDeliveries.sentAt))
    .limit(MOST_ANSWERABLE)
  const theirs = notified.filter(({ address }) => address !== null && isSamePhone(address, reply.from))
  for (const { userId, incident } of theirs) {
    if (isSettled(incident, now)) continue
    const member = within(ctx, ctx.businessId, userId ? { kind: 'user', id: userId } : ctx.actor)
    if (await takeIncidentIn(tx, member, incident.id, { by: userId, how: reply.way, answer }, now)) return true
  }
  // A second answer, to what is taken already, is no message of a customer either.
  return theirs.length > 0
}

/** Takes an SMS that a member may have sent as an answer. */
export async function takeSmsReply(
  ctx: DomainContext,
  reply: { businessId: string; from: string; text: string },
  now: Date,
): Promise<boolean> {
  const business = within(ctx, reply.businessId)
  return await ctx.db.transaction((tx) => takeReplyIn(tx, business, { ...reply, way: 'sms' }, now))
}

/** Whether a text is the answer of a member to an alert that was sent to this number. Changes nothing. */
export async function isAlertReply(
  ctx: BusinessContext,
  { from, text }: { from: string; text: string },
  now: Date,
): Promise<boolean> {
  if (!readAnswer(text)) return false
  const notified = await ctx.db
    .select({ address: alertDeliveries.address })
    .from(alertDeliveries)
    .where(
      and(
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.way, 'whatsapp'),
        inArray(alertDeliveries.state, ['sent', 'unknown']),
        gt(alertDeliveries.sentAt, new Date(now.getTime() - ANSWERED_WITHIN_MS)),
      ),
    )
    .orderBy(desc(alertDeliveries.sentAt))
    .limit(MOST_ANSWERABLE)
  return notified.some(({ address }) => address !== null && isSamePhone(address, from))
}

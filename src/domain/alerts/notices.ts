import { and, asc, eq, inArray, isNull, lt, lte, or, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  alertDeliveries,
  alertIncidents,
  alertNotices,
  contacts,
  conversations,
  events,
  leads,
  messages,
} from '../../../db/schema/index.ts'
import { errorMessage, failureKind } from '../../lib/errors.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { showConversation } from '../conversations/index.ts'
import { jobId } from '../job-ids.ts'
import { raise } from './incidents.ts'
import { ALERT_KINDS, type AlertKind, kindOf } from './kinds.ts'
import type { Reach } from './plan.ts'
import { takeReplyIn } from './replies.ts'

type Notice = {
  eventSeq: bigint
  businessId: string
  type: string
  entityId: string
  actorKind: string
  reason: string | null
}
type Concern = { kind: AlertKind; subject: string; memberId?: string }

const BATCH = 200
/** Ends of a call after which no one has to call back. */
const SERVED = new Set(['completed', 'max_duration', 'transferred', 'ended_by_member'])
/** What is older came with a history, or waited for days: it is not recent. */
const RECENT_MS = 24 * 3_600_000
/** A delivery whose job has not ended it for this long has lost the job. */
const LOST_MS = 20 * 60_000
/** An attempt that has not ended for this long has died. */
export const CLAIM_MS = 5 * 60_000

const URGENT = /(?<!\p{L})(urgent(ly)?|emergency|asap|right away|דחוף|דחופה|בדחיפות|חירום|מצב חירום|הצילו)(?!\p{L})/iu
const NO_URGENCY = /(?<!\p{L})(not urgent|no urgency|לא דחוף|לא בדחיפות)(?!\p{L})/iu
const PERSON =
  /(?<!\p{L})((real|live|human) (person|agent|being)|talk to (a|some) ?(person|human|one)|speak (to|with) (a |some)(person|human|one)|נציג(ה)?( אנושי(ת)?)?|בן אדם|לדבר עם מישהו|מענה אנושי)(?!\p{L})/iu

/**
 * Decides of what the events that changes left behind members are notified, and whom. Run by several workers at once, each event is
 * decided once.
 */
export async function decideNotices(ctx: DomainContext, reach: Reach, now: Date): Promise<void> {
  while ((await decideBatch(ctx, reach, now)) === BATCH);
}

async function decideBatch(ctx: DomainContext, reach: Reach, now: Date): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .select({
        eventSeq: alertNotices.eventSeq,
        businessId: alertNotices.businessId,
        type: events.type,
        entityId: events.entityId,
        actorKind: events.actorKind,
        reason: sql<string | null>`${events.data} ->> 'reason'`,
      })
      .from(alertNotices)
      .innerJoin(events, eq(events.seq, alertNotices.eventSeq))
      .orderBy(asc(alertNotices.eventSeq))
      .limit(BATCH)
      .for('update', { of: alertNotices, skipLocked: true })
    for (const notice of rows) {
      const business = within(ctx, notice.businessId)
      const concern = await concernOf(tx, ctx, notice, now)
      if (concern) await raiseSafely(tx, business, concern, reach, now)
    }
    if (rows.length > 0)
      await tx.delete(alertNotices).where(
        inArray(
          alertNotices.eventSeq,
          rows.map(({ eventSeq }) => eventSeq),
        ),
      )
    return rows.length
  })
}

/** One event that cannot be raised must not keep the others back: what no other try can help is logged and left. */
async function raiseSafely(
  tx: Executor,
  ctx: BusinessContext,
  concern: Concern,
  reach: Reach,
  now: Date,
): Promise<void> {
  try {
    await tx.transaction((inner) =>
      raise(inner, ctx, { ...concern, delayMs: kindOf(concern.kind).delayMs ?? 0 }, reach, now),
    )
  } catch (error) {
    if (failureKind(error) === 'transient') throw error
    ctx.log.error({ ...concern, error: errorMessage(error) }, 'an alert could not be raised')
  }
}

async function concernOf(tx: Executor, ctx: DomainContext, notice: Notice, now: Date): Promise<Concern | null> {
  const { type, entityId, businessId, actorKind, reason } = notice
  switch (type) {
    case 'call.end':
      if (reason === 'transferred') return { kind: 'handover', subject: entityId }
      return SERVED.has(reason ?? '') ? null : { kind: 'missed_call', subject: entityId }
    case 'lead.save':
    case 'lead.create': {
      // Of a voicemail one is notified already; what members enter themselves they know.
      const [lead] = await tx
        .select({ source: leads.source })
        .from(leads)
        .where(and(eq(leads.id, entityId), eq(leads.businessId, businessId)))
      const isNew = lead && lead.source !== 'voicemail' && lead.source !== 'import' && actorKind !== 'user'
      return isNew ? { kind: 'lead', subject: entityId } : null
    }
    case 'message.receive':
      return await concernOfMessage(tx, ctx, notice, now)
    default: {
      // What members do themselves they know.
      if (actorKind === 'user' && type.startsWith('appointment.')) return null
      const kind = ALERT_KINDS.find((each) => kindOf(each).events.includes(type))
      if (!kind) return null
      return { kind, subject: kindOf(kind).repeats ? `${entityId}#${notice.eventSeq}` : entityId }
    }
  }
}

async function concernOfMessage(tx: Executor, ctx: DomainContext, notice: Notice, now: Date): Promise<Concern | null> {
  const { entityId, businessId } = notice
  const [message] = await tx
    .select({
      body: messages.body,
      occurredAt: messages.occurredAt,
      phone: contacts.phone,
      assigneeId: conversations.assigneeId,
      conversationId: conversations.id,
      alertsOnly: conversations.alertsOnly,
    })
    .from(messages)
    .innerJoin(conversations, eq(conversations.id, messages.conversationId))
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(and(eq(messages.id, entityId), eq(messages.businessId, businessId), eq(messages.direction, 'in')))
  if (!message || now.getTime() - message.occurredAt.getTime() > RECENT_MS) return null
  const { body, phone, assigneeId } = message
  const reply = { from: phone ?? '', text: body ?? '', way: 'whatsapp' as const }
  const business = within(ctx, businessId)
  if (phone && (await takeReplyIn(tx, business, reply, now))) return null
  if (message.alertsOnly) await showConversation(tx, business, message.conversationId)
  if (URGENT.test(body ?? '') && !NO_URGENCY.test(body ?? '')) return { kind: 'urgent_message', subject: entityId }
  if (PERSON.test(body ?? '')) return { kind: 'handover', subject: entityId }
  return assigneeId ? { kind: 'message', subject: entityId, memberId: assigneeId } : null
}

/** Queues the jobs of deliveries that have none, and again of those that lost theirs. @returns how many */
export async function queueDeliveries(ctx: DomainContext, now: Date): Promise<number> {
  const lost = new Date(now.getTime() - LOST_MS)
  const rows = await ctx.db
    .update(alertDeliveries)
    .set({ queuedAt: now })
    .where(
      or(
        and(
          eq(alertDeliveries.state, 'pending'),
          or(
            isNull(alertDeliveries.queuedAt),
            and(lt(alertDeliveries.queuedAt, lost), lte(alertDeliveries.notBefore, now)),
          ),
        ),
        and(
          eq(alertDeliveries.state, 'sending'),
          lt(alertDeliveries.claimedAt, new Date(now.getTime() - CLAIM_MS)),
          lt(alertDeliveries.queuedAt, new Date(now.getTime() - CLAIM_MS)),
        ),
      ),
    )
    .returning({
      id: alertDeliveries.id,
      businessId: alertDeliveries.businessId,
      notBefore: alertDeliveries.notBefore,
    })
  for (const { id, businessId, notBefore } of rows)
    await ctx.enqueue(
      'alert.send',
      { businessId, deliveryId: id },
      {
        jobId: jobId('alert', id, now.getTime()),
        delayMs: Math.max(0, notBefore.getTime() - now.getTime()),
      },
    )
  return rows.length
}

const KEPT_DAYS = 90

/** Forgets what was sent long ago. @returns how many incidents */
export async function pruneAlerts(ctx: DomainContext, now: Date): Promise<number> {
  const before = new Date(now.getTime() - KEPT_DAYS * 86_400_000)
  return await ctx.db.transaction(async (tx) => {
    await tx
      .delete(alertDeliveries)
      .where(
        inArray(
          alertDeliveries.id,
          tx
            .select({ id: alertDeliveries.id })
            .from(alertDeliveries)
            .where(lt(alertDeliveries.createdAt, before))
            .limit(2_000),
        ),
      )
    const gone = await tx
      .delete(alertIncidents)
      .where(
        inArray(
          alertIncidents.id,
          tx
            .select({ id: alertIncidents.id })
            .from(alertIncidents)
            .where(lt(alertIncidents.createdAt, before))
            .limit(500),
        ),
      )
      .returning({ id: alertIncidents.id })
    return gone.length
  })
}

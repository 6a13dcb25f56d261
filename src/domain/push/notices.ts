import { and, arrayContains, asc, eq, exists, isNull, lt, lte, or, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  conversations,
  events,
  leads,
  memberships,
  messages,
  type PUSH_KINDS,
  pushDeliveries,
  pushDevices,
  pushNotices,
} from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'

type Notice = { businessId: string; type: string; entityId: string; actorKind: string; reason: string | null }

/** What is to be notified, and which member alone. `delayMs`: what comes until then may change the answer. */
type Concern = { kind: (typeof PUSH_KINDS)[number]; entityId: string; memberId?: string; delayMs: number }

const BATCH = 200
/** A caller who is sent to voicemail has begun to record, or has not. */
const MISSED_AFTER_MS = 45_000
/** The answers of a call come one by one. */
const LEAD_AFTER_MS = 5_000
/** Ends of a call after which no one has to call back. */
const SERVED = new Set(['completed', 'max_duration', 'transferred', 'ended_by_member'])
/** A delivery whose job has not ended it for this long has lost the job. */
const LOST_MS = 20 * 60_000
const KEPT_DAYS = 7

/**
 * Decides which devices the events that changes left behind concern, and queues what is to be sent. Run by several workers
 * at once, each event is decided once.
 * @returns how many deliveries were queued
 */
export async function queuePushes(ctx: DomainContext): Promise<number> {
  while ((await decideNotices(ctx)) === BATCH);
  return await queueDeliveries(ctx)
}

async function decideNotices(ctx: DomainContext): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .select({
        eventSeq: pushNotices.eventSeq,
        businessId: pushNotices.businessId,
        type: events.type,
        entityId: events.entityId,
        actorKind: events.actorKind,
        reason: sql<string | null>`${events.data} ->> 'reason'`,
      })
      .from(pushNotices)
      .innerJoin(events, eq(events.seq, pushNotices.eventSeq))
      .orderBy(asc(pushNotices.eventSeq))
      .limit(BATCH)
      .for('update', { of: pushNotices, skipLocked: true })
    for (const { eventSeq, ...notice } of rows) {
      const concern = await concernOf(tx, notice)
      if (concern) await writeDeliveries(tx, notice.businessId, concern)
      await tx.delete(pushNotices).where(eq(pushNotices.eventSeq, eventSeq))
    }
    return rows.length
  })
}

async function concernOf(tx: Executor, { businessId, type, entityId, actorKind, reason }: Notice) {
  switch (type) {
    case 'call.end':
      return SERVED.has(reason ?? '') ? null : about('missed_call', entityId, MISSED_AFTER_MS)
    case 'recording.store':
      return about('voicemail', entityId)
    case 'lead.save':
    case 'lead.create': {
      // Of a voicemail one is notified already; what members enter themselves they know.
      const [lead] = await tx
        .select({ source: leads.source })
        .from(leads)
        .where(and(eq(leads.id, entityId), eq(leads.businessId, businessId)))
      const isNew = lead && lead.source !== 'voicemail' && lead.source !== 'import' && actorKind !== 'user'
      return isNew ? about('lead', entityId, LEAD_AFTER_MS) : null
    }
    default: {
      const [message] = await tx
        .select({ assigneeId: conversations.assigneeId })
        .from(messages)
        .innerJoin(conversations, eq(conversations.id, messages.conversationId))
        .where(and(eq(messages.id, entityId), eq(messages.businessId, businessId), eq(messages.direction, 'in')))
      return message?.assigneeId ? { ...about('message', entityId), memberId: message.assigneeId } : null
    }
  }
}

function about(kind: Concern['kind'], entityId: string, delayMs = 0): Concern {
  return { kind, entityId, delayMs }
}

async function writeDeliveries(tx: Executor, businessId: string, concern: Concern): Promise<void> {
  const { kind, entityId, memberId, delayMs } = concern
  const isMember = tx
    .select({ id: memberships.id })
    .from(memberships)
    .where(and(eq(memberships.businessId, pushDevices.businessId), eq(memberships.userId, pushDevices.userId)))
  const devices = await tx
    .select({ id: pushDevices.id })
    .from(pushDevices)
    .where(
      and(
        eq(pushDevices.businessId, businessId),
        arrayContains(pushDevices.kinds, [kind]),
        memberId ? eq(pushDevices.userId, memberId) : or(isNull(pushDevices.userId), exists(isMember)),
      ),
    )
  if (devices.length === 0) return
  const notBefore = new Date(Date.now() + delayMs)
  await tx
    .insert(pushDeliveries)
    .values(devices.map(({ id }) => ({ businessId, deviceId: id, kind, entityId, notBefore })))
    .onConflictDoNothing()
}

/** Queues the jobs of deliveries that have none, and again of those that lost theirs. */
async function queueDeliveries(ctx: DomainContext): Promise<number> {
  const lost = new Date(Date.now() - LOST_MS)
  const rows = await ctx.db
    .update(pushDeliveries)
    .set({ queuedAt: new Date() })
    .where(
      and(
        eq(pushDeliveries.state, 'pending'),
        or(
          isNull(pushDeliveries.queuedAt),
          and(lt(pushDeliveries.queuedAt, lost), lte(pushDeliveries.notBefore, new Date())),
        ),
      ),
    )
    .returning({
      id: pushDeliveries.id,
      businessId: pushDeliveries.businessId,
      notBefore: pushDeliveries.notBefore,
      queuedAt: pushDeliveries.queuedAt,
    })
  for (const { id, businessId, notBefore, queuedAt } of rows)
    await ctx.enqueue(
      'push.send',
      { businessId, deliveryId: id },
      {
        jobId: jobId('push', id, queuedAt?.getTime() ?? 0),
        delayMs: Math.max(0, notBefore.getTime() - Date.now()),
      },
    )
  return rows.length
}

/** Forgets what was sent, dropped or given up a week ago. @returns how many */
export async function prunePushes(ctx: DomainContext): Promise<number> {
  const gone = await ctx.db
    .delete(pushDeliveries)
    .where(lt(pushDeliveries.createdAt, new Date(Date.now() - KEPT_DAYS * 86_400_000)))
    .returning({ id: pushDeliveries.id })
  return gone.length
}

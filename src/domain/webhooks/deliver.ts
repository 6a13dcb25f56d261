import { createHmac } from 'node:crypto'
import { and, eq, lt, sql } from 'drizzle-orm'
import { events, webhookDeliveries, webhookEndpoints } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { GONE, mine, noEndpoint, SWITCHED_OFF } from './endpoints.ts'
import { openEndpointSecret } from './secrets.ts'

/** Posts to a tenant's address, public ones only (see the composition root). @returns the status */
export type PostOut = (url: string, body: string, headers: Record<string, string>) => Promise<number>

/** A delivery is given up after this many attempts: with the job's backoff, after about a day. */
export const MAX_ATTEMPTS = 12

/** A webhook of which this many events were given up while none was taken is switched off. */
const GIVEN_UP_TOO_OFTEN = 20
const NOT_TAKEN_FOR = sql`interval '3 days'`

/** HMAC-SHA256 over id, time and body against change and replay (Standard Webhooks, "Webhook signatures"). */
export function signDelivery(secret: string, id: string, timestamp: number, body: string): string {
  // Reads both alphabets: the first secrets were written in the other one.
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** Delivers an event to an endpoint, once. @throws AppError `webhook_refused` (unavailable) when a retry may help */
export async function deliverWebhook(
  ctx: BusinessContext,
  ref: { endpointId: string; eventId: string },
  deps: { post: PostOut; box: SecretBox },
): Promise<'delivered' | 'failed' | 'gone'> {
  const where = and(
    eq(webhookDeliveries.endpointId, ref.endpointId),
    eq(webhookDeliveries.eventSeq, BigInt(ref.eventId)),
    eq(webhookDeliveries.businessId, ctx.businessId),
  )
  const [row] = await ctx.db
    .select({ delivery: webhookDeliveries, endpoint: webhookEndpoints, event: events })
    .from(webhookDeliveries)
    .innerJoin(webhookEndpoints, eq(webhookEndpoints.id, webhookDeliveries.endpointId))
    .innerJoin(events, eq(events.seq, webhookDeliveries.eventSeq))
    .where(where)
  if (!row) return 'gone'
  const { delivery, endpoint, event } = row
  if (delivery.state !== 'pending') return delivery.state
  if (!endpoint.enabled) {
    await ctx.db.update(webhookDeliveries).set({ state: 'failed', error: SWITCHED_OFF }).where(where)
    return 'failed'
  }
  const attempts = delivery.attempts + 1
  const { status, error, forbidden } = await postEvent(endpoint, event, deps)
  if (error === null) {
    await ctx.db
      .update(webhookDeliveries)
      .set({ state: 'delivered', attempts, status, error: null, deliveredAt: new Date() })
      .where(where)
    return 'delivered'
  }
  const over = forbidden || attempts >= MAX_ATTEMPTS || status === GONE
  await ctx.db
    .update(webhookDeliveries)
    .set({ state: over ? 'failed' : 'pending', attempts, status, error })
    .where(where)
  if (!over) throw new AppError('unavailable', 'webhook_refused', `The webhook was not taken: ${error}.`)
  if (!forbidden) await switchOff(ctx, ref.endpointId, status === GONE)
  return 'failed'
}

type Answer = {
  status: number | null
  error: string | null
  forbidden: boolean
}

async function postEvent(
  endpoint: typeof webhookEndpoints.$inferSelect,
  event: typeof events.$inferSelect,
  deps: { post: PostOut; box: SecretBox },
): Promise<Answer> {
  const id = `evt_${event.seq}`
  const { type, createdAt, businessId, entity, entityId } = event
  const body = JSON.stringify({ id, type, createdAt, businessId, entity, entityId, data: event.data ?? {} })
  const timestamp = Math.floor(Date.now() / 1_000)
  try {
    const secret = openEndpointSecret(deps.box, endpoint.id, endpoint.secret)
    const status = await deps.post(endpoint.url, body, {
      'Content-Type': 'application/json',
      'User-Agent': 'AgentLocator-Webhooks/1',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signDelivery(secret, id, timestamp, body),
    })
    const taken = status >= 200 && status <= 299
    return { status, error: taken ? null : `the receiver answered ${status}`, forbidden: false }
  } catch (cause) {
    const forbidden = cause instanceof AppError && cause.kind === 'forbidden'
    return { status: null, error: errorMessage(cause).slice(0, 300), forbidden }
  }
}

/** Switches a webhook off whose receiver is no more, or has taken nothing for days. */
async function switchOff(ctx: BusinessContext, endpointId: string, atOnce: boolean): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const those = sql`from ${webhookDeliveries} where endpoint_id = ${endpointId}`
    const hopeless = sql`not exists (select 1 ${those} and state = 'delivered' and delivered_at > now() - ${NOT_TAKEN_FOR})
      and (select count(*) ${those} and state = 'failed' and updated_at > now() - ${NOT_TAKEN_FOR}) >= ${GIVEN_UP_TOO_OFTEN}`
    const [off] = await tx
      .update(webhookEndpoints)
      .set({ enabled: false, updatedAt: new Date() })
      .where(and(mine(ctx, endpointId), eq(webhookEndpoints.enabled, true), atOnce ? undefined : hopeless))
      .returning({ id: webhookEndpoints.id })
    if (off)
      await audit(tx, ctx, {
        action: 'webhook.disable',
        entity: 'webhook',
        entityId: endpointId,
        data: { reason: atOnce ? 'gone' : 'refused' },
      })
  })
}

/** Queues deliveries left alone for `idleMs`; the job id prevents duplicates. @returns how many */
export async function queueDeliveries(ctx: DomainContext, idleMs = 0): Promise<number> {
  const rows = await ctx.db
    .select()
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.state, 'pending'),
        idleMs > 0 ? lt(webhookDeliveries.updatedAt, new Date(Date.now() - idleMs)) : eq(webhookDeliveries.attempts, 0),
      ),
    )
    .orderBy(webhookDeliveries.updatedAt)
    .limit(500)
  for (const row of rows) {
    const eventId = String(row.eventSeq)
    const round = idleMs > 0 ? `-${row.attempts}-${row.updatedAt.getTime()}` : ''
    await ctx.enqueue(
      'webhook.deliver',
      { businessId: row.businessId, endpointId: row.endpointId, eventId },
      { jobId: jobId('hook', row.endpointId, eventId, `${row.replays}${round}`) },
    )
  }
  return rows.length
}

/** Delivers an event once more, whatever became of it. @throws AppError `webhook_not_found`, `delivery_not_found` */
export async function replayDelivery(ctx: BusinessContext, ref: { endpointId: string; eventId: string }) {
  await ctx.db.transaction(async (tx) => {
    // Locked before its delivery, in the order in which a removal locks them.
    const [endpoint] = await tx.select().from(webhookEndpoints).where(mine(ctx, ref.endpointId)).for('key share')
    if (!endpoint) throw noEndpoint()
    const [row] = await tx
      .update(webhookDeliveries)
      .set({
        state: 'pending',
        replays: sql`${webhookDeliveries.replays} + 1`,
        attempts: 0,
        status: null,
        error: null,
        updatedAt: new Date(),
      })
      .where(
        and(
          eq(webhookDeliveries.endpointId, ref.endpointId),
          sql`${webhookDeliveries.eventSeq} = ${ref.eventId}::bigint`,
        ),
      )
      .returning({ replays: webhookDeliveries.replays })
    if (!row) throw new AppError('not_found', 'delivery_not_found', 'This event was never meant for this webhook.')
    await audit(tx, ctx, {
      action: 'webhook.replay',
      entity: 'webhook',
      entityId: ref.endpointId,
      data: { eventId: ref.eventId },
    })
  })
}

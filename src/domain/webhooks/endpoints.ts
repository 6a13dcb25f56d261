import { randomBytes } from 'node:crypto'
import { and, eq, sql } from 'drizzle-orm'
import { z } from 'zod'
import { webhookDeliveries, webhookEndpoints } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { openEndpointSecret, sealEndpointSecret } from './secrets.ts'

const eventType = z.string().regex(/^[a-z_]+\.(\*|[a-z_]+)$/, 'an event type such as call.end, or call.*')

export const endpointSettings = z.object({
  url: z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).max(2_048),
  description: z.string().trim().max(200).nullable().default(null),
  types: z.array(eventType).min(1).max(100).nullable().default(null),
  enabled: z.boolean().default(true),
})

export const endpointView = z.object({
  id: z.uuid(),
  url: z.string(),
  description: z.string().nullable(),
  types: z.array(z.string()).nullable(),
  enabled: z.boolean(),
  createdAt: z.date(),
})

export const deliveryView = z.object({
  endpointId: z.uuid(),
  eventId: z.string(),
  state: z.enum(webhookDeliveries.state.enumValues),
  attempts: z.number(),
  status: z.number().nullable(),
  error: z.string().nullable(),
  /** Stable, for words of another language: `error` is English. */
  code: z.string().nullable(),
  deliveredAt: z.date().nullable(),
  createdAt: z.date(),
})

export async function listEndpoints(ctx: BusinessContext, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(webhookEndpoints.id, page, eq(webhookEndpoints.businessId, ctx.businessId))
  const rows = await ctx.db.select().from(webhookEndpoints).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** Adds an endpoint; its signing secret is answered this once. Asked again with the same id, there is one. */
export async function addEndpoint(
  ctx: BusinessContext,
  input: z.input<typeof endpointSettings> & { id?: string },
  box: SecretBox,
) {
  const id = input.id ?? newId()
  const settings = endpointSettings.parse(input)
  // Plain base64: the receivers' libraries take no other alphabet (Standard Webhooks, "Signature scheme").
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  return await ctx.db.transaction(async (tx) => {
    const [made] = await tx
      .insert(webhookEndpoints)
      .values({
        id,
        businessId: ctx.businessId,
        ...settings,
        secret: sealEndpointSecret(box, id, secret),
      })
      .onConflictDoNothing()
      .returning()
    if (made) {
      await audit(tx, ctx, { action: 'webhook.add', entity: 'webhook', entityId: id })
      return { ...made, secret }
    }
    const [earlier] = await tx.select().from(webhookEndpoints).where(mine(ctx, id))
    if (!earlier) throw new AppError('conflict', 'id_taken', 'This id is taken; choose another.', { field: 'id' })
    return { ...earlier, secret: openEndpointSecret(box, id, earlier.secret) }
  })
}

/** Settings that are not given stay. @throws AppError `webhook_not_found` */
export async function updateEndpoint(
  ctx: BusinessContext,
  id: string,
  changes: Partial<z.output<typeof endpointSettings>>,
) {
  return await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(webhookEndpoints)
      .set({ ...changes, updatedAt: new Date() })
      .where(mine(ctx, id))
      .returning()
    if (!row) throw noEndpoint()
    await audit(tx, ctx, {
      action: 'webhook.update',
      entity: 'webhook',
      entityId: id,
      data: { fields: Object.keys(changes) },
    })
    return row
  })
}

/** @throws AppError `webhook_not_found` */
export async function removeEndpoint(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    // The event of a removal locks the other endpoints: two removals at once would wait for each other.
    await lock(tx, `webhook-removal:${ctx.businessId}`)
    const gone = await tx.delete(webhookEndpoints).where(mine(ctx, id)).returning({ id: webhookEndpoints.id })
    if (gone.length === 0) throw noEndpoint()
    await audit(tx, ctx, { action: 'webhook.remove', entity: 'webhook', entityId: id })
  })
}

/** The deliveries to an endpoint, newest event first. @throws AppError `webhook_not_found` */
export async function listDeliveries(
  ctx: BusinessContext,
  input: {
    id: string
    cursor?: string | undefined
    limit: number
    state?: 'pending' | 'delivered' | 'failed' | undefined
  },
) {
  const [endpoint] = await ctx.db.select({ id: webhookEndpoints.id }).from(webhookEndpoints).where(mine(ctx, input.id))
  if (!endpoint) throw noEndpoint()
  const rows = await ctx.db
    .select()
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.endpointId, input.id),
        input.state ? eq(webhookDeliveries.state, input.state) : undefined,
        input.cursor ? sql`${webhookDeliveries.eventSeq} < ${input.cursor}::bigint` : undefined,
      ),
    )
    .orderBy(sql`${webhookDeliveries.eventSeq} desc`)
    .limit(input.limit + 1)
  const items = rows
    .slice(0, input.limit)
    .map(({ eventSeq, ...row }) => ({ ...row, code: codeOf(row), eventId: String(eventSeq) }))
  return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.eventId ?? null) : null }
}

export function mine(ctx: BusinessContext, id: string) {
  return and(eq(webhookEndpoints.id, id), eq(webhookEndpoints.businessId, ctx.businessId))
}

export function noEndpoint() {
  return new AppError('not_found', 'webhook_not_found', 'There is no such webhook.')
}

/** HTTP 410: the receiver says that it is no more (Standard Webhooks, "Response handling"). */
export const GONE = 410
/** What a delivery says that was not tried; the others are those of `PostOut`. */
export const SWITCHED_OFF = 'the webhook is switched off'

/** Why a delivery was not taken. */
function codeOf({ status, error }: Pick<typeof webhookDeliveries.$inferSelect, 'status' | 'error'>): string | null {
  if (error === null) return null
  if (error === SWITCHED_OFF) return 'webhook_off'
  if (status !== null) return status === GONE ? 'webhook_gone' : 'webhook_answered'
  if (error.startsWith('no answer within')) return 'webhook_timeout'
  return error.includes('public address') ? 'webhook_address_forbidden' : 'webhook_unreachable'
}

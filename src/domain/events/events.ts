import { eq, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import { events } from '../../../db/schema/index.ts'
import type { BusinessContext, DomainContext } from '../context.ts'

export const eventView = z.object({
  /** Grows with every event; what a reader resumes after. */
  id: z.string(),
  type: z.string(),
  entity: z.string(),
  entityId: z.string(),
  actorKind: z.string(),
  data: z.record(z.string(), z.unknown()).nullable(),
  createdAt: z.date(),
})
export type EventView = z.infer<typeof eventView>

/** A place in the order in which events are read: by transaction, then by number. */
export type EventPosition = { xid: string; seq: string }

export type StoredEvent = EventView & { businessId: string; position: EventPosition }

type Row = {
  seq: string
  xid: string
  business_id: string
  type: string
  entity: string
  entity_id: string
  actor_kind: string
  data: Record<string, unknown> | null
  created_at: string
  ripe: boolean
}

/** Events after a position, in order. Unripe ones wait: an older open transaction could still add an earlier event. */
export async function readEvents(
  ctx: DomainContext,
  after: EventPosition,
  options: { businessId?: string; limit: number },
): Promise<{ events: StoredEvent[]; more: boolean; unripe: boolean }> {
  const rows = await ctx.db.execute<Row>(sql`
    select seq::text, xid::text, business_id, type, entity, entity_id, actor_kind, data, created_at,
      xid < pg_snapshot_xmin(pg_current_snapshot()) as ripe
    from events
    where (xid, seq) > (${after.xid}::xid8, ${after.seq}::bigint)
      ${options.businessId ? sql`and business_id = ${options.businessId}` : sql``}
    order by events.xid, events.seq limit ${options.limit}`)
  const ripe = [...rows].filter((row) => row.ripe)
  return {
    events: ripe.map((row) => ({
      id: row.seq,
      businessId: row.business_id,
      position: { xid: row.xid, seq: row.seq },
      type: row.type,
      entity: row.entity,
      entityId: row.entity_id,
      actorKind: row.actor_kind,
      data: row.data,
      createdAt: new Date(row.created_at),
    })),
    more: ripe.length === options.limit,
    unripe: ripe.length < rows.length,
  }
}

/** Before everything that is not ripe yet: where a reader of new events begins. */
export async function currentPosition(ctx: DomainContext): Promise<EventPosition> {
  const [row] = await ctx.db.execute<{ xid: string }>(sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xid`)
  if (!row) throw new Error('Postgres answered no snapshot.')
  return { xid: row.xid, seq: '0' }
}

/** Where an event of the business stands; null when it was never there or is no longer kept. */
export async function positionOf(ctx: BusinessContext, id: string): Promise<EventPosition | null> {
  if (!/^\d{1,18}$/.test(id)) return null
  const [row] = await ctx.db.execute<EventPosition>(
    sql`select xid::text, seq::text from events where seq = ${id}::bigint and business_id = ${ctx.businessId}`,
  )
  return row ?? null
}

export async function listEvents(ctx: BusinessContext, input: { cursor?: string | undefined; limit: number }) {
  const rows = await ctx.db
    .select()
    .from(events)
    .where(
      sql`${eq(events.businessId, ctx.businessId)} ${input.cursor ? sql`and (xid, seq) < (select xid, seq from events where seq = ${input.cursor}::bigint)` : sql``}`,
    )
    .orderBy(sql`${events.xid} desc, ${events.seq} desc`)
    .limit(input.limit + 1)
  const items = rows.slice(0, input.limit).map(({ seq, xid: _, ...row }) => ({ ...row, id: String(seq) }))
  return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.id ?? null) : null }
}

/** Deletes events after their retention; the audit log is the history. @returns how many were deleted */
export async function pruneEvents(ctx: DomainContext, keepDays = 30): Promise<number> {
  const gone = await ctx.db
    .delete(events)
    .where(
      sql`${events.seq} in (select seq from events where ${lt(events.createdAt, sql`now() - make_interval(days => ${keepDays})`)} order by created_at limit 5000)`,
    )
    .returning({ seq: events.seq })
  return gone.length
}

import { asc, eq, inArray, lte, sql } from 'drizzle-orm'
import { inboundEvents } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import type { DomainContext } from '../context.ts'

type Db = Pick<DomainContext, 'db'>

/** A job may wait this long in the queue before the sweep looks whether it is still there. */
const CHECK_AFTER_MS = 60_000
const LONGEST_CHECK_MS = 3_600_000
const SWEEP_BATCH = 1_000
/** In one sweep at most: the next one goes on. */
const SWEEP_BATCHES = 50
const AT_ONCE = 50

export type NewEvent = {
  id: string
  key: string
  job: string
  businessId: string | null
  payload: string
  delayMs: number
}

/** Inserts events in one statement, skipping existing keys. @returns the ids of those by key; null for one that ended */
export async function insertEvents({ db }: Db, events: NewEvent[]): Promise<Map<string, string | null>> {
  const now = Date.now()
  const written = await db
    .insert(inboundEvents)
    .values(
      // In one order in every process: two statements that bring the same keys must not wait for each other.
      events
        .toSorted((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ delayMs, ...event }) => ({ ...event, nextCheckAt: new Date(now + delayMs + CHECK_AFTER_MS) })),
    )
    .onConflictDoNothing()
    .returning({ id: inboundEvents.id })
  const standing = new Map<string, string | null>()
  if (written.length === events.length) return standing
  const ids = new Set(written.map(({ id }) => id))
  for (const event of events) if (!ids.has(event.id)) standing.set(event.key, null)
  const rows = await db
    .select({ id: inboundEvents.id, key: inboundEvents.key })
    .from(inboundEvents)
    .where(inArray(inboundEvents.key, [...standing.keys()]))
  for (const { id, key } of rows) standing.set(key, id)
  return standing
}

/** The payload of an event that is not worked off, or null. */
export async function loadEvent({ db }: Db, id: string): Promise<string | null> {
  const [row] = await db.select({ payload: inboundEvents.payload }).from(inboundEvents).where(eq(inboundEvents.id, id))
  return row?.payload ?? null
}

/** The payload of an event that is not worked off, by its key, or null. */
export async function findEvent({ db }: Db, key: string): Promise<string | null> {
  const [row] = await db
    .select({ payload: inboundEvents.payload })
    .from(inboundEvents)
    .where(eq(inboundEvents.key, key))
  return row?.payload ?? null
}

export async function finishEvents({ db }: Db, ids: string[]): Promise<void> {
  // Locked in one order in every process: two that end the same events must not wait for each other.
  const locked = db
    .select({ id: inboundEvents.id })
    .from(inboundEvents)
    .where(inArray(inboundEvents.id, ids))
    .orderBy(asc(inboundEvents.id))
    .for('update')
  await db.delete(inboundEvents).where(inArray(inboundEvents.id, locked))
}

type Requeue = (event: { id: string; job: string }) => Promise<void>

/** Requeues what the queue may have lost; `enqueue` adds no second job for a waiting event. @returns how many */
export async function requeueEvents(ctx: Db, enqueue: Requeue, now = new Date()): Promise<number> {
  let count = 0
  for (let batch = 0; batch < SWEEP_BATCHES; batch++) {
    const handed = await requeueBatch(ctx, enqueue, now)
    count += handed
    if (handed < SWEEP_BATCH) break
  }
  return count
}

async function requeueBatch(ctx: Db, enqueue: Requeue, now: Date): Promise<number> {
  const due = ctx.db
    .select({ id: inboundEvents.id })
    .from(inboundEvents)
    .where(lte(inboundEvents.nextCheckAt, now))
    .orderBy(asc(inboundEvents.nextCheckAt))
    .limit(SWEEP_BATCH)
    .for('update', { skipLocked: true })
  const pause = sql`least(${LONGEST_CHECK_MS}, ${CHECK_AFTER_MS} * 2 ^ least(${inboundEvents.requeues}, 10))`
  const rows = await ctx.db
    .update(inboundEvents)
    .set({
      requeues: sql`${inboundEvents.requeues} + 1`,
      nextCheckAt: sql`${now.toISOString()}::timestamptz + ${pause} * interval '1 millisecond'`,
    })
    .where(inArray(inboundEvents.id, due))
    .returning({ id: inboundEvents.id, job: inboundEvents.job })
  // The oldest first, some at a time: a queue that has just come back is not flooded at once.
  const ordered = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  for (let at = 0; at < ordered.length; at += AT_ONCE) await Promise.all(ordered.slice(at, at + AT_ONCE).map(enqueue))
  return rows.length
}

/** How many events wait to be worked off, and since when the oldest does. */
export async function countEvents({ db }: Db): Promise<{ waiting: number; oldest: Date | null }> {
  const [row] = await db
    .select({
      waiting: sql<number>`count(*)::int`,
      oldest: sql<string | null>`min(${inboundEvents.createdAt})`,
    })
    .from(inboundEvents)
  return { waiting: row?.waiting ?? 0, oldest: row?.oldest ? new Date(row.oldest) : null }
}

/** Makes an event of what is to be worked off again, and has the next sweep queue it. */
export async function reviveEvent(
  tx: Pick<DomainContext['db'], 'insert'>,
  event: Pick<NewEvent, 'key' | 'job' | 'businessId' | 'payload'>,
): Promise<void> {
  await tx
    .insert(inboundEvents)
    .values({ id: newId(), ...event, nextCheckAt: new Date(0) })
    .onConflictDoUpdate({ target: inboundEvents.key, set: { nextCheckAt: new Date(0) } })
}

import { and, eq, inArray, isNull, or, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { businesses, inboundEvents, quarantine } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { cleanText, cutText } from '../../lib/text.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { reviveEvent } from './events.ts'

export type SetAside = {
  /** The job that stores it when it is retried. */
  job: string
  /** Its identity: set aside again, it is one row. */
  key: string
  payload: unknown
  error: unknown
  attempts: number
  /** The event that is given up with it. */
  eventId?: string | null
}

const named = z.object({ businessId: z.uuid() })

/** Sets something aside that could not be stored, with its bytes, so that it holds up nothing behind it. */
export async function setAside(ctx: Pick<DomainContext, 'db' | 'log'>, entry: SetAside): Promise<void> {
  const businessId = named.safeParse(entry.payload).data?.businessId ?? null
  const content = new TextEncoder().encode(JSON.stringify(entry.payload) ?? 'null')
  const reason = cutText(cleanText(errorMessage(entry.error)), 500)
  await ctx.db.transaction(async (tx) => {
    const [known] = businessId
      ? await tx.select({ id: businesses.id }).from(businesses).where(eq(businesses.id, businessId))
      : []
    await tx
      .insert(quarantine)
      .values({
        id: newId(),
        businessId: known?.id ?? null,
        job: entry.job,
        key: cleanText(entry.key),
        content,
        reason,
        attempts: entry.attempts,
      })
      .onConflictDoUpdate({
        target: quarantine.key,
        set: { content, reason, attempts: sql`${quarantine.attempts} + ${entry.attempts}`, updatedAt: new Date() },
      })
    if (entry.eventId) await tx.delete(inboundEvents).where(eq(inboundEvents.id, entry.eventId))
  })
  ctx.log.error(
    { job: entry.job, businessId, attempts: entry.attempts, reason },
    'something could not be stored and was set aside; look at it with `quarantine list`',
  )
}

export const quarantineView = z.object({
  id: z.uuid(),
  businessId: z.uuid().nullable(),
  job: z.string(),
  key: z.string(),
  bytes: z.number(),
  reason: z.string(),
  attempts: z.number(),
  createdAt: z.date(),
  updatedAt: z.date(),
})

export const quarantineDetail = quarantineView.extend({ content: z.string() })

const view = {
  id: quarantine.id,
  businessId: quarantine.businessId,
  job: quarantine.job,
  key: quarantine.key,
  bytes: sql<number>`length(${quarantine.content})`,
  reason: quarantine.reason,
  attempts: quarantine.attempts,
  createdAt: quarantine.createdAt,
  updatedAt: quarantine.updatedAt,
}

export type QuarantineScope = BusinessContext & {
  /** Also sees what belongs to no known business. */
  operator: boolean
}

/** What was set aside of a business, newest first. */
export async function listQuarantine(ctx: QuarantineScope, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(quarantine.id, page, visibleTo(ctx))
  const rows = await ctx.db.select(view).from(quarantine).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** One thing that was set aside, with its content as JSON text. @throws AppError `quarantine_not_found` */
export async function getQuarantined(ctx: QuarantineScope, id: string) {
  const [row] = await ctx.db
    .select({ ...view, content: quarantine.content })
    .from(quarantine)
    .where(and(eq(quarantine.id, id), visibleTo(ctx)))
  if (!row) throw notFound()
  return { ...row, content: new TextDecoder().decode(row.content) }
}

/**
 * Has things stored once more: one, or all. They are events again, with all their tries.
 * @returns how many
 * @throws AppError `quarantine_not_found`
 */
export async function retryQuarantined(ctx: QuarantineScope, id?: string): Promise<number> {
  const count = await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .delete(quarantine)
      .where(and(visibleTo(ctx), id ? eq(quarantine.id, id) : undefined))
      .returning()
    for (const { job, key, businessId, content } of rows)
      await reviveEvent(tx, { key, job, businessId, payload: new TextDecoder().decode(content) })
    if (rows.length > 0) await note(tx, ctx, 'quarantine.retry', rows)
    return rows.length
  })
  if (count === 0 && id) throw notFound()
  // The next sweep queues them; this one comes at once.
  await ctx.enqueue('maintenance.sweep', {}).catch((error: unknown) => {
    ctx.log.warn({ error: errorMessage(error) }, 'what is to be retried waits for the next sweep')
  })
  return count
}

/** Throws away one thing that was set aside. @throws AppError `quarantine_not_found` */
export async function dropQuarantined(ctx: QuarantineScope, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .delete(quarantine)
      .where(and(eq(quarantine.id, id), visibleTo(ctx)))
      .returning({ id: quarantine.id, job: quarantine.job })
    if (rows.length === 0) throw notFound()
    await note(tx, ctx, 'quarantine.drop', rows)
  })
}

/** How many things are set aside, over all businesses. */
export async function countQuarantined(ctx: Pick<DomainContext, 'db'>): Promise<number> {
  const [row] = await ctx.db.select({ count: sql<number>`count(*)::int` }).from(quarantine)
  return row?.count ?? 0
}

/**
 * Removes what was set aside of a business and mentions an erased person.
 * @param before sees what goes: what it was to do is not done
 */
export async function forgetQuarantined(
  ctx: Pick<DomainContext, 'db'>,
  businessId: string,
  mentions: string[],
  before: (jobs: { name: string; data: unknown }[]) => Promise<void>,
): Promise<number> {
  const rows = await ctx.db
    .select({ id: quarantine.id, job: quarantine.job, content: quarantine.content })
    .from(quarantine)
    .where(or(eq(quarantine.businessId, businessId), isNull(quarantine.businessId)))
  const found = rows.flatMap(({ id, job, content }) => {
    const text = new TextDecoder().decode(content)
    return mentions.some((mention) => text.includes(mention)) ? [{ id, name: job, data: readJson(text) }] : []
  })
  if (found.length === 0) return 0
  await before(found)
  await ctx.db.delete(quarantine).where(
    inArray(
      quarantine.id,
      found.map((row) => row.id),
    ),
  )
  return found.length
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function visibleTo(ctx: QuarantineScope): SQL | undefined {
  const mine = eq(quarantine.businessId, ctx.businessId)
  return ctx.operator ? or(mine, isNull(quarantine.businessId)) : mine
}

async function note(
  tx: Parameters<typeof audit>[0],
  ctx: BusinessContext,
  action: string,
  rows: { id: string; job: string }[],
): Promise<void> {
  for (const { id, job } of rows) await audit(tx, ctx, { action, entity: 'quarantine', entityId: id, data: { job } })
}

function notFound(): AppError {
  return new AppError('not_found', 'quarantine_not_found', 'Nothing with this id is set aside.')
}

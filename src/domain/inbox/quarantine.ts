import { and, eq, inArray, isNull, ne, or, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { businesses, inboundEvents, quarantine } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { cleanText, cutText } from '../../lib/text.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { reviveEvent } from './events.ts'

export type SetAside = {
  job: string
  key: string
  payload: unknown
  error: unknown
  attempts: number
  eventId?: string | null
}

const named = z.object({ businessId: z.uuid().optional(), onlyFor: z.array(z.uuid()).optional() })

/** The business that something belongs to, and whose limits it counts against; null when that is not certain. */
function businessOf(payload: unknown): string | null {
  const { businessId, onlyFor } = named.safeParse(payload).data ?? {}
  return businessId ?? (onlyFor?.length === 1 ? (onlyFor[0] ?? null) : null)
}

export type QuarantineLimits = {
  rows: number
  /** Of one business; beyond it only the beginning of what comes is kept. */
  bytes: number
  rowBytes: number
  beginningBytes: number
}

const LIMITS: QuarantineLimits = { rows: 10_000, bytes: 64 * 2 ** 20, rowBytes: 2 ** 20, beginningBytes: 4_096 }

/** Sets something aside that could not be stored, with its bytes, so that it holds up nothing behind it. What is set aside of a
 * business is bounded; beyond that its content is cut, and the cut is recorded. */
export async function setAside(
  ctx: Pick<DomainContext, 'db' | 'log'>,
  entry: SetAside,
  limits: QuarantineLimits = LIMITS,
): Promise<void> {
  const businessId = businessOf(entry.payload)
  const content = new TextEncoder().encode(JSON.stringify(entry.payload) ?? 'null')
  const reason = cutText(cleanText(errorMessage(entry.error)), 500)
  await ctx.db.transaction(async (tx) => {
    const [known] = businessId
      ? await tx.select({ id: businesses.id }).from(businesses).where(eq(businesses.id, businessId))
      : []
    const row = await fit(tx, limits, {
      businessId: known?.id ?? null,
      job: entry.job,
      key: cleanText(entry.key),
      content,
    })
    await tx
      .insert(quarantine)
      .values({ id: newId(), ...row, reason, attempts: entry.attempts })
      .onConflictDoUpdate({
        target: quarantine.key,
        set: {
          content: row.content,
          cutFrom: row.cutFrom,
          reason,
          attempts: sql`${quarantine.attempts} + ${entry.attempts}`,
          updatedAt: new Date(),
        },
      })
    if (row.cutFrom !== null)
      ctx.log.error(
        { job: entry.job, businessId, bytes: row.cutFrom, keptBytes: row.content.length },
        'what was set aside is not kept whole: it is too large, or too much of this business is set aside already',
      )
    if (entry.eventId) await tx.delete(inboundEvents).where(eq(inboundEvents.id, entry.eventId))
  })
  ctx.log.error(
    { job: entry.job, businessId, attempts: entry.attempts, reason },
    'something could not be stored and was set aside; look at it with `quarantine list`',
  )
}

/** Begins the key of the row that counts what found no room. */
const OVERFLOW = 'overflow:'

type Content = { businessId: string | null; job: string; key: string; content: Uint8Array }

async function fit(
  tx: Pick<DomainContext['db'], 'select'>,
  limits: QuarantineLimits,
  row: Content,
): Promise<Content & { cutFrom: number | null }> {
  const { content, businessId, job } = row
  const [others] = await tx
    .select({
      rows: sql<number>`count(*) filter (where ${quarantine.key} not like ${`${OVERFLOW}%`})::int`,
      bytes: sql<number>`coalesce(sum(length(${quarantine.content})), 0)::float8`,
    })
    .from(quarantine)
    .where(and(sql`${quarantine.businessId} is not distinct from ${businessId}::uuid`, ne(quarantine.key, row.key)))
  const { rows = 0, bytes = 0 } = others ?? {}
  if (rows >= limits.rows)
    return { ...row, key: `${OVERFLOW}${businessId ?? ''}:${job}`, content: new Uint8Array(), cutFrom: content.length }
  const isWhole = content.length <= limits.rowBytes && bytes + content.length <= limits.bytes
  return isWhole || content.length <= limits.beginningBytes
    ? { ...row, cutFrom: null }
    : { ...row, content: content.slice(0, limits.beginningBytes), cutFrom: content.length }
}

export const quarantineView = z.object({
  id: z.uuid(),
  businessId: z.uuid().nullable(),
  job: z.string(),
  key: z.string(),
  bytes: z.number(),
  /** How many bytes it had, when it was too large to be kept whole: it cannot be retried. */
  cutFrom: z.number().nullable(),
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
  cutFrom: quarantine.cutFrom,
  reason: quarantine.reason,
  attempts: quarantine.attempts,
  createdAt: quarantine.createdAt,
  updatedAt: quarantine.updatedAt,
}

export type QuarantineScope = BusinessContext & {
  operator: boolean
}

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

/** Retries one or all whole quarantined events. @throws AppError `quarantine_not_found`, `quarantine_cut` */
export async function retryQuarantined(ctx: QuarantineScope, id?: string): Promise<number> {
  const count = await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .delete(quarantine)
      .where(and(visibleTo(ctx), isNull(quarantine.cutFrom), id ? eq(quarantine.id, id) : undefined))
      .returning()
    for (const { job, key, businessId, content } of rows)
      await reviveEvent(tx, { key, job, businessId, payload: new TextDecoder().decode(content) })
    if (rows.length > 0) await note(tx, ctx, 'quarantine.retry', rows)
    return rows.length
  })
  if (count === 0 && id) {
    await getQuarantined(ctx, id)
    throw new AppError('conflict', 'quarantine_cut', 'Only the beginning of it is kept; it cannot be stored again.')
  }
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

export async function countQuarantined(ctx: Pick<DomainContext, 'db'>): Promise<number> {
  return (await describeQuarantine(ctx)).count
}

export type QuarantineState = {
  count: number
  cut: number
  nearlyFull: (string | null)[]
}

/** What is set aside over all businesses, and how near that is to its limits. */
export async function describeQuarantine(
  ctx: Pick<DomainContext, 'db'>,
  limits: QuarantineLimits = LIMITS,
): Promise<QuarantineState> {
  const rows = await ctx.db
    .select({
      businessId: quarantine.businessId,
      count: sql<number>`count(*)::int`,
      cut: sql<number>`count(${quarantine.cutFrom})::int`,
      bytes: sql<number>`sum(length(${quarantine.content}))::float8`,
    })
    .from(quarantine)
    .groupBy(quarantine.businessId)
  return {
    count: rows.reduce((total, { count }) => total + count, 0),
    cut: rows.reduce((total, { cut }) => total + cut, 0),
    nearlyFull: rows
      .filter(({ count, bytes }) => count >= 0.8 * limits.rows || bytes >= 0.8 * limits.bytes)
      .map(({ businessId }) => businessId),
  }
}

/** Removes a business's quarantined events that mention an erased person; `before` sees them first. */
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

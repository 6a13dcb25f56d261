import { and, eq, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { type ImportError, importRejects, imports } from '../../../db/schema/index.ts'
import { AppError, errorMessage, isErased, toAppError } from '../../lib/errors.ts'
import { identitiesOf, lockIdentities } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { refuseErased } from '../erasures/index.ts'
import { AMOUNT_STYLES } from './amounts.ts'
import type { CsvInput, CsvRow } from './csv-file.ts'
import { withCsvReader } from './csv-reader.ts'
import { DATE_STYLES } from './dates.ts'
import type { Outcome } from './plan-row.ts'
import { createStageNames, type StageNames } from './stage-names.ts'
import { writeRow } from './write-row.ts'

export const KEPT_ERRORS = 500
const BATCH = 200
/** Runs that end without taking a row in; then the import is given up. */
const MAX_ATTEMPTS = 20
/** Postgres chose this transaction to lose; the same one may well succeed later. */
const TRY_AGAIN = new Set(['40001', '40P01', '55P03', '57014'])

type Import = typeof imports.$inferSelect

/** Runs an import in batches with a savepoint a row; progress is committed with the rows, so that a retry continues. */
export async function runImport(ctx: BusinessContext, id: string): Promise<void> {
  const mine = and(eq(imports.id, id), eq(imports.businessId, ctx.businessId))
  const [row] = await ctx.db
    .update(imports)
    .set({ attempts: sql`${imports.attempts} + 1`, updatedAt: sql`${imports.updatedAt}` })
    .where(mine)
    .returning()
  if (!row?.csv || row.state === 'done' || row.state === 'failed') return
  if (row.attempts > MAX_ATTEMPTS)
    return giveUp(ctx, id, `It was tried ${MAX_ATTEMPTS} times and came no further; the log has the details.`)
  try {
    const stages = await createStageNames(ctx)
    await withCsvReader(inputOf(row, row.csv), { skip: row.processed }, async (reader) => {
      let batch = { from: row.processed, rows: await reader.next(BATCH) }
      while (await runBatch(ctx, id, batch, stages))
        batch = { from: batch.from + batch.rows.length, rows: await reader.next(BATCH) }
    })
  } catch (error) {
    // A file that was read when it was handed in, and cannot be read now, will not be readable later.
    if (error instanceof AppError && (error.kind === 'invalid' || error.kind === 'too_large'))
      return giveUp(ctx, id, error.message)
    // Nothing was tried: that is no attempt.
    if (toAppError(error).kind === 'unavailable')
      await ctx.db
        .update(imports)
        .set({ attempts: sql`greatest(${imports.attempts} - 1, 0)`, updatedAt: sql`${imports.updatedAt}` })
        .where(mine)
    throw error
  }
}

function inputOf(row: Import, csv: string): CsvInput {
  const { options } = row
  return {
    kind: row.kind,
    source: csv,
    encoding: null,
    mapping: row.mapping,
    heading: options?.heading ?? true,
    amounts: AMOUNT_STYLES.find((style) => style === options?.amounts) ?? null,
    dates: DATE_STYLES.find((style) => style === options?.dates) ?? null,
  }
}

async function giveUp(ctx: BusinessContext, id: string, failure: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await tx
      .update(imports)
      .set({ state: 'failed', failure, csv: null })
      .where(and(eq(imports.id, id), eq(imports.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'import.fail', entity: 'import', entityId: id })
  })
  ctx.log.warn({ importId: id }, 'import given up')
}

type Counts = { created: number; updated: number; existing: number; rejected: number; blank: number }
type Batch = { from: number; rows: CsvRow[] }

async function runBatch(ctx: BusinessContext, id: string, batch: Batch, stages: StageNames): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const mine = and(eq(imports.id, id), eq(imports.businessId, ctx.businessId))
    const [row] = await tx.select().from(imports).where(mine).for('update')
    if (!row || row.state === 'done' || row.state === 'failed') return false
    // Another process may have taken some of these in.
    const rows = batch.rows.slice(Math.max(0, row.processed - batch.from))
    if (rows.length === 0 && batch.rows.length > 0) return true
    const errors = [...row.errors]
    const counts: Counts = {
      created: row.created,
      updated: row.updated,
      existing: row.existing,
      rejected: row.rejected,
      blank: row.blank,
    }
    for (const csvRow of rows) {
      const taken = await takeRow(tx, ctx, row, csvRow, stages)
      if (typeof taken === 'string') counts[taken] += 1
      else {
        counts.rejected += 1
        if (errors.length < KEPT_ERRORS) errors.push(...taken)
      }
    }
    const over = rows.length === 0
    await tx
      .update(imports)
      .set({
        processed: row.processed + rows.length,
        ...counts,
        errors: errors.slice(0, KEPT_ERRORS),
        attempts: 0,
        state: over ? 'done' : 'running',
        // The file has done its work: personal data is not kept twice.
        ...(over ? { csv: null } : {}),
      })
      .where(mine)
    if (over) await audit(tx, ctx, { action: 'import.done', entity: 'import', entityId: id, data: counts })
    return !over
  })
}

async function takeRow(
  tx: Executor,
  ctx: BusinessContext,
  from: Import,
  csvRow: CsvRow,
  stages: StageNames,
): Promise<Outcome | 'blank' | ImportError[]> {
  if (csvRow.kind === 'blank') return 'blank'
  if (csvRow.kind === 'refused') {
    const erased = csvRow.phone !== null && (await wasErased(tx, ctx, csvRow.phone, from.createdAt))
    await keepReject(tx, ctx, from.id, erased ? { ...csvRow, cells: [] } : csvRow, csvRow.errors, csvRow.phone)
    return csvRow.errors
  }
  const { value, key } = csvRow
  // A row that cannot be taken must not take its batch with it.
  try {
    return await tx.transaction((step) =>
      writeRow(step, ctx, {
        kind: from.kind,
        row: value,
        key,
        stage: stages.keyOf(value.stage),
        handedInAt: from.createdAt,
      }),
    )
  } catch (error) {
    const errors = [refusalOf(ctx, from.id, csvRow.row, error)]
    // Nothing is stored of an erased person, not even for correction.
    await keepReject(tx, ctx, from.id, isErased(error) ? { ...csvRow, cells: [] } : csvRow, errors, value.phone)
    return errors
  }
}

async function wasErased(tx: Executor, ctx: BusinessContext, phone: string, handedInAt: Date): Promise<boolean> {
  const identities = identitiesOf({ phone })
  await lockIdentities(tx, ctx, identities)
  try {
    await refuseErased(tx, ctx, identities, handedInAt)
    return false
  } catch (error) {
    if (isErased(error)) return true
    throw error
  }
}

/** Why a row was not taken in. @throws what is no fault of the row: the database is away, or the transaction has to be tried again */
function refusalOf(ctx: BusinessContext, importId: string, row: number, error: unknown): ImportError {
  const known = toAppError(error)
  if (known.kind === 'unavailable' || isLost(error)) throw error
  if (known.kind !== 'internal') return { row, column: known.field ?? null, message: known.message, code: known.code }
  ctx.log.error({ importId, row, error: errorMessage(error) }, 'a row of an import could not be stored')
  return {
    row,
    column: null,
    message: 'this row could not be stored; the log has the details',
    code: 'import_row_failed',
  }
}

function isLost(error: unknown): boolean {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
    if ('code' in cause && TRY_AGAIN.has(String(cause.code))) return true
  return false
}

async function keepReject(
  tx: Executor,
  ctx: BusinessContext,
  importId: string,
  { row, cells }: { row: number; cells: string[] },
  errors: ImportError[],
  phone: string | null,
): Promise<void> {
  const reason = errors.map(({ column, message }) => (column ? `${column}: ${message}` : message)).join('; ')
  await tx
    .insert(importRejects)
    .values({ businessId: ctx.businessId, importId, row, cells, reason, phone: cells.length > 0 ? phone : null })
    .onConflictDoNothing()
}

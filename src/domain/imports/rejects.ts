import { and, asc, eq, gt, inArray, lt, ne, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { importRejects, imports } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { csvRecord, unmarkFormula } from '../../lib/escape/spreadsheet.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import type { rejectsInput, rejectsPage } from './views.ts'

const KEPT_MS = 30 * 86_400_000
const PRUNE_BATCH = 5_000
/** The column behind the file's own; no heading of a file is known as this, so that the rows can be taken in again as they are. */
const REASON = 'why it was refused'

/** A page of the rows that were refused, as CSV with the reason in the last column. @throws AppError `import_not_found` */
export async function exportRejects(
  ctx: BusinessContext,
  { id, cursor, limit }: z.output<typeof rejectsInput>,
): Promise<z.infer<typeof rejectsPage>> {
  const [file] = await ctx.db
    .select({ columns: imports.columns, options: imports.options })
    .from(imports)
    .where(and(eq(imports.id, id), eq(imports.businessId, ctx.businessId)))
  if (!file) throw noImport()
  const rows = await ctx.db
    .select({ row: importRejects.row, cells: importRejects.cells, reason: importRejects.reason })
    .from(importRejects)
    .where(
      and(
        eq(importRejects.importId, id),
        eq(importRejects.businessId, ctx.businessId),
        cursor === undefined ? undefined : gt(importRejects.row, cursor),
        ne(importRejects.cells, sql`'[]'::jsonb`),
      ),
    )
    .orderBy(asc(importRejects.row))
    .limit(limit + 1)
  const page = rows.slice(0, limit)
  const columns = file.columns ?? []
  const headings = file.options?.heading === false || cursor !== undefined ? [] : [[...columns, REASON]]
  const lines = page.map(({ cells, reason }) => [
    ...Array.from({ length: Math.max(columns.length, 1) }, (_, index) => unmarkFormula(cells[index] ?? '')),
    reason,
  ])
  return {
    csv: [...headings, ...lines].map(csvRecord).join(''),
    rows: page.length,
    nextCursor: rows.length > limit ? (page.at(-1)?.row ?? null) : null,
  }
}

export async function eraseRejects(tx: Executor, ctx: BusinessContext, phones: string[]): Promise<void> {
  if (phones.length === 0) return
  await tx
    .delete(importRejects)
    .where(and(eq(importRejects.businessId, ctx.businessId), inArray(importRejects.phone, phones)))
}

/** Deletes refused rows that were not corrected in weeks. @returns how many */
export async function pruneRejects(ctx: DomainContext): Promise<number> {
  const old = ctx.db
    .select({ id: importRejects.importId, row: importRejects.row })
    .from(importRejects)
    .where(lt(importRejects.createdAt, new Date(Date.now() - KEPT_MS)))
    .limit(PRUNE_BATCH)
  const gone = await ctx.db
    .delete(importRejects)
    .where(sql`(${importRejects.importId}, ${importRejects.row}) in (${old})`)
    .returning({ row: importRejects.row })
  return gone.length
}

export function noImport(): AppError {
  return new AppError('not_found', 'import_not_found', 'There is no such import.')
}

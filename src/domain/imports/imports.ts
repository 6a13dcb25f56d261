import { and, eq, inArray, lt } from 'drizzle-orm'
import { imports } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { type PageInput, pageInput, pageQuery, toPage } from '../paging.ts'
import { type CsvReader, withCsvReader } from './csv-reader.ts'
import { type ImportInput, toCsvInput } from './inputs.ts'
import { noImport } from './rejects.ts'

const columns = {
  id: imports.id,
  kind: imports.kind,
  state: imports.state,
  requestHash: imports.requestHash,
  total: imports.total,
  processed: imports.processed,
  created: imports.created,
  updated: imports.updated,
  existing: imports.existing,
  rejected: imports.rejected,
  blank: imports.blank,
  failure: imports.failure,
  errors: imports.errors,
  createdAt: imports.createdAt,
  updatedAt: imports.updatedAt,
}

/** Starts an import, once per id; a job runs it. @throws AppError as `openCsvFile`; `idempotency_conflict` */
export async function startImport(ctx: BusinessContext, input: ImportInput & { id?: string }) {
  const id = input.id ?? newId()
  const requestHash = await withCsvReader(toCsvInput(input), { withText: true }, (file) =>
    insertImport(ctx, id, input, file),
  )
  const row = await getImport(ctx, id)
  if (row.requestHash !== requestHash)
    throw new AppError('conflict', 'idempotency_conflict', 'This id was used for another import.', { field: 'id' })
  if (row.state === 'queued') {
    try {
      await ctx.enqueue('import.run', { businessId: ctx.businessId, importId: id }, { jobId: jobId('import', id) })
    } catch (error) {
      // The row is committed: the sweep finds it.
      ctx.log.warn({ importId: id, error: errorMessage(error) }, 'the import could not be queued; the sweep will')
    }
  }
  return row
}

async function insertImport(ctx: BusinessContext, id: string, input: ImportInput, file: CsvReader): Promise<string> {
  const { summary, text, textHash } = file
  const options = { heading: input.heading, amounts: input.amounts ?? null, dates: input.dates ?? null }
  const requestHash = sha256Hex(JSON.stringify([input.kind, summary.mapping, options, textHash]))
  await ctx.db.transaction(async (tx) => {
    const made = await tx
      .insert(imports)
      .values({
        id,
        businessId: ctx.businessId,
        kind: input.kind,
        requestHash,
        mapping: input.mapping ?? summary.mapping,
        options,
        columns: summary.columns,
        csv: text,
        total: summary.total,
        createdBy: ctx.actor.kind === 'user' ? ctx.actor.id : null,
      })
      .onConflictDoNothing()
      .returning({ id: imports.id })
    if (made.length > 0)
      await audit(tx, ctx, {
        action: 'import.start',
        entity: 'import',
        entityId: id,
        data: { kind: input.kind, rows: summary.total },
      })
  })
  return requestHash
}

export async function listImports(ctx: BusinessContext, input: PageInput) {
  const page = pageInput.parse(input)
  const query = pageQuery(imports.id, page, eq(imports.businessId, ctx.businessId))
  const rows = await ctx.db.select(columns).from(imports).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `import_not_found` */
export async function getImport(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(columns)
    .from(imports)
    .where(and(eq(imports.id, id), eq(imports.businessId, ctx.businessId)))
  if (!row) throw noImport()
  return row
}

/** Queues again the imports that no worker runs: their job was lost. @returns how many */
export async function requeueImports(ctx: DomainContext, idleMs = 120_000): Promise<number> {
  const rows = await ctx.db
    .select({ id: imports.id, businessId: imports.businessId, processed: imports.processed })
    .from(imports)
    .where(and(inArray(imports.state, ['queued', 'running']), lt(imports.updatedAt, new Date(Date.now() - idleMs))))
    .limit(100)
  for (const row of rows)
    await within(ctx, row.businessId).enqueue(
      'import.run',
      { businessId: row.businessId, importId: row.id },
      { jobId: jobId('import', row.id, row.processed, Math.floor(Date.now() / 600_000)) },
    )
  return rows.length
}

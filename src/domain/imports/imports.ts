import { and, eq, inArray, isNull, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { contacts, type ImportError, importKeys, imports } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import {
  addNoteWithin,
  findContactByPhone,
  identitiesOf,
  lockIdentities,
  resolveContact,
  writeTags,
} from '../contacts/index.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { refuseErased } from '../erasures/index.ts'
import { insertLead, newLead } from '../leads/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import {
  type ColumnMapping,
  columnMapping,
  guessMapping,
  IMPORT_KINDS,
  type ImportKind,
  type ImportRow,
  MAX_CSV_LENGTH,
  readCsv,
  readRow,
} from './read-csv.ts'

const PREVIEW_ROWS = 20
const KEPT_ERRORS = 500
const BATCH = 200

export const importInput = z.object({
  kind: z.enum(IMPORT_KINDS),
  csv: z.string().min(1).max(MAX_CSV_LENGTH),
  /** Left out, it is guessed from the headings. */
  mapping: columnMapping.optional(),
})

const importError = z.object({ row: z.number(), column: z.string().nullable(), message: z.string() })

export const importPreview = z.object({
  columns: z.array(z.string()),
  mapping: columnMapping,
  total: z.number(),
  valid: z.number(),
  rejected: z.number(),
  /** The first rows as they would be taken in. */
  rows: z.array(
    z.object({
      row: z.number(),
      phone: z.string().nullable(),
      name: z.string().nullable(),
      email: z.string().nullable(),
      tags: z.array(z.string()),
      note: z.string().nullable(),
      wish: z.string().nullable(),
      stage: z.string().nullable(),
      valueAgorot: z.number().nullable(),
      custom: z.record(z.string(), z.string()),
    }),
  ),
  errors: z.array(importError),
})

export const importView = z.object({
  id: z.uuid(),
  kind: z.enum(IMPORT_KINDS),
  state: z.enum(['queued', 'running', 'done', 'failed']),
  total: z.number(),
  processed: z.number(),
  created: z.number(),
  updated: z.number(),
  /** Leads that were there already, by an earlier import of the same row. */
  existing: z.number(),
  rejected: z.number(),
  errors: z.array(importError),
  createdAt: z.date(),
  updatedAt: z.date(),
})

/** All but the file itself. */
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
  errors: imports.errors,
  createdAt: imports.createdAt,
  updatedAt: imports.updatedAt,
}

/** What a file would do; nothing is written. @throws AppError `invalid_csv`, `csv_too_large`, `no_mapping` */
export function previewImport(input: z.output<typeof importInput>): z.infer<typeof importPreview> {
  const { columns, records } = readCsv(input.csv)
  const mapping = input.mapping ?? guessMapping(input.kind, columns)
  requireMapping(mapping)
  const errors: ImportError[] = []
  const rows: ImportRow[] = []
  let valid = 0
  for (const [index, record] of records.entries()) {
    const read = readRow(input.kind, mapping, record, index + 2)
    if (read.ok) {
      valid += 1
      if (rows.length < PREVIEW_ROWS) rows.push(read.value)
    } else if (errors.length < KEPT_ERRORS) errors.push(...read.errors)
  }
  return { columns, mapping, total: records.length, valid, rejected: records.length - valid, rows, errors }
}

/**
 * Takes a file in: rows with errors are left out and told, rows that an earlier file brought are not made again. The work is a
 * job's; asked again with the same id, there is one.
 * @throws AppError `invalid_csv`, `csv_too_large`, `no_mapping`, `idempotency_conflict`
 */
export async function startImport(ctx: BusinessContext, input: z.output<typeof importInput> & { id?: string }) {
  const { columns, records } = readCsv(input.csv)
  const mapping = input.mapping ?? guessMapping(input.kind, columns)
  requireMapping(mapping)
  const id = input.id ?? newId()
  const requestHash = sha256Hex(JSON.stringify([input.kind, mapping, input.csv]))
  await ctx.db.transaction(async (tx) => {
    const made = await tx
      .insert(imports)
      .values({
        id,
        businessId: ctx.businessId,
        kind: input.kind,
        requestHash,
        mapping,
        csv: input.csv,
        total: records.length,
        createdBy: ctx.actor.kind === 'user' ? ctx.actor.id : null,
      })
      .onConflictDoNothing()
      .returning({ id: imports.id })
    if (made.length > 0)
      await audit(tx, ctx, {
        action: 'import.start',
        entity: 'import',
        entityId: id,
        data: { kind: input.kind, rows: records.length },
      })
  })
  const row = await getImport(ctx, id)
  if (row.requestHash !== requestHash)
    throw new AppError('conflict', 'idempotency_conflict', 'This id was used for another import.', { field: 'id' })
  if (row.state === 'queued') {
    try {
      await ctx.enqueue('import.run', { businessId: ctx.businessId, importId: id }, { jobId: `import-${id}` })
    } catch (error) {
      // The row is committed: the sweep finds it.
      ctx.log.warn({ importId: id, error: errorMessage(error) }, 'the import could not be queued; the sweep will')
    }
  }
  return row
}

export async function listImports(ctx: BusinessContext, input: z.input<typeof pageInput>) {
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
  if (!row) throw new AppError('not_found', 'import_not_found', 'There is no such import.')
  return row
}

/**
 * Works an import off, a batch a transaction: how far it came is written with the rows, so that a job which dies and is run
 * again goes on where the last commit was.
 */
export async function runImport(ctx: BusinessContext, id: string): Promise<void> {
  const [start] = await ctx.db
    .select({ csv: imports.csv, kind: imports.kind, mapping: imports.mapping })
    .from(imports)
    .where(and(eq(imports.id, id), eq(imports.businessId, ctx.businessId)))
  if (!start?.csv) return
  const { records } = readCsv(start.csv)
  const keys = keysOf(start.kind, start.mapping, records)
  while (await runBatch(ctx, id, start.kind, start.mapping, records, keys)) {}
}

async function runBatch(
  ctx: BusinessContext,
  id: string,
  kind: ImportKind,
  mapping: ColumnMapping,
  records: Record<string, string>[],
  keys: (string | null)[],
): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const mine = and(eq(imports.id, id), eq(imports.businessId, ctx.businessId))
    const [row] = await tx.select().from(imports).where(mine).for('update')
    if (!row || row.state === 'done' || row.state === 'failed') return false
    const errors = [...row.errors]
    const counts = { created: row.created, updated: row.updated, existing: row.existing, rejected: row.rejected }
    const batch = records.slice(row.processed, row.processed + BATCH)
    for (const [index, record] of batch.entries()) {
      const at = row.processed + index
      const read = readRow(kind, mapping, record, at + 2)
      const taken = read.ok
        ? await takeRow(tx, ctx, { ...read.value, kind, key: keys[at] ?? null, handedInAt: row.createdAt })
        : read.errors
      if (typeof taken === 'string') counts[taken] += 1
      else {
        counts.rejected += 1
        if (errors.length < KEPT_ERRORS) errors.push(...taken)
      }
    }
    const processed = row.processed + batch.length
    const over = processed >= records.length
    await tx
      .update(imports)
      .set({
        processed,
        ...counts,
        errors,
        state: over ? 'done' : 'running',
        // The file has done its work: personal data is not kept twice.
        ...(over ? { csv: null } : {}),
      })
      .where(mine)
    if (over)
      await audit(tx, ctx, {
        action: 'import.done',
        entity: 'import',
        entityId: id,
        data: counts,
      })
    return !over
  })
}

type Taken = 'created' | 'updated' | 'existing'
type RowToTake = ImportRow & { kind: ImportKind; key: string | null; handedInAt: Date }

/** What each row is known by when the same or another file brings it again; null where the row cannot be read. */
function keysOf(kind: ImportKind, mapping: ColumnMapping, records: Record<string, string>[]): (string | null)[] {
  const seen = new Map<string, number>()
  return records.map((record, index) => {
    const read = readRow(kind, mapping, record, index + 2)
    if (!read.ok) return null
    const { phone, name, email, wish, valueAgorot } = read.value
    const content = JSON.stringify([kind, phone, name, email, wish, valueAgorot])
    // Two rows alike in one file are two, however often the file is read.
    const count = seen.get(content) ?? 0
    seen.set(content, count + 1)
    return sha256Hex(`${count}:${content}`)
  })
}

async function takeRow(tx: Executor, ctx: BusinessContext, row: RowToTake): Promise<Taken | ImportError[]> {
  // A row that cannot be taken must not take its batch with it.
  try {
    return await tx.transaction((step) => writeRow(step, ctx, row))
  } catch (error) {
    if (error instanceof AppError && error.kind !== 'unavailable')
      return [{ row: row.row, column: error.field ?? null, message: error.message }]
    throw error
  }
}

async function writeRow(tx: Executor, ctx: BusinessContext, row: RowToTake): Promise<Taken> {
  const { kind } = row
  const identities = identitiesOf({ phone: row.phone })
  await lockIdentities(tx, ctx, identities)
  await refuseErased(tx, ctx, identities, row.handedInAt)
  // A contact with a number is known by it; everything else by the row that it was made of.
  const earlier = kind === 'leads' || !row.phone ? await claimKey(tx, ctx, row.key) : null
  const known = row.phone ? await findContactByPhone(tx, ctx, row.phone) : null
  let contactId: string | null = known ?? earlier?.contactId ?? null
  const before = contactId
  if (row.phone) contactId = await resolveContact(tx, ctx, { phone: row.phone, name: row.name })
  else if (kind === 'contacts' && !contactId) {
    contactId = newId()
    await tx.insert(contacts).values({ id: contactId, businessId: ctx.businessId, name: row.name, email: row.email })
    await nameKey(tx, ctx, row.key, { contactId })
    await audit(tx, ctx, { action: 'contact.create', entity: 'contact', entityId: contactId })
  }
  if (contactId) {
    const mine = and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId))
    // What people wrote by hand stays: a file fills in only what is empty.
    if (row.email)
      await tx
        .update(contacts)
        .set({ email: row.email })
        .where(and(mine, isNull(contacts.email)))
    if (Object.keys(row.custom).length > 0)
      await tx
        .update(contacts)
        .set({ custom: sql`${JSON.stringify(row.custom)}::jsonb || ${contacts.custom}` })
        .where(mine)
    await writeTags(tx, ctx, contactId, row.tags, [])
    if (row.note && (kind === 'leads' ? !earlier : !before)) await addNoteWithin(tx, ctx, { contactId, body: row.note })
  }
  if (kind === 'contacts') return before ? 'updated' : 'created'
  if (earlier) return 'existing'
  const wish = newLead.parse({
    name: row.name,
    wish: row.wish,
    valueAgorot: row.valueAgorot,
    source: 'import',
    ...(row.stage ? { stage: row.stage } : {}),
    ...(contactId ? { contactId } : {}),
  })
  const leadId = newId()
  await insertLead(tx, ctx, leadId, wish)
  await nameKey(tx, ctx, row.key, { leadId })
  return 'created'
}

/** Takes the key of a row, or answers what an earlier row was made into; waits for one that is just being taken. */
async function claimKey(tx: Executor, ctx: BusinessContext, key: string | null) {
  if (key === null) return null
  const taken = await tx
    .insert(importKeys)
    .values({ businessId: ctx.businessId, key })
    .onConflictDoNothing()
    .returning({ key: importKeys.key })
  if (taken.length > 0) return null
  const [earlier] = await tx.select().from(importKeys).where(ofKey(ctx, key))
  return earlier ?? null
}

/** Says what a row was made into. */
async function nameKey(
  tx: Executor,
  ctx: BusinessContext,
  key: string | null,
  made: { leadId: string } | { contactId: string },
): Promise<void> {
  if (key !== null) await tx.update(importKeys).set(made).where(ofKey(ctx, key))
}

function ofKey(ctx: BusinessContext, key: string) {
  return and(eq(importKeys.businessId, ctx.businessId), eq(importKeys.key, key))
}

/** Queues again the imports that nobody works on: their job was lost. @returns how many */
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
      { jobId: `import-${row.id}-${row.processed}-${Math.floor(Date.now() / 600_000)}` },
    )
  return rows.length
}

function requireMapping(mapping: ColumnMapping) {
  const fields = Object.values(mapping)
  if (!fields.some((field) => ['phone', 'name', 'email', 'wish'].includes(field)))
    throw new AppError('invalid', 'no_mapping', 'No column is known as phone, name or e-mail; say which is which.', {
      field: 'mapping',
    })
}

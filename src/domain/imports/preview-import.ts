import type { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { canonicalPhone } from '../../lib/phone.ts'
import type { BusinessContext } from '../context.ts'
import type { CsvRow } from './csv-file.ts'
import { type CsvReader, withCsvReader } from './csv-reader.ts'
import type { ImportKind } from './fields.ts'
import { type previewInput, toCsvInput } from './inputs.ts'
import {
  type Earlier,
  type Known,
  knownAfter,
  knownOf,
  loadEarlier,
  loadExisting,
  type Outcome,
  planRow,
} from './plan-row.ts'
import type { ImportRow } from './read-row.ts'
import { createStageNames, type StageNames } from './stage-names.ts'
import type { ImportPreview } from './views.ts'

const BATCH = 500
const KEPT_ERRORS = 500

/** What a file would do, row by row; nothing is written. @throws AppError as `openCsvFile` */
export async function previewImport(
  ctx: BusinessContext,
  input: z.output<typeof previewInput>,
): Promise<ImportPreview> {
  return await withCsvReader(toCsvInput(input), {}, async (reader) => {
    const preview = new PreviewBuilder(input)
    const planner = new BatchPlanner(ctx, input.kind, await createStageNames(ctx))
    for (let rows = await reader.next(BATCH); rows.length > 0; rows = await reader.next(BATCH))
      for (const planned of await planner.plan(rows)) preview.add(planned)
    return preview.build(reader)
  })
}

type PlannedRow = { row: CsvRow; outcome: Outcome | 'rejected' | 'blank'; errors: ImportPreview['errors'] }

/** Plans rows in batches; what earlier rows of the file do is there for the later ones. */
class BatchPlanner {
  readonly #ctx: BusinessContext
  readonly #kind: ImportKind
  readonly #stages: StageNames
  readonly #afterEarlierRows = new Map<string, Known>()

  constructor(ctx: BusinessContext, kind: ImportKind, stages: StageNames) {
    this.#ctx = ctx
    this.#kind = kind
    this.#stages = stages
  }

  async plan(rows: CsvRow[]): Promise<PlannedRow[]> {
    const readable = rows.flatMap((row) => (row.kind === 'row' ? [row] : []))
    const keyed = readable.filter(({ value }) => this.#kind === 'leads' || !value.phone)
    const earlier = await loadEarlier(
      this.#ctx.db,
      this.#ctx,
      keyed.map(({ key }) => key),
    )
    const ids = [...earlier.values()].flatMap(({ contactId }) => contactId ?? [])
    const { byPhone, byId } = await loadExisting(
      this.#ctx.db,
      this.#ctx,
      readable.map(({ value }) => value),
      ids,
    )
    return rows.map((row) => {
      if (row.kind === 'blank') return { row, outcome: 'blank', errors: [] }
      if (row.kind === 'refused') return { row, outcome: 'rejected', errors: row.errors }
      const before = earlier.get(row.key) ?? null
      const known = knownOf(row.value, this.#afterEarlierRows) ?? knownOf(row.value, byPhone)
      const contact = before?.contactId ? (byId.get(before.contactId) ?? null) : null
      return this.#planRow(row, row.value, known ?? contact, before)
    })
  }

  #planRow(row: CsvRow, value: ImportRow, known: Known | null, earlier: Earlier | null): PlannedRow {
    try {
      this.#stages.keyOf(value.stage)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return {
        row,
        outcome: 'rejected',
        errors: [{ row: row.row, column: error.field ?? null, message: error.message, code: error.code }],
      }
    }
    const { outcome, fill } = planRow(this.#kind, value, known, earlier)
    const after = knownAfter(known, value, fill)
    if (after.phone) this.#afterEarlierRows.set(canonicalPhone(after.phone), after)
    return { row, outcome, errors: [] }
  }
}

class PreviewBuilder {
  readonly #window: { from: number; limit: number }
  readonly #counts = { created: 0, updated: 0, existing: 0, rejected: 0, blank: 0 }
  readonly #rows: ImportPreview['rows'] = []
  readonly #errors: ImportPreview['errors'] = []
  #nextRow: number | null = null

  constructor(window: { from: number; limit: number }) {
    this.#window = window
  }

  add({ row, outcome, errors }: PlannedRow): void {
    this.#counts[outcome] += 1
    if (this.#errors.length < KEPT_ERRORS) this.#errors.push(...errors)
    if (row.row < this.#window.from) return
    if (this.#rows.length < this.#window.limit) this.#rows.push({ ...shownOf(row), outcome, errors })
    else this.#nextRow ??= row.row
  }

  build({ summary }: CsvReader): ImportPreview {
    const { created, updated, existing } = this.#counts
    return {
      ...summary,
      ...this.#counts,
      valid: created + updated + existing,
      rows: this.#rows,
      nextRow: this.#nextRow,
      errors: this.#errors.slice(0, KEPT_ERRORS),
    }
  }
}

const NOTHING = {
  phone: null,
  name: null,
  email: null,
  tags: [],
  note: null,
  inquiry: null,
  stage: null,
  valueAgorot: null,
  date: null,
  optedOut: false,
  custom: {},
}

function shownOf(row: CsvRow) {
  if (row.kind !== 'row') return { ...NOTHING, row: row.row }
  const { phones: _, ...shown } = row.value
  return shown
}

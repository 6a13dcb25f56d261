import type { ImportError } from '../../../db/schema/index.ts'
import { decodeCsv, type Encoding } from '../../lib/decode-csv.ts'
import { sha256Hex } from '../../lib/ids.ts'
import { cleanText } from '../../lib/text.ts'
import { AMOUNT_STYLES, type AmountStyle, readAmount } from './amounts.ts'
import { DATE_STYLES, type DateStyle, readDate } from './dates.ts'
import type { ColumnMapping, ImportKind } from './fields.ts'
import { refuseForeignFormat } from './foreign-formats.ts'
import { type MappedColumn, mapColumns, toMapping } from './map-columns.ts'
import { type ImportRow, type ReadOptions, readRow } from './read-row.ts'
import { openTable, type Table } from './table.ts'

export type CsvInput = {
  kind: ImportKind
  source: Uint8Array | string
  encoding: Encoding | null
  mapping: ColumnMapping | null
  heading: boolean
  amounts: AmountStyle | null
  dates: DateStyle | null
}

export type CsvQuestion = {
  field: 'amounts' | 'dates'
  column: string
  rows: number
  examples: string[]
  choices: string[]
}

export type CsvSummary = {
  encoding: Encoding | null
  delimiter: string
  headingRow: number
  columns: string[]
  mapping: ColumnMapping
  /** Rows below the heading, empty ones included. */
  total: number
  notices: string[]
  questions: CsvQuestion[]
}

export type CsvRow =
  | { row: number; kind: 'row'; value: ImportRow; key: string; cells: string[] }
  | { row: number; kind: 'blank' }
  | {
      row: number
      kind: 'refused'
      errors: ImportError[]
      phone: string | null
      cells: string[]
    }

export type CsvFile = { text: string; summary: CsvSummary; rows(): Generator<CsvRow> }

/**
 * Reads a CSV file: once for what it is and what is not certain in it, and then row by row.
 * @throws AppError `not_csv`, `unknown_encoding`, `wrong_encoding`, `invalid_csv`, `too_many_columns`, `csv_too_large`, `no_mapping`, …
 */
export function openCsvFile(input: CsvInput): CsvFile {
  const { kind } = input
  refuseForeignFormat(input.source)
  const { text, encoding } =
    typeof input.source === 'string'
      ? { text: decodeCsv(new TextEncoder().encode(cleanText(input.source)), 'utf-8').text, encoding: null }
      : decodeCsv(input.source, input.encoding)
  const table = openTable(text, input)
  const mapped = mapColumns(kind, table.columns, input.mapping)
  const survey = surveyRows(table, mapped, input)
  const options: ReadOptions = { kind, mapped, amounts: survey.amounts, dates: survey.dates }
  return {
    text,
    summary: {
      encoding,
      delimiter: table.delimiter,
      headingRow: table.headingRow,
      columns: table.columns,
      mapping: toMapping(mapped),
      total: survey.total,
      notices: notices(table, mapped),
      questions: survey.questions,
    },
    rows: () => readRows(table, options),
  }
}

function* readRows(table: Table, options: ReadOptions): Generator<CsvRow> {
  const seen = new Map<string, number>()
  for (const { row, record } of table.rows()) {
    const { cells } = record
    if (record.blank) {
      yield { row, kind: 'blank' }
      continue
    }
    const read = readRow(cells, row, options)
    yield read.ok
      ? { row, kind: 'row', value: read.value, key: keyOf(options.kind, read.value, seen), cells }
      : { row, kind: 'refused', errors: read.errors, phone: read.phone, cells }
  }
}

/** What a row is known by when the same or another file brings it again. */
function keyOf(kind: ImportKind, value: ImportRow, seen: Map<string, number>): string {
  const { phone, name, email, inquiry, valueAgorot } = value
  const content = JSON.stringify([kind, phone, name, email, inquiry, valueAgorot])
  // Two rows alike in one file are two, however often the file is read.
  const hash = sha256Hex(content)
  const count = seen.get(hash) ?? 0
  seen.set(hash, count + 1)
  return sha256Hex(`${count}:${content}`)
}

/** How amounts and dates are written is seen from all cells of their columns: one that can only be read in one way decides. */
function surveyRows(table: Table, mapped: MappedColumn[], input: CsvInput) {
  const amounts = new StyleSurvey('amounts', AMOUNT_STYLES.slice(), (text) => readAmount(text, null))
  const dates = new StyleSurvey('dates', DATE_STYLES.slice(0, 2), (text) => readDate(text, null))
  const watched = mapped.flatMap((column) => {
    if (column.field === 'value') return [{ column, survey: amounts }]
    return column.field === 'date' || column.field.startsWith('date:') ? [{ column, survey: dates }] : []
  })
  let total = 0
  for (const { record } of table.rows()) {
    total += 1
    for (const { column, survey } of watched) {
      const cell = record.cells[column.index]?.trim()
      if (cell) survey.look(column.column, cell.slice(0, 60))
    }
  }
  const style = <Style extends string>(given: Style | null, survey: StyleSurvey, styles: readonly Style[]) =>
    given ?? styles.find((one) => one === survey.decided()) ?? null
  const found = {
    amounts: style(input.amounts, amounts, AMOUNT_STYLES),
    dates: style(input.dates, dates, DATE_STYLES),
  }
  const questions = [
    ...(found.amounts ? [] : amounts.questions()),
    ...(found.dates === 'dmy' || found.dates === 'mdy' ? [] : dates.questions()),
  ]
  return { total, questions, ...found }
}

type Seen = { kind: 'ambiguous' } | { kind: 'refused' } | { kind: 'amount' | 'date'; style: string | null }

class StyleSurvey {
  readonly #styles = new Set<string>()
  readonly #doubts = new Map<string, { rows: number; examples: string[] }>()
  readonly #field: CsvQuestion['field']
  readonly #choices: string[]
  readonly #read: (text: string) => Seen

  constructor(field: CsvQuestion['field'], choices: string[], read: (text: string) => Seen) {
    this.#field = field
    this.#choices = choices
    this.#read = read
  }

  look(column: string, text: string): void {
    const seen = this.#read(text)
    if (seen.kind === 'refused') return
    if (seen.kind !== 'ambiguous') {
      if (seen.style) this.#styles.add(seen.style)
      return
    }
    const doubt = this.#doubts.get(column) ?? { rows: 0, examples: [] }
    doubt.rows += 1
    if (doubt.examples.length < 3) doubt.examples.push(text)
    this.#doubts.set(column, doubt)
  }

  /** Null where the cells say nothing, or contradict each other. */
  decided(): string | null {
    const [style] = this.#styles
    return this.#styles.size === 1 ? (style ?? null) : null
  }

  questions(): CsvQuestion[] {
    return [...this.#doubts].map(([column, doubt]) => ({
      field: this.#field,
      column,
      ...doubt,
      choices: this.#choices,
    }))
  }
}

const SEVERAL_COLUMNS: Record<string, string> = {
  phone: 'the first filled one counts, and further ones are kept beside it',
  email: 'the first filled one counts, and further ones are kept beside it',
  tags: 'all of them count',
  note: 'all of them are put together',
}

function notices(table: Table, mapped: MappedColumn[]): string[] {
  const byField = Map.groupBy(mapped, ({ field }) => field)
  const several = [...byField].flatMap(([field, columns]) =>
    columns.length > 1
      ? [
          `${columns.map(({ column }) => `“${column}”`).join(', ')} are all read as ${field}: in each row ${SEVERAL_COLUMNS[field] ?? 'the first filled one counts'}.`,
        ]
      : [],
  )
  const unread = table.columns.filter((column, index) => column !== '' && !mapped.some((one) => one.index === index))
  return [...several, ...(unread.length > 0 ? [`Not read: ${unread.map((column) => `“${column}”`).join(', ')}.`] : [])]
}

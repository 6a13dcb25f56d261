import { AppError } from '../../lib/errors.ts'
import { cutText } from '../../lib/text.ts'
import { type CsvRecord, MAX_COLUMNS, tokenize } from '../../lib/tokenize-csv.ts'
import { type ColumnMapping, cleanHeading, fieldOfHeading, headingKey, type ImportKind } from './fields.ts'

/** What a spreadsheet writes between the columns, which depends on its country. */
const DELIMITERS = [',', ';', '\t', '|']
const MAX_TITLE_LINES = 20
const SAMPLE_RECORDS = 40
const SAMPLE_LENGTH = 256 * 1024
const MAX_HEADING = 500
export const MAX_ROWS = 200_000

export type Table = {
  delimiter: string
  /** The headings as they are shown; `1`, `2`, … where the file has none. */
  columns: string[]
  /** The record of the headings, counted from 1 as a spreadsheet counts its rows; 0 where there are none. */
  headingRow: number
  rows(): Generator<{ row: number; record: CsvRecord }>
}

export type TableOptions = { kind: ImportKind; mapping: ColumnMapping | null; heading: boolean }

/** Finds delimiter and headings of a CSV text. @throws AppError `invalid_csv`, `too_many_columns` */
export function openTable(whole: string, options: TableOptions): Table {
  const { text, delimiter: named } = readSeparatorLine(withoutEnds(whole))
  const sample = text.slice(0, SAMPLE_LENGTH)
  const known = options.mapping ? new Set(Object.keys(options.mapping).map(headingKey)) : null
  const score = (record: CsvRecord) =>
    record.cells.filter((cell) => known?.has(headingKey(cell.slice(0, 500))) || fieldOfHeading(options.kind, cell))
      .length
  const delimiter = named ?? bestDelimiter(sample, score)
  const heading = options.heading ? findHeading(sample, delimiter, score) : null
  if (options.heading && !heading)
    throw new AppError('invalid', 'invalid_csv', 'The file has no heading line.', { field: 'csv' })
  const width = heading ? widthOf(heading.record) : widest(sample, delimiter)
  if (heading?.record.wider && width >= MAX_COLUMNS)
    throw new AppError('too_large', 'too_many_columns', `The file has more than ${MAX_COLUMNS} columns.`, {
      field: 'csv',
    })
  const columns = heading
    ? heading.record.cells.slice(0, width).map((cell) => cutText(cleanHeading(cell.slice(0, 2_000)), MAX_HEADING))
    : Array.from({ length: width }, (_, index) => String(index + 1))
  const headingRow = heading?.row ?? 0
  return {
    delimiter,
    columns,
    headingRow,
    *rows() {
      let row = 0
      // As wide as the heading stands in the file, its empty columns included: that is how wide the rows are.
      for (const record of tokenize(
        text,
        delimiter,
        heading && !heading.record.wider ? heading.record.cells.length : null,
      )) {
        row += 1
        if (row > headingRow + MAX_ROWS)
          throw new AppError('too_large', 'csv_too_large', `The file has more than ${MAX_ROWS} rows; split it.`, {
            field: 'csv',
          })
        if (row > headingRow) yield { row, record }
      }
    },
  }
}

/** Without byte order marks at its beginning, and the mark of DOS at its end. */
function withoutEnds(text: string): string {
  let end = text.length
  while (text[end - 1] === '\x1a') end -= 1
  return text.slice(0, end).replace(/^\uFEFF+/, '')
}

/** `sep=;` in the first line tells Excel the delimiter; it is no row. */
function readSeparatorLine(text: string): { text: string; delimiter: string | null } {
  const match = /^"?sep=([^\r\n"])"?[^\S\r\n]*(?:\r\n|\r|\n|$)/i.exec(text)
  return match ? { text: text.slice(match[0].length), delimiter: match[1] ?? null } : { text, delimiter: null }
}

function* sampleOf(sample: string, delimiter: string, count: number): Generator<{ row: number; record: CsvRecord }> {
  let row = 0
  for (const record of tokenize(sample, delimiter)) {
    row += 1
    if (row > count) return
    yield { row, record }
  }
}

/** By how many headings are known, then by how many records are as wide as each other. */
function bestDelimiter(sample: string, score: (record: CsvRecord) => number): string {
  const ranked = DELIMITERS.map((delimiter) => {
    const records = [...sampleOf(sample, delimiter, SAMPLE_RECORDS)].map(({ record }) => record)
    const widths = new Map<number, number>()
    for (const { cells, blank } of records) if (!blank) widths.set(cells.length, (widths.get(cells.length) ?? 0) + 1)
    const alike = Math.max(0, ...[...widths].map(([width, count]) => (width > 1 ? count : 0)))
    return { delimiter, known: Math.max(0, ...records.slice(0, MAX_TITLE_LINES).map(score)), alike }
  })
  return ranked.sort((a, b) => b.known - a.known || b.alike - a.alike)[0]?.delimiter ?? ','
}

/** The record with the most known headings; with none, the first that is as full as the fullest. */
function findHeading(sample: string, delimiter: string, score: (record: CsvRecord) => number) {
  const candidates = [...sampleOf(sample, delimiter, MAX_TITLE_LINES)].filter(({ record }) => !record.blank)
  const filled = (record: CsvRecord) => record.cells.filter((cell) => cell.trim() !== '').length
  const best = Math.max(0, ...candidates.map(({ record }) => score(record)))
  const fullest = Math.max(0, ...candidates.map(({ record }) => filled(record)))
  return candidates.find(({ record }) => (best > 0 ? score(record) === best : filled(record) === fullest)) ?? null
}

function widthOf(record: CsvRecord): number {
  return record.cells.findLastIndex((cell) => cleanHeading(cell) !== '') + 1
}

function widest(sample: string, delimiter: string): number {
  return Math.max(0, ...[...sampleOf(sample, delimiter, SAMPLE_RECORDS)].map(({ record }) => record.cells.length))
}

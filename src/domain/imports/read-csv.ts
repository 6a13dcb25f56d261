import { parse } from 'csv-parse/sync'
import { z } from 'zod'
import type { ImportError } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { parsePhone } from '../../lib/phone.ts'

export const IMPORT_KINDS = ['contacts', 'leads'] as const
export type ImportKind = (typeof IMPORT_KINDS)[number]

/** A file of this size is some 50,000 rows. */
export const MAX_CSV_LENGTH = 8_000_000

export const IMPORT_FIELDS = {
  contacts: ['phone', 'name', 'email', 'tags', 'note'],
  leads: ['phone', 'name', 'wish', 'stage', 'value', 'tags', 'note'],
} as const satisfies Record<ImportKind, readonly string[]>

/** How people head their columns, in Hebrew and English. */
const HEADINGS: Record<string, string> = {
  phone: 'phone',
  'phone number': 'phone',
  mobile: 'phone',
  tel: 'phone',
  telephone: 'phone',
  טלפון: 'phone',
  נייד: 'phone',
  פלאפון: 'phone',
  'מספר טלפון': 'phone',
  name: 'name',
  'full name': 'name',
  שם: 'name',
  'שם מלא': 'name',
  email: 'email',
  'e-mail': 'email',
  mail: 'email',
  מייל: 'email',
  אימייל: 'email',
  'דוא"ל': 'email',
  tags: 'tags',
  labels: 'tags',
  תגיות: 'tags',
  note: 'note',
  notes: 'note',
  הערות: 'note',
  הערה: 'note',
  wish: 'wish',
  subject: 'wish',
  interest: 'wish',
  נושא: 'wish',
  בקשה: 'wish',
  stage: 'stage',
  status: 'stage',
  שלב: 'stage',
  סטטוס: 'stage',
  value: 'value',
  amount: 'value',
  שווי: 'value',
  סכום: 'value',
}

/** Column name → our field; `custom:<name>` keeps the column as a field of the business's own; others are left out. */
export const columnMapping = z.record(z.string().max(200), z.string().max(80))
export type ColumnMapping = z.infer<typeof columnMapping>

export type ImportRow = {
  /** The line's number in the file, the heading being 1. */
  row: number
  phone: string | null
  name: string | null
  email: string | null
  tags: string[]
  note: string | null
  wish: string | null
  stage: string | null
  valueAgorot: number | null
  custom: Record<string, string>
}

/** @throws AppError `invalid_csv`, `csv_too_large` */
export function readCsv(text: string): { columns: string[]; records: Record<string, string>[] } {
  if (text.length > MAX_CSV_LENGTH)
    throw new AppError('too_large', 'csv_too_large', `The file is larger than ${MAX_CSV_LENGTH} characters; split it.`)
  let rows: string[][]
  try {
    rows = parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      skip_empty_lines: true,
      relax_column_count: true,
      trim: true,
    })
  } catch (cause) {
    throw new AppError('invalid', 'invalid_csv', `This is no CSV file: ${errorMessage(cause)}.`, {
      field: 'csv',
      cause,
    })
  }
  const [columns, ...lines] = rows
  if (!columns || columns.every((name) => name === ''))
    throw new AppError('invalid', 'invalid_csv', 'The file has no heading line.', { field: 'csv' })
  return {
    columns,
    records: lines.map((line) => Object.fromEntries(columns.map((name, index) => [name, line[index] ?? '']))),
  }
}

/** What a spreadsheet wrote between the columns: a comma, or in many countries a semicolon or a tab. */
function delimiterOf(text: string): string {
  const heading = text.slice(0, 4_096).split(/\r?\n/, 1)[0] ?? ''
  const counts = [',', ';', '\t'].map((delimiter) => ({ delimiter, count: heading.split(delimiter).length }))
  return counts.sort((a, b) => b.count - a.count)[0]?.delimiter ?? ','
}

/** Which column is what, guessed from the headings. */
export function guessMapping(kind: ImportKind, columns: string[]): ColumnMapping {
  const fields: readonly string[] = IMPORT_FIELDS[kind]
  const taken = new Set<string>()
  return Object.fromEntries(
    columns.flatMap((column) => {
      const field = HEADINGS[column.trim().toLowerCase()]
      if (!field || !fields.includes(field) || taken.has(field)) return []
      taken.add(field)
      return [[column, field]]
    }),
  )
}

/** One record as a row of ours, or what is wrong with it. */
export function readRow(
  kind: ImportKind,
  mapping: ColumnMapping,
  record: Record<string, string>,
  row: number,
): { ok: true; value: ImportRow } | { ok: false; errors: ImportError[] } {
  const errors: ImportError[] = []
  const columnOf = (field: string) => Object.keys(mapping).find((column) => mapping[column] === field) ?? null
  const textOf = (field: string, max: number) => {
    const column = columnOf(field)
    // Spreadsheets mark text that begins like a formula with an apostrophe; our own exports do.
    const value = column === null ? '' : (record[column] ?? '').replace(/^'(?=[=+\-@\t\r])/, '').trim()
    if (value.length > max) errors.push({ row, column, message: `longer than ${max} characters` })
    return value === '' ? null : value.slice(0, max)
  }
  const rawPhone = textOf('phone', 64)
  const phone = rawPhone === null ? null : parsePhone(rawPhone)
  if (rawPhone !== null && phone === null)
    errors.push({ row, column: columnOf('phone'), message: 'no phone number; write it as +972… or 05x-…' })
  const email = textOf('email', 254)
  if (email !== null && !z.email().safeParse(email).success)
    errors.push({ row, column: columnOf('email'), message: 'no e-mail address' })
  const rawValue = textOf('value', 40)
  const shekels = rawValue === null ? null : Number(rawValue.replace(/[₪,\s]/g, ''))
  if (shekels !== null && !(shekels >= 0 && shekels < 1e11))
    errors.push({ row, column: columnOf('value'), message: 'no amount in shekels' })
  const name = textOf('name', 200)
  const wish = textOf('wish', 4_000)
  if (kind === 'contacts' && phone === null && rawPhone === null && name === null && email === null)
    errors.push({ row, column: null, message: 'neither phone, name nor e-mail' })
  if (kind === 'leads' && rawPhone === null && name === null && wish === null)
    errors.push({ row, column: null, message: 'neither phone, name nor wish' })
  const stage = textOf('stage', 32)
  const note = textOf('note', 10_000)
  const tags = (textOf('tags', 2_000) ?? '')
    .split(/[,;|]/)
    .map((tag) => tag.trim().slice(0, 64))
    .filter((tag) => tag !== '')
  const custom = Object.fromEntries(
    Object.entries(mapping).flatMap(([column, field]) => {
      const value = record[column]?.trim()
      return field.startsWith('custom:') && value ? [[field.slice(7).slice(0, 64), value.slice(0, 2_000)]] : []
    }),
  )
  if (errors.length > 0) return { ok: false, errors }
  const valueAgorot = shekels === null ? null : Math.round(shekels * 100)
  return { ok: true, value: { row, phone, name, email, tags, note, wish, stage, valueAgorot, custom } }
}

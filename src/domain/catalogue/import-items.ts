import { z } from 'zod'
import { ITEM_STATES } from '../../../db/schema/index.ts'
import { decodeCsv } from '../../lib/decode-csv.ts'
import { AppError } from '../../lib/errors.ts'
import { cleanText, cutText } from '../../lib/text.ts'
import { tokenize } from '../../lib/tokenize-csv.ts'
import type { BusinessContext } from '../context.ts'
import { readAmount } from '../imports/index.ts'
import { attributeName, attributeValue } from './attributes.ts'
import { MAX_ITEMS, type NewItem, newItem, writeItems } from './items.ts'

const MAX_BYTES = 2_000_000
const MAX_REJECTED = 100

export const catalogueImport = z.object({
  csv: z.string().min(1).max(MAX_BYTES).optional(),
  /** Instead of `csv`: the file as it is, in base64. */
  file: z
    .base64()
    .min(1)
    .max(Math.ceil(MAX_BYTES / 3) * 4)
    .optional(),
  /** Reads the file, and changes nothing. */
  dryRun: z.boolean().default(false),
})

export const catalogueImported = z.object({
  created: z.number(),
  updated: z.number(),
  /** Rows that were not taken, by their number in the file, with a code of why; the first hundred. */
  rejected: z.array(
    z.object({ row: z.number(), code: z.enum(['name', 'price', 'stock', 'state', 'picture', 'twice', 'invalid']) }),
  ),
  rejectedCount: z.number(),
  /** What the columns are read as. */
  columns: z.array(z.object({ heading: z.string(), field: z.string() })),
  /** The first items as they are read. */
  sample: z.array(
    z.object({
      sku: z.string(),
      name: z.string(),
      priceAgorot: z.number().nullable(),
      attributes: z.record(z.string(), z.union([z.string(), z.number()])),
    }),
  ),
})
type RejectCode = z.output<typeof catalogueImported>['rejected'][number]['code']

const HEADINGS: Readonly<Record<string, readonly string[]>> = {
  sku: ['sku', 'id', 'code', 'number', 'item number', 'מקט', 'מק״ט', 'מק"ט', 'מספר', 'קוד', 'מזהה', 'מספר נכס'],
  name: ['name', 'title', 'item', 'product', 'שם', 'כותרת', 'פריט', 'מוצר', 'שם המוצר', 'שם הנכס', 'נכס'],
  description: ['description', 'text', 'details', 'תיאור', 'תאור', 'פירוט', 'פרטים', 'טקסט'],
  price: ['price', 'מחיר', 'עלות', 'price (ils)', 'מחיר בש״ח', 'מחיר בש"ח', 'שכר דירה'],
  currency: ['currency', 'מטבע'],
  picture: ['picture', 'image', 'photo', 'image url', 'picture url', 'תמונה', 'קישור לתמונה', 'תמונות'],
  state: ['state', 'status', 'availability', 'סטטוס', 'מצב', 'זמינות'],
  stock: ['stock', 'quantity', 'in stock', 'inventory', 'מלאי', 'כמות', 'כמות במלאי'],
}
const FIELD_OF = new Map(Object.entries(HEADINGS).flatMap(([field, names]) => names.map((name) => [name, field])))

const STATES: Readonly<Record<(typeof ITEM_STATES)[number], readonly string[]>> = {
  available: [
    'available',
    'in stock',
    'yes',
    'active',
    'זמין',
    'זמינה',
    'פנוי',
    'פנויה',
    'במלאי',
    'כן',
    'פעיל',
    'למכירה',
    'להשכרה',
  ],
  reserved: ['reserved', 'on hold', 'שמור', 'שמורה', 'בהמתנה', 'במשא ומתן'],
  sold: ['sold', 'rented', 'out of stock', 'no', 'נמכר', 'נמכרה', 'הושכר', 'הושכרה', 'אזל', 'לא', 'לא במלאי'],
  hidden: ['hidden', 'draft', 'מוסתר', 'טיוטה', 'לא פעיל'],
}
const STATE_OF = new Map(ITEM_STATES.flatMap((state) => STATES[state].map((word) => [word, state] as const)))

type Row = { row: number; item: NewItem } | { row: number; code: RejectCode }

/**
 * Reads a CSV file of items: one line a row, known headings in Hebrew or English, and each other column an attribute. An item that is
 * there already, by its number or else its name, is replaced. @throws AppError `invalid_csv`, `csv_too_large`, `catalogue_full`
 */
export async function importItems(
  ctx: BusinessContext,
  input: z.input<typeof catalogueImport>,
): Promise<z.output<typeof catalogueImported>> {
  const { dryRun, csv, file } = catalogueImport.parse(input)
  if ((csv === undefined) === (file === undefined))
    throw invalid('Send either `csv`, a text, or `file`, the bytes in base64.')
  const bytes = file === undefined ? new TextEncoder().encode(cleanText(csv ?? '')) : Buffer.from(file, 'base64')
  const { text } = decodeCsv(new Uint8Array(bytes), file === undefined ? 'utf-8' : null)
  const { columns, rows } = readRows(text.replace(/^\uFEFF/, ''))
  const items = rows.flatMap((row) => ('item' in row ? [row.item] : []))
  const rejected = rows.flatMap((row) => ('code' in row ? [row] : []))
  const written = dryRun ? { created: items.length, updated: 0 } : await writeItems(ctx, items)
  return {
    ...written,
    rejected: rejected.slice(0, MAX_REJECTED),
    rejectedCount: rejected.length,
    columns,
    sample: items.slice(0, 5).map(({ sku, name, priceAgorot, attributes }) => ({ sku, name, priceAgorot, attributes })),
  }
}

function readRows(text: string): { columns: { heading: string; field: string }[]; rows: Row[] } {
  const delimiter = delimiterOf(text)
  const [heading, ...records] = [...tokenize(text, delimiter)].filter(({ blank }) => !blank)
  if (!heading) throw invalid('The file has no heading line.')
  const columns = heading.cells.map((cell) => {
    const plain = cell.trim().replace(/\s+/g, ' ').toLowerCase()
    return {
      heading: cutText(cell.trim(), 100),
      field: FIELD_OF.get(plain) ?? `attribute:${cutText(attributeName(cell), 60)}`,
    }
  })
  if (!columns.some(({ field }) => field === 'name'))
    throw invalid('The file has no column with the names of the items. Call it `name` or `שם`.')
  if (records.length > MAX_ITEMS)
    throw new AppError('too_large', 'csv_too_large', `The file has more than ${MAX_ITEMS} rows; split it.`, {
      field: 'csv',
    })
  const seen = new Set<string>()
  const rows = records.map(({ cells }, index): Row => {
    const row = index + 2
    const read = readItem(columns, cells)
    if ('code' in read) return { row, code: read.code }
    if (seen.has(read.item.sku)) return { row, code: 'twice' }
    seen.add(read.item.sku)
    return { row, item: read.item }
  })
  return { columns: columns.filter(({ heading }) => heading !== ''), rows }
}

/** What a spreadsheet writes between the columns: the one that the heading has most of. */
function delimiterOf(text: string): string {
  const [line = ''] = text.split(/\r\n|\r|\n/, 1)
  const counted = [',', ';', '\t', '|'].map((delimiter) => ({ delimiter, count: line.split(delimiter).length }))
  return counted.reduce((best, each) => (each.count > best.count ? each : best)).delimiter
}

function readItem(
  columns: readonly { heading: string; field: string }[],
  cells: readonly string[],
): { item: NewItem } | { code: RejectCode } {
  const cellOf = (field: string) =>
    columns
      .flatMap((column, at) => (column.field === field ? [cells[at]?.trim() ?? ''] : []))
      .find((cell) => cell !== '') ?? ''
  const name = cellOf('name')
  if (name === '') return { code: 'name' }
  const price = priceOf(cellOf('price'))
  if (price === 'refused') return { code: 'price' }
  const stock = cellOf('stock')
  if (stock !== '' && !/^\d{1,7}$/.test(stock) && !STATE_OF.has(stock.toLowerCase())) return { code: 'stock' }
  const written = cellOf('state').toLowerCase() || (STATE_OF.has(stock.toLowerCase()) ? stock.toLowerCase() : '')
  const state = written === '' ? 'available' : STATE_OF.get(written)
  if (!state) return { code: 'state' }
  const currency = currencyOf(cellOf('currency'), cellOf('price'))
  const attributes = Object.fromEntries(
    columns.flatMap(({ field }, at) => {
      const cell = cells[at]?.trim() ?? ''
      const attribute = field.startsWith('attribute:') ? field.slice('attribute:'.length) : ''
      return attribute !== '' && cell !== '' ? [[attribute, attributeValue(cutText(cell, 500))]] : []
    }),
  )
  const parsed = newItem.safeParse({
    ...{ sku: cellOf('sku') || name.slice(0, 100), name, description: cellOf('description'), state, attributes },
    ...{ priceAgorot: price, ...(currency ? { currency } : {}), stock: /^\d+$/.test(stock) ? Number(stock) : null },
    pictureUrl: cellOf('picture').split(/[\s,;]+/)[0] || null,
  })
  if (parsed.success) return { item: parsed.data }
  return { code: parsed.error.issues.some(({ path }) => path[0] === 'pictureUrl') ? 'picture' : 'invalid' }
}

/** An amount as people write it; a bare `1,234` is in thousands, as prices are. */
function priceOf(cell: string): number | null | 'refused' {
  if (cell === '') return null
  const read = readAmount(cell.replace(/[$€]|usd|eur/gi, '').trim(), '1,234.50')
  return read.kind === 'amount' ? read.agorot : 'refused'
}

function currencyOf(named: string, price: string): 'ILS' | 'USD' | 'EUR' | null {
  if (/usd|\$|דולר/i.test(named) || /usd|\$/i.test(price)) return 'USD'
  if (/eur|€|אירו|יורו/i.test(named) || /eur|€/i.test(price)) return 'EUR'
  return null
}

function invalid(message: string): AppError {
  return new AppError('invalid', 'invalid_csv', message, { field: 'csv' })
}

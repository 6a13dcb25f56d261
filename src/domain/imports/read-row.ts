import { z } from 'zod'
import type { ImportError } from '../../../db/schema/index.ts'
import { CONTACT_NAME_MAX, fitsContactName } from '../../lib/contact-name.ts'
import { unmarkFormula } from '../../lib/escape/spreadsheet.ts'
import { parsePhone } from '../../lib/phone.ts'
import { countCharacters, cutText } from '../../lib/text.ts'
import { type AmountStyle, readAmount } from './amounts.ts'
import { type DateStyle, readDate } from './dates.ts'
import type { ImportKind } from './fields.ts'
import type { MappedColumn } from './map-columns.ts'

/** A row of a file as it can be taken in. */
export type ImportRow = {
  /** The row's number as a spreadsheet counts it. */
  row: number
  phone: string | null
  /** Every number of the row as E.164, the first being `phone`. */
  phones: string[]
  name: string | null
  email: string | null
  tags: string[]
  note: string | null
  wish: string | null
  stage: string | null
  valueAgorot: number | null
  /** When a lead came in: a local date or time of the business. */
  date: string | null
  optedOut: boolean
  custom: Record<string, string>
}

export type ReadOptions = {
  kind: ImportKind
  mapped: MappedColumn[]
  amounts: AmountStyle | null
  dates: DateStyle | null
}

export type ReadRow = { ok: true; value: ImportRow } | { ok: false; errors: ImportError[]; phone: string | null }

/** Between several numbers or addresses in one cell; Google writes ` ::: `. */
const SEVERAL = /\s*(?::::|[\n\r;,|]|\s\/\s|\/(?=\s*[+(\d]))\s*|\s+(?:or|או)\s+/i
/** Groups that Google gives to everybody. */
const SYSTEM_TAG = /^\*\s|^myContacts$/
const MAX_EXTRA = 5
/** An address that nobody has, as tools write it for none. */
const NOTHING = /^(?:[-–—.?]|n\/?a|null|none|nil|undefined|#n\/a|אין|לא ידוע|ללא)$/i
const YES = /^(?:yes|y|true|1|x|v|✓|✔|כן|\d{4}-\d{2}-\d{2}.*)$/i
const NO = /^(?:no|n|false|0|לא)$/i

const email = z.email()

/** One record as a row of ours, or what is wrong with it. */
export function readRow(cells: string[], row: number, options: ReadOptions): ReadRow {
  const { kind } = options
  const reader = new RowReader(cells, row, options)
  const phones = reader.phones()
  const emails = reader.emails()
  const name = reader.name()
  const wish = reader.text('wish', 4_000)
  const value: ImportRow = {
    row,
    phone: phones.valid[0] ?? null,
    phones: phones.valid,
    name,
    email: emails.valid[0] ?? null,
    tags: reader.tags(),
    note: reader.note(),
    wish,
    stage: reader.text('stage', 80),
    valueAgorot: reader.amount(),
    date: reader.date(),
    optedOut: reader.optedOut(),
    custom: {
      ...reader.company(name),
      ...numbered('phone', phones.others),
      ...numbered('email', [...emails.valid.slice(1), ...emails.others]),
      ...reader.custom(),
    },
  }
  const named = value.phone !== null || name !== null || value.email !== null || (kind === 'leads' && wish !== null)
  if (!named && reader.errors.length === 0)
    reader.refuse(null, kind === 'contacts' ? 'neither phone, name nor e-mail' : 'neither phone, name nor wish')
  return reader.errors.length > 0 ? { ok: false, errors: reader.errors, phone: value.phone } : { ok: true, value }
}

/** `phone 2`, `phone 3`, …: what there is no field of its own for is kept beside. */
function numbered(name: string, values: string[]): Record<string, string> {
  return Object.fromEntries(values.slice(0, MAX_EXTRA).map((value, index) => [`${name} ${index + 2}`, value]))
}

class RowReader {
  readonly errors: ImportError[] = []
  readonly #cells: string[]
  readonly #row: number
  readonly #options: ReadOptions

  constructor(cells: string[], row: number, options: ReadOptions) {
    this.#cells = cells
    this.#row = row
    this.#options = options
  }

  refuse(column: string | null, message: string): void {
    if (!this.errors.some((error) => error.column === column && error.message === message))
      this.errors.push({ row: this.#row, column, message })
  }

  /** The filled cells of a field, in the order in which its columns count. */
  #filled(field: string): { column: string; value: string }[] {
    return this.#options.mapped.flatMap(({ index, column, field: of }) => {
      if (of !== field) return []
      const value = cleanCell(this.#cells[index] ?? '')
      if (value.includes('\uFFFD'))
        this.refuse(column, 'holds characters that could not be read (�); fix them in the file')
      return value === '' || NOTHING.test(value) ? [] : [{ column, value }]
    })
  }

  text(field: string, max: number): string | null {
    const [first] = this.#filled(field)
    if (first && countCharacters(first.value) > max) this.refuse(first.column, `longer than ${max} characters`)
    return first?.value ?? null
  }

  /** Every number of every column; a cell that holds none is refused only when the row has no other. */
  phones(): { valid: string[]; others: string[] } {
    const valid = new Set<string>()
    const unread: { column: string; value: string }[] = []
    for (const { column, value } of this.#filled('phone')) {
      const whole = value.length <= 200 ? parsePhone(value) : null
      if (whole) {
        valid.add(whole)
        continue
      }
      const parts = value
        .slice(0, 1_000)
        .split(SEVERAL)
        .filter((part) => part !== '')
      const numbers = parts.flatMap((part) => (part.length <= 200 ? (parsePhone(part) ?? []) : []))
      for (const number of numbers) valid.add(number)
      for (const part of parts.length > 1 && numbers.length > 0 ? parts : [value])
        if (!parsePhone(part.slice(0, 200))) unread.push({ column, value: part })
    }
    const [first] = unread
    if (valid.size === 0 && first) this.refuse(first.column, explainPhone(first.value))
    const all = [...valid]
    return { valid: all, others: [...all.slice(1), ...unread.map(({ value }) => cutText(value, 100))] }
  }

  emails(): { valid: string[]; others: string[] } {
    const parts = this.#filled('email').flatMap(({ column, value }) =>
      value
        .split(/\s*(?::::|[\s;,|])\s*/)
        .map((part) => ({ column, value: part.replace(/^<|>$|^mailto:/gi, '') }))
        .filter((part) => part.value !== ''),
    )
    const isAddress = (text: string) => text.length <= 254 && email.safeParse(text).success
    const valid = [...new Set(parts.map((part) => part.value).filter(isAddress))]
    const others = parts.filter((part) => !isAddress(part.value))
    const [first] = others
    if (valid.length === 0 && first) this.refuse(first.column, 'no e-mail address')
    return { valid, others: others.map((part) => cutText(part.value, 254)) }
  }

  /** The full name; else its parts; else the company. */
  name(): string | null {
    const whole = this.text('name', CONTACT_NAME_MAX)
    if (whole) return whole
    const parts = ['first name', 'middle name', 'last name'].flatMap((field) => this.#filled(field)[0]?.value ?? [])
    const name = parts.join(' ')
    if (!fitsContactName(name)) this.refuse(null, `the name is longer than ${CONTACT_NAME_MAX} characters`)
    return name === '' ? this.text('company', CONTACT_NAME_MAX) : name
  }

  company(name: string | null): Record<string, string> {
    const [company] = this.#filled('company')
    return company && company.value !== name ? { company: cutText(company.value, 2_000) } : {}
  }

  tags(): string[] {
    const tags = this.#filled('tags').flatMap(({ value }) => value.split(/\s*(?::::|[,;|\n])\s*/))
    return [
      ...new Set(tags.map((tag) => cutText(tag.trim(), 64)).filter((tag) => tag !== '' && !SYSTEM_TAG.test(tag))),
    ].slice(0, 50)
  }

  note(): string | null {
    const notes = this.#filled('note')
    const note = notes.map(({ value }) => value).join('\n')
    if (note.length > 10_000) this.refuse(notes[0]?.column ?? null, 'longer than 10000 characters')
    return note === '' ? null : note
  }

  amount(): number | null {
    const [first] = this.#filled('value')
    if (!first) return null
    const read = readAmount(first.value.slice(0, 60), this.#options.amounts)
    if (read.kind === 'amount') return read.agorot
    this.refuse(
      first.column,
      read.kind === 'refused'
        ? read.reason
        : `${first.value} can be two amounts; say how this file writes them: 1,234.50 or 1.234,50`,
    )
    return null
  }

  date(): string | null {
    const [first] = this.#filled('date')
    return first ? this.#readDate(first) : null
  }

  #readDate({ column, value }: { column: string; value: string }): string | null {
    const read = readDate(value.slice(0, 60), this.#options.dates)
    if (read.kind === 'date') return read.value
    this.refuse(
      column,
      read.kind === 'refused'
        ? read.reason
        : `${value} can be two dates; say which comes first: dmy (the day) or mdy (the month)`,
    )
    return null
  }

  optedOut(): boolean {
    const [first] = this.#filled('opted out')
    if (!first || NO.test(first.value)) return false
    if (!YES.test(first.value)) this.refuse(first.column, 'neither yes nor no')
    return true
  }

  custom(): Record<string, string> {
    const own = this.#options.mapped.flatMap(({ field }) => (/^(custom|date):/.test(field) ? [field] : []))
    const fields = [...new Set(own)].flatMap((field) => {
      const [first] = this.#filled(field)
      const value = first && field.startsWith('date:') ? this.#readDate(first) : first?.value
      return value ? [[cutText(field.replace(/^(custom|date):/, ''), 64), cutText(value, 2_000)] as const] : []
    })
    return { ...this.#exported(), ...Object.fromEntries(fields) }
  }

  /** The own fields of a contact as our export writes them. */
  #exported(): Record<string, string> {
    const [first] = this.#filled('custom')
    if (!first) return {}
    const fields = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    const read = fields.safeParse(parseJson(first.value))
    if (!read.success) this.refuse(first.column, 'no JSON object, as the export writes it')
    return Object.fromEntries(
      Object.entries(read.data ?? {})
        .slice(0, 100)
        .flatMap(([name, value]) =>
          value === null || name === '' ? [] : [[cutText(name, 64), cutText(String(value), 2_000)]],
        ),
    )
  }
}

/** A cell without the mark of a formula, and without what nobody sees at its ends. */
function cleanCell(cell: string): string {
  const text = cell.replace(/^[\s\p{Cf}]+|[\s\p{Cf}]+$/gu, '')
  // `="050…"` is how spreadsheets are made to keep a text as it is.
  const plain = /^="([^"]*)"$/.exec(text)?.[1] ?? unmarkFormula(text)
  return plain.replace(/^[\s\p{Cf}]+|[\s\p{Cf}]+$/gu, '')
}

function explainPhone(value: string): string {
  return /\d[eE][+-]?\d/.test(value)
    ? 'the spreadsheet has cut digits off this number; format the column as text and fill it again'
    : 'no phone number; write it as +972… or 05x-…'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

import { decodeCsv } from '../../../lib/decode-csv.ts'
import { AppError } from '../../../lib/errors.ts'
import { tokenize } from '../../../lib/tokenize-csv.ts'
import { Unreadable } from '../unreadable.ts'
import { type FileKind, kindOfArchive, kindOfFile } from './file-kind.ts'
import { readDocx, readXlsx } from './read-office.ts'
import { readPdf } from './read-pdf.ts'
import { MAX_TABLE_ROWS, tableLines } from './table-lines.ts'
import { openZip } from './zip-parts.ts'

/** `pages` of a PDF; `cut`: not all of it was read. */
export type FileReading = { kind: FileKind; text: string; pages: number | null; cut: boolean }

/** The text of a file of a stranger. It may take any time and memory: run it in a process of its own. @throws Unreadable */
export async function readFile(bytes: Uint8Array, fileName: string): Promise<FileReading> {
  const reading = await read(bytes, fileName)
  if (reading.text.trim() === '') throw new Unreadable('no_text')
  return reading
}

async function read(bytes: Uint8Array, fileName: string): Promise<FileReading> {
  const whole = { pages: null, cut: false }
  const kind = kindOfFile(bytes, fileName)
  if (kind === 'pdf') return { kind, ...(await readPdf(bytes)) }
  if (kind === 'zip') {
    const parts = openZip(bytes)
    const office = kindOfArchive(parts)
    return { kind: office, text: office === 'docx' ? await readDocx(parts) : await readXlsx(parts), ...whole }
  }
  const text = decodeText(bytes)
  if (kind !== 'csv') return { kind, text, ...whole }
  const rows = rowsOf(text)
  return { kind, text: tableLines(rows).join('\n'), pages: null, cut: rows.length > MAX_TABLE_ROWS }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decodeCsv(bytes, null).text.replace(/^\ufeff/, '')
  } catch (error) {
    if (error instanceof AppError) throw new Unreadable('unknown_encoding', error.message)
    throw error
  }
}

const DELIMITERS = [',', ';', '\t', '|']

function rowsOf(text: string): string[][] {
  const named = /^sep=(.)\r?\n/i.exec(text)
  const body = named ? text.slice(named[0].length) : text
  const delimiter = named?.[1] ?? delimiterOf(body)
  const rows: string[][] = []
  for (const { cells } of tokenize(body, delimiter)) if (rows.push(cells) > MAX_TABLE_ROWS) break
  return rows
}

/** The sign that cuts the first lines into the most columns of one number. */
function delimiterOf(text: string): string {
  const sample = text.slice(0, 65_536)
  const alike = (delimiter: string) => {
    const widths = new Map<number, number>()
    let lines = 0
    for (const { cells } of tokenize(sample, delimiter)) {
      widths.set(cells.length, (widths.get(cells.length) ?? 0) + 1)
      lines += 1
      if (lines === 50) break
    }
    return Math.max(0, ...[...widths].map(([width, count]) => (width > 1 ? count : 0)))
  }
  return DELIMITERS.toSorted((a, b) => alike(b) - alike(a))[0] ?? ','
}

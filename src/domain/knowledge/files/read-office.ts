import { textOfHtml } from '../site/html-text.ts'
import { Unreadable } from '../unreadable.ts'
import { MAX_TABLE_ROWS, tableLines } from './table-lines.ts'
import { packParts, type ZipParts } from './zip-parts.ts'

/** The text of a Word document: headings, lists and tables keep their form. @throws Unreadable `broken` */
export async function readDocx(parts: ZipParts): Promise<string> {
  const { default: mammoth } = await import('mammoth')
  try {
    const { value } = await mammoth.convertToHtml({ buffer: packParts(parts) })
    return textOfHtml(value)
  } catch {
    throw new Unreadable('broken', 'The document cannot be read.')
  }
}

/** The sheets of a workbook, each under its name, a row a line. Formulas count as the values they had. @throws Unreadable `broken` */
export async function readXlsx(parts: ZipParts): Promise<string> {
  refuseWideSheets(parts)
  const { default: readExcelFile } = await import('read-excel-file/node')
  const sheets = await readExcelFile(packParts(parts)).catch(() => {
    throw new Unreadable('broken', 'The workbook cannot be read.')
  })
  return sheets
    .map(({ sheet, data }) => {
      const lines = tableLines(data.map((row) => row.map(textOfCell)))
      return lines.length > 0 ? `# ${sheet}\n\n${lines.join('\n')}` : ''
    })
    .filter(Boolean)
    .join('\n\n')
}

/** The reader makes a table of the size of the furthest cell: one letter in the last cell would be 17 billion cells. */
function refuseWideSheets(parts: ZipParts): void {
  for (const [name, data] of Object.entries(parts)) {
    if (!/^xl\/worksheets\/[^/]+\.xml$/i.test(name)) continue
    const xml = new TextDecoder().decode(data)
    for (const [, column = '', row = ''] of xml.matchAll(/\br="([A-Z]{1,4})(\d{1,8})"/g))
      if (Number(row) > MAX_TABLE_ROWS || column.length > 2)
        throw new Unreadable('too_large', `The sheet ${name} is too large.`)
  }
}

function textOfCell(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  if (!(cell instanceof Date)) return typeof cell === 'number' ? String(Number(cell.toPrecision(15))) : String(cell)
  if (Number.isNaN(cell.getTime())) return ''
  const [day = '', time = ''] = cell.toISOString().split('T')
  // A time without a day is a fraction of the first day that spreadsheets count.
  const clock = time.slice(0, 5)
  if (cell.getUTCFullYear() < 1901) return clock
  return clock === '00:00' ? day : `${day} ${clock}`
}

import { AppError } from '../../lib/errors.ts'

/** How far the entries of a ZIP archive, and the beginning of a page, are looked at. */
const HEAD_BYTES = 64 * 1024
const EXCEL = 'This is an Excel file. Save it as CSV and import that.'
const PAGE = /^\s*<(?:\?xml|\?mso|!doctype|html|table|meta|workbook)\b/i
const VCARD = /^\s*BEGIN:VCARD/i
const JSON_TEXT = /^\s*(?:\[\s*)?\{\s*"[^"]*"\s*:/
const BYTE_ORDER_MARK = /^(\uFEFF|\xEF\xBB\xBF)/

/** Refuses another file format by its first bytes. @throws AppError `not_csv` */
export function refuseForeignFormat(source: Uint8Array | string): void {
  const message = formatMessage(source)
  if (message !== null)
    throw new AppError('invalid', 'not_csv', message, { field: typeof source === 'string' ? 'csv' : 'file' })
}

function formatMessage(source: Uint8Array | string): string | null {
  const head =
    typeof source === 'string'
      ? source.slice(0, HEAD_BYTES)
      : Buffer.from(source.buffer, source.byteOffset, Math.min(source.byteLength, HEAD_BYTES)).toString('latin1')
  if (head.startsWith('PK\x03\x04')) return zipMessage(head)
  if (isOle(head)) return EXCEL
  if (head.startsWith('%PDF-')) return 'This is a PDF file. Export the table as CSV and import that.'
  if (isGzip(head)) return 'This is a compressed file. Unpack it and import the CSV file in it.'
  const text = head.replace(BYTE_ORDER_MARK, '')
  if (VCARD.test(text)) return 'This is a file of vCards. Export the contacts as CSV and import that.'
  if (JSON_TEXT.test(text)) return 'This is a JSON file. Export the table as CSV and import that.'
  if (PAGE.test(text))
    return 'This is a web page or an Excel file in XML. Open it in a spreadsheet, save it as CSV and import that.'
  return null
}

function zipMessage(head: string): string {
  if (/xl\/|\[Content_Types\]\.xml/.test(head)) return EXCEL
  if (head.includes('mimetypeapplication/vnd.oasis.opendocument'))
    return 'This is an OpenDocument file. Save it as CSV and import that.'
  return 'This is a ZIP archive. Unpack it and import the CSV file in it.'
}

/** The container of .xls and of encrypted .xlsx files: D0 CF 11 E0 A1 B1 1A E1, as bytes or decoded as UTF-8. */
function isOle(head: string): boolean {
  return head.startsWith('\xD0\xCF\x11\xE0\xA1\xB1') || head.startsWith('\uFFFD\uFFFD\x11\u0871\x1A')
}

/** 1F 8B, as bytes or decoded as UTF-8. */
function isGzip(head: string): boolean {
  return head.startsWith('\x1F\x8B') || head.startsWith('\x1F\uFFFD')
}

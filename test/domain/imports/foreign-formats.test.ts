import { describe, expect, test } from 'bun:test'
import { openCsvFile } from '../../../src/domain/imports/csv-file.ts'
import { withCsvReader } from '../../../src/domain/imports/csv-reader.ts'
import { AppError } from '../../../src/lib/errors.ts'

const EXCEL = 'This is an Excel file. Save it as CSV and import that.'
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const XLSX = bytes('PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml \xa2\x04\x02')
const OLE = bytes('\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0\0\0')
const PDF = bytes('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n')
const ODS = bytes('PK\x03\x04\x14\0\0\x08\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK\x03\x04')
const ZIP = bytes('PK\x03\x04\x14\0\0\x08\0\0contacts.csv')
const HTML = bytes('\xEF\xBB\xBF\n<html xmlns:x="urn:schemas-microsoft-com:office:excel"><table><tr><td>name')

const input = (source: Uint8Array | string) => ({
  kind: 'contacts' as const,
  source,
  encoding: null,
  mapping: null,
  heading: true,
  amounts: null,
  dates: null,
})

function refusal(source: Uint8Array | string) {
  try {
    openCsvFile(input(source))
  } catch (error) {
    if (error instanceof AppError)
      return { kind: error.kind, code: error.code, field: error.field, message: error.message }
    throw error
  }
  return null
}

describe('a file that is no CSV', () => {
  test.each([
    ['an .xlsx', XLSX, EXCEL],
    ['an .xls, or an encrypted .xlsx', OLE, EXCEL],
    ['a PDF', PDF, 'This is a PDF file. Export the table as CSV and import that.'],
    ['an OpenDocument spreadsheet', ODS, 'This is an OpenDocument file. Save it as CSV and import that.'],
    ['another ZIP archive', ZIP, 'This is a ZIP archive. Unpack it and import the CSV file in it.'],
    ['gzip', bytes('\x1F\x8B\x08\0'), 'This is a compressed file. Unpack it and import the CSV file in it.'],
    [
      'a file of vCards',
      bytes('\xEF\xBB\xBFBEGIN:VCARD\nFN:Dana\n'),
      'This is a file of vCards. Export the contacts as CSV and import that.',
    ],
    ['JSON', bytes('[{"name": "Dana"}]'), 'This is a JSON file. Export the table as CSV and import that.'],
    [
      'a web page called .xls',
      HTML,
      'This is a web page or an Excel file in XML. Open it in a spreadsheet, save it as CSV and import that.',
    ],
  ])('%s is named, as bytes and as text', (_, file, message) => {
    const refused = { kind: 'invalid' as const, code: 'not_csv', message }
    expect(refusal(file)).toEqual({ ...refused, field: 'file' })
    expect(refusal(new TextDecoder().decode(file))).toEqual({ ...refused, field: 'csv' })
  })

  test('is refused by the thread that reads files in the same words', async () => {
    const read = withCsvReader(input(XLSX), {}, () => Promise.resolve())
    expect(await read.catch((error: unknown) => error)).toMatchObject({
      code: 'not_csv',
      field: 'file',
      message: EXCEL,
    })
  })

  test('and one whose cells only look like it is taken', () => {
    expect(refusal('name,phone\nPK,0501112233\n<html>,0501112234\n%PDF-,0501112235\n')).toBeNull()
  })
})

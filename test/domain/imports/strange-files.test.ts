import { describe, expect, test } from 'bun:test'
import { type CsvInput, openCsvFile } from '../../../src/domain/imports/csv-file.ts'
import { readPhones } from '../../../src/domain/imports/phone-cell.ts'
import { AppError } from '../../../src/lib/errors.ts'

const open = (source: CsvInput['source'], kind: CsvInput['kind'] = 'contacts') =>
  openCsvFile({ kind, source, encoding: null, mapping: null, heading: true, amounts: null, dates: null })

/** The rows in short, every one of them. */
function rowsOf(source: CsvInput['source'], kind: CsvInput['kind'] = 'contacts') {
  const file = open(source, kind)
  const rows = [...file.rows()]
  expect(rows).toHaveLength(file.summary.total)
  return rows.map((row) => (row.kind === 'row' ? [row.value.name, row.value.phone] : row.kind))
}

function refusalOf(source: CsvInput['source']): string {
  try {
    open(source)
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
  return 'none'
}

describe('what is no CSV file is said to be what it is', () => {
  const latin = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'))
  test.each([
    ['an Excel workbook', latin('PK\x03\x04\x14\x00\x06\x00')],
    ['an old one', latin('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0')],
    ['a PDF', latin('%PDF-1.4\n')],
    ['gzip', latin('\x1f\x8b\x08\0')],
    ['vCards', 'BEGIN:VCARD\nFN:Dana\nTEL:0501112233\nEND:VCARD\n'],
    ['a page that calls itself .xls', '<html><table><tr><td>name</td></tr></table></html>'],
    ['JSON', '[{"name": "Dana", "phone": "0501112233"}]'],
    ['JSON of one', '\ufeff{"name": "Dana"}'],
  ])('%s', (_, source) => expect(refusalOf(source)).toBe('not_csv'))

  test('Hebrew that was spoilt before', () => {
    const spoilt = Buffer.from('name,phone\nדנה כהן,0501112233\n').toString('latin1')
    expect(refusalOf(spoilt)).toBe('garbled_hebrew')
    expect(refusalOf(new TextEncoder().encode(spoilt))).toBe('garbled_hebrew')
    expect(rowsOf('name,phone\n3×4 or 5×6,0501112233\n')).toEqual([['3×4 or 5×6', '+972501112233']])
  })

  test('that was read as ISO-8859-1 or windows-1252, in a long text too', () => {
    const hebrew = new TextEncoder().encode('name,phone\nשרה לוי,0501112233\n')
    for (const encoding of ['latin1', 'windows-1252'] as const) {
      const spoilt =
        encoding === 'latin1' ? Buffer.from(hebrew).toString(encoding) : new TextDecoder(encoding).decode(hebrew)
      expect(refusalOf(spoilt)).toBe('garbled_hebrew')
    }
  })

  test.each([
    ['Greek', 'πλάτος 3×α, ύψος 4×β, βάθος 5×γ'],
    ['Cyrillic', 'размеры 3×ш, 4×в, 5×г и 2×Б'],
    ['Arabic', '٣×٤ و٥×٦ ×م ×ك ×ت'],
    ['Chinese', '三×四 五×六 七×八'],
    ['Latin with signs', '2×“a” 3×‘b’ 4×– 5×— 6×™ 7×\u00a0€'],
    ['a row of the same sign', '×–×–×–×–×–'],
  ])('a multiplication in %s is none', (_, name) => {
    expect(rowsOf(`name;phone\n${name};0501112233\n`)).toEqual([[name, '+972501112233']])
  })
})

test('odd beginnings and ends', () => {
  const dana = [['Dana', '+972501112233']]
  for (const csv of [
    '\ufeff\ufeffname,phone\nDana,0501112233\n',
    'name,phone\nDana,0501112233\n\x1a',
    'sep=\t\nname\tphone\nDana\t0501112233',
    'name,phone\rDana,0501112233\r',
    ',,customer,\nname,phone,,\nDana,0501112233,x,y\n',
    `name,phone${','.repeat(5_000)}\nDana,0501112233${','.repeat(5_000)}\n`,
  ])
    expect(rowsOf(csv)).toEqual(dana)
  expect(rowsOf('name,phone\nDana,0501112233\nname,phone\n')).toEqual([...dana, 'refused'])
  expect(refusalOf(`${Array.from({ length: 5_000 }, (_, index) => `phone ${index}`).join()}\n1\n`)).toBe(
    'too_many_columns',
  )
})

describe('a cell of ten megabytes costs its row at the most, and no time', () => {
  const MEGABYTES_10 = 10_000_000
  const fill = (text: string) => text.repeat(MEGABYTES_10 / text.length)
  test.each([
    ['of white space within', 'phone', `x${fill(' ')}y`],
    ['of white space in an address', 'email', `x${fill(' ')}y`],
    ['of addresses', 'email', fill('a@b.c;')],
    ['of numbers', 'phone', fill('0501112234;')],
    ['of digits', 'phone', fill('0')],
    ['of quotes', 'phone', fill('"')],
    ['of apostrophes', 'note', fill("'")],
    ['of apostrophes with a formula', 'note', `${fill("'")}=1`],
    ['of tags', 'tags', fill('a;')],
    ['of words', 'note', fill('word ')],
    ['of a total', 'name 2', `total ${fill(' ')}`],
  ])('%s', (_, column, cell) => {
    const started = performance.now()
    const rows = rowsOf(`name,phone,${column}\nBen,,${cell}\nDana,0501112233,\n`)
    expect(rows).toHaveLength(2)
    expect(rows[1]).toEqual(['Dana', '+972501112233'])
    expect(performance.now() - started).toBeLessThan(8_000)
  })

  test('as a heading is cut', () => {
    const { columns } = open(`name,${'x'.repeat(MEGABYTES_10)}\nDana,1\n`).summary
    expect(columns[1]?.length).toBe(500)
  })
})

describe('a phone cell as people fill it', () => {
  const one = '+972541234567'
  const two = '+972527654321'
  test.each<[string, string[], boolean]>([
    ['054-1234567 / 052-7654321', [one, two], false],
    ['054-1234567/052-7654321', [one, two], false],
    ['054-1234567,052-7654321', [one, two], false],
    ['054-1234567; 052-7654321', [one, two], false],
    ['054-1234567\n052-7654321', [one, two], false],
    ['054-1234567 052-7654321', [one, two], false],
    ['0541234567 0527654321', [one, two], false],
    ['054-1234567 - 052-7654321', [one, two], false],
    ['054-1234567 & 052-7654321', [one, two], false],
    ['054-1234567 ו-052-7654321', [one, two], false],
    ['054-1234567 או 052-7654321', [one, two], false],
    ['054-1234567 and 052-7654321', [one, two], false],
    ['054-1234567 \\ 052-7654321', [one, two], false],
    ['+972541234567+972527654321', [one, two], false],
    ['נייד: 054-1234567 עבודה: 052-7654321', [one, two], false],
    ['mobile 054-1234567 home 052-7654321', [one, two], false],
    ['054-1234567 (WhatsApp)', [one], false],
    ['054-1234567*', [one], false],
    ['054-1234567,', [one], false],
    ['054-1234567.', [one], false],
    ['טל. 054-1234567', [one], false],
    ['wa.me/972541234567', [one], false],
    ['https://wa.me/972541234567', [one], false],
    ['https://api.whatsapp.com/send?phone=972541234567', [one], false],
    ['p:+972541234567', [one], false],
    ['054-1234567 דנה', [one], true],
    ['054-1234567 (דנה)', [one], true],
    ['דנה 054-1234567', [one], true],
    ['054-1234567 בעל, 052-7654321 אישה', [one, two], true],
  ])('%p', (cell, numbers, words) => expect(readPhones(cell)).toEqual({ numbers, unread: [], words }))

  test.each([
    '9.7254E+11',
    '054-123456',
    '05412345678',
    '*2700',
    '1599',
    '100',
    'fax 03-5551234',
    'פקס: 03-5551234',
    'a1@b.com 0541234567',
    'order 12 of 0541234567',
    'none',
  ])('%p holds none', (cell) => expect(readPhones(cell).numbers).toEqual([]))

  test('what else stands there is kept', () => {
    const [row] = [...open('name,phone,note\nDana,"054-1234567 (after 5), 12345",vip\n').rows()]
    expect(row).toMatchObject({ kind: 'refused' })
    const [ben] = [...open('name,phone,note\nBen,"054-1234567 אשתו, 12345",vip\n').rows()]
    expect(ben).toMatchObject({
      value: { phone: one, note: 'vip\nphone: 054-1234567 אשתו, 12345', custom: { 'phone 2': '12345' } },
    })
  })
})

import { expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { csvRecord, unmarkFormula } from '../../../src/lib/escape/spreadsheet.ts'
import { HOSTILE_STRINGS } from '../../support/hostile-strings.ts'

const SIGNS = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']

test('every hostile text comes back as it was, in a record of its own, and none begins like a formula', () => {
  const texts = Object.values(HOSTILE_STRINGS)
  const table = texts.map((text, index) => [text, `before ${index}`, text, 'x', text])
  const csv = table.map(csvRecord).join('')
  for (const delimiters of [['\r\n'], ['\r\n', '\n', '\r']]) {
    const read: string[][] = parse(csv, { record_delimiter: delimiters })
    expect(read.map((cells) => cells.map(unmarkFormula))).toEqual(table)
    for (const cell of read.flat()) {
      // Spreadsheets trim a cell and drop what is invisible before they look for a sign.
      const first = cell.replace(/^[\s\p{Cf}\p{Cc}]+/u, '')[0] ?? ''
      expect(SIGNS).not.toContain(first)
    }
  }
})

test('marking and taking the mark off again is exact, also for texts that look marked', () => {
  for (const sign of [...SIGNS, 'a', "'", '"', ' ', ''])
    for (const before of ['', "'", "''", ' ', "' ", '"', "'\t"])
      for (const after of ['', '1', "'", '=']) {
        const text = `${before}${sign}${after}`
        const [[cell = '']] = parse(csvRecord([text, 'x']), { record_delimiter: ['\r\n'] }) as [[string]]
        expect(unmarkFormula(cell)).toBe(text)
      }
})

test('plain cells and numbers stay readable', () => {
  expect(csvRecord(['id', 'opted out', 12.5, null, '', 'דנה כהן', 'a@example.com'])).toBe(
    'id,opted out,12.5,,,דנה כהן,a@example.com\r\n',
  )
})

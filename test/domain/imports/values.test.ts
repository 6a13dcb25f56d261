import { describe, expect, test } from 'bun:test'
import { type AmountStyle, readAmount } from '../../../src/domain/imports/amounts.ts'
import { type DateStyle, readDate } from '../../../src/domain/imports/dates.ts'

describe('an amount', () => {
  const read = (text: string, style: AmountStyle | null = null) => {
    const found = readAmount(text, style)
    return found.kind === 'amount' ? found.agorot : found.kind
  }
  test.each<[string, number | 'ambiguous' | 'refused']>([
    ['1200', 120_000],
    ['1,234.50', 123_450],
    ['1.234,50', 123_450],
    ['1 234,50', 123_450],
    ['1\u00a0234,50', 123_450],
    ['1\u202f234.5', 123_450],
    ["1'234.50", 123_450],
    ['1’234', 123_400],
    ['12,34,567.50', 123_456_750],
    ['1,234,567', 123_456_700],
    ['1.234.567', 123_456_700],
    ['12,5', 1_250],
    ['12.5', 1_250],
    ['.5', 50],
    ['0,500', 50],
    ['1234,567', 123_457],
    ['99.999999', 10_000],
    ['₪ 1,200', 120_000],
    ['1,200 ₪', 120_000],
    ['\u200f₪1,200\u200f', 120_000],
    ['1200 ש"ח', 120_000],
    ['1200 ש״ח', 120_000],
    ['1200 שח', 120_000],
    ['1,200 שקלים', 120_000],
    ['1200 NIS', 120_000],
    ['ILS 1,234.50', 123_450],
    ['1200.-', 120_000],
    ['+50', 5_000],
    ['１２００', 120_000],
    ['1,234', 'ambiguous'],
    ['1.234', 'ambiguous'],
    ['12,345', 'ambiguous'],
    ['₪1.234', 'ambiguous'],
    ['-5', 'refused'],
    ['(1,200)', 'refused'],
    ['$1,200', 'refused'],
    ['1200 €', 'refused'],
    ['1200 USD', 'refused'],
    ['1.2E+05', 'refused'],
    ['12%', 'refused'],
    ['1,2,3', 'refused'],
    ['1.234,5.6', 'refused'],
    ['5k', 'refused'],
    ['שלוש', 'refused'],
    ['', 'refused'],
    ['999999999999', 'refused'],
  ])('%p', (text, expected) => expect(read(text)).toBe(expected))

  test('that can be two is read as the file writes them', () => {
    expect([read('1,234', '1,234.50'), read('1,234', '1.234,50')]).toEqual([123_400, 123])
    expect([read('1.234', '1,234.50'), read('1.234', '1.234,50')]).toEqual([123, 123_400])
  })
})

describe('a date', () => {
  const read = (text: string, style: DateStyle | null = null) => {
    const found = readDate(text, style)
    return found.kind === 'date' ? found.value : found.kind
  }
  test.each<[string, string]>([
    ['2024-05-03', '2024-05-03'],
    ['2024-05-03T10:20:30.123Z', '2024-05-03T10:20Z'],
    ['2024-05-03 10:20', '2024-05-03T10:20'],
    ['2024/5/3', '2024-05-03'],
    ['20240503', '2024-05-03'],
    ['45000', '2023-03-15'],
    ['45000.5', '2023-03-15T12:00'],
    ['45000,75', '2023-03-15T18:00'],
    ['1714731600', '2024-05-03T10:20Z'],
    ['1714731600000', '2024-05-03T10:20Z'],
    ['31/05/2024', '2024-05-31'],
    ['05/31/2024', '2024-05-31'],
    ['5/31/2024 2:05 PM', '2024-05-31T14:05'],
    ['12:00 AM', 'refused'],
    ['31/5/24', '2024-05-31'],
    ['31/5/80', '1980-05-31'],
    ['03.05.2024', '2024-05-03'],
    ['05/05/2024', '2024-05-05'],
    ['3 May 2024', '2024-05-03'],
    ['May 3, 2024', '2024-05-03'],
    ['Fri, 3 May 2024 10:20', '2024-05-03T10:20'],
    ['Friday May 3, 2024', '2024-05-03'],
    ['3-Sept-24', '2024-09-03'],
    ['3 במאי 2024', '2024-05-03'],
    ['3 מאי 2024', '2024-05-03'],
    ['\u200f31/05/2024\u200f', '2024-05-31'],
    ['03/05/2024', 'ambiguous'],
    ['3-5-2024', 'ambiguous'],
    ['31/02/2024', 'refused'],
    ['13/13/2024', 'refused'],
    ['31/05/2024 25:00', 'refused'],
    ['tomorrow', 'refused'],
    ['', 'refused'],
  ])('%p', (text, expected) => expect(read(text)).toBe(expected))

  test('that can be two is read as it is told', () => {
    expect([read('03/05/2024', 'dmy'), read('03/05/2024', 'mdy')]).toEqual(['2024-05-03', '2024-03-05'])
    expect(read('43538', 'excel-1904')).toBe('2023-03-15')
  })
})

import { expect, test } from 'bun:test'
import { fromDecimal, toDecimal } from '../../src/lib/money.ts'

test('agorot and decimals are the same money both ways, exactly', () => {
  for (const [minor, decimal] of [
    [1, '0.01'],
    [10, '0.10'],
    [100, '1.00'],
    [7_990, '79.90'],
    [100_000_000, '1000000.00'],
  ] as const) {
    expect(toDecimal(minor)).toBe(decimal)
    expect(fromDecimal(decimal)).toBe(minor)
  }
  for (let minor = 1; minor < 20_000; minor += 7) expect(fromDecimal(toDecimal(minor))).toBe(minor)
})

test('what is no exact amount is none', () => {
  expect(fromDecimal('79')).toBe(7_900)
  expect(fromDecimal('79.9')).toBe(7_990)
  for (const text of ['', '-1', '1e3', '1.234', ' 1', '1,000', 'NaN', '.5', '1.']) expect(fromDecimal(text)).toBeNull()
})

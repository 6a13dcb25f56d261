import { expect, test } from 'bun:test'
import { formatPhone, parsePhone } from '../../src/lib/phone.ts'

test('every spelling of a number is one number', () => {
  for (const spelling of ['\u200f050\u05be123\u05be4567', '00972 50 1234567', '+972 (0)50-123-4567'])
    expect(parsePhone(spelling)).toBe('+972501234567')
  for (const spelling of ['whatsapp:+972501234567', '+972501234567', '050-1234567', '050 123 4567', '972-50-123-4567'])
    expect(parsePhone(spelling.startsWith('972') ? `+${spelling}` : spelling)).toBe('+972501234567')
})

test('what is no number is refused', () => {
  for (const text of ['', 'whatsapp:', '12', 'abc', '+1', 'whatsapp:+9725XXXXXXX']) expect(parsePhone(text)).toBeNull()
})

test('numbers are shown as their country writes them', () => {
  expect(formatPhone('+972501234567')).toBe('050-123-4567')
  expect(formatPhone('+14155552671')).toBe('+1 415 555 2671')
})

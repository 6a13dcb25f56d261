import { type SQL, sql } from 'drizzle-orm'
import { plainNumber } from '../../lib/phone.ts'

/** One-letter words that Hebrew writes together with the next: a search for a word finds it behind any of them. */
const HEBREW_PREFIXES = ['', 'ה', 'ב', 'ל', 'ש', 'ו', 'כ', 'מ']
const HEBREW_WORD = /^[\u05d0-\u05ea]{2,}$/
const MAX_WORDS = 8

/**
 * A text query: all words, as prefixes. The business is a word of the index, so that only its entries are read; null: no
 * words.
 */
export function textQuery(businessId: string, typed: string): SQL | null {
  const words = typed
    .normalize('NFC')
    .toLowerCase()
    // Vowel points are not written in names and messages.
    .replace(/[\u0591-\u05c7]/g, (mark) => (mark === '\u05be' ? ' ' : ''))
    .split(/[^\p{L}\p{N}@._+-]+/u)
    .flatMap((word) => (/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(word) ? [word] : word.split(/[^\p{L}\p{N}]+/u)))
    .filter((word) => word.length > 0)
    .slice(0, MAX_WORDS)
  if (words.length === 0) return null
  const parts = words.map((word) =>
    HEBREW_WORD.test(word)
      ? `(${HEBREW_PREFIXES.map((prefix) => `${quote(prefix + word)}:*`).join(' | ')})`
      : `${quote(word)}:*`,
  )
  return sql`${[quote(businessId), ...parts].join(' & ')}::tsquery`
}

function quote(lexeme: string): string {
  return `'${lexeme.replace(/['\\]/g, '')}'`
}

/** The digits of a typed number as the beginning of an E.164 number and as any number's end; null when it is no number. */
export function phonePatterns(typed: string): { start: string | null; end: string } | null {
  const text = plainNumber(typed).replace(/^whatsapp:/i, '')
  if (!/^[+\d\s().-]+$/.test(text)) return null
  const digits = text.replace(/\D/g, '')
  if (digits.length < 3 || digits.length > 15) return null
  if (text.startsWith('+')) return { start: `+${digits}`, end: digits }
  if (digits.startsWith('00')) return { start: `+${digits.slice(2)}`, end: digits.slice(2) }
  if (digits.startsWith('972')) return { start: `+${digits}`, end: digits }
  // A number as it is dialled at home.
  if (digits.startsWith('0')) return { start: `+972${digits.slice(1)}`, end: digits.slice(1) }
  return { start: null, end: digits }
}

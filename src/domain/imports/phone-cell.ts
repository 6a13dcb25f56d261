import { parsePhone, plainNumber } from '../../lib/phone.ts'

/** A longer cell is read as far as this. */
export const MAX_PHONE_CELL = 1_000

/** Between several numbers in one cell; Google writes ` ::: `. */
const SEVERAL = /:::|[\n\r;,|\\&]|\s\/\s|\/(?=\s*[+(\d])|\s+(?:or|and|או)\s+|\s+ו-?(?=[\d+])/i
/** Where two numbers only have a blank, or ` - `, between them. */
const NEXT_NUMBER = /\s+-\s+(?=[+0])|\s+(?=[+0]\d)|(?<=\d{7})(?=\+)/
const WITH_WORDS = /^([^\d+(]*)(\(?[+\d][\d ().-]*)([^\d]*)$/
/** Words that only say what a phone says itself. */
const LABELS =
  /^(?:whats ?app|wa|mobile|cell|phone|tel|home|work|main|office|m|h|w|p|t|c|וואטסאפ|ווטסאפ|נייד|פלאפון|סלולרי|טלפון|טל|בית|בבית|עבודה|בעבודה|משרד)$/i
const A_FAX = /fax|פקס/i

/** What a cell of a phone column holds: its numbers, parts that are none, and whether it says something beside them. */
export function readPhones(cell: string): { numbers: string[]; unread: string[]; words: boolean } {
  const whole = A_FAX.test(cell) ? null : parsePhone(cell)
  if (whole) return { numbers: [whole], unread: [], words: false }
  const numbers = new Set<string>()
  const unread: string[] = []
  let words = false
  for (const part of cell.split(SEVERAL).map((text) => text.trim())) {
    if (part === '') continue
    const found = readPart(part)
    for (const { number } of found) numbers.add(number)
    if (found.length === 0) unread.push(part)
    words ||= found.some((one) => one.words)
  }
  return { numbers: [...numbers], unread, words }
}

type Found = { number: string; words: boolean }

function readPart(part: string): Found[] {
  if (A_FAX.test(part)) return []
  const whole = readOne(part)
  if (whole) return [whole]
  const pieces = piecesOf(part)
  const withDigits = pieces.filter((piece) => /\p{Nd}/u.test(piece))
  const words = pieces.some((piece) => !withDigits.includes(piece) && isSaying(piece))
  const found = withDigits.flatMap((piece) => readOne(piece) ?? [])
  return found.length === withDigits.length ? found.map((one) => ({ ...one, words: one.words || words })) : []
}

/** `home: 03-… mobile: 05…` has its pieces where a word begins behind a number. */
function piecesOf(part: string): string[] {
  return part.split(NEXT_NUMBER).flatMap((text) => text.split(/(?<=\d)\s+(?=\p{L}+['׳"״]?\s*:)/u))
}

function readOne(text: string): Found | null {
  const number = parsePhone(text)
  if (number) return { number, words: false }
  const match = WITH_WORDS.exec(plainNumber(text))
  if (!match || text.includes('@')) return null
  const [, before = '', digits = '', after = ''] = match
  const found = parsePhone(digits.replace(/[ (.-]+$/, ''))
  if (!found) return null
  return { number: found, words: [before, after].some(isSaying) }
}

function isSaying(text: string): boolean {
  const word = text.replace(/[^\p{L} ]/gu, '').trim()
  return word !== '' && !LABELS.test(word)
}

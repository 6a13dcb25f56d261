import { analyse } from 'chardet'
import { AppError } from './errors.ts'
import { cleanText } from './text.ts'

export const ENCODINGS = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'windows-1255',
  'iso-8859-8',
  'windows-1252',
  'windows-1251',
  'windows-1256',
  'mac-hebrew',
  'cp862',
] as const
export type Encoding = (typeof ENCODINGS)[number]

const SAMPLE = 256 * 1024
/** How sure the statistics over letters must be before a file without Hebrew is read by their word, of 100. */
const SURE = 30

/**
 * Decodes a CSV file: byte order mark, valid UTF, Hebrew statistics. @throws AppError `unknown_encoding`, `wrong_encoding`
 */
export function decodeCsv(bytes: Uint8Array, wanted: Encoding | null): { text: string; encoding: Encoding } {
  const encoding = wanted ?? detect(bytes)
  if (encoding === null)
    throw new AppError(
      'invalid',
      'unknown_encoding',
      `The encoding of the file is not certain. Save it as “CSV UTF-8”, or name its encoding: ${ENCODINGS.join(', ')}.`,
      { field: 'encoding' },
    )
  const text = decode(bytes, encoding)
  if (text === null)
    throw new AppError(
      'invalid',
      'wrong_encoding',
      `The file holds bytes that are no text in ${encoding}. Save it as “CSV UTF-8”, or name another encoding.`,
      { field: 'encoding' },
    )
  if (wanted === null && encoding !== 'utf-8' && isVisualHebrew(text))
    throw new AppError(
      'invalid',
      'visual_hebrew',
      'The Hebrew in this file is stored backwards, as old systems do. Export it again as “CSV UTF-8”.',
      { field: 'encoding' },
    )
  if (isGarbledHebrew(text))
    throw new AppError(
      'invalid',
      'garbled_hebrew',
      'The Hebrew in this file was spoilt when it was saved (“×©×…” in place of letters). Export it again as “CSV UTF-8”.',
      { field: 'encoding' },
    )
  return { text: cleanText(text), encoding }
}

function detect(bytes: Uint8Array): Encoding | null {
  if (startsWith(bytes, [0xef, 0xbb, 0xbf])) return 'utf-8'
  if (startsWith(bytes, [0xff, 0xfe])) return 'utf-16le'
  if (startsWith(bytes, [0xfe, 0xff])) return 'utf-16be'
  const wide = detectUtf16(bytes)
  if (wide) return wide
  if (decode(bytes, 'utf-8') !== null) return 'utf-8'
  return detectHebrew(bytes) ?? detectByLetters(bytes)
}

function startsWith(bytes: Uint8Array, mark: number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte)
}

/** UTF-16 without a mark: the delimiters, digits and line ends of a CSV file have a zero byte each, always on the same side. */
function detectUtf16(bytes: Uint8Array): Encoding | null {
  if (bytes.length % 2 !== 0) return null
  const sample = bytes.subarray(0, SAMPLE)
  const zeros = [0, 0]
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1
  const [even = 0, odd = 0] = zeros
  const enough = sample.length / 20
  if (odd > enough && even === 0) return 'utf-16le'
  return even > enough && odd === 0 ? 'utf-16be' : null
}

const isAsciiLetter = (byte = 0) => (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
/** Alef to tav in windows-1255, ISO-8859-8 and Mac Hebrew alike. */
const isHebrewLetter = (byte = 0) => byte >= 0xe0 && byte <= 0xfa
/** Alef to tav in the DOS code page 862. */
const isDosLetter = (byte = 0) => byte >= 0x80 && byte <= 0x9a

/** Hebrew letters stand beside each other; the accented Latin letters with the same bytes stand beside plain ones. */
function detectHebrew(bytes: Uint8Array): Encoding | null {
  const together = (is: (byte: number | undefined) => boolean) => {
    let hebrew = 0
    let latin = 0
    for (let index = 0; index < bytes.length; index += 1) {
      if (!is(bytes[index])) continue
      const [before, after] = [bytes[index - 1], bytes[index + 1]]
      if (isAsciiLetter(before) || isAsciiLetter(after)) latin += 1
      else if (is(before) || is(after)) hebrew += 1
    }
    return hebrew >= 2 && hebrew > latin * 4
  }
  if (together(isHebrewLetter)) {
    const candidates: Encoding[] = ['windows-1255', 'iso-8859-8', 'mac-hebrew']
    return candidates.find((name) => decode(bytes, name) !== null) ?? null
  }
  return together(isDosLetter) && decode(bytes, 'cp862') !== null ? 'cp862' : null
}

const BY_STATISTICS: Record<string, Encoding> = {
  'ISO-8859-1': 'windows-1252',
  'windows-1252': 'windows-1252',
  'ISO-8859-5': 'windows-1251',
  'windows-1251': 'windows-1251',
  'windows-1256': 'windows-1256',
  'ISO-8859-6': 'windows-1256',
}

function detectByLetters(bytes: Uint8Array): Encoding | null {
  const [best] = analyse(bytes.subarray(0, SAMPLE))
  const encoding = best && best.confidence >= SURE ? BY_STATISTICS[best.name] : undefined
  return encoding && decode(bytes, encoding) !== null ? encoding : null
}

/** Null where a byte means nothing in this encoding. */
function decode(bytes: Uint8Array, encoding: Encoding): string | null {
  if (encoding === 'mac-hebrew') return decodeByTable(bytes, MAC_HEBREW)
  if (encoding === 'cp862') return decodeByTable(bytes, CP862)
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

type Table = (byte: number) => number | null

const hebrewLetter = (offset: number) => 0x05d0 + offset

/** Apple's Mac OS Hebrew: 0xA0 to 0xBF are ASCII's signs and digits in right-to-left text. Points and ligatures are not read. */
const MAC_HEBREW: Table = (byte) => {
  if (byte < 0x80) return byte
  if (byte >= 0xa0 && byte <= 0xbf) return byte - 0x80
  return isHebrewLetter(byte) ? hebrewLetter(byte - 0xe0) : null
}

/** DOS Hebrew, of which letters matter; its frames and Greek letters are not read. */
const CP862: Table = (byte) => {
  if (byte < 0x80) return byte
  return isDosLetter(byte) ? hebrewLetter(byte - 0x80) : null
}

function decodeByTable(bytes: Uint8Array, table: Table): string | null {
  const units = new Uint16Array(bytes.length)
  for (const [index, byte] of bytes.entries()) {
    const unit = table(byte)
    if (unit === null) return null
    units[index] = unit
  }
  return new TextDecoder('utf-16le').decode(units)
}

/** D7 90 to D7 AA, the UTF-8 of alef to tav, read byte by byte as windows-1252 or ISO-8859-1. */
const GARBLED_WORD = /(?:×[\u0090-\u00aa‘’“”•–—˜™š›œžŸ]){2,}/g

/**
 * UTF-8 read as windows-1252 and saved again: each Hebrew letter is `×` and a character; other texts rarely have such pairs.
 */
function isGarbledHebrew(text: string): boolean {
  const sample = text.slice(0, SAMPLE)
  const letters = (sample.match(GARBLED_WORD) ?? []).flatMap((word) => word.match(/×./g) ?? [])
  return !/[א-ת]/.test(sample) && new Set(letters).size >= 3
}

/** Final letters at the beginning of words, and none at the end: the text is stored from left to right as it is seen. */
function isVisualHebrew(text: string): boolean {
  const sample = text.slice(0, SAMPLE)
  const count = (pattern: RegExp) => sample.match(pattern)?.length ?? 0
  const first = count(/(?<![א-ת])[םןץףך](?=[א-ת])/g)
  return first >= 2 && first > 4 * count(/(?<=[א-ת])[םןץףך](?![א-ת])/g)
}

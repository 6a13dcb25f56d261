import { z } from 'zod'
import { AppError } from './errors.ts'

/** A NUL, or half of a surrogate pair: Postgres stores neither in text nor in jsonb. */
const NUL_OR_LONE_SURROGATE = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g

export function hasUnstorable(text: string): boolean {
  return text.search(NUL_OR_LONE_SURROGATE) !== -1
}

/**
 * The path to an unstorable character in a JSON value, or null. No recursion: a hostile body may nest deeper than the stack.
 */
export function findUnstorable(value: unknown): string[] | null {
  const open: { value: unknown; path: string[] }[] = [{ value, path: [] }]
  for (const { value, path } of open) {
    if (typeof value === 'string') {
      if (hasUnstorable(value)) return path
    } else if (typeof value === 'object' && value !== null && (Array.isArray(value) || isPlainObject(value)))
      for (const [key, item] of Object.entries(value)) {
        if (hasUnstorable(key)) return [...path, cleanText(key)]
        if (typeof item === 'string' || (typeof item === 'object' && item !== null))
          open.push({ value: item, path: [...path, key] })
      }
  }
  return null
}

/** Removes NULs, and replaces half of a surrogate pair by U+FFFD. */
export function cleanText(text: string): string {
  return text.replace(NUL_OR_LONE_SURROGATE, (found) => (found === '\0' ? '' : '\uFFFD'))
}

/** Controls other than the tab and the ends of lines, and Unicode's separators of lines and paragraphs. */
const CONTROLS = /[\p{Cc}--[\t\n]]/gv

/** `cleanText`, with ends of lines as `\n` and without other control characters: people do not type those, and a voice reads them. */
export function cleanTyped(text: string): string {
  return cleanText(text.replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n').replace(CONTROLS, ''))
}

/** Marks, embeddings, overrides and isolates of the Unicode Bidirectional Algorithm (UAX #9). */
const BIDI_CONTROLS = /\p{Bidi_Control}/gu

/** `cleanText` of a name, without what turns the text around it: a name is shown in rows, titles and mails of others. */
export function cleanName(name: string): string {
  return cleanText(name.replace(BIDI_CONTROLS, ''))
}

/** The name of a person or a thing: `cleanName`, trimmed, of 1 to `max` characters. */
export function nameText(max: number) {
  return within(z.string().overwrite(cleanName).trim().min(1), max)
}

/** A field that a person types and a voice or a model reads: cleaned by `cleanTyped` before its length is checked. */
export function typedText(): z.ZodString {
  return z.string().overwrite(cleanTyped)
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Cuts a text by whole graphemes: no emoji, flag or pointed letter is split. @param max in UTF-16 units, as `String.length` */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text
  // One grapheme of a hostile text can be as long as the text.
  const window = text.slice(0, max + 64)
  let end = 0
  for (const { index, segment } of graphemes.segment(window)) {
    if (index + segment.length > max) break
    end = index + segment.length
  }
  return cleanText(end > 0 ? text.slice(0, end) : text.slice(0, max)).trimEnd()
}

export function countCharacters(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** A field of at most `max` Unicode code points, as Postgres and JSON Schema count. */
export function limitedText(max: number) {
  return within(z.string(), max)
}

/** A trimmed field of 1 to `max` characters, counted as `limitedText` does. */
export function requiredText(max: number) {
  return within(z.string().trim().min(1), max)
}

function within(field: z.ZodString, max: number) {
  return field
    .refine((text) => countCharacters(text) <= max, `The text is longer than ${max} characters. Shorten it.`)
    .meta({ maxLength: max })
}

/** Cuts a text by whole graphemes. @param max in Unicode code points */
export function cutCharacters(text: string, max: number): string {
  if (text.length <= max) return text
  let units = 0
  let count = 0
  for (const character of text) {
    if (count === max) return cutText(text, units)
    count += 1
    units += character.length
  }
  return text
}

/** `cleanText` over every string of a JSON value, keys included. `__proto__` stays a plain key. */
export function cleanDeep<Value>(value: Value): Value
export function cleanDeep(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value)
  if (Array.isArray(value)) return value.map((item: unknown) => cleanDeep(item))
  if (typeof value !== 'object' || value === null || !isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), cleanDeep(item)]))
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** @throws AppError `invalid_input` with the field that has a character that cannot be stored */
export function requireStorable(input: unknown): void {
  const path = findUnstorable(input)
  if (path)
    throw new AppError('invalid', 'invalid_input', 'The text contains a NUL or half of a surrogate pair. Remove it.', {
      field: path.join('.').slice(0, 200),
    })
}

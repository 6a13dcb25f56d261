import { AppError } from '../lib/errors.ts'

/** How deep and how rich a JSON text may be: beyond that, parsing alone would hold up everybody's calls. */
const MAX_DEPTH = 200
const MAX_VALUES = 100_000
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/** @throws AppError `json_too_complex` */
export function refuseComplexJson(body: Buffer): void {
  let depth = 0
  let values = 0
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] ?? 0
    if (byte === QUOTE) index = endOfString(body, index)
    else if (byte === COMMA) values++
    else if (OPENING.has(byte)) {
      depth++
      values++
    } else if (CLOSING.has(byte)) depth--
    if (depth > MAX_DEPTH || values > MAX_VALUES)
      throw new AppError(
        'invalid',
        'json_too_complex',
        `The JSON nests deeper than ${MAX_DEPTH} levels or holds more than ${MAX_VALUES} values.`,
        { field: 'body' },
      )
  }
}

/** Where the string that begins at `start` ends; the native search skips its content. */
function endOfString(body: Buffer, start: number): number {
  for (let end = body.indexOf(QUOTE, start + 1); end >= 0; end = body.indexOf(QUOTE, end + 1)) {
    let slashes = 0
    while (body[end - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
  return body.length
}

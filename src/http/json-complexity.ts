import { AppError } from '../lib/errors.ts'

/** A larger JSON text would block the event loop, and with it every live call, while it is parsed. */
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
        `The JSON nests deeper than ${MAX_DEPTH} levels or has more than ${MAX_VALUES} values. Send it in parts.`,
        { field: 'body' },
      )
  }
}

/** The end of the string that begins at `start`; the native search skips its content. */
function endOfString(body: Buffer, start: number): number {
  for (let end = body.indexOf(QUOTE, start + 1); end >= 0; end = body.indexOf(QUOTE, end + 1)) {
    let slashes = 0
    while (body[end - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
  return body.length
}

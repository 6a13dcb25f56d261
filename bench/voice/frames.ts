/**
 * The load's own wire: WebSocket frames written and read as bytes, so that the load costs less than what it loads. Every piece
 * of audio carries who sent it, its number and the time it left, as digits at the front of its base64 (digits are base64).
 */

const CALL = 4
const NUMBER = 8
const MICROS = 12
/** Digits in front of a payload: a multiple of four, so that the rest stays base64. */
const LABEL = CALL + NUMBER + MICROS

/** A loud frame of 20 ms, so that it counts as a voice. */
const loud = new Uint8Array(160)
for (let i = 0; i < 160; i++) loud[i] = i % 2 ? 0x10 : 0x90
const TAIL = Buffer.from(loud).toString('base64').slice(LABEL)

const ZERO = 48
const OPCODE_TEXT = 1

function writeDigits(bytes: Uint8Array, at: number, width: number, value: number): void {
  let rest = value
  for (let i = at + width - 1; i >= at; i--) {
    const next = Math.floor(rest / 10)
    bytes[i] = ZERO + (rest - next * 10)
    rest = next
  }
}

/** One text frame. @param masked as a client must; with a key of zeros, which changes nothing */
export function textFrame(text: string, masked: boolean): Uint8Array {
  const { length } = text
  const wide = length > 125
  const head = (wide ? 4 : 2) + (masked ? 4 : 0)
  const frame = Buffer.alloc(head + length)
  frame[0] = 0x80 | OPCODE_TEXT
  frame[1] = (masked ? 0x80 : 0) | (wide ? 126 : length)
  if (wide) frame.writeUInt16BE(length, 2)
  frame.write(text, head, 'latin1')
  return frame
}

/** A frame of audio that is sent again and again with another label, and other digits where they are asked for. */
export class AudioFrame {
  readonly bytes: Uint8Array
  readonly #label: number
  readonly #digits: readonly { at: number; width: number }[]
  number = 0

  /** @param text has `@` where the audio belongs, and rows of `#` for numbers that `next` is given */
  constructor(text: string, masked: boolean) {
    const whole = text.replace('@', '0'.repeat(LABEL) + TAIL)
    this.bytes = textFrame(whole.replaceAll('#', '0'), masked)
    const head = this.bytes.length - whole.length
    this.#label = head + text.indexOf('@')
    this.#digits = [...whole.matchAll(/#+/g)].map((row) => ({ at: head + row.index, width: row[0].length }))
  }

  /** The next frame: valid until the one after it. */
  next(call: number, digits: readonly number[] = []): Uint8Array {
    const { bytes } = this
    writeDigits(bytes, this.#label, CALL, call)
    writeDigits(bytes, this.#label + CALL, NUMBER, ++this.number)
    writeDigits(bytes, this.#label + CALL + NUMBER, MICROS, Math.round(performance.now() * 1_000))
    for (const [i, { at, width }] of this.#digits.entries()) writeDigits(bytes, at, width, digits[i] ?? 0)
    return bytes
  }
}

/** What stands in a payload's label; null when it has none, as silence that was filled in. */
export type Label = { call: number; number: number; ageMs: number }

/** A text frame as it lies in what was read; unmasks what is looked at. */
export class TextView {
  #bytes: Uint8Array = new Uint8Array()
  #from = 0
  #to = 0
  #key = -1

  set(bytes: Uint8Array, from: number, to: number, key: number): void {
    this.#bytes = bytes
    this.#from = from
    this.#to = to
    this.#key = key
  }

  byte(index: number): number {
    const value = this.#bytes[this.#from + index] ?? 0
    return this.#key < 0 ? value : value ^ (this.#bytes[this.#key + (index & 3)] ?? 0)
  }

  label(at: number): Label | null {
    for (let i = at; i < at + LABEL; i++) {
      const code = this.byte(i)
      if (code < ZERO || code > ZERO + 9) return null
    }
    const micros = this.#number(at + CALL + NUMBER, MICROS)
    return {
      call: this.#number(at, CALL),
      number: this.#number(at + CALL, NUMBER),
      ageMs: performance.now() - micros / 1_000,
    }
  }

  toString(): string {
    let text = ''
    for (let i = 0; i < this.#to - this.#from; i++) text += String.fromCharCode(this.byte(i))
    return text
  }

  #number(at: number, width: number): number {
    let value = 0
    for (let i = at; i < at + width; i++) value = value * 10 + this.byte(i) - ZERO
    return value
  }
}

/** Cuts a stream of bytes into text frames; other kinds of frames are passed over. */
export class FrameReader {
  #rest: Uint8Array | null = null
  readonly #view = new TextView()

  read(chunk: Uint8Array, onText: (text: TextView) => void): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    this.#rest = null
    let at = 0
    for (;;) {
      let body = at + 2
      const second = bytes[at + 1]
      if (second === undefined) break
      let length = second & 127
      if (length === 126) {
        length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
        body += 2
      } else if (length === 127) {
        body += 8
        if (body > bytes.length) break
        length = Number(Buffer.from(bytes.subarray(at + 2, body)).readBigUInt64BE())
      }
      const key = second & 128 ? body : -1
      if (key >= 0) body += 4
      if (body > bytes.length || body + length > bytes.length) break
      if (((bytes[at] ?? 0) & 15) === OPCODE_TEXT) {
        this.#view.set(bytes, body, body + length, key)
        onText(this.#view)
      }
      at = body + length
    }
    if (at < bytes.length) this.#rest = bytes.slice(at)
  }
}

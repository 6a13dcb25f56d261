import { proto } from '@whiskeysockets/baileys'
import { cleanText, cutText } from '../../../../lib/text.ts'
import { type FieldName, MESSAGE_FIELDS } from './fields.ts'
import { LABEL_MAX, linesOf } from './text.ts'

/** A field of the wire format; `bytes` is null when it is a number. */
type WireField = { number: number; bytes: Uint8Array | null }

const FIELDS_MAX = 1_000
const DEPTH_MAX = 64
const utf8 = new TextDecoder('utf-8', { fatal: true })

let numbers: Map<number, FieldName> | null = null

/** Field numbers of `Message`, taken from Baileys' own encoder. */
export function fieldNumbers(): Map<number, FieldName> {
  numbers ??= new Map(
    fieldNames().map((name) => {
      const encoded = proto.Message.encode(name === 'conversation' ? { conversation: '' } : { [name]: {} }).finish()
      return [readFields(encoded)?.[0]?.number ?? 0, name]
    }),
  )
  return numbers
}

function fieldNames(): FieldName[] {
  return Object.keys(MESSAGE_FIELDS).filter((name): name is FieldName => Object.hasOwn(MESSAGE_FIELDS, name))
}

/** A field that Baileys' definition does not have. */
export type UnknownField = { number: number; bytes: Uint8Array | null }

/**
 * The first field of a message, or of the messages inside it, that Baileys does not have and therefore dropped in decoding.
 * @param bytes of a whole `Message`
 */
export function findUnknownField(bytes: Uint8Array): UnknownField | null {
  let level: Uint8Array[] = [bytes]
  for (let depth = 0; depth < DEPTH_MAX && level.length > 0; depth++) {
    const below: Uint8Array[] = []
    for (const message of level)
      for (const { number, bytes: inside } of readFields(message) ?? []) {
        const name = fieldNumbers().get(number)
        if (!name) return { number, bytes: inside }
        const decision = MESSAGE_FIELDS[name]
        if (decision.is !== 'wrapper' || !inside) continue
        const { field } = decision
        below.push(
          ...(readFields(inside) ?? []).flatMap((inner) =>
            inner.number === field && inner.bytes ? [inner.bytes] : [],
          ),
        )
      }
    level = below.slice(0, FIELDS_MAX)
  }
  return null
}

/** The message inside an unknown field that is one more wrapper: its only content is a message of known fields. */
export function messageInside(bytes: Uint8Array): Uint8Array | null {
  const inner = readFields(bytes)?.find(({ number }) => number === 1)?.bytes
  const fields = inner && readFields(inner)
  if (!fields || fields.length === 0) return null
  return fields.every(({ number, bytes: part }) => part && fieldNumbers().has(number)) ? inner : null
}

export function wordsInBytes(bytes: Uint8Array): string {
  const words: string[] = []
  let visited = 0
  const look = (part: Uint8Array, depth: number): void => {
    for (const { bytes: inside } of readFields(part) ?? []) {
      visited += 1
      if (!inside || visited > FIELDS_MAX) continue
      const text = readableText(inside)
      if (text) words.push(text)
      else if (depth < 16) look(inside, depth + 1)
    }
  }
  look(bytes, 0)
  return linesOf(...new Set(words))
}

/** A text for people: valid UTF-8 with letters, neither an address nor a key. */
function readableText(bytes: Uint8Array): string | null {
  if (bytes.length < 2 || bytes.length > 65_536 * 4) return null
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return null
  }
  if (/[\p{Cc}--[\n\r\t]]/v.test(text) || !/[\p{L}\p{Extended_Pictographic}]/u.test(text)) return null
  const isKey = /^[\w+/=~.:-]{25,}$/.test(text) || /^\S+@[a-z.]+$/.test(text) || /^(https?:|\/)\S*$/.test(text)
  return isKey ? null : cutText(cleanText(text), 4 * LABEL_MAX).trim() || null
}

/** The fields of one level; null when the bytes are not protobuf. */
export function readFields(bytes: Uint8Array): WireField[] | null {
  const fields: WireField[] = []
  let at = 0
  const varint = (): number | null => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) return null
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    return null
  }
  while (at < bytes.length && fields.length < FIELDS_MAX) {
    const tag = varint()
    if (tag === null) return null
    const number = Math.floor(tag / 8)
    if (number < 1 || number > 536_870_911) return null
    const type = tag % 8
    if (type === 0) {
      if (varint() === null) return null
      fields.push({ number, bytes: null })
    } else if (type === 1 || type === 5) {
      at += type === 1 ? 8 : 4
      fields.push({ number, bytes: null })
    } else if (type === 2) {
      const length = varint()
      if (length === null || at + length > bytes.length) return null
      fields.push({ number, bytes: bytes.subarray(at, at + length) })
      at += length
    } else return null
    if (at > bytes.length) return null
  }
  return fields
}

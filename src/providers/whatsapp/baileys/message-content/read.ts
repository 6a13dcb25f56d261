import { proto } from '@whiskeysockets/baileys'
import { type InboundContent, type InboundExtras, withMedia } from '../../port.ts'
import { readContext } from './context.ts'
import { type FieldDecision, type Reading, type ReadNested, type SealedAnswer, shown } from './decision.ts'
import { type FieldName, type FieldValue, MESSAGE_FIELDS } from './fields.ts'
import { findUnknownField, messageInside, wordsInBytes } from './protobuf.ts'
import { findWords, idOf, linesOf, missingWords, withWords, wordsOf } from './text.ts'

/** Nested messages, counted over everything that one message holds. */
const DEPTH_MAX = 32

/** Both `content` and `sealed` are null when the message is not for a person. */
export type ReadMessage = {
  content: InboundContent | null
  sealed: SealedAnswer | null
  replyTo: string | null
  extras: InboundExtras
  secret: Uint8Array | null
}

/** The other texts in these fields are not part of the message: descriptions of a linked page, the changed message. */
const READ_WHOLE: ReadonlySet<FieldName> = new Set(['conversation', 'extendedTextMessage', 'protocolMessage'])

type Walk = { viewOnce: boolean; secret: Uint8Array | null; wrapperReplyTo: string | null }

/**
 * Reads a message by the table of its fields, through any wrappers. Never throws: what cannot be read is shown under its type.
 * @param bytes the message as it was sent; fields that Baileys does not have are searched for in them
 */
export function readMessage(message: proto.IMessage, bytes: Uint8Array | null = null): ReadMessage {
  const walk: Walk = { viewOnce: false, secret: null, wrapperReplyTo: null }
  const reading = walkMessage(message, 0, walk)
  const base = { replyTo: walk.wrapperReplyTo, extras: {}, secret: walk.secret }
  const unknown = !reading && bytes ? readUnknown(bytes) : null
  if (unknown) return { ...unknown, secret: unknown.secret ?? walk.secret }
  if (!reading) return { ...base, content: null, sealed: null }
  if ('sealed' in reading) return { ...base, content: null, sealed: reading.sealed }
  const { context, replyTo } = reading
  const around = context ? readContext(context, nestedReader(0)) : null
  return {
    ...base,
    content: walk.viewOnce ? withMedia(reading.content, (file) => ({ ...file, viewOnce: true })) : reading.content,
    sealed: null,
    replyTo: replyTo ?? around?.replyTo ?? base.replyTo,
    extras: around?.extras ?? {},
  }
}

function walkMessage(message: proto.IMessage, depth: number, walk: Walk): Reading {
  const info = message.messageContextInfo
  walk.secret ??= secretOf(info?.messageSecret)
  let chosen: Reading = null
  const others: string[] = []
  for (const name of FIELD_ORDER) {
    const reading = readField(name, message, depth, walk)
    if (!reading) continue
    if (!chosen) chosen = reading
    else if ('content' in reading) others.push(wordsOf(reading.content))
  }
  const poll = message.pollCreationMessage ?? message.pollCreationMessageV2 ?? message.pollCreationMessageV3
  walk.secret ??= secretOf(poll?.encKey)
  return chosen && 'content' in chosen && others.length > 0
    ? { ...chosen, content: withWords(chosen.content, linesOf(...others)) }
    : chosen
}

const FIELD_ORDER = Object.keys(MESSAGE_FIELDS).filter((name): name is FieldName => Object.hasOwn(MESSAGE_FIELDS, name))

function readField<Name extends FieldName>(name: Name, message: proto.IMessage, depth: number, walk: Walk): Reading {
  const value = message[name]
  if (value === null || value === undefined) return null
  const decision: FieldDecision<FieldValue<Name>> = MESSAGE_FIELDS[name]
  const asWhatItIs = () => shown(snakeCase(name), findWords(value))
  if (decision.is === 'noise') return null
  if (decision.is === 'content')
    try {
      const reading = decision.read(value, nestedReader(depth))
      return reading && 'content' in reading && !READ_WHOLE.has(name)
        ? { ...reading, content: withWords(reading.content, missingWords(value, reading.content)) }
        : reading
    } catch {
      // A sender may write anything into a message; its text at least is shown.
      return asWhatItIs()
    }
  walk.viewOnce ||= decision.viewOnce === true
  walk.wrapperReplyTo ??= idOf(decision.replyTo?.(value))
  const inner = decision.inner(value)
  if (!inner) return shown(decision.name)
  return depth < DEPTH_MAX ? walkMessage(inner, depth + 1, walk) : asWhatItIs()
}

function nestedReader(depth: number): ReadNested {
  return (message) => {
    if (depth >= DEPTH_MAX) return null
    const reading = walkMessage(message, depth + 1, { viewOnce: false, secret: null, wrapperReplyTo: null })
    return reading && 'content' in reading ? reading.content : null
  }
}

function readUnknown(bytes: Uint8Array): ReadMessage | null {
  const field = findUnknownField(bytes)
  if (!field) return null
  const inside = field.bytes && messageInside(field.bytes)
  // A wrapper that Baileys does not have: its inner message is read as usual.
  const read = inside ? readMessage(proto.Message.decode(inside)) : null
  if (read && (read.content || read.sealed)) return read
  const content = {
    kind: 'unsupported' as const,
    type: `message_field_${field.number}`,
    text: field.bytes ? wordsInBytes(field.bytes) : '',
  }
  return { content, sealed: null, replyTo: null, extras: {}, secret: null }
}

/** A message that is not protobuf as Baileys defines it: shown with the readable texts in it. */
export function readBytes(bytes: Uint8Array): ReadMessage {
  const content = { kind: 'unsupported' as const, type: 'unreadable', text: wordsInBytes(bytes) }
  return { content, sealed: null, replyTo: null, extras: {}, secret: null }
}

function secretOf(bytes: Uint8Array | null | undefined): Uint8Array | null {
  return bytes && bytes.length > 0 && bytes.length <= 64 ? bytes : null
}

function snakeCase(name: string): string {
  return name.replace(/Messs?age(V\d)?$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

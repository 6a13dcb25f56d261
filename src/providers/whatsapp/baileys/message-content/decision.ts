import type { proto } from '@whiskeysockets/baileys'
import type { InboundContent } from '../../port.ts'

/** The purpose of an encrypted answer, which is part of its key. */
export type SealedUse =
  | 'Poll Vote'
  | 'Enc Reaction'
  | 'Enc Comment'
  | 'Event Response'
  | 'Event Edit'
  | 'Message Edit'
  | 'Poll Edit'
  | 'Poll Add Option'

/** Content that can only be decrypted with the secret of its target message. */
export type SealedAnswer = { use: SealedUse; target: proto.IMessageKey; payload: Uint8Array; iv: Uint8Array }

/** What one field holds: content, or something sealed; null when it is not for a person. */
export type Reading =
  | { content: InboundContent; replyTo?: string | null; context?: proto.IContextInfo | null }
  | { sealed: SealedAnswer }
  | null

/** Reads a message inside a message, such as the new form of an edited one. Depth is bounded. */
export type ReadNested = (message: proto.IMessage) => InboundContent | null

/**
 * What is done with a field of `Message`.
 * - `content`: it is read; what cannot be read is shown under its type.
 * - `wrapper`: another message is inside, in the field of this number; an empty one is shown under `name`.
 * - `noise`: it is not part of a conversation and makes no row.
 */
export type FieldDecision<Value> =
  | { is: 'content'; read(value: Value, nested: ReadNested): Reading }
  | {
      is: 'wrapper'
      name: string
      field: 1 | 2
      viewOnce?: boolean
      inner(value: Value): proto.IMessage | null | undefined
      replyTo?(value: Value): string | null | undefined
    }
  | { is: 'noise'; why: string }

export function content<Value>(read: (value: Value, nested: ReadNested) => Reading): FieldDecision<Value> {
  return { is: 'content', read }
}

export function noise(why: string): { is: 'noise'; why: string } {
  return { is: 'noise', why }
}

export function wrapper(name: string, viewOnce = false): FieldDecision<proto.Message.IFutureProofMessage> {
  return { is: 'wrapper', name, field: 1, viewOnce, inner: ({ message }) => message }
}

export function shown(type: string, text = '', replyTo: string | null = null): Reading {
  return { content: { kind: 'unsupported', type, text }, replyTo }
}

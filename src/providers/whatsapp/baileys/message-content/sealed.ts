import { createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import type { InboundContent, StoredSecret } from '../../port.ts'
import type { SealedAnswer, SealedUse } from './decision.ts'
import { readMessage } from './read.ts'
import { idOf, textOf, wordsOf } from './text.ts'

const TAG_BYTES = 16
const SHOWN_AS: { readonly [Use in SealedUse]: string } = {
  'Poll Vote': 'poll_vote',
  'Enc Reaction': 'reaction',
  'Enc Comment': 'comment',
  'Event Response': 'event_response',
  'Event Edit': 'edit',
  'Message Edit': 'edit',
  'Poll Edit': 'edit',
  'Poll Add Option': 'poll_option',
}

/** Shown for an answer that cannot be decrypted: its target message is not stored, or came without its key. */
export function closedContent({ use }: SealedAnswer): InboundContent {
  return { kind: 'unsupported', type: SHOWN_AS[use], text: '' }
}

/**
 * Decrypts an answer with the secret of its target message. The key includes both writers' addresses, and each may be a number
 * or a LID: every pair is tried, and the authentication tag tells which is right.
 * @param authors addresses of the writer of the target message
 * @param senders addresses of the writer of the answer
 * @returns null when no pair opens it
 */
export function openSealed(
  sealed: SealedAnswer,
  stored: StoredSecret,
  authors: readonly string[],
  senders: readonly string[],
): InboundContent | null {
  const id = sealed.target.id ?? ''
  const secret = Buffer.from(stored.secret, 'base64')
  for (const author of authors)
    for (const sender of senders) {
      const key = hkdfSync('sha256', secret, '', `${id}${author}${sender}${sealed.use}`, 32)
      for (const associated of [`${id}\0${sender}`, '']) {
        const plain = decipher(sealed, new Uint8Array(key), associated)
        if (plain) return readPlain(sealed, plain, stored)
      }
    }
  return null
}

function decipher({ payload, iv }: SealedAnswer, key: Uint8Array, associated: string): Uint8Array | null {
  if (payload.length <= TAG_BYTES || iv.length === 0) return null
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(associated)).setAuthTag(payload.subarray(-TAG_BYTES))
    return Buffer.concat([cipher.update(payload.subarray(0, -TAG_BYTES)), cipher.final()])
  } catch {
    return null
  }
}

function readPlain(sealed: SealedAnswer, plain: Uint8Array, { options }: StoredSecret): InboundContent | null {
  const messageId = idOf(sealed.target.id)
  if (!messageId) return null
  switch (sealed.use) {
    case 'Poll Vote': {
      const names = new Map(
        (options ?? []).map((option) => [createHash('sha256').update(option).digest('hex'), option]),
      )
      const { selectedOptions } = proto.Message.PollVoteMessage.decode(plain)
      const chosen = selectedOptions.map((hash) => names.get(Buffer.from(hash).toString('hex')) ?? '?')
      return { kind: 'poll_vote', messageId, options: chosen.slice(0, 100) }
    }
    case 'Enc Reaction':
      return { kind: 'reaction', emoji: textOf(proto.Message.ReactionMessage.decode(plain).text, 64), messageId }
    case 'Event Response': {
      const { response } = proto.Message.EventResponseMessage.decode(plain)
      const name = proto.Message.EventResponseMessage.EventResponseType[response ?? 0] ?? 'UNKNOWN'
      const words = name.toLowerCase().replaceAll('_', ' ')
      return { kind: 'choice', text: words, id: name.toLowerCase(), source: 'other' }
    }
    case 'Enc Comment':
      return readMessage(proto.Message.decode(plain), plain).content
    case 'Poll Add Option': {
      const added = readMessage(proto.Message.decode(plain), plain).content
      return { kind: 'unsupported', type: SHOWN_AS[sealed.use], text: added ? wordsOf(added) : '' }
    }
    default: {
      const edited = readMessage(proto.Message.decode(plain), plain).content
      return edited && { kind: 'edit', messageId, text: wordsOf(edited) }
    }
  }
}

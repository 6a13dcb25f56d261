import { redactCards } from '../../lib/cards.ts'
import { cleanTyped, cutText } from '../../lib/text.ts'

import type { ThreadMessage } from './situation.ts'

/** What of a message an agent reads. */
export type Heard = {
  id: string
  /** What the person wrote or said: empty for a picture without words. */
  words: string
  /** What else there is, in brackets, for a model. */
  note: string | null
  /** What cannot be read here: a person looks. */
  unread: 'voice' | 'file' | null
}

const MAX_WORDS = 4_000
/** Direction marks and characters without width hide what is written from who reads it. */
const HIDDEN = /[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]/g
const FILES: Record<string, string> = {
  image: 'a picture',
  video: 'a video',
  sticker: 'a sticker',
  document: 'a document',
  audio: 'an audio file',
  voice: 'a voice note',
}

/** Every kind of message has a form in words. */
export function hearMessage(message: ThreadMessage): Heard {
  const { id, kind, files } = message
  if (message.deletedAt) return { id, words: '', note: '[deleted by its writer]', unread: null }
  const spoken = files.flatMap(({ transcript }) => transcript ?? [])
  const words = readable([message.body, ...spoken].filter(Boolean).join('\n'))
  const quoted = message.quoted ? [`[in answer to: ${readable(message.quoted).slice(0, 200)}]`] : []
  const unheard = files.filter(({ transcript }) => !transcript)
  const seen = unheard.map(
    (file) => `[sent ${FILES[file.kind] ?? 'a file'}${file.fileName ? ` named ${readable(file.fileName)}` : ''}]`,
  )
  const other = OTHER_KINDS[kind]
  const notes = [...quoted, ...seen, ...(other ? [other] : [])]
  const isVoice = unheard.some((file) => file.kind === 'voice' || file.kind === 'audio')
  return {
    id,
    words,
    note: notes.length > 0 ? notes.join(' ') : null,
    unread: isVoice ? 'voice' : unheard.some((file) => file.kind !== 'sticker') ? 'file' : null,
  }
}

const OTHER_KINDS: Readonly<Record<string, string>> = {
  location: '[sent a location]',
  contacts: '[sent a contact card]',
  poll: '[sent a poll]',
  order: '[sent an order]',
  product: '[asks about a product]',
  event: '[sent an event]',
  unsupported: '[sent something that cannot be shown]',
}

/** Text of strangers without what is hidden in it, bounded, and without card numbers. */
export function readable(text: string): string {
  return redactCards(cutText(cleanTyped(text).normalize('NFKC').replace(HIDDEN, ''), MAX_WORDS)).trim()
}

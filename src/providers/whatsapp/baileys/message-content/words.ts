import { sha256Hex } from '../../../../lib/ids.ts'
import { cleanText, cutText } from '../../../../lib/text.ts'
import type { InboundContent } from '../../port.ts'

/** What WhatsApp lets a person write at most. */
export const TEXT_MAX = 65_536
/** Titles, names, captions of buttons. */
export const LABEL_MAX = 1_000
/** Buttons, rows, options, cards of one message. */
export const LIST_MAX = 300
const NODES_MAX = 2_000
const WORD_KEYS =
  /^(?:text|caption|title|subtitle|body|footer|header|description|name|note|message|question|label|comment|conversation|default|matchedtext)$|(?:text|caption|title|name|note|description|label)$/i
/** Fields whose texts are not for a reader: what is quoted, addresses, and names of machines. */
const SKIPPED =
  /^(?:contextInfo|messageContextInfo|quotedMessage|key|filename|elementName|mimetype)$|jid$|hash$|token$|key$|url$|path$|json$/i

/** A text of a message as it is stored: clean, and bounded by whole characters. Anything but a string is empty. */
export function textOf(value: unknown, max = TEXT_MAX): string {
  if (typeof value !== 'string') return ''
  return cutText(cleanText(value.slice(0, max + 1_000)), max)
}

/** A short text, trimmed; null when there is none. */
export function labelOf(value: unknown, max = LABEL_MAX): string | null {
  return textOf(value, max).trim() || null
}

const ID_MAX = 128

/** A message's id as it is stored and compared. A sender chooses it: one that is too long for an index is shortened. */
export function idOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null
  const id = value.length <= ID_MAX ? cleanText(value) : `${cleanText(value.slice(0, 32))}~${sha256Hex(value)}`
  return id || null
}

/** A number of a protobuf, which may come as a number, a Long or a text; null when it is none. */
export function numberOf(value: unknown): number | null {
  if (value === null || value === undefined || value === '') return null
  const number = Number(typeof value === 'object' ? String(value) : value)
  return Number.isFinite(number) ? number : null
}

/** A date in seconds or milliseconds since 1970 as ISO; null when it is no date of our time. */
export function dateOf(value: unknown, unit: 'seconds' | 'milliseconds'): string | null {
  const number = numberOf(value)
  if (number === null || number <= 0) return null
  const milliseconds = unit === 'seconds' ? number * 1_000 : number
  // The year 2100: beyond it the number is something else.
  return milliseconds < 4_102_444_800_000 ? new Date(milliseconds).toISOString() : null
}

/** What there is of these, put together. */
export function linesOf(...parts: (string | null | undefined)[]): string {
  return textOf(parts.filter(Boolean).join('\n'))
}

export function listOf<Item>(items: readonly Item[] | null | undefined): Item[] {
  return Array.isArray(items) ? items.slice(0, LIST_MAX) : []
}

/** JSON that came inside a message; null when it is no object. */
export function jsonOf(value: unknown): Record<string, unknown> | null {
  if (typeof value !== 'string' || value.length > 4 * TEXT_MAX) return null
  try {
    return recordOf(JSON.parse(value))
  } catch {
    return null
  }
}

export function recordOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : null
}

/**
 * The last resort: all texts in a structure whose names say that they are for a reader, in their order. Bounded in nodes and
 * length, and without recursion, so that no structure is too deep.
 */
export function findWords(root: unknown): string {
  const found = new Set<string>()
  const queue: unknown[] = [root]
  for (let visited = 0; queue.length > 0 && visited < NODES_MAX; visited++) {
    const node = queue.shift()
    if (typeof node !== 'object' || node === null || node instanceof Uint8Array) continue
    for (const [key, value] of Object.entries(node)) {
      if (SKIPPED.test(key)) continue
      if (typeof value === 'string') {
        const text = WORD_KEYS.test(key) ? textOf(value).trim() : ''
        if (text) found.add(text)
      } else if (typeof value === 'object' && value !== null) queue.push(value)
    }
  }
  return linesOf(...found)
}

/** The words of a content, as one text. */
export function wordsOf(content: InboundContent): string {
  switch (content.kind) {
    case 'location':
      return linesOf(content.name, content.address)
    case 'contacts':
      return linesOf(...content.contacts.map((card) => card.name))
    case 'interactive':
      return linesOf(content.header, content.text, content.footer)
    case 'poll':
      return linesOf(content.question, ...content.options)
    case 'poll_vote':
      return linesOf(...content.options)
    case 'event':
      return linesOf(content.name, content.description, content.place)
    case 'reaction':
      return content.emoji
    case 'deletion':
      return ''
    default:
      return content.text
  }
}

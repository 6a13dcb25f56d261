import { sha256Hex } from '../../../../lib/ids.ts'
import { cleanText, cutText } from '../../../../lib/text.ts'
import type { InboundContent } from '../../port.ts'

export const TEXT_MAX = 65_536
export const LABEL_MAX = 1_000
export const LIST_MAX = 300
const NODES_MAX = 2_000
const WORD_KEYS =
  /^(?:text|caption|title|subtitle|body|footer|header|description|name|note|message|question|label|comment|conversation|default|params|address|publisher|joinLink|codeContent)$|(?:text|caption|title|name|note|description|label)$/i
const SKIPPED =
  /^(?:contextInfo|messageContextInfo|quotedMessage|key|fileName|elementName|mimetype|accessibilityLabel|annotations|interactiveAnnotations|urlTrackingMap)$|jid$|hash$|token$|key$|url$|path$|json$/i

/** A text as it is stored: clean, and cut at whole characters. Anything but a string is empty. */
export function textOf(value: unknown, max = TEXT_MAX): string {
  if (typeof value !== 'string') return ''
  return cutText(cleanText(value.slice(0, max + 1_000)), max)
}

export function labelOf(value: unknown, max = LABEL_MAX): string | null {
  return textOf(value, max).trim() || null
}

const ID_MAX = 128

/** A message id as it is stored and compared. The sender chooses it: one too long for an index is shortened. */
export function idOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null
  const id = value.length <= ID_MAX ? cleanText(value) : `${cleanText(value.slice(0, 32))}~${sha256Hex(value)}`
  return id || null
}

/** A protobuf number, which may come as a number, a Long or a text; null otherwise. */
export function numberOf(value: unknown): number | null {
  if (value === null || value === undefined || value === '') return null
  const number = Number(typeof value === 'object' ? String(value) : value)
  return Number.isFinite(number) ? number : null
}

/** A date in seconds or milliseconds since 1970 as ISO; null when it is not plausible. */
export function dateOf(value: unknown, unit: 'seconds' | 'milliseconds'): string | null {
  const number = numberOf(value)
  if (number === null || number <= 0) return null
  const milliseconds = unit === 'seconds' ? number * 1_000 : number
  // The year 2100: a larger number is not a date.
  return milliseconds < 4_102_444_800_000 ? new Date(milliseconds).toISOString() : null
}

export function linesOf(...parts: (string | null | undefined)[]): string {
  return textOf(parts.filter(Boolean).join('\n'))
}

export function listOf<Item>(items: readonly Item[] | null | undefined): Item[] {
  return Array.isArray(items) ? items.slice(0, LIST_MAX) : []
}

/** JSON that came inside a message; null when it is not an object, or is too deep or too long. */
export function jsonOf(value: unknown): Record<string, unknown> | null {
  if (typeof value !== 'string' || value.length > 4 * TEXT_MAX || nestingOf(value) > JSON_DEPTH_MAX) return null
  try {
    return recordOf(JSON.parse(value))
  } catch {
    return null
  }
}

const JSON_DEPTH_MAX = 64

function nestingOf(json: string): number {
  let depth = 0
  let deepest = 0
  for (const character of json)
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    else if (character === '}' || character === ']') depth -= 1
  return deepest
}

export function recordOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : null
}

/**
 * All texts in a structure whose field names say that they are for a reader. Bounded in nodes and length, and without
 * recursion, so that no structure is too deep.
 */
function wordsIn(root: unknown): string[] {
  const found = new Set<string>()
  const queue: unknown[] = [root]
  let length = 0
  for (let visited = 0; visited < queue.length && visited < NODES_MAX; visited++) {
    const node = queue[visited]
    if (typeof node !== 'object' || node === null || node instanceof Uint8Array) continue
    const entries = Object.entries(node)
    // Next to parameters, `name` is a kind of button.
    const hasParameters = entries.some(([key]) => /paramsJson$/i.test(key))
    for (const [key, value] of entries) {
      if (SKIPPED.test(key) || (hasParameters && key === 'name')) continue
      const texts: unknown[] = Array.isArray(value) ? value : [value]
      for (const text of texts.slice(0, NODES_MAX))
        if (typeof text !== 'string') queue.push(text)
        else if (WORD_KEYS.test(key) && length < TEXT_MAX) {
          const word = cleanText(text.slice(0, TEXT_MAX)).trim()
          length += word.length
          if (word) found.add(word)
        }
    }
  }
  return [...found]
}

export function findWords(root: unknown): string {
  return linesOf(...wordsIn(root))
}

export function missingWords(root: unknown, content: InboundContent): string {
  const kept = stringsOf(content).join('\n')
  return linesOf(...wordsIn(root).filter((word) => !kept.includes(word.slice(0, LABEL_MAX))))
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => (key === 'url' ? [] : stringsOf(part)))
}

/** Adds text to a content, where its kind has a field for it. */
export function withWords(content: InboundContent, words: string): InboundContent {
  if (!words) return content
  switch (content.kind) {
    case 'text':
    case 'media':
    case 'choice':
    case 'interactive':
    case 'order':
    case 'product':
    case 'unsupported':
      return { ...content, text: linesOf(content.text, words) }
    case 'location':
      return { ...content, text: linesOf(content.text, words) }
    case 'event':
      return { ...content, description: linesOf(content.description, words) }
    default:
      return content
  }
}

export function wordsOf(content: InboundContent): string {
  switch (content.kind) {
    case 'location':
      return linesOf(content.name, content.address, content.text)
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

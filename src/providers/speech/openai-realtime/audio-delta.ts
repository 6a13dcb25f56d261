/**
 * Reads `response.output_audio.delta` events into its own fields: pieces of one item share everything but their payload, so
 * that most of them cost one slice.
 */
export class DeltaCut {
  responseId = ''
  itemId = ''
  payload = ''
  /** How long the payload plays, in ms. */
  ms = 0

  /**
   * @param item what the last piece was of, and the response that item belongs to
   * @returns whether this was an audio delta of the usual form; the fields hold it then
   */
  read(text: string, item: string, response: string): boolean {
    if (!text.startsWith(DELTA_START)) return false
    const id = text.indexOf(ITEM, DELTA_START.length) + ITEM.length
    if (id < ITEM.length) return false
    const idEnd = id + item.length
    let at: number
    if (text.charCodeAt(idEnd) === QUOTE && item !== '' && text.startsWith(item, id)) {
      this.responseId = response
      this.itemId = item
      at = text.indexOf(DELTA, idEnd)
    } else {
      const whole = cutAudioDelta(text)
      if (!whole) return false
      this.responseId = whole.responseId
      this.itemId = whole.itemId
      at = text.indexOf(DELTA, DELTA_START.length)
    }
    if (at < 0 || text.includes('\\')) return false
    const from = at + DELTA.length
    const to = text.indexOf('"', from)
    if (to < 0) return false
    const padding = text.charCodeAt(to - 1) === EQUALS ? (text.charCodeAt(to - 2) === EQUALS ? 2 : 1) : 0
    this.ms = (((to - from) * 3) / 4 - padding) / 8
    this.payload = text.slice(from, to)
    return true
  }
}

const QUOTE = 34
const EQUALS = 61

/** A piece of audio, its base64 as it came. */
type AudioDelta = { responseId: string; itemId: string; payload: string }

const DELTA_START = '{"type":"response.output_audio.delta"'
const DELTA = '"delta":"'
const RESPONSE = '"response_id":"'
const ITEM = '"item_id":"'

/** Cuts an audio delta out of its text without parsing it; null for any other event, or one of unusual form. */
function cutAudioDelta(text: string): AudioDelta | null {
  if (!text.startsWith(DELTA_START)) return null
  const payload = cut(text, DELTA)
  const responseId = cut(text, RESPONSE)
  const itemId = cut(text, ITEM)
  // A backslash would be an escape that only a parser undoes.
  return payload === null || responseId === null || itemId === null || payload.includes('\\')
    ? null
    : { responseId, itemId, payload }
}

function cut(text: string, key: string): string | null {
  const at = text.indexOf(key, DELTA_START.length)
  if (at < 0) return null
  const end = text.indexOf('"', at + key.length)
  return end < 0 ? null : text.slice(at + key.length, end)
}

/** How long base64 μ-law plays, in ms, without decoding it. */
export function msOfBase64(payload: string): number {
  const { length } = payload
  const padding = payload.charCodeAt(length - 1) === 61 ? (payload.charCodeAt(length - 2) === 61 ? 2 : 1) : 0
  return ((length * 3) / 4 - padding) / 8
}

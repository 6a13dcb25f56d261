import type { EnginePlayer } from '../port.ts'
import type { SessionContext } from './session-context.ts'

/** The audio and words of the items that the server produces. */
export class AgentAudio {
  player: EnginePlayer | null = null
  /** The item whose audio comes now, and its response. */
  item = ''
  responseId = ''
  /** Audio of the present item, in ms; that of earlier items is in the map. */
  #itemMs = 0
  readonly #earlierMs = new Map<string, number>()
  /** The item whose end was reported last. */
  #ended = ''
  /** Words of the present item so far. */
  #words = { itemId: '', text: '' }

  constructor(private readonly context: SessionContext) {}

  play(responseId: string, itemId: string, payload: string, ms: number): void {
    if (itemId !== this.item) {
      this.#earlierMs.set(this.item, this.#itemMs)
      this.item = itemId
      this.responseId = responseId
      this.#itemMs = this.#earlierMs.get(itemId) ?? 0
    }
    this.#itemMs += ms
    if (this.player) this.player.play(itemId, payload, ms)
    else this.context.emit({ type: 'audio', itemId, payload, ms })
  }

  /** How much audio of an item came, in ms; undefined for an item of which none did. */
  sentMsOf(itemId: string): number | undefined {
    return itemId === this.item ? this.#itemMs : this.#earlierMs.get(itemId)
  }

  spokeIn(responseId: string): boolean {
    return this.responseId === responseId && this.#itemMs > 0
  }

  /** No more audio of an item comes; reported once. */
  end(itemId: string): void {
    if (this.#ended === itemId) return
    this.#ended = itemId
    this.context.emit({ type: 'audio_done', itemId })
  }

  addWords(itemId: string, text: string): void {
    this.#words = { itemId, text: this.#words.itemId === itemId ? this.#words.text + text : text }
  }

  wordsOf(itemId: string): string | null {
    return (this.#words.itemId === itemId && this.#words.text.trim()) || null
  }
}

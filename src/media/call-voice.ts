import { base64Of } from './audio/base64.ts'
import type { CallContext } from './call-context.ts'
import type { Clock } from './clock.ts'
import { type Heard, PlaybackLedger } from './playback.ts'
import type { PhraseName, StreamTransport } from './session-ports.ts'
import { MEDIA_TAIL, StreamWriter } from './wire.ts'

/** A mark stands behind so much audio at most; a smaller item has one at its end. */
const MARK_EVERY_MS = 500

/** Who waits for what is played. */
export type VoiceWatcher = {
  /** More audio was sent. */
  audioSent(): void
  /** An item is whole, and plays. */
  stillPlaying(): void
  /** Everything that was sent may be heard now. */
  settled(): void
}

/** What the caller is played: audio, the marks behind it, and what of it was heard. */
export class CallVoice {
  // What every piece looks at comes first, so that it lies together.
  readonly #context: CallContext
  readonly #transport: StreamTransport
  readonly #clock: Clock
  readonly #ledger = new PlaybackLedger()
  #mediaHead: string | null = null
  /** The item that is being sent, whose turn is known. */
  #item = ''
  #watcher: VoiceWatcher | null = null
  #writer: StreamWriter | null = null
  #phrases = 0
  #lastFillerAt = Number.NEGATIVE_INFINITY

  constructor(context: CallContext, transport: StreamTransport) {
    this.#context = context
    this.#transport = transport
    this.#clock = context.clock
  }

  watchedBy(watcher: VoiceWatcher): void {
    this.#watcher = watcher
  }

  /** The stream is known: from now on there is something to play on. */
  begin(streamSid: string): void {
    this.#writer = new StreamWriter(streamSid)
    this.#mediaHead = this.#writer.mediaHead
  }

  get playing(): boolean {
    return this.#ledger.playing
  }

  /** When everything sent will have been played, by estimate. */
  endsAt(now: number): number {
    return this.#ledger.endsAt(now)
  }

  greet(audio: Uint8Array): void {
    const context = this.#context
    if (context.state !== 'live') return
    this.playBytes('greeting', audio, context.reception?.script.greeting ?? null)
    context.metrics.greetingMs = Number((this.#clock.now() - context.startedAt).toFixed(2))
  }

  /**
   * Something to hear while the caller waits, not too often.
   * @param waiting the caller is known to wait, though the engine may not have said that they fell silent
   */
  filler(waiting = false): void {
    const context = this.#context
    const now = this.#clock.now()
    if (!context.live || this.playing || context.state === 'closing') return
    if (context.callerSpeaking && !waiting) return
    if (now - this.#lastFillerAt < context.policy.fillerEveryMs) return
    this.#lastFillerAt = now
    context.metrics.fillers++
    this.phrase('oneMoment')
  }

  phrase(name: PhraseName): void {
    const { reception, record } = this.#context
    const audio = reception?.phrase?.(name)
    record.decide('phrase', { name })
    if (!audio) return
    const text = name === 'oneMoment' ? (reception?.script.oneMoment ?? null) : null
    this.playBytes(`phrase_${++this.#phrases}`, audio, text)
  }

  /** Audio of our own, whole. */
  playBytes(itemId: string, audio: Uint8Array, text: string | null): void {
    const now = this.#clock.now()
    if (this.#mediaHead !== null) {
      if (itemId !== this.#item) this.#beginItem(itemId, text, now)
      const sent = this.#transport.send(this.#mediaHead + base64Of(audio) + MEDIA_TAIL)
      this.#ledger.sentBytes(itemId, audio, now)
      this.#wasSent(itemId, audio.byteLength / 8, now, sent)
    }
    this.finish(itemId)
  }

  /** A piece of the engine's. @param payload base64, passed on as it came */
  play(itemId: string, payload: string, ms: number, text: string | null): void {
    if (this.#mediaHead === null) return
    const now = this.#clock.now()
    if (itemId !== this.#item) this.#beginItem(itemId, text, now)
    const sent = this.#transport.send(this.#mediaHead + payload + MEDIA_TAIL)
    const unmarkedMs = this.#ledger.sent(itemId, payload, ms, now)
    this.#wasSent(itemId, ms, now, sent)
    if (sent && unmarkedMs >= MARK_EVERY_MS) this.#sendMark()
  }

  #beginItem(itemId: string, text: string | null, now: number): void {
    const { transcript, startedAt } = this.#context
    this.#item = itemId
    if (!transcript.knows(itemId)) transcript.agentSays(itemId, text, this.#ledger.endsAt(now) - startedAt)
  }

  #wasSent(itemId: string, ms: number, now: number, sent: boolean): void {
    const context = this.#context
    context.record.audio(itemId, ms, now - context.startedAt)
    if (sent) this.#watcher?.audioSent()
    else void context.end('stream_lost', 'the carrier does not take the audio')
  }

  #sendMark(): void {
    const name = this.#ledger.mark()
    if (name === null || !this.#writer) return
    this.#context.record.flushAudio()
    if (!this.#transport.send(this.#writer.mark(name)))
      void this.#context.end('stream_lost', 'the carrier does not take a mark')
  }

  /** No more audio of an item: its last mark, and its turn when it was heard already. */
  finish(itemId: string): void {
    this.#sendMark()
    const heard = this.#ledger.finish(itemId)
    if (heard) this.#wasHeard(heard, false)
    if (this.playing) this.#watcher?.stillPlaying()
    else this.#watcher?.settled()
  }

  /** The engine is about to go, and with it the words of what it was saying. */
  learnAllWords(): void {
    for (const itemId of this.#ledger.open()) this.#learnWords(itemId)
  }

  /** No more audio of any item: who made it is gone. */
  finishAll(): void {
    for (const itemId of this.#ledger.open()) this.finish(itemId)
  }

  markReturned(name: string): void {
    for (const item of this.#ledger.markReturned(name, this.#clock.now())) this.#wasHeard(item, false)
    if (!this.playing) this.#watcher?.settled()
  }

  /** The caller has the word: nothing more is made, what waits to be played is dropped, and the engine told what was heard. */
  interrupt(): void {
    const writer = this.#writer
    if (!writer) return
    const context = this.#context
    const { record, metrics } = context
    const from = this.#clock.now()
    // Stop producing first: audio that comes after the clear would be heard.
    record.decide('cancel')
    context.engine?.cancel()
    const cut = this.#ledger.clear(this.#clock.now())
    this.#transport.send(writer.clear())
    metrics.clears.push(this.#clock.now() - from)
    metrics.bargeIns++
    record.decide('clear')
    for (const item of cut) {
      record.decide('truncate', { item: item.itemId, ms: Math.round(item.heardMs) })
      context.engine?.truncate(item.itemId, item.heardMs)
      this.#wasHeard(item, true)
    }
    context.remainder = cut[0] ?? null
  }

  /** The call is over: what of the items under way was heard. */
  endAll(): void {
    for (const item of this.#ledger.clear(this.#clock.now())) this.#wasHeard(item, item.heardMs < item.sentMs)
  }

  #wasHeard(item: Heard, interrupted: boolean): void {
    if (item.itemId === this.#item) this.#item = ''
    this.#learnWords(item.itemId)
    this.#context.transcript.agentHeard(item.itemId, item.heardMs, item.sentMs, interrupted)
  }

  /** An answer that is cut off while it is still being made has told its words in part only. */
  #learnWords(itemId: string): void {
    const { transcript, engine, record } = this.#context
    if (!transcript.knows(itemId) || transcript.textOf(itemId) !== null) return
    const text = engine?.wordsOf?.(itemId)
    if (!text) return
    transcript.agentText(itemId, text)
    record.note('engine', { event: { type: 'agent_transcript', itemId, text } })
  }
}

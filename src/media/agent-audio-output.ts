import { base64Of } from '../audio/base64.ts'
import { errorMessage } from '../lib/errors.ts'
import type { EnginePlayer } from '../providers/speech/port.ts'
import type { CallContext } from './call-context.ts'
import type { AudioRun, AudioRuns } from './call-trace.ts'
import type { Clock } from './clock.ts'
import type { PhraseName, StreamTransport } from './media-session-ports.ts'
import { type Heard, PlaybackLedger } from './playback.ts'
import { MEDIA_TAIL, StreamWriter } from './twilio-frames.ts'

/** A mark stands behind so much audio at most; a smaller item has one at its end. */
const MARK_EVERY_MS = 1_000

/** A pause between pieces up to which they are one run of audio. */
const RUN_GAP_MS = 20

/** One relay of 64 is timed. */
const TIMED = 63

/** Who waits for what is played. */
export type VoiceWatcher = {
  /** Audio is about to be sent, after a pause or a change. */
  audioBegins(): void
  /** An item is whole, and plays. */
  stillPlaying(): void
  /** Everything that was sent may be heard now. */
  settled(): void
}

/** Who goes by whether the engine speaks. */
export type SpeechListener = {
  begins(itemId: string): void
  /** No more audio of an item will come. @param sentMs how much of it came */
  ends(itemId: string, sentMs: number): void
}

/** What the caller is played: audio, the marks behind it, and what of it was heard. */
export class AgentAudioOutput implements EnginePlayer, AudioRuns {
  // What every piece looks at comes first, so that it lies together: one that goes on what the last one began needs no more.
  readonly #transport: StreamTransport
  readonly #ledger = new PlaybackLedger()
  readonly #clock: Clock
  #head = ''
  /** The item that is being sent, whose turn is known. */
  #item = ''
  /** The audio that is not in the trace yet, and until when a further piece joins it. */
  #runMs = 0
  #runUntil = Number.NEGATIVE_INFINITY
  #pieces = 0
  #runItem = ''
  #runAt = 0
  readonly #context: CallContext
  #watcher: VoiceWatcher | null = null
  #listener: SpeechListener | null = null
  #writer: StreamWriter | null = null
  #phrases = 0
  #lastFillerAt = Number.NEGATIVE_INFINITY

  constructor(context: CallContext, transport: StreamTransport) {
    this.#context = context
    this.#transport = transport
    this.#clock = context.clock
    context.trace.follow(this)
  }

  watchedBy(watcher: VoiceWatcher): void {
    this.#watcher = watcher
  }

  onSpeech(listener: SpeechListener): void {
    this.#listener = listener
  }

  /** The stream is known: from now on there is something to play on. */
  begin(streamSid: string): void {
    this.#writer = new StreamWriter(streamSid)
    this.#head = this.#writer.mediaHead
  }

  get playing(): boolean {
    return this.#ledger.playing
  }

  /** When everything sent will have been played, by estimate. */
  endsAt(now: number): number {
    return this.#ledger.endsAt(now)
  }

  /** Since when nothing is heard, or from when on, by estimate. */
  quietSince(): number {
    return this.#ledger.quietSince()
  }

  /** Whether something that was begun is to go on. */
  get unfinished(): boolean {
    return this.#ledger.open().length > 0
  }

  greet(audio: Uint8Array): void {
    const context = this.#context
    context.greetingDue = false
    if (context.state !== 'live') return
    this.playBytes('greeting', audio, context.reception?.script.greeting ?? null)
    context.metrics.greetingMs = Number((this.#clock.now() - context.startedAt).toFixed(2))
  }

  /**
   * Something to hear while the caller waits, not too often.
   * @param waiting the caller is known to wait, though the engine may not have said that they fell silent
   * @param again also when something like it was said a moment ago
   */
  filler(waiting = false, again = false): void {
    const context = this.#context
    const now = this.#clock.now()
    // By the clock: marks may never come back.
    if (!context.live || this.endsAt(now) > now || context.state === 'closing') return
    if (context.callerSpeaking && !waiting) return
    if (!again && now - this.#lastFillerAt < context.policy.fillerEveryMs) return
    this.#lastFillerAt = now
    context.metrics.fillers++
    this.phrase('oneMoment')
  }

  phrase(name: PhraseName): void {
    const { reception, trace } = this.#context
    const audio = reception?.phrase?.(name)
    trace.decide({ decision: 'phrase', name })
    const text = name === 'connecting' ? null : (reception?.script[name] ?? null)
    const itemId = `phrase_${++this.#phrases}`
    if (audio) this.playBytes(itemId, audio, text)
    else
      reception?.renderPhrase?.(name).then(
        (rendered) => {
          // The engine may have begun to speak meanwhile.
          const now = this.#clock.now()
          if (this.#context.live && this.endsAt(now) <= now) this.playBytes(itemId, rendered, text)
        },
        (error: unknown) =>
          this.#context.log.error({ name, error: errorMessage(error) }, 'a phrase could not be rendered'),
      )
  }

  /** Pieces of the engine's that were passed on. */
  get pieces(): number {
    return this.#pieces
  }

  /** The next piece is not just one more: something waits for it. */
  attend(): void {
    this.#runUntil = Number.NEGATIVE_INFINITY
  }

  /** Audio of our own, whole. */
  playBytes(itemId: string, audio: Uint8Array, text: string | null): void {
    const now = this.#clock.now()
    if (this.#begin(itemId, text, now)) {
      const ms = audio.byteLength / 8
      this.#runMs += ms
      this.#runUntil += ms
      const status = this.#transport.send(this.#head + base64Of(audio) + MEDIA_TAIL)
      this.#ledger.sentBytes(itemId, audio, now)
      if (status === 0) this.#notTaken()
    }
    this.finish(itemId)
  }

  /** A piece of the engine's. @param payload base64, passed on as it came @param ms how long it plays */
  play(itemId: string, payload: string, ms: number, text?: string): void {
    const now = this.#clock.now()
    if ((itemId !== this.#item || now > this.#runUntil) && !this.#answer(itemId, text ?? null, ms, now)) return
    this.#runMs += ms
    this.#runUntil += ms
    const status = this.#transport.send(this.#head + payload + MEDIA_TAIL)
    const unmarkedMs = this.#ledger.sent(itemId, payload, ms, now)
    if ((this.#pieces++ & TIMED) === 0) this.#context.metrics.relayedOut(this.#clock.now() - now)
    if (status === 0) this.#notTaken()
    else if (unmarkedMs >= MARK_EVERY_MS) this.#sendMark()
  }

  /** A piece that does not just go on. @returns whether it may be played */
  #answer(itemId: string, text: string | null, ms: number, now: number): boolean {
    if (ms <= 0 || !this.#begin(itemId, text, now)) return false
    this.#listener?.begins(itemId)
    const context = this.#context
    if (context.heardEndAt !== null) {
      context.metrics.responses.push(Math.max(0, now - context.heardEndAt))
      context.heardEndAt = null
    }
    context.remainder = null
    return true
  }

  /** Looks at everything that audio may mean to the call. @returns whether it may be played */
  #begin(itemId: string, text: string | null, now: number): boolean {
    const context = this.#context
    if (!context.live || this.#head === '') return false
    if (itemId !== this.#runItem || this.#runMs === 0 || now > this.#runAt + this.#runMs + RUN_GAP_MS) {
      context.trace.flushAudio()
      this.#runItem = itemId
      this.#runAt = now
    }
    this.#runUntil = this.#runAt + this.#runMs + RUN_GAP_MS
    if (itemId !== this.#item) this.#beginItem(itemId, text, now)
    // It may want to be asked again before the next piece.
    this.#watcher?.audioBegins()
    return true
  }

  #beginItem(itemId: string, text: string | null, now: number): void {
    const { transcript, startedAt } = this.#context
    this.#item = itemId
    if (!transcript.knows(itemId)) transcript.agentSays(itemId, text, this.#ledger.endsAt(now) - startedAt)
  }

  takeRun(): AudioRun | null {
    if (this.#runMs === 0) return null
    const run = { itemId: this.#runItem, ms: this.#runMs, at: this.#runAt - this.#context.startedAt }
    this.#runMs = 0
    this.attend()
    return run
  }

  #notTaken(): void {
    void this.#context.end('stream_lost', 'the carrier does not take the audio')
  }

  #sendMark(): void {
    const name = this.#ledger.mark()
    if (name === null || !this.#writer) return
    this.#context.trace.flushAudio()
    if (this.#transport.send(this.#writer.mark(name)) === 0)
      void this.#context.end('stream_lost', 'the carrier does not take a mark')
  }

  /** No more audio of an item: its last mark, and its turn when it was heard already. */
  finish(itemId: string): void {
    this.#sendMark()
    this.#listener?.ends(itemId, this.#ledger.sentOf(itemId))
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
    const { trace, metrics } = context
    const from = this.#clock.now()
    // Stop producing first: audio that comes after the clear would be heard.
    trace.decide({ decision: 'cancel' })
    context.engine?.cancel()
    const cut = this.#ledger.clear(this.#clock.now())
    this.#transport.send(writer.clear())
    metrics.clears.push(this.#clock.now() - from)
    metrics.bargeIns++
    trace.decide({ decision: 'clear' })
    for (const item of cut) {
      trace.decide({ decision: 'truncate', item: item.itemId, ms: Math.round(item.heardMs) })
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
    const { transcript, engine, trace } = this.#context
    if (!transcript.knows(itemId) || transcript.textOf(itemId) !== null) return
    const text = engine?.wordsOf?.(itemId)
    if (!text) return
    transcript.agentText(itemId, text)
    trace.note({ kind: 'engine', event: { type: 'agent_transcript', itemId, text } })
  }
}

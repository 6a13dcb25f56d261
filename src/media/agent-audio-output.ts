import { base64Of } from '../audio/base64.ts'
import { errorMessage } from '../lib/errors.ts'
import type { EnginePlayer } from '../providers/speech/port.ts'
import { memorySpool } from './audio-spool.ts'
import type { CallContext } from './call-context.ts'
import type { AudioRun, AudioRuns } from './call-trace.ts'
import type { Clock } from './clock.ts'
import { ItemAudio } from './item-audio.ts'
import type { ListenTap } from './listen-tap.ts'
import type { PhraseName, StreamTransport } from './media-session-ports.ts'
import { type Heard, PlaybackLedger } from './playback.ts'
import { MEDIA_TAIL, StreamWriter } from './twilio-frames.ts'

/** The most audio between two marks; every item has one at its end. */
const MARK_EVERY_MS = 1_000

/** The longest pause between pieces of one run of audio. */
const RUN_GAP_MS = 20

/** The longest item whose audio is stored. */
const MAX_ITEM_MS = 120_000

/** One relay of 64 is timed. */
const TIMED = 63

export type VoiceWatcher = {
  /** Audio is about to be sent, after a pause or a change of item. */
  audioBegins(): void
  /** An item is complete and still plays. */
  stillPlaying(): void
  /** Everything that was sent has been played. */
  settled(): void
}

export type SpeechListener = {
  begins(itemId: string): void
  ends(itemId: string, sentMs: number): void
}

/** The agent's audio on its way to the caller: audio and marks out, marks back, what was heard. */
export class AgentAudioOutput implements EnginePlayer, AudioRuns {
  // The fields that every piece reads come first, side by side in memory: a piece that continues a run needs no others.
  readonly #transport: StreamTransport
  readonly #ledger = new PlaybackLedger()
  readonly #clock: Clock
  #head = ''
  /** The item that is being sent; its turn is in the transcript. */
  #item = ''
  #tape: ItemAudio
  /** The audio that is not in the trace yet, and until when a further piece joins it. */
  #runMs = 0
  #runUntil = Number.NEGATIVE_INFINITY
  #pieces = 0
  #runItem = ''
  #runAt = 0
  readonly #tapes = new Map<string, ItemAudio>()
  readonly #context: CallContext
  #tap: ListenTap | null = null
  #watcher: VoiceWatcher | null = null
  #listener: SpeechListener | null = null
  #writer: StreamWriter | null = null
  #phrases = 0
  #lastFillerAt = Number.NEGATIVE_INFINITY

  constructor(context: CallContext, transport: StreamTransport) {
    this.#context = context
    this.#transport = transport
    this.#clock = context.clock
    this.#tape = this.#newTape()
    context.trace.follow(this)
  }

  setWatcher(watcher: VoiceWatcher): void {
    this.#watcher = watcher
  }

  setListener(listener: SpeechListener): void {
    this.#listener = listener
  }

  /** Copies what is played from now on, what still plays included; null ends that. */
  listen(tap: ListenTap | null): void {
    this.#tap = tap
    for (const audio of tap ? this.#ledger.unheard(this.#clock.now()) : []) tap?.agent(audio)
  }

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

  /** When the last audio was played, or will have been, by estimate. */
  quietSince(): number {
    return this.#ledger.quietSince()
  }

  /** Whether more audio of an item will come. */
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
   * Plays a filler while the caller waits, not too often.
   * @param waiting the caller waits, although the engine may not have reported the end of their speech
   * @param again also shortly after the last filler
   */
  filler(waiting = false, again = false): void {
    const context = this.#context
    const now = this.#clock.now()
    // By the clock: marks may never return.
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
          // The engine may have begun to speak during the rendering.
          const now = this.#clock.now()
          if (this.#context.live && this.endsAt(now) <= now) this.playBytes(itemId, rendered, text)
        },
        (error: unknown) => this.#context.log.error({ name, error: errorMessage(error) }, 'phrase not rendered'),
      )
  }

  get pieces(): number {
    return this.#pieces
  }

  /** Makes the next piece begin anew, because something waits for it. */
  expectPiece(): void {
    this.#runUntil = Number.NEGATIVE_INFINITY
  }

  /** Plays a complete item of the product's own. */
  playBytes(itemId: string, audio: Uint8Array, text: string | null): void {
    const now = this.#clock.now()
    if (this.#begin(itemId, text, now)) {
      const ms = audio.byteLength / 8
      this.#runMs += ms
      this.#runUntil += ms
      const status = this.#transport.send(this.#head + base64Of(audio) + MEDIA_TAIL)
      this.#ledger.sentBytes(itemId, audio, now)
      this.#tap?.agent(audio)
      this.#tape.appendBytes(audio)
      if (status === 0) this.#refused()
    }
    this.finish(itemId)
  }

  /** Plays a piece of the engine's audio. @param payload base64, passed on unchanged @param ms its length */
  play(itemId: string, payload: string, ms: number, text?: string): void {
    const now = this.#clock.now()
    if ((itemId !== this.#item || now > this.#runUntil) && !this.#answer(itemId, text ?? null, ms, now)) return
    this.#runMs += ms
    this.#runUntil += ms
    const status = this.#transport.send(this.#head + payload + MEDIA_TAIL)
    const unmarkedMs = this.#ledger.sent(itemId, payload, ms, now)
    if (this.#tap !== null) this.#tap.agent(payload)
    this.#tape.append(payload)
    if ((this.#pieces++ & TIMED) === 0) this.#context.metrics.relayedOut(this.#clock.now() - now)
    if (status === 0) this.#refused()
    else if (unmarkedMs >= MARK_EVERY_MS) this.#sendMark()
  }

  /** Begins a run of the engine's audio. @returns whether it may be played */
  #answer(itemId: string, text: string | null, ms: number, now: number): boolean {
    if (ms <= 0 || this.#context.takenOver || !this.#begin(itemId, text, now)) return false
    this.#listener?.begins(itemId)
    const context = this.#context
    if (context.heardEndAt !== null) {
      context.metrics.responses.push(Math.max(0, now - context.heardEndAt))
      context.heardEndAt = null
    }
    context.remainder = null
    return true
  }

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
    // Last: the watcher may call `expectPiece`.
    this.#watcher?.audioBegins()
    return true
  }

  #beginItem(itemId: string, text: string | null, now: number): void {
    const { transcript, startedAt } = this.#context
    this.#item = itemId
    this.#tape = this.#tapes.get(itemId) ?? this.#newTape()
    this.#tapes.set(itemId, this.#tape)
    if (!transcript.knows(itemId)) transcript.agentSays(itemId, text, this.#ledger.endsAt(now) - startedAt)
  }

  #newTape(): ItemAudio {
    return new ItemAudio(this.#context.deps.audioSpool ?? memorySpool, MAX_ITEM_MS)
  }

  takeRun(): AudioRun | null {
    if (this.#runMs === 0) return null
    const run = { itemId: this.#runItem, ms: this.#runMs, at: this.#runAt - this.#context.startedAt }
    this.#runMs = 0
    this.expectPiece()
    return run
  }

  #refused(): void {
    void this.#context.end('stream_lost', 'the carrier refused the audio')
  }

  #sendMark(): void {
    const name = this.#ledger.mark()
    if (name === null || !this.#writer) return
    this.#context.trace.flushAudio()
    if (this.#transport.send(this.#writer.mark(name)) === 0)
      void this.#context.end('stream_lost', 'the carrier refused a mark')
  }

  /** Completes an item: its last mark, and its turn if it was played already. */
  finish(itemId: string): void {
    this.#sendMark()
    this.#listener?.ends(itemId, this.#ledger.sentOf(itemId))
    const heard = this.#ledger.finish(itemId)
    if (heard) this.#wasHeard(heard, false)
    if (this.playing) this.#watcher?.stillPlaying()
    else this.#watcher?.settled()
  }

  /** Takes the words of unfinished items from the engine before it closes. */
  learnAllWords(): void {
    for (const itemId of this.#ledger.open()) this.#learnWords(itemId)
  }

  /** Completes every item: the engine that made them is closed. */
  finishAll(): void {
    for (const itemId of this.#ledger.open()) this.finish(itemId)
  }

  markReturned(name: string): void {
    for (const item of this.#ledger.markReturned(name, this.#clock.now())) this.#wasHeard(item, false)
    if (!this.playing) this.#watcher?.settled()
  }

  /** The caller interrupts: stops the engine, clears the carrier's buffer, and reports to the engine what was heard. */
  interrupt(): void {
    const writer = this.#writer
    if (!writer) return
    const context = this.#context
    const { trace, metrics } = context
    const from = this.#clock.now()
    // First: audio that comes after the clear would be heard.
    trace.decide({ decision: 'cancel' })
    context.engine?.cancel()
    const cut = this.#ledger.clear(this.#clock.now())
    this.#transport.send(writer.clear())
    this.#tap?.clear()
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

  /** The call is over: saves what was heard of the unfinished items. */
  endAll(): void {
    for (const item of this.#ledger.clear(this.#clock.now())) this.#wasHeard(item, item.heardMs < item.sentMs)
    for (const tape of this.#tapes.values()) tape.drop()
    this.#tapes.clear()
  }

  #wasHeard(item: Heard, interrupted: boolean): void {
    if (item.itemId === this.#item) this.#item = ''
    this.#learnWords(item.itemId)
    const audio = this.#tapes.get(item.itemId)?.take(item.heardMs)
    this.#tapes.delete(item.itemId)
    this.#context.transcript.agentHeard(item.itemId, item.heardMs, item.sentMs, interrupted, audio)
  }

  /** Takes an item's words from the engine, which reports them at its end only. */
  #learnWords(itemId: string): void {
    const { transcript, engine, trace } = this.#context
    if (!transcript.knows(itemId) || transcript.textOf(itemId) !== null) return
    const text = engine?.wordsOf?.(itemId)
    if (!text) return
    transcript.agentText(itemId, text)
    trace.note({ kind: 'engine', event: { type: 'agent_transcript', itemId, text } })
  }
}

import { mulawSilence } from '../../src/audio/mulaw.ts'
import type { EngineEvent, EngineSession, IntakeScript, SpeechEngine } from '../../src/providers/speech/port.ts'

/** How many times faster than real time a test's caller lives. */
const SPEED = 12
const STEP_MS = 100

/** A caller on an engine: a line that runs all the time, speech put onto it, and everything the engine reported. */
export class EngineCall {
  readonly events: EngineEvent[] = []
  readonly session: EngineSession
  /** What the call does on an event. */
  onEvent: (event: EngineEvent) => void = () => {}
  nowMs = 0
  #waiting: Uint8Array = new Uint8Array(0)
  #timer: Timer

  /** @param bargeIn what a call session does: stops playback as soon as the caller speaks */
  constructor(engine: SpeechEngine, script: IntakeScript, bargeIn = true) {
    let lastItem = ''
    this.session = engine.connect({
      callId: 'call',
      language: script.language,
      script,
      onEvent: (event) => {
        this.events.push(event)
        this.onEvent(event)
        if (event.type === 'audio') lastItem = event.itemId
        if (event.type !== 'speech_started' || !bargeIn) return
        this.session.cancel()
        if (lastItem) this.session.truncate(lastItem, 0)
      },
    })
    this.#timer = setInterval(() => this.#run(), STEP_MS / SPEED)
  }

  /** Puts speech onto the line, from now on. */
  speak(mulaw: Uint8Array): void {
    this.#waiting = mulaw
  }

  /** The next event of a type that was not waited for before, within ten seconds of the wall. */
  async next<T extends EngineEvent['type']>(type: T, from = 0): Promise<Extract<EngineEvent, { type: T }>> {
    const end = performance.now() + 10_000
    while (performance.now() < end) {
      const found = this.events
        .slice(from)
        .find((event): event is Extract<EngineEvent, { type: T }> => event.type === type)
      if (found) return found
      await Bun.sleep(5)
    }
    throw new Error(`no ${type} came; so far: ${this.events.map((event) => event.type).join(' ')}`)
  }

  /** Waits for the line to have run for so long. */
  async run(ms: number): Promise<void> {
    const end = this.nowMs + ms
    while (this.nowMs < end) await Bun.sleep(5)
  }

  /** The network goes away: no more frames. */
  stall(): void {
    clearInterval(this.#timer)
  }

  hangUp(): void {
    clearInterval(this.#timer)
    this.session.close()
  }

  #run(): void {
    for (let ms = 0; ms < STEP_MS; ms += 20) {
      const frame = mulawSilence(20)
      frame.set(this.#waiting.subarray(0, 160))
      this.#waiting = this.#waiting.subarray(160)
      this.session.sendAudio(Buffer.from(frame).toString('base64'), this.nowMs)
      this.nowMs += 20
    }
  }
}

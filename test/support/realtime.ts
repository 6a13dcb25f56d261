import { intakeScript } from '../../src/domain/receptionist/index.ts'
import type { EngineEvent, EngineSession, EngineSessionOptions, SpeechEngine } from '../../src/providers/speech/port.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import type { RealtimeScriptInput } from '../../src/sandbox/openai/script.ts'
import type { OpenAiSandbox } from '../../src/sandbox/openai/server.ts'
import { startOpenAi } from '../../src/sandbox/openai/server.ts'
import type { SessionReport } from '../../src/sandbox/openai/session-report.ts'

export const OPENAI_KEY = 'sk-sandbox-0123456789'

/** The simulated OpenAI on a free port. */
export function startTestOpenAi(
  script: RealtimeScriptInput,
  speak?: (text: string, language: string) => Promise<Uint8Array>,
): OpenAiSandbox {
  return startOpenAi({ port: 0, apiKey: OPENAI_KEY, script, ...(speak ? { speak } : {}) })
}

const SILENT = Buffer.alloc(160, 0xff).toString('base64')

/** A caller directly on an engine: frames in real time, voice where it is put, and all that the engine reported. */
export class RealtimeCaller {
  readonly events: EngineEvent[] = []
  readonly session: EngineSession
  nowMs = 0
  #voice: string[] = []
  #lost = false
  readonly #timer: Timer
  readonly #startedAt = performance.now()

  constructor(engine: SpeechEngine, options: Partial<EngineSessionOptions> = {}) {
    this.session = engine.connect({
      callId: 'call',
      language: 'en',
      script: intakeScript({ language: 'en', businessName: 'Levi' }),
      instructions: 'You answer the telephone.',
      ...options,
      onEvent: (event) => {
        this.events.push(event)
        options.onEvent?.(event)
      },
    })
    this.#timer = setInterval(() => this.#run(), 20)
  }

  /** Speaks for that long, from now on. */
  speak(ms: number): void {
    const audio = makeTone(440, ms)
    for (let at = 0; at < audio.length; at += 160)
      this.#voice.push(Buffer.from(audio.subarray(at, at + 160)).toString('base64'))
  }

  /** What the line has for that long, all at once: a session that is not ready yet holds it. */
  rush(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) this.#sendFrame()
  }

  /** The network goes or comes back; the media clock runs on. */
  loseFrames(lost: boolean): void {
    this.#lost = lost
  }

  async next<T extends EngineEvent['type']>(
    type: T,
    from = 0,
    ms = 12_000,
  ): Promise<Extract<EngineEvent, { type: T }>> {
    const end = performance.now() + ms
    for (;;) {
      const found = this.events
        .slice(from)
        .find((event): event is Extract<EngineEvent, { type: T }> => event.type === type)
      if (found) return found
      if (performance.now() > end)
        throw new Error(`no ${type} came; so far: ${this.events.map((event) => event.type).join(' ')}`)
      await Bun.sleep(5)
    }
  }

  hangUp(): void {
    clearInterval(this.#timer)
    this.session.close()
  }

  #run(): void {
    // Catches up after a late timer, as a carrier does.
    while (this.nowMs <= performance.now() - this.#startedAt) this.#sendFrame()
  }

  #sendFrame(): void {
    const voice = this.#voice.shift()
    if (!this.#lost) this.session.sendAudio(voice ?? SILENT, this.nowMs)
    this.nowMs += 20
  }
}

export function lastReport(sandbox: OpenAiSandbox): SessionReport {
  const report = sandbox.sessions.at(-1)?.report
  if (!report) throw new Error('no session was opened')
  return report
}

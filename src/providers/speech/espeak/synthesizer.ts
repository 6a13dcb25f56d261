import { AppError } from '../../../lib/errors.ts'
import type { SpeechSynthesizer, VoiceNoteSpeaker } from '../port.ts'
import { toRuns } from './utterance.ts'
import type { SynthesisReply, SynthesisRequest } from './worker.ts'

/** Engine, voices and reading rules: change it when any of them changes how a text sounds. */
const VERSION = 'espeak-ng-0.3.5/he+en-us/155wpm/reading-1'
const MAX_TEXT = 4000

export type EspeakOptions = {
  /** The thread's entry file. */
  workerUrl?: URL
  /** How long one request may take, the ones before it included. */
  timeoutMs?: number
}

type Pending = { resolve: (audio: Uint8Array<ArrayBuffer>) => void; reject: (error: AppError) => void; timer: Timer }

/** espeak-ng (WASM) in its own thread, as its synthesis blocks; a request starts the thread when none runs. */
export function createEspeakSynthesizer(options: EspeakOptions = {}): SpeechSynthesizer & VoiceNoteSpeaker {
  return new EspeakSynthesizer(
    options.workerUrl ?? new URL('./worker.ts', import.meta.url),
    options.timeoutMs ?? 20_000,
  )
}

class EspeakSynthesizer implements SpeechSynthesizer, VoiceNoteSpeaker {
  readonly version = VERSION
  readonly #workerUrl: URL
  readonly #timeoutMs: number
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  #nextId = 1
  #closed = false

  constructor(workerUrl: URL, timeoutMs: number) {
    this.#workerUrl = workerUrl
    this.#timeoutMs = timeoutMs
  }

  synthesize(request: Pick<SynthesisRequest, 'text' | 'language'>): Promise<Uint8Array<ArrayBuffer>> {
    return this.#request({ ...request, as: 'mulaw' })
  }

  speakVoiceNote(request: Pick<SynthesisRequest, 'text' | 'language'>): Promise<Uint8Array<ArrayBuffer>> {
    return this.#request({ ...request, as: 'voice_note' })
  }

  async #request({ text, language, as }: Omit<SynthesisRequest, 'id'>): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#closed) throw unavailable('The voice was closed.')
    if (text.length > MAX_TEXT)
      throw new AppError(
        'too_large',
        'text_too_long',
        `A text to speak may have ${MAX_TEXT} characters, this has ${text.length}.`,
      )
    if (toRuns(text, language).length === 0)
      throw new AppError('invalid', 'nothing_to_say', 'The text holds no word in Hebrew or Latin letters.')
    const worker = this.#worker ?? this.#start()
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#end(worker, unavailable(`The voice did not answer within ${this.#timeoutMs} ms and was restarted.`))
      }, this.#timeoutMs)
      this.#pending.set(id, { resolve, reject, timer })
      worker.postMessage({ id, text, language, as } satisfies SynthesisRequest)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#worker) this.#end(this.#worker, unavailable('The voice was closed.'))
  }

  #start(): Worker {
    const worker = new Worker(this.#workerUrl)
    worker.onmessage = (message: MessageEvent<SynthesisReply>) => this.#settle(message.data)
    worker.onerror = (event) =>
      this.#end(worker, unavailable(`The voice crashed (${firstError(event.message)}); try again.`))
    worker.addEventListener('close', () => this.#end(worker, unavailable('The voice ended unexpectedly; try again.')))
    this.#worker = worker
    return worker
  }

  #settle(reply: SynthesisReply): void {
    const pending = this.#pending.get(reply.id)
    if (!pending) return
    this.#pending.delete(reply.id)
    clearTimeout(pending.timer)
    if ('audio' in reply) pending.resolve(reply.audio)
    else pending.reject(unavailable(`The voice could not speak this text: ${reply.error}`))
  }

  /** Drops a thread that ended, or is about to, and rejects its pending requests. */
  #end(worker: Worker, reason: AppError): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    worker.terminate()
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer)
      reject(reason)
    }
    this.#pending.clear()
  }
}

/** Bun's message of a thread's error carries the source around it: the error's own line is enough. */
function firstError(message: string): string {
  return /\w*Error: .*/.exec(message)?.[0] ?? message.trim()
}

function unavailable(message: string): AppError {
  return new AppError('unavailable', 'voice_unavailable', message)
}

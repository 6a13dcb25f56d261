import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { ServedCall } from './media-session-ports.ts'

export type Caller = Omit<ServedCall, 'expiresAt' | 'nonce' | 'tried'>

/** From the webhook to the stream of a call. */
const KEPT_MS = 30_000
const MOST_KEPT = 1_000

/** What is known of callers, read beside the setup of their call, once; no caller waits for it. */
export class CallerMemories {
  readonly #reads = new Map<string, Promise<string | null>>()

  /** @param read null where nothing is known */
  constructor(
    private readonly read: (call: Caller) => Promise<string | null>,
    private readonly log: Logger,
  ) {}

  /** Never rejects. Of a caller whose number was found not to be theirs, and of a test call, nothing is known. */
  of(call: Caller): Promise<string | null> {
    if (call.test || call.unverified || call.diverted) return Promise.resolve(null)
    const { callSid } = call
    const begun = this.#reads.get(callSid)
    if (begun) return begun
    const reading = this.read(call).catch((error: unknown) => {
      this.log.warn({ callSid, error: errorMessage(error) }, 'what is known of a caller was not read')
      return null
    })
    this.#reads.set(callSid, reading)
    const [oldest] = this.#reads.keys()
    if (this.#reads.size > MOST_KEPT && oldest !== undefined) this.#reads.delete(oldest)
    setTimeout(() => this.#reads.delete(callSid), KEPT_MS).unref()
    return reading
  }
}

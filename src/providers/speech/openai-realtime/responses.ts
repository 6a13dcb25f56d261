import type { RealtimeConnection } from './connection.ts'
import { isRateLimit, type ServerEventOf } from './events.ts'
import type { RacingEvent } from './race-errors.ts'
import { judgeResponse } from './response-end.ts'
import type { SessionContext } from './session-context.ts'
import type { StallWatch } from './stall-watch.ts'

/** A response to ask for. `optional`: only if the server makes none by itself. */
type WantedResponse = { instructions?: string; optional?: true }

export type FinishedResponse = ServerEventOf<'response.done'>['response']

/** The responses of the model: one at a time, those to come, and those whose audio is not wanted any more. */
export class Responses {
  /** The response under way. */
  active: string | null = null
  /** To be asked for as soon as the present response is over. */
  #wanted: WantedResponse | null = null
  #asked: WantedResponse = {}
  /** A response was asked for and has not begun. */
  #creating = false
  /** Responses whose audio is not wanted; null when there are none. */
  #dropped: Set<string> | null = null
  /** The next response answers a turn that wants no answer. */
  #ignoreNext = false
  /** Responses in a row without a word for the caller. */
  #fruitless = 0
  /** The response under way finishes one that broke off. */
  #finishing = false

  constructor(
    private readonly context: SessionContext,
    private readonly connection: RealtimeConnection,
    private readonly watch: StallWatch,
  ) {}

  /** Whether a response is under way or asked for. */
  get isBusy(): boolean {
    return this.active !== null || this.#creating
  }

  isDropped(responseId: string): boolean {
    return this.#dropped?.has(responseId) ?? false
  }

  /** Asks for a response, at once or when the present one is over: the server refuses two at a time. */
  ask(wanted: WantedResponse): void {
    if (this.active || this.context.state !== 'ready') this.#wanted = wanted
    else this.create(wanted)
  }

  /** Asks for a response after the present one, if there is one; else the server answers by itself. */
  askAfterActive(): void {
    if (this.active) this.#wanted ??= {}
  }

  create(wanted: WantedResponse): void {
    this.#ignoreNext = false
    this.#creating = true
    this.#asked = wanted
    this.watch.expect()
    this.connection.sendRacing({
      type: 'response.create',
      ...(wanted.instructions ? { response: { instructions: wanted.instructions, tool_choice: 'none' } } : {}),
    })
  }

  cancel(): void {
    const { active } = this
    if (!active || this.isDropped(active)) return
    this.#dropped ??= new Set()
    this.#dropped.add(active)
    this.connection.sendRacing({ type: 'response.cancel', response_id: active })
  }

  /** The turn that `responseId` answers, or the next response will, wants no answer. */
  ignore(responseId: string | null): void {
    if (responseId !== null && responseId === this.active) this.cancel()
    // While another response is under way the server will not answer.
    else if (responseId === null && !this.active) this.#ignoreNext = true
  }

  /** The caller speaks again: the answer to the new turn is wanted. */
  speechStarted(): void {
    this.#ignoreNext = false
  }

  begin(responseId: string): void {
    this.active = responseId
    this.#creating = false
    this.watch.expect()
    if (!this.#ignoreNext) return
    this.#ignoreNext = false
    this.cancel()
  }

  /** @returns whether its audio was not wanted any more */
  end(responseId: string): boolean {
    const dropped = this.isDropped(responseId)
    if (this.active === responseId) this.active = null
    this.#creating = false
    this.#dropped?.delete(responseId)
    if (this.#dropped?.size === 0) this.#dropped = null
    this.watch.answered()
    return dropped
  }

  createWanted(): void {
    const wanted = this.#wanted
    this.#wanted = null
    if (wanted && this.context.state === 'ready') this.create(wanted)
  }

  /** A response without a word for the caller is asked for once more; two in a row end the session. */
  judge(response: FinishedResponse, heard: { spoke: boolean; called: boolean; speaking: boolean }): void {
    const { error, reason } = response.status_details ?? {}
    const { spoke, called } = heard
    const verdict = judgeResponse({ status: response.status, reason: reason ?? null, spoke, called })
    if (verdict.kind === 'failed' && isRateLimit(error?.type ?? '', error?.code ?? '')) {
      this.context.fail('engine_rate_limited', error?.message ?? '', false)
      return
    }
    if (verdict.kind === 'answered') {
      this.#fruitless = 0
      this.#finishing = false
      return
    }
    // The caller speaks: what they say next is answered.
    if (heard.speaking) return
    // An answer that broke off is finished once.
    if (spoke && this.#finishing) {
      this.#finishing = false
      return
    }
    this.#finishing = spoke
    this.#fruitless = spoke ? 0 : this.#fruitless + 1
    if (this.#fruitless > 1) {
      const what = error?.code ?? `a response was ${response.status}${reason ? ` (${reason})` : ''} without words`
      this.context.fail('engine_response_failed', what, true)
      return
    }
    this.#wanted ??= verdict.kind === 'again' && verdict.instructions ? { instructions: verdict.instructions } : {}
  }

  /** The server refused an event because it crossed one of the server's own. */
  crossed(event: RacingEvent): void {
    if (event === 'response.create') {
      this.#creating = false
      this.#askAgain()
    } else if (event === 'response.cancel' && this.active && this.isDropped(this.active)) {
      // The server does not have the response: no end of it will come.
      this.active = null
      this.watch.answered()
      this.createWanted()
    }
  }

  /** An error answered what was asked for. */
  refused(): void {
    this.#creating = false
  }

  /** The server began a response of its own in the same moment: the one asked for follows it, or takes its place. */
  #askAgain(): void {
    if (this.#asked.optional) {
      this.#asked = {}
      return
    }
    this.#wanted ??= this.#asked
    if (this.active && this.#wanted.instructions) this.cancel()
  }
}

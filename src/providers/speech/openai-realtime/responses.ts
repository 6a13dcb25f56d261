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
  active: string | null = null
  /** To be asked for as soon as the present response is over. */
  #wanted: WantedResponse | null = null
  /** What was asked for last, until that is known to be refused. */
  #asked: WantedResponse | null = null
  /** The given text of the response under way. */
  #text: string | undefined
  /** A response was asked for and has not begun. */
  #creating = false
  /** It was asked for again already, since the server refused it beside a response that was over. */
  #repeated = false
  /** Responses whose audio is not wanted; null when there are none. */
  #dropped: Set<string> | null = null
  /** The next response answers a turn that wants no answer. */
  #ignoreNext = false
  /** The same, if the next response is not the one asked for but takes its place. */
  #ignoreOther = false
  /** Responses in a row without a word for the caller. */
  #fruitless = 0
  /** The response under way finishes one that broke off. */
  #finishing = false

  constructor(
    private readonly context: SessionContext,
    private readonly connection: RealtimeConnection,
    private readonly watch: StallWatch,
  ) {}

  get isBusy(): boolean {
    return this.active !== null || this.#creating
  }

  isDropped(responseId: string): boolean {
    return this.#dropped?.has(responseId) ?? false
  }

  /**
   * Asks for a response, at once or when the present one is over: the server refuses two at a time. A given text that waits
   * for that is not replaced by a mere answer.
   */
  ask(wanted: WantedResponse): void {
    if (wanted.instructions || !this.#wanted?.instructions) this.#wanted = wanted
    if (!this.isBusy) this.createWanted()
  }

  /** No answer is wanted any more; a given text is. */
  askNoAnswer(): void {
    if (!this.#wanted?.instructions) this.#wanted = null
  }

  /** Asks for a response after the present one, if there is one; else the server answers by itself. */
  askAfterActive(): void {
    if (this.active) this.#wanted ??= {}
  }

  create(wanted: WantedResponse): void {
    this.#ignoreNext = false
    this.#ignoreOther = false
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
    // The response asked for is wanted all the same.
    if (this.#creating) {
      this.#ignoreOther = true
      return
    }
    this.watch.answered()
    if (responseId !== null && responseId === this.active) this.cancel()
    // While another response is under way the server will not answer.
    else if (responseId === null && !this.active) this.#ignoreNext = true
  }

  /** The caller speaks again: the answer to the new turn is wanted. */
  speechStarted(): void {
    this.#ignoreNext = false
    this.#ignoreOther = false
  }

  begin(responseId: string): void {
    this.active = responseId
    this.#text = this.#creating ? this.#asked?.instructions : undefined
    this.#creating = false
    this.#repeated = false
    this.watch.expect()
    const isIgnored = this.#ignoreNext
    this.#ignoreNext = false
    // A given text waits for this response to be over.
    if (isIgnored || this.#wanted?.instructions) this.cancel()
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

  /** Asks for what waited until a response was over, or the session ready. */
  createWanted(): void {
    const wanted = this.#wanted
    if (!wanted || this.context.state !== 'ready') return
    this.#wanted = null
    this.create(wanted)
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
    const instructions = (verdict.kind === 'again' && verdict.instructions) || this.#text
    this.#wanted ??= instructions ? { instructions } : {}
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

  /** An error answered what was asked for: what waits behind it is next. */
  refused(): void {
    if (!this.#creating) return
    this.#creating = false
    this.createWanted()
  }

  /** The server began a response of its own in the same moment: the one asked for follows it, or takes its place. */
  #askAgain(): void {
    const asked = this.#asked
    this.#asked = null
    this.#text = undefined
    if (asked && !asked.optional && !this.#wanted?.instructions) this.#wanted = asked
    if (!this.#wanted) return
    if (this.active) {
      if (this.#wanted.instructions || this.#ignoreOther) this.cancel()
    } else if (!this.#repeated) {
      // That response is over, although the server did not take it for that yet.
      this.#repeated = true
      this.createWanted()
    }
  }
}

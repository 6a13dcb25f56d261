import { BYTES_PER_MS, findVoice } from './audio.ts'
import type { CallLog } from './call-log.ts'
import type { CallerTurn } from './call-report.ts'
import type { CallerStep } from './caller-step.ts'
import { FRAME_MS, type Line } from './line.ts'

/** How long the line must be quiet before the agent counts as done. */
const QUIET_MS = 500
const BARGE_IN_MS = 500
const KEY_EVERY_MS = 200
const HURRIED_MS = 2 * FRAME_MS

/** Runs a caller's script on a line, one step check every 20 ms. */
export class ScriptRunner {
  readonly #steps: readonly CallerStep[]
  readonly #line: Line
  readonly #log: CallLog
  readonly #hangUp: () => void
  #next = 0
  #busyUntil = 0
  #freeAt = 0
  #actedAt = -1
  #keys: string[] = []
  #saying: CallerTurn | null = null

  constructor(options: { steps: readonly CallerStep[]; line: Line; log: CallLog; hangUp: () => void }) {
    this.#steps = options.steps
    this.#line = options.line
    this.#log = options.log
    this.#hangUp = options.hangUp
    this.#line.listen({ tick: (now) => this.#tick(now), audio: (now, audibleAt) => this.#noteResponse(now, audibleAt) })
  }

  get stepsLeft(): number {
    return this.#steps.length - this.#next
  }

  noteClear(now: number): void {
    const turn = this.#log.turns.at(-1)
    if (turn?.when === 'barge_in' && turn.clearLatencyMs === null) turn.clearLatencyMs = round(now - turn.startMs)
  }

  #tick(now: number): void {
    if (this.#saying && !this.#line.speaking) this.#endTurn(this.#saying, now)
    if (now < this.#busyUntil || this.#line.speaking) return
    const key = this.#keys.shift()
    if (key !== undefined) {
      this.#press(key, now)
      return
    }
    const step = this.#steps[this.#next]
    if (step === undefined || !this.#isTime(step, now)) return
    this.#next += 1
    this.#begin(step, now)
  }

  #isTime(step: CallerStep, now: number): boolean {
    const when = step.when ?? ('say' in step || 'dtmf' in step || 'silence' in step ? 'agent_done' : 'now')
    if (when === 'now') return true
    if (typeof when === 'object') return now - this.#freeAt >= when.afterMs
    const { playback } = this.#line
    if (when === 'barge_in') {
      const span = playback.playing(now)
      return span !== null && now - Math.max(span.startMs, this.#actedAt) >= (step.bargeInMs ?? BARGE_IN_MS)
    }
    const soundEnd = playback.lastSoundEnd()
    const quietSince = Math.max(soundEnd ?? 0, this.#actedAt)
    return soundEnd !== null && soundEnd > this.#actedAt && now - quietSince >= (step.quietMs ?? QUIET_MS)
  }

  #begin(step: CallerStep, now: number): void {
    if ('say' in step) this.#say(step, now)
    else if ('dtmf' in step) this.#keys = [...step.dtmf]
    else if ('wait' in step) this.#rest(now + step.wait)
    else if ('silence' in step) this.#rest(now + step.silence)
    else if ('networkGap' in step) {
      this.#log.note(now, 'network_lost', `${step.networkGap} ms`)
      this.#line.loseNetwork(step.networkGap)
      this.#rest(now + step.networkGap)
    } else {
      this.#log.note(now, 'caller_hangs_up')
      this.#hangUp()
    }
  }

  #say(step: CallerStep & { say: Uint8Array; label?: string }, now: number): void {
    const ms = this.#line.speak(step.say)
    const voice = findVoice(step.say)
    const when = step.when ?? 'agent_done'
    const turn: CallerTurn = {
      label: step.label ?? `turn ${this.#log.turns.length + 1}`,
      when: typeof when === 'string' ? when : `after ${when.afterMs} ms`,
      startMs: round(now),
      endMs: round(now + ms),
      voiceEndMs: round(now + (voice?.end ?? step.say.length) / BYTES_PER_MS),
      responseLatencyMs: null,
      audibleLatencyMs: null,
      clearLatencyMs: null,
    }
    this.#log.turns.push(turn)
    this.#saying = turn
    this.#log.note(now, 'caller_speaks', turn.label)
    this.#rest(now + ms)
    this.#actedAt = now + ms
  }

  /** After a stall the line sends its delayed frames in a burst: the turn ended with the last of them. */
  #endTurn(turn: CallerTurn, now: number): void {
    this.#saying = null
    const early = turn.endMs - now
    if (early < HURRIED_MS) return
    turn.endMs = round(now)
    turn.voiceEndMs = Math.max(turn.startMs, round(turn.voiceEndMs - early))
    this.#actedAt = now
    this.#rest(now)
  }

  #press(digit: string, now: number): void {
    this.#log.keys.push({ atMs: round(now), digit })
    this.#log.note(now, 'caller_presses', digit)
    this.#line.press(digit)
    this.#actedAt = now
    this.#rest(this.#keys.length > 0 ? now + KEY_EVERY_MS : now)
  }

  #rest(until: number): void {
    this.#busyUntil = until
    this.#freeAt = until
  }

  #noteResponse(now: number, audibleAt: number): void {
    const turn = this.#log.turns.at(-1)
    if (!turn || turn.responseLatencyMs !== null || now < turn.voiceEndMs) return
    turn.responseLatencyMs = round(now - turn.voiceEndMs)
    turn.audibleLatencyMs = round(audibleAt - turn.voiceEndMs)
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}

import type { EngineUsage } from '../providers/speech/port.ts'

/** Counts and times of one call. Times in ms, relay times in µs. */
export class CallMetrics {
  greetingMs: number | null = null
  bargeIns = 0
  ignoredNoises = 0
  resumed = 0
  fillers = 0
  engineFailures = 0
  tools = 0
  toolFailures = 0
  readonly responses: number[] = []
  readonly clears: number[] = []
  readonly #relayInUs: number[] = []
  readonly #relayOutUs: number[] = []
  #usage: Omit<EngineUsage, 'costMicroUsd'> = {
    inputTextTokens: 0,
    inputAudioTokens: 0,
    cachedTokens: 0,
    outputTextTokens: 0,
    outputAudioTokens: 0,
  }
  #costMicroUsd: number | null = null
  #hasUsage = false

  relayedIn(ms: number): void {
    this.#relayInUs.push(ms * 1_000)
  }

  relayedOut(ms: number): void {
    this.#relayOutUs.push(ms * 1_000)
  }

  used(usage: EngineUsage): void {
    this.#hasUsage = true
    this.#usage.inputTextTokens += usage.inputTextTokens
    this.#usage.inputAudioTokens += usage.inputAudioTokens
    this.#usage.cachedTokens += usage.cachedTokens
    this.#usage.outputTextTokens += usage.outputTextTokens
    this.#usage.outputAudioTokens += usage.outputAudioTokens
    if (usage.costMicroUsd !== null) this.#costMicroUsd = (this.#costMicroUsd ?? 0) + usage.costMicroUsd
  }

  /** All values, flat, as they are stored with the call. */
  toRecord(): Record<string, number | null> {
    return {
      greetingMs: this.greetingMs,
      bargeIns: this.bargeIns,
      ignoredNoises: this.ignoredNoises,
      resumed: this.resumed,
      fillers: this.fillers,
      engineFailures: this.engineFailures,
      tools: this.tools,
      toolFailures: this.toolFailures,
      responseMedianMs: percentile(this.responses, 0.5),
      responseP95Ms: percentile(this.responses, 0.95),
      responseMaxMs: percentile(this.responses, 1),
      clearMedianMs: percentile(this.clears, 0.5, 2),
      clearP95Ms: percentile(this.clears, 0.95, 2),
      relayInP50Us: percentile(this.#relayInUs, 0.5),
      relayInP95Us: percentile(this.#relayInUs, 0.95),
      relayOutP50Us: percentile(this.#relayOutUs, 0.5),
      relayOutP95Us: percentile(this.#relayOutUs, 0.95),
      ...(this.#hasUsage ? { ...this.#usage, costMicroUsd: this.#costMicroUsd } : {}),
    }
  }
}

/** The value that a share of all values does not exceed; null for no values. */
export function percentile(values: readonly number[], share: number, digits = 0): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0
  return Number(Math.max(0, value).toFixed(digits))
}

import { z } from 'zod'

export const realtimeFault = z.object({
  /**
   * `connect` the upgrade; `configure` the session.update; `speech` the caller begins; `turn` the caller's turn ends;
   * `response` during an answer, after `afterMs` of its audio.
   */
  at: z.enum(['connect', 'configure', 'speech', 'turn', 'response']),
  /** Sessions or turns before it that succeed. */
  skip: z.int().min(0).default(0),
  times: z.int().min(1).default(1),
  afterMs: z.int().min(0).default(400),
  effect: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('refuse'), status: z.int().min(400).max(599) }),
    z.object({ kind: z.literal('close'), code: z.int().default(1011), reason: z.string().default('server error') }),
    z.object({ kind: z.literal('vanish') }),
    z.object({ kind: z.literal('stall') }),
    z.object({ kind: z.literal('rate_limit') }),
    z.object({ kind: z.literal('session_expired') }),
    z.object({ kind: z.literal('server_error') }),
  ]),
})
export type RealtimeFaultInput = z.input<typeof realtimeFault>
export type RealtimeFault = z.output<typeof realtimeFault>
export type FaultPlace = RealtimeFault['at']

export class RealtimeFaults {
  #faults: RealtimeFault[] = []

  add(input: RealtimeFaultInput): void {
    this.#faults.push(realtimeFault.parse(input))
  }

  clear(): void {
    this.#faults = []
  }

  list(): readonly RealtimeFault[] {
    return this.#faults
  }

  strike(at: FaultPlace): RealtimeFault | null {
    const fault = this.#faults.find((each) => each.at === at)
    if (!fault) return null
    if (fault.skip > 0) {
      fault.skip--
      return null
    }
    fault.times--
    if (fault.times === 0) this.#faults = this.#faults.filter((each) => each !== fault)
    return fault
  }
}

import { z } from 'zod'

/** What goes wrong on demand. */
export const realtimeFault = z.object({
  /** `connect` the upgrade; `configure` the session.update; `speech` the caller begins; `turn` the caller's turn ends; `response` in mid-answer, after `afterMs` of its audio. */
  at: z.enum(['connect', 'configure', 'speech', 'turn', 'response']),
  /** Sessions or turns that go well first. */
  skip: z.int().min(0).default(0),
  times: z.int().min(1).default(1),
  afterMs: z.int().min(0).default(400),
  effect: z.discriminatedUnion('kind', [
    /** The upgrade is answered with an HTTP error. */
    z.object({ kind: z.literal('refuse'), status: z.int().min(400).max(599) }),
    z.object({ kind: z.literal('close'), code: z.int().default(1011), reason: z.string().default('server error') }),
    /** The connection is gone without a close frame. */
    z.object({ kind: z.literal('vanish') }),
    /** The connection stays, nothing is answered any more. */
    z.object({ kind: z.literal('stall') }),
    z.object({ kind: z.literal('rate_limit') }),
    z.object({ kind: z.literal('session_expired') }),
    z.object({ kind: z.literal('server_error') }),
  ]),
})
export type RealtimeFaultInput = z.input<typeof realtimeFault>
export type RealtimeFault = z.output<typeof realtimeFault>
export type FaultPlace = RealtimeFault['at']

/** The faults that wait to strike. */
export class RealtimeFaults {
  #faults: RealtimeFault[] = []

  /** @throws ZodError when malformed */
  add(input: RealtimeFaultInput): void {
    this.#faults.push(realtimeFault.parse(input))
  }

  clear(): void {
    this.#faults = []
  }

  list(): readonly RealtimeFault[] {
    return this.#faults
  }

  /** The fault that strikes here now, used up by one; null when none does. */
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

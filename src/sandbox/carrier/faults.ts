import { z } from 'zod'

const effectSchema = z.discriminatedUnion('kind', [
  /** Rejected: an error, and nothing is accepted. */
  z.object({
    kind: z.literal('http_error'),
    status: z.int().min(400).max(599),
    code: z.int(),
    message: z.string().default('Injected error'),
    retryAfterSeconds: z.int().min(0).optional(),
  }),
  /** Accepted, then the connection is cut before the answer. */
  z.object({ kind: z.literal('response_lost') }),
  z.object({ kind: z.literal('response_delayed'), ms: z.int().min(1).max(60_000) }),
  /** Accepted, later reported as not delivered. */
  z.object({
    kind: z.literal('delivery_failure'),
    status: z.enum(['failed', 'undelivered']),
    errorCode: z.int(),
  }),
  z.object({ kind: z.literal('callbacks_reversed') }),
  z.object({ kind: z.literal('callbacks_duplicated'), times: z.int().min(2).max(10).default(2) }),
  z.object({ kind: z.literal('callbacks_lost') }),
])

export const faultSchema = z.object({
  operation: z
    .enum([
      'messages.create',
      'messages.fetch',
      'messages.list',
      'calls.create',
      'calls.update',
      'calls.fetch',
      'recordings',
      'media',
      'numbers',
      'numbers.update',
    ])
    .default('messages.create'),
  /** Only requests to this recipient (`To`, exactly as sent); any when absent. */
  to: z.string().optional(),
  /** How many matching requests it strikes; all when absent. */
  times: z.int().min(1).optional(),
  effect: effectSchema,
})

export type FaultInput = z.input<typeof faultSchema>
export type Fault = z.output<typeof faultSchema> & { id: string }
export type FaultEffect = z.output<typeof effectSchema>
export type FaultOperation = Fault['operation']

export class FaultList {
  #faults: Fault[] = []
  #nextId = 1

  add(input: FaultInput): string {
    const id = `fault-${this.#nextId}`
    this.#nextId += 1
    this.#faults.push({ ...faultSchema.parse(input), id })
    return id
  }

  clear(id?: string): void {
    this.#faults = id === undefined ? [] : this.#faults.filter((fault) => fault.id !== id)
  }

  list(): readonly Fault[] {
    return this.#faults
  }

  /** The effects that strike this request; each is used up once. */
  strike(operation: FaultOperation, to?: string): FaultEffect[] {
    const struck = this.#faults.filter(
      (fault) => fault.operation === operation && (fault.to === undefined || fault.to === to),
    )
    for (const fault of struck) if (fault.times !== undefined) fault.times -= 1
    this.#faults = this.#faults.filter((fault) => fault.times === undefined || fault.times > 0)
    return struck.map((fault) => fault.effect)
  }
}

import { z } from 'zod'
import { deliverAnswer } from '../carrier/rest.ts'

const effectSchema = z.discriminatedUnion('kind', [
  /** Rejected: nothing is done. */
  z.object({ kind: z.literal('http_error'), status: z.int().min(400).max(599) }),
  /** Done, then the connection is cut before the answer. */
  z.object({ kind: z.literal('response_lost') }),
  z.object({ kind: z.literal('response_delayed'), ms: z.int().min(1).max(60_000) }),
  /** Money moves, but another amount, in the smallest unit. */
  z.object({ kind: z.literal('wrong_amount'), amount: z.int().positive().optional(), currency: z.string().optional() }),
  z.object({ kind: z.literal('declined') }),
  /** A capture stays pending until a decision: by the control API, or this one after `afterMs`. */
  z.object({
    kind: z.literal('capture_pending'),
    outcome: z.enum(['completed', 'denied']).optional(),
    afterMs: z.int().min(0).max(600_000).default(0),
  }),
  z.object({ kind: z.literal('webhook_lost') }),
  z.object({ kind: z.literal('webhook_duplicated'), times: z.int().min(2).max(10).default(2) }),
  z.object({ kind: z.literal('webhook_delayed'), ms: z.int().min(1).max(600_000) }),
])

/** A fault of the payment servers: where it strikes, how often, and its effect. */
export const paymentFaultSchema = z.object({
  operation: z.enum([
    'token',
    'orders.create',
    'orders.get',
    'orders.capture',
    'captures.refund',
    'handshake',
    'charge',
    'report',
    'webhook',
  ]),
  /** How many matching requests it strikes; all when absent. */
  times: z.int().min(1).optional(),
  rate: z.number().min(0).max(1).default(1),
  effect: effectSchema,
})

export type PaymentFaultInput = z.input<typeof paymentFaultSchema>
export type PaymentEffect = z.output<typeof effectSchema>
type Operation = z.output<typeof paymentFaultSchema>['operation']

export class PaymentFaults {
  #faults: z.output<typeof paymentFaultSchema>[] = []

  add(input: PaymentFaultInput): void {
    this.#faults.push(paymentFaultSchema.parse(input))
  }

  clear(): void {
    this.#faults = []
  }

  list(): readonly z.output<typeof paymentFaultSchema>[] {
    return this.#faults
  }

  strike(operation: Operation): PaymentEffect[] {
    const struck = this.#faults.filter(
      (fault) => fault.operation === operation && (fault.rate >= 1 || Math.random() < fault.rate),
    )
    for (const fault of struck) if (fault.times !== undefined) fault.times -= 1
    this.#faults = this.#faults.filter((fault) => fault.times === undefined || fault.times > 0)
    return struck.map((fault) => fault.effect)
  }
}

export function effectOf<K extends PaymentEffect['kind']>(
  effects: readonly PaymentEffect[],
  kind: K,
): Extract<PaymentEffect, { kind: K }> | undefined {
  return effects.find((effect): effect is Extract<PaymentEffect, { kind: K }> => effect.kind === kind)
}

/** Answers late, or cuts the connection instead, according to the effects. */
export function answerWith(answer: Response, effects: readonly PaymentEffect[]): Promise<Response> {
  return deliverAnswer(
    answer,
    effects.flatMap((effect) =>
      effect.kind === 'response_lost' || effect.kind === 'response_delayed' ? [effect] : [],
    ),
  )
}

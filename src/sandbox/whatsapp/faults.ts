import { z } from 'zod'

const times = z.number().int().positive().default(1)
const digits = z
  .string()
  .regex(/^\+?\d{6,15}$/)
  .transform((value) => value.replace('+', ''))

/**
 * What can be made to go wrong. Every fault strikes `times` times (once when unset).
 * Sends: `ack_error` rejects with a code (463 = restricted), `drop_ack` accepts without an answer, `cut_after_accept` accepts
 * and cuts the socket, `cut_before_accept` cuts without accepting, `delay_ack` answers late.
 * Connections: `refuse_upgrade` answers the WebSocket upgrade with an HTTP status, `refuse_login` the login with a failure.
 * Inbound: `duplicate` delivers twice, `reverse_receipts` sends read before delivered, `garble` delivers undecryptable
 * (`lost`: and never again, however often the client asks).
 */
export const faultSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ack_error'),
    code: z.string().regex(/^\d+$/),
    to: digits.optional(),
    id: z.string().optional(),
    times,
  }),
  z.object({ kind: z.literal('drop_ack'), to: digits.optional(), id: z.string().optional(), times }),
  z.object({ kind: z.literal('cut_after_accept'), to: digits.optional(), id: z.string().optional(), times }),
  z.object({ kind: z.literal('cut_before_accept'), to: digits.optional(), id: z.string().optional(), times }),
  z.object({
    kind: z.literal('delay_ack'),
    milliseconds: z.number().int().min(0).max(120_000),
    to: digits.optional(),
    id: z.string().optional(),
    times,
  }),
  z.object({ kind: z.literal('refuse_upgrade'), status: z.number().int().min(400).max(599).default(503), times }),
  z.object({ kind: z.literal('refuse_login'), code: z.string().regex(/^\d+$/), times }),
  z.object({ kind: z.literal('duplicate'), to: digits.optional(), times }),
  z.object({ kind: z.literal('reverse_receipts'), times }),
  z.object({ kind: z.literal('garble'), lost: z.boolean().default(false), to: digits.optional(), times }),
])
export type Fault = z.infer<typeof faultSchema>
export type FaultInput = z.input<typeof faultSchema>

export type SendFault = Extract<
  Fault,
  { kind: 'ack_error' | 'drop_ack' | 'cut_after_accept' | 'cut_before_accept' | 'delay_ack' }
>

const SEND_KINDS: readonly string[] = ['ack_error', 'drop_ack', 'cut_after_accept', 'cut_before_accept', 'delay_ack']
const isSendFault = (fault: Fault): fault is SendFault => SEND_KINDS.includes(fault.kind)

/** Faults that have not struck yet, oldest first. */
export class FaultList {
  private faults: Fault[] = []

  add(input: FaultInput): void {
    this.faults.push(faultSchema.parse(input))
  }

  clear(): void {
    this.faults = []
  }

  list(): readonly Fault[] {
    return this.faults
  }

  /** The fault for a message to this number with this id; taking it uses it up. */
  takeForSend(message: { id: string; to: string }): SendFault | undefined {
    for (const fault of this.faults) {
      if (!isSendFault(fault)) continue
      if ((fault.to ?? message.to) !== message.to || (fault.id ?? message.id) !== message.id) continue
      this.spend(fault)
      return fault
    }
    return undefined
  }

  take<K extends Exclude<Fault['kind'], SendFault['kind']>>(
    kind: K,
    to?: string,
  ): Extract<Fault, { kind: K }> | undefined {
    for (const fault of this.faults) {
      if (!isKind(fault, kind)) continue
      if ('to' in fault && fault.to !== undefined && fault.to !== to) continue
      this.spend(fault)
      return fault
    }
    return undefined
  }

  private spend(fault: Fault): void {
    fault.times -= 1
    if (fault.times <= 0) this.faults = this.faults.filter((other) => other !== fault)
  }
}

function isKind<K extends Fault['kind']>(fault: Fault, kind: K): fault is Extract<Fault, { kind: K }> {
  return fault.kind === kind
}

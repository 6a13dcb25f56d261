import { z } from 'zod'

const wanted = z.object({ date: z.string(), time: z.string() })

/** Where the dialogue by rules stands in a conversation. */
const dialogue = z.object({
  asking: z
    .enum(['inquiry', 'name', 'callback', 'service', 'time', 'which', 'confirm_cancel', 'move_time'])
    .nullable()
    .default(null),
  name: z.string().nullable().default(null),
  inquiry: z.string().nullable().default(null),
  /** Questions in a row that had no answer. */
  unsure: z.int().default(0),
  /** Times, or the customer's appointments, in the order in which they were named. */
  offers: z.array(wanted).default([]),
  /** In words, as the customer named it. */
  service: z.string().nullable().default(null),
  /** The appointment that is moved or cancelled. */
  appointment: wanted.nullable().default(null),
  /** What to do with the appointment that is being named. */
  doing: z.enum(['cancel', 'move']).nullable().default(null),
})
export type Dialogue = z.output<typeof dialogue>
export type Wanted = z.output<typeof wanted>

/** What is kept of an earlier version that cannot be read is a new dialogue. */
export function readDialogue(kept: unknown): Dialogue {
  return dialogue.safeParse(kept ?? {}).data ?? dialogue.parse({})
}

import { z } from 'zod'
import { instantOf } from '../../lib/local-time.ts'
import { nameText } from '../../lib/text.ts'

const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'a date such as 2026-11-30')
  .refine((text) => !Number.isNaN(instantOf(text, '12:00', 'UTC').getTime()), 'a day of the calendar')
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time such as 09:30')
const service = z.string().trim().min(1).max(200)

/**
 * What a model does about appointments, in writing and on the telephone: for the customer it talks with alone, so that none takes
 * a number or an id. Times are those of the business's clocks.
 */
export const appointmentTools = {
  find_times: {
    description: 'Free times for an appointment, in local time. Offer only times that this answered.',
    args: z.object({ date, days: z.int().min(1).max(14).default(7), service: service.optional() }),
  },
  book_appointment: {
    description:
      'Book an appointment at a free time that the customer chose, in local time; first say the day and the time back. When it is not free, offer one of the times that the answer names.',
    args: z.object({
      ...{ date, time, service: service.optional(), minutes: z.int().min(5).max(480).optional() },
      ...{ name: nameText(200).optional(), note: z.string().trim().min(1).max(2_000).optional() },
      hold: z
        .boolean()
        .optional()
        .describe(
          'true to only keep the time for some minutes, for a customer who decides. Book it by the same call without it.',
        ),
    }),
  },
  my_appointments: {
    description: 'The appointments of this customer that are to come.',
    args: z.object({}),
  },
  reschedule_appointment: {
    description: 'Move an appointment of this customer. Name which one by its date and time when there are several.',
    args: z.object({ from_date: date.optional(), from_time: time.optional(), date, time }),
  },
  cancel_appointment: {
    description: 'Cancel an appointment of this customer. Name which one by date and time when there are several.',
    args: z.object({ date: date.optional(), time: time.optional() }),
  },
  join_waiting_list: {
    description:
      'When nothing suits: put this customer on the waiting list, for a start between two dates, or between two times of one day. What becomes free is held for them for a while, and they are sent a link.',
    args: z.object({
      ...{ from_date: date, to_date: date.optional(), from_time: time.optional(), to_time: time.optional() },
      service: service.optional(),
    }),
  },
} as const satisfies Record<string, { description: string; args: z.ZodObject }>

export type AppointmentToolName = keyof typeof appointmentTools

export type AppointmentToolArgs<N extends AppointmentToolName> = z.output<(typeof appointmentTools)[N]['args']>

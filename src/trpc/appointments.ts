import { z } from 'zod'
import { cancelAppointment, confirmAppointment, listAppointments } from '../domain/appointments/index.ts'
import { businessProcedure, done, OK, router } from './trpc.ts'

const appointmentView = z.object({
  id: z.uuid(),
  contactId: z.uuid().nullable(),
  callId: z.uuid().nullable(),
  startsAt: z.date(),
  endsAt: z.date(),
  state: z.enum(['booked', 'cancelled']),
  /** Until a person of the business confirms it, its caller can book no other one by telephone. */
  confirmedAt: z.date().nullable(),
  name: z.string().nullable(),
  note: z.string().nullable(),
  createdAt: z.date(),
})

export const appointmentsRouter = router({
  /** From an instant on, soonest first. */
  list: businessProcedure
    .input(
      z
        .object({
          from: z.iso.datetime({ offset: true }).optional(),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        })
        .prefault({}),
    )
    .output(z.object({ items: z.array(appointmentView) }))
    .query(async ({ ctx, input }) => ({
      items: await listAppointments(ctx.business, {
        limit: input.limit,
        ...(input.from ? { from: new Date(input.from) } : {}),
      }),
    })),
  confirm: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await confirmAppointment(ctx.business, input.id)
      return OK
    }),
  cancel: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await cancelAppointment(ctx.business, input.id)
      return OK
    }),
})

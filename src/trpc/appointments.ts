import {
  appointmentFilters,
  appointmentView,
  cancelAppointment,
  confirmAppointment,
  listAppointments,
} from '../domain/appointments/index.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

export const appointmentsRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/appointments',
        tag: 'Appointments',
        summary: 'List appointments',
        description: 'Booked appointments that end after `from`, soonest first. Without `from`, those from now on.',
        example: { from: '2030-01-15T00:00:00+02:00' },
      },
    })
    .input(appointmentFilters.prefault({}))
    .output(pageOf(appointmentView))
    .query(({ ctx, input }) => listAppointments(ctx.business, input)),
  confirm: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/confirm',
        tag: 'Appointments',
        summary: 'Confirm an appointment',
        description: 'Until then the caller cannot book another appointment by telephone.',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await confirmAppointment(ctx.business, input.id)
      return OK
    }),
  cancel: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/cancel',
        tag: 'Appointments',
        summary: 'Cancel an appointment',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await cancelAppointment(ctx.business, input.id)
      return OK
    }),
})

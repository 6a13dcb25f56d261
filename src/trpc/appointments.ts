import { z } from 'zod'
import {
  appointmentFilters,
  appointmentMove,
  appointmentView,
  cancelAppointment,
  confirmAppointment,
  createAppointment,
  getAppointment,
  listAppointments,
  moveAppointment,
  newAppointment,
  restoreAppointment,
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
        description:
          'Booked appointments that end after `from` and begin before `to`, soonest first. Without `from`, those from now on.',
        example: { from: '2030-01-15T00:00:00+02:00' },
      },
    })
    .input(appointmentFilters.prefault({}))
    .output(pageOf(appointmentView))
    .query(({ ctx, input }) => listAppointments(ctx.business, input)),
  get: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/appointments/{id}', tag: 'Appointments', summary: 'Get an appointment' },
    })
    .input(byId)
    .output(appointmentView)
    .query(({ ctx, input }) => getAppointment(ctx.business, input.id)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments',
        tag: 'Appointments',
        summary: 'Make an appointment',
        description:
          'A confirmed one, also outside the business hours; the time must be free. Without a `contactId`, the contact with this phone number is found or created. With an `id` chosen by the client, a repeated request makes one.',
        example: { startsAt: '2030-01-15T10:00:00+02:00', minutes: 30, phone: '+972501234567', name: 'Dana Levi' },
        status: 201,
      },
    })
    .input(newAppointment)
    .output(appointmentView)
    .mutation(async ({ ctx, input }) => {
      // The domain parses it once more.
      const id = await createAppointment(ctx.business, { ...input, startsAt: input.startsAt.toISOString() })
      return await getAppointment(ctx.business, id)
    }),
  move: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/move',
        tag: 'Appointments',
        summary: 'Move an appointment',
        description: 'To a time that is free. Its length stays unless `minutes` is given.',
        example: { startsAt: '2030-01-15T11:00:00+02:00' },
      },
    })
    .input(byId.extend(appointmentMove.shape))
    .output(appointmentView)
    .mutation(async ({ ctx, input: { id, startsAt, minutes } }) => {
      await moveAppointment(ctx.business, id, {
        startsAt: startsAt.toISOString(),
        ...(minutes === undefined ? {} : { minutes }),
      })
      return await getAppointment(ctx.business, id)
    }),
  restore: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/restore',
        tag: 'Appointments',
        summary: 'Take back the cancellation of an appointment',
        description: 'Its time must still be free.',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await restoreAppointment(ctx.business, input.id)
      return OK
    }),
  confirm: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/confirm',
        tag: 'Appointments',
        summary: 'Confirm an appointment',
        description:
          'Until then the caller cannot book another appointment by telephone. `confirmed: false` takes it back.',
        example: { confirmed: true },
      },
    })
    .input(byId.extend({ confirmed: z.boolean().default(true) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await confirmAppointment(ctx.business, input.id, input.confirmed)
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

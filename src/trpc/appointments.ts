import { z } from 'zod'
import {
  appointmentChanges,
  appointmentFilters,
  appointmentMove,
  appointmentView,
  bookHeld,
  cancelAppointment,
  confirmAppointment,
  createAppointment,
  getAppointment,
  listAppointments,
  moveAppointment,
  newAppointment,
  noteNoShow,
  restoreAppointment,
  updateAppointment,
  withPayUrl,
} from '../domain/appointments/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import type { PaymentDeps } from '../domain/payments/index.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

async function read(ctx: { business: BusinessContext; payments: PaymentDeps }, id: string) {
  return withPayUrl(await getAppointment(ctx.business, id), ctx.payments.urls)
}

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
    .query(async ({ ctx, input }) => {
      const page = await listAppointments(ctx.business, input)
      return { ...page, items: page.items.map((row) => withPayUrl(row, ctx.payments.urls)) }
    }),
  get: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/appointments/{id}', tag: 'Appointments', summary: 'Get an appointment' },
    })
    .input(byId)
    .output(appointmentView)
    .query(({ ctx, input }) => read(ctx, input.id)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments',
        tag: 'Appointments',
        summary: 'Make an appointment',
        description:
          'With `hold` its time is only kept, for as many minutes as the business has set; `book` makes it an appointment. Otherwise a confirmed one, also outside the business hours; the time must be free. Without a `contactId`, the contact with this phone number is found or created. With an `id` chosen by the client, a repeated request makes one.',
        example: { startsAt: '2030-01-15T10:00:00+02:00', minutes: 30, phone: '+972501234567', name: 'Dana Levi' },
        status: 201,
      },
    })
    .input(newAppointment)
    .output(appointmentView)
    .mutation(async ({ ctx, input }) => {
      // The domain parses it once more.
      const id = await createAppointment(ctx.business, { ...input, startsAt: input.startsAt.toISOString() })
      return await read(ctx, id)
    }),
  book: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/book',
        tag: 'Appointments',
        summary: 'Book a time that is held',
        description:
          'Once the customer has decided. One whose service asks for a deposit is held on until that is paid.',
      },
    })
    .input(byId)
    .output(appointmentView)
    .mutation(async ({ ctx, input }) => {
      await bookHeld(ctx.business, input.id)
      return await read(ctx, input.id)
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
    .mutation(async ({ ctx, input: { id, startsAt, minutes, staffId } }) => {
      await moveAppointment(ctx.business, id, {
        startsAt: startsAt.toISOString(),
        ...(minutes === undefined ? {} : { minutes }),
        ...(staffId === undefined ? {} : { staffId }),
      })
      return await read(ctx, id)
    }),
  update: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/appointments/{id}',
        tag: 'Appointments',
        summary: 'Change the name or the note of an appointment',
        description: 'Fields that are left out stay as they are; null empties one. Its time is changed by moving it.',
        example: { name: 'Dana Levi', note: 'Wants two bouquets' },
      },
    })
    .input(byId.extend(appointmentChanges.shape))
    .output(appointmentView)
    .mutation(async ({ ctx, input: { id, ...changes } }) => {
      await updateAppointment(ctx.business, id, changes)
      return await read(ctx, id)
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
  noShow: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/appointments/{id}/no-show',
        tag: 'Appointments',
        summary: 'Note that the customer did not come',
        description: 'Only of an appointment that has begun; restoring it takes this back.',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await noteNoShow(ctx.business, input.id)
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

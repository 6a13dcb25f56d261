import { z } from 'zod'
import {
  absenceInput,
  absenceView,
  addAbsence,
  archiveService,
  archiveStaff,
  bookingSettingsInput,
  getBookingSettings,
  listAbsences,
  listServices,
  listStaff,
  noticeTextsView,
  offerSlots,
  orderServices,
  removeAbsence,
  saveBookingSettings,
  saveService,
  saveStaff,
  serviceInput,
  serviceOrder,
  serviceView,
  staffInput,
  staffView,
  usualTexts,
} from '../domain/appointments/index.ts'
import type { RestMeta } from './rest-meta.ts'
import { businessProcedure, byId, done, OK, onePage, router } from './trpc.ts'

const made = z.object({ id: z.uuid() })
function route(
  method: RestMeta['method'],
  path: RestMeta['path'],
  summary: string,
  more: Pick<RestMeta, 'description' | 'example'> = {},
) {
  const openapi: RestMeta = { method, path, tag: 'Booking', summary, ...more }
  return { openapi }
}

export const bookingRouter = router({
  slots: businessProcedure
    .meta(
      route('GET', '/free-times', 'List free times', {
        description: 'Of a service, or of so many minutes, on some days from `from` on.',
        example: { from: '2030-01-15', minutes: 30 },
      }),
    )
    .input(
      z.object({
        serviceId: z.uuid().optional(),
        staffId: z.uuid().optional(),
        /** One that is to be moved: its own time is free for it. */
        appointmentId: z.uuid().optional(),
        minutes: z.coerce.number().int().min(5).max(1_440).optional(),
        from: z.iso.date(),
        days: z.coerce.number().int().min(1).max(31).default(7),
      }),
    )
    .output(
      z.object({
        items: z.array(z.object({ slot: z.string(), startsAt: z.date(), date: z.string(), time: z.string() })),
        nextCursor: z.null(),
      }),
    )
    .query(async ({ ctx, input: { from, days, serviceId, staffId, minutes, appointmentId } }) =>
      onePage(
        await offerSlots(
          ctx.business,
          {
            ...{ serviceId: serviceId ?? null, staffId: staffId ?? null },
            ...(minutes === undefined ? {} : { minutes }),
            ...(appointmentId === undefined ? {} : { except: appointmentId }),
          },
          { from, days },
        ),
      ),
    ),
  services: businessProcedure
    .meta(route('GET', '/services', 'List services'))
    .output(z.object({ items: z.array(serviceView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listServices(ctx.business))),
  saveService: businessProcedure
    .meta(route('POST', '/services', 'Make or change a service', { description: 'With an `id` it changes that one.' }))
    .input(serviceInput)
    .output(made)
    .mutation(async ({ ctx, input }) => ({ id: await saveService(ctx.business, input) })),
  orderServices: businessProcedure
    .meta(
      route('POST', '/services/order', 'Order the services', {
        description: 'As lists and the booking page show them; those that are left out follow.',
      }),
    )
    .input(serviceOrder)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await orderServices(ctx.business, input)
      return OK
    }),
  archiveService: businessProcedure
    .meta(route('DELETE', '/services/{id}', 'Remove a service', { description: 'Its appointments stay.' }))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await archiveService(ctx.business, input.id)
      return OK
    }),
  staff: businessProcedure
    .meta(route('GET', '/staff', 'List staff'))
    .output(z.object({ items: z.array(staffView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listStaff(ctx.business))),
  saveStaff: businessProcedure
    .meta(
      route('POST', '/staff', 'Add or change a person of the staff', {
        description: 'With an `id` it changes that one.',
      }),
    )
    .input(staffInput)
    .output(made)
    .mutation(async ({ ctx, input }) => ({ id: await saveStaff(ctx.business, input) })),
  archiveStaff: businessProcedure
    .meta(
      route('DELETE', '/staff/{id}', 'Remove a person of the staff', { description: 'Without appointments ahead.' }),
    )
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await archiveStaff(ctx.business, input.id)
      return OK
    }),
  absences: businessProcedure
    .meta(route('GET', '/absences', 'List when staff is away'))
    .output(z.object({ items: z.array(absenceView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listAbsences(ctx.business))),
  addAbsence: businessProcedure
    .meta(
      route('POST', '/absences', 'Note that staff is away', {
        description: 'Nothing is booked then; what is booked stays.',
        example: { startsAt: '2030-01-15T09:00:00+02:00', endsAt: '2030-01-15T17:00:00+02:00', reason: 'Holiday' },
      }),
    )
    .input(absenceInput)
    .output(made)
    .mutation(async ({ ctx, input }) => ({
      id: await addAbsence(ctx.business, {
        ...input,
        startsAt: input.startsAt.toISOString(),
        endsAt: input.endsAt.toISOString(),
      }),
    })),
  removeAbsence: businessProcedure
    .meta(route('DELETE', '/absences/{id}', 'Remove an absence'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeAbsence(ctx.business, input.id)
      return OK
    }),
  settings: businessProcedure
    .meta(route('GET', '/appointment-settings', 'Read how appointments are taken'))
    .output(bookingSettingsInput)
    .query(({ ctx }) => getBookingSettings(ctx.business)),
  texts: businessProcedure
    .meta(
      route('GET', '/appointment-texts', 'List the usual texts about appointments', {
        description:
          'What customers are sent where a business has no words of its own: `reminders.texts` of the settings.',
      }),
    )
    .output(z.object({ items: z.array(noticeTextsView), nextCursor: z.null() }))
    .query(() => onePage(usualTexts())),
  saveSettings: businessProcedure
    .meta(
      route('PATCH', '/appointment-settings', 'Change how appointments are taken', {
        description: 'What is left out stays.',
        example: { stepMinutes: 30, noticeMinutes: 120 },
      }),
    )
    .input(bookingSettingsInput.partial())
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await saveBookingSettings(ctx.business, input)
      return OK
    }),
})

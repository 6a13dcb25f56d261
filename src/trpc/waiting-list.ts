import { z } from 'zod'
import { cancelWaiting, joinWaitingList, listWaiting, newWaiting, waitingView } from '../domain/appointments/index.ts'
import { businessProcedure, byId, done, OK, onePage, router } from './trpc.ts'

export const waitingListRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        ...{ method: 'GET', path: '/waiting-entries', tag: 'Booking', summary: 'List who waits for a time' },
        description: 'Who waits, or was offered a time and has not answered; those who wait longest first.',
      },
    })
    .output(z.object({ items: z.array(waitingView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listWaiting(ctx.business))),
  add: businessProcedure
    .meta({
      openapi: {
        ...{ method: 'POST', path: '/waiting-entries', tag: 'Booking', summary: 'Put someone on the waiting list' },
        description:
          'For a start between `from` and `to`, when nothing is free then. The first time that becomes free is held for them for a while, and they are sent a link to take it. Asked again for the same service, it is the same entry.',
        example: {
          phone: '+972501234567',
          name: 'Dana Levi',
          from: '2030-01-15T09:00:00+02:00',
          to: '2030-01-16T18:00:00+02:00',
        },
        status: 201,
      },
    })
    .input(newWaiting)
    .output(z.object({ id: z.uuid() }))
    .mutation(async ({ ctx, input: { from, to, ...wanted } }) => ({
      id: await joinWaitingList(ctx.business, { ...wanted, from: from.toISOString(), to: to.toISOString() }),
    })),
  cancel: businessProcedure
    .meta({
      openapi: {
        ...{
          method: 'DELETE',
          path: '/waiting-entries/{id}',
          tag: 'Booking',
          summary: 'Take someone off the waiting list',
        },
        description: 'What is held for them is offered to the next.',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await cancelWaiting(ctx.business, input.id)
      return OK
    }),
})

import {
  eraseContact,
  erasure,
  forgetMentions,
  getRetention,
  retention,
  setRetention,
} from '../domain/privacy/index.ts'
import { forgetJobs } from '../jobs/inspect.ts'
import { errorMessage } from '../lib/errors.ts'
import { businessProcedure, byId, router } from './trpc.ts'

export const privacyRouter = router({
  retention: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/privacy/retention',
        tag: 'Privacy',
        summary: 'Get the retention periods',
        description: 'In days. Null keeps the data forever.',
      },
    })
    .output(retention)
    .query(({ ctx }) => getRetention(ctx.business)),
  setRetention: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/privacy/retention',
        tag: 'Privacy',
        summary: 'Set the retention periods',
        description: 'In days. Null keeps the data forever. Older data is deleted by the next sweep.',
        example: { messageDays: 365, callDays: 365, recordingDays: 90 },
      },
    })
    .input(retention)
    .output(retention)
    .mutation(({ ctx, input }) => setRetention(ctx.business, input)),
  eraseContact: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/contacts/{id}',
        tag: 'Privacy',
        summary: 'Erase a contact',
        description: 'Deletes the contact with all messages, calls, recordings and files. This cannot be undone.',
      },
    })
    .input(byId)
    .output(erasure)
    .mutation(async ({ ctx, input }) => {
      const counts = await eraseContact(ctx.business, input.id)
      try {
        await forgetMentions(ctx.business, forgetJobs.bind(null, ctx.services.queues()), ctx.business.businessId)
      } catch (error) {
        // The contact is erased: the sweep removes the jobs when the queue is back.
        ctx.business.log.warn({ error: errorMessage(error) }, 'finished jobs of an erased contact not removed')
      }
      return counts
    }),
})

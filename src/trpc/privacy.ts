import { z } from 'zod'
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
import { businessProcedure, router } from './trpc.ts'

export const privacyRouter = router({
  /** How long what is kept. */
  retention: businessProcedure.output(retention).query(({ ctx }) => getRetention(ctx.business)),
  setRetention: businessProcedure
    .input(retention)
    .output(retention)
    .mutation(({ ctx, input }) => setRetention(ctx.business, input)),
  /** Erases everything of one contact, files included; it cannot be undone. */
  eraseContact: businessProcedure
    .input(z.object({ contactId: z.uuid() }))
    .output(erasure)
    .mutation(async ({ ctx, input }) => {
      const counts = await eraseContact(ctx.business, input.contactId)
      try {
        await forgetMentions(ctx.business, forgetJobs.bind(null, ctx.services.queues()), ctx.business.businessId)
      } catch (error) {
        // The person is gone; the sweep does this once the queue is back.
        ctx.business.log.warn({ error: errorMessage(error) }, 'finished jobs of an erased contact could not be removed')
      }
      return counts
    }),
})

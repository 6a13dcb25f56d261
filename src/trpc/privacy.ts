import { z } from 'zod'
import { eraseContact, erasure, getRetention, retention, setRetention } from '../domain/privacy/index.ts'
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
    .mutation(({ ctx, input }) => eraseContact(ctx.business, input.contactId)),
})

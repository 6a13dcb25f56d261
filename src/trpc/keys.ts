import { z } from 'zod'
import { apiKeyView, createApiKey, listApiKeys, revokeApiKey } from '../domain/businesses/index.ts'
import { SCOPES } from '../domain/members/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, done, OK, pageOf, router } from './trpc.ts'

export const keysRouter = router({
  list: businessProcedure
    .input(pageInput.prefault({}))
    .output(pageOf(apiKeyView))
    .query(({ ctx, input }) => listApiKeys(ctx.business, input)),
  /** The key is answered this once. */
  create: businessProcedure
    .input(z.object({ name: z.string().trim().min(1).max(120), scope: z.enum(SCOPES).default('write') }))
    .output(z.object({ id: z.uuid(), key: z.string() }))
    .mutation(({ ctx, input }) => createApiKey(ctx.business, input)),
  revoke: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await revokeApiKey(ctx.business, input.id)
      return OK
    }),
})

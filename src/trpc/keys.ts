import { z } from 'zod'
import { requireAccess } from '../access/require-access.ts'
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
    .input(
      z.object({
        name: z.string().trim().min(1).max(120),
        scope: z.enum(SCOPES).default('write'),
        /** Runs the whole installation; only its operators make such a key. */
        operator: z.boolean().default(false),
      }),
    )
    .output(z.object({ id: z.uuid(), key: z.string() }))
    .mutation(({ ctx, input }) => {
      if (input.operator) requireAccess(ctx.business.access, { role: 'owner', scope: 'admin', operator: true })
      return createApiKey(ctx.business, input)
    }),
  revoke: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await revokeApiKey(ctx.business, input.id)
      return OK
    }),
})

import { z } from 'zod'
import { requireAccess } from '../access/require-access.ts'
import { apiKeyView, createApiKey, listApiKeys, revokeApiKey } from '../domain/businesses/index.ts'
import { SCOPES } from '../domain/members/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

const newKey = z.object({
  name: z.string().trim().min(1).max(120),
  scope: z.enum(SCOPES).default('write'),
  /** Whether the key may run the whole installation. Only an operator can create such a key. */
  operator: z.boolean().default(false),
})

export const keysRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/keys', tag: 'Keys', summary: 'List API keys' } })
    .input(pageInput.prefault({}))
    .output(pageOf(apiKeyView))
    .query(({ ctx, input }) => listApiKeys(ctx.business, input)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/keys',
        tag: 'Keys',
        summary: 'Create an API key',
        description: 'The response is the only place where the key is shown. Only an operator can set `operator`.',
        example: { name: 'Website', scope: 'read' },
        status: 201,
      },
    })
    .input(newKey)
    .output(z.object({ id: z.uuid(), key: z.string() }))
    .mutation(({ ctx, input }) => {
      if (input.operator) requireAccess(ctx.business.access, { role: 'owner', scope: 'admin', operator: true })
      return createApiKey(ctx.business, input)
    }),
  revoke: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/keys/{id}',
        tag: 'Keys',
        summary: 'Revoke an API key',
        description: 'The key stops working at once and cannot be restored.',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await revokeApiKey(ctx.business, input.id)
      return OK
    }),
})

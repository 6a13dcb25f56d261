import { z } from 'zod'
import { getUser, membershipsOf, ROLES, SCOPES } from '../domain/members/index.ts'
import { businessProcedure, router } from './trpc.ts'

export const accountRouter = router({
  /** Who asks, for which business, and how far the request may go. */
  me: businessProcedure
    .output(
      z.object({
        businessId: z.uuid(),
        actor: z.object({ kind: z.enum(['user', 'api_key', 'webhook', 'system']), id: z.string() }),
        role: z.enum(ROLES),
        scope: z.enum(SCOPES).nullable(),
        operator: z.boolean(),
        user: z
          .object({ id: z.string(), name: z.string(), email: z.string(), twoFactorEnabled: z.boolean() })
          .nullable(),
        businesses: z.array(z.object({ businessId: z.uuid(), businessName: z.string(), role: z.enum(ROLES) })),
      }),
    )
    .query(async ({ ctx }) => {
      const { business } = ctx
      const person = business.actor.kind === 'user'
      return {
        businessId: business.businessId,
        actor: business.actor,
        ...business.access,
        user: person ? await getUser(business, business.actor.id) : null,
        businesses: person ? await membershipsOf(business, business.actor.id) : [],
      }
    }),
})

import { z } from 'zod'
import { getUser, membershipsOf, ROLES, SCOPES } from '../domain/members/index.ts'
import { businessProcedure, router } from './trpc.ts'

const accountView = z.object({
  businessId: z.uuid(),
  actor: z.object({ kind: z.enum(['user', 'api_key', 'webhook', 'system']), id: z.string() }),
  role: z.enum(ROLES),
  scope: z.enum(SCOPES).nullable(),
  operator: z.boolean(),
  user: z.object({ id: z.string(), name: z.string(), email: z.string(), twoFactorEnabled: z.boolean() }).nullable(),
  businesses: z.array(z.object({ businessId: z.uuid(), businessName: z.string(), role: z.enum(ROLES) })),
})

export const accountRouter = router({
  me: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/account',
        tag: 'Account',
        summary: 'Get the current account',
        description: 'The caller, the business of this request, and the caller’s role or scope in it.',
      },
    })
    .output(accountView)
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

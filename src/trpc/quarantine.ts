import { z } from 'zod'
import type { AccessContext } from '../access/authenticate.ts'
import {
  dropQuarantined,
  getQuarantined,
  listQuarantine,
  quarantineDetail,
  quarantineView,
  retryQuarantined,
} from '../domain/inbox/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

const count = z.object({ count: z.number() })
const scopeOf = (business: AccessContext) => ({ ...business, operator: business.access.operator })

export const quarantineRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/quarantined-events',
        tag: 'Quarantine',
        summary: 'List quarantined events',
        description: 'Operators also see the events that belong to no business.',
      },
    })
    .input(pageInput.prefault({}))
    .output(pageOf(quarantineView))
    .query(({ ctx, input }) => listQuarantine(scopeOf(ctx.business), input)),
  get: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/quarantined-events/{id}',
        tag: 'Quarantine',
        summary: 'Get a quarantined event',
        description: 'With its content.',
      },
    })
    .input(byId)
    .output(quarantineDetail)
    .query(({ ctx, input }) => getQuarantined(scopeOf(ctx.business), input.id)),
  retry: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/quarantined-events/{id}/retry',
        tag: 'Quarantine',
        summary: 'Retry a quarantined event',
      },
    })
    .input(byId)
    .output(count)
    .mutation(async ({ ctx, input }) => ({ count: await retryQuarantined(scopeOf(ctx.business), input.id) })),
  retryAll: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/quarantined-events/retry',
        tag: 'Quarantine',
        summary: 'Retry all quarantined events',
      },
    })
    .output(count)
    .mutation(async ({ ctx }) => ({ count: await retryQuarantined(scopeOf(ctx.business)) })),
  drop: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/quarantined-events/{id}',
        tag: 'Quarantine',
        summary: 'Delete a quarantined event',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await dropQuarantined(scopeOf(ctx.business), input.id)
      return OK
    }),
})

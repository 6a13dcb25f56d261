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
import { businessProcedure, done, OK, pageOf, router } from './trpc.ts'

const one = z.object({ id: z.uuid() })
const scopeOf = (business: AccessContext) => ({ ...business, operator: business.access.operator })

/** What could not be stored after several tries, with its bytes. */
export const quarantineRouter = router({
  list: businessProcedure
    .input(pageInput.prefault({}))
    .output(pageOf(quarantineView))
    .query(({ ctx, input }) => listQuarantine(scopeOf(ctx.business), input)),
  get: businessProcedure
    .input(one)
    .output(quarantineDetail)
    .query(({ ctx, input }) => getQuarantined(scopeOf(ctx.business), input.id)),
  /** Has one thing, or everything, stored once more. */
  retry: businessProcedure
    .input(z.object({ id: z.uuid().optional() }).prefault({}))
    .output(z.object({ count: z.number() }))
    .mutation(async ({ ctx, input }) => ({ count: await retryQuarantined(scopeOf(ctx.business), input.id) })),
  /** Throws one thing away. */
  drop: businessProcedure
    .input(one)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await dropQuarantined(scopeOf(ctx.business), input.id)
      return OK
    }),
})

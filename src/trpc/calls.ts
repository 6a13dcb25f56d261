import { z } from 'zod'
import { callDetail, callFilters, callView, getCall, listCalls } from '../domain/calls/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

export const callsRouter = router({
  list: businessProcedure
    .input(callFilters.prefault({}))
    .output(pageOf(callView))
    .query(({ ctx, input }) => listCalls(ctx.business, input)),
  /** By our id or the carrier's call SID; with turns, recordings and lead. */
  get: businessProcedure
    .input(z.object({ id: z.string().min(1).max(64) }))
    .output(callDetail)
    .query(({ ctx, input }) => getCall(ctx.business, input.id)),
})

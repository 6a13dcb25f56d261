import { z } from 'zod'
import {
  callDetail,
  callFigures,
  callFilters,
  callView,
  getCall,
  getSummary,
  listCalls,
} from '../domain/calls/index.ts'
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
  /** What a call came to; null while nobody has said. */
  summary: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .query(({ ctx, input }) => getSummary(ctx.business, input.id)),
  /** How the calls of the last days went: counts, p50 and p95 of their figures, what the engine cost. */
  figures: businessProcedure
    .input(z.object({ days: z.int().min(1).max(366).default(30) }).prefault({}))
    .query(({ ctx, input }) => callFigures(ctx.business, input.days)),
})

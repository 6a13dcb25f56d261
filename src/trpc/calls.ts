import { z } from 'zod'
import {
  callDetail,
  callFilters,
  callStats,
  callView,
  getCall,
  getCallTraceKey,
  getSummary,
  listCalls,
} from '../domain/calls/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

const summaryView = z.object({
  callId: z.uuid(),
  summary: z.string(),
  sentiment: z.enum(['positive', 'neutral', 'negative']).nullable(),
  nextStep: z.string().nullable(),
  fields: z.record(z.string(), z.string()),
  madeBy: z.enum(['rules', 'model']),
  createdAt: z.date(),
})

const callStatsView = z.object({
  days: z.number(),
  calls: z.number(),
  costMicroUsd: z.number().nullable(),
  bargeIns: z.number(),
  engineFailures: z.number(),
  /** Each measure's p50 and p95 over the calls; null where nothing was measured. */
  measures: z.record(z.string(), z.object({ p50: z.number().nullable(), p95: z.number().nullable() })),
})

const decision = z.object({ what: z.string(), ms: z.number().nullable() })
const replayView = z.object({
  callSid: z.string(),
  same: z.boolean(),
  firstDifference: z
    .object({ index: z.number(), recorded: decision.nullable(), replayed: decision.nullable() })
    .nullable(),
  /** As they were recorded. */
  decisions: z.array(decision),
  /** What was said, as lines to read. */
  transcript: z.array(z.string()),
})

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
    .output(summaryView.nullable())
    .query(({ ctx, input }) => getSummary(ctx.business, input.id)),
  /** How the calls of the last days went: counts, p50 and p95 of their figures, what the engine cost. */
  figures: businessProcedure
    .input(z.object({ days: z.coerce.number().int().min(1).max(366).default(30) }).prefault({}))
    .output(callStatsView)
    .query(({ ctx, input }) => callStats(ctx.business, input.days)),
  /** The recorded call lived through again, by our id or its call SID: the decisions must be those that were recorded. */
  replay: businessProcedure
    .input(z.object({ id: z.string().min(1).max(64) }))
    .output(replayView)
    .query(async ({ ctx, input }) => ctx.services.replayTrace(await getCallTraceKey(ctx.business, input.id))),
})

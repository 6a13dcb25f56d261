import { z } from 'zod'
import {
  callAudioView,
  callDetail,
  callFilters,
  callMoment,
  callStats,
  callView,
  editSummary,
  getCall,
  getCallAudio,
  getCallTraceKey,
  getSummary,
  listCalls,
  summaryChanges,
} from '../domain/calls/index.ts'
import { businessProcedure, byId, pageOf, router } from './trpc.ts'

const summaryView = z.object({
  callId: z.uuid(),
  summary: z.string(),
  sentiment: z.enum(['positive', 'neutral', 'negative']).nullable(),
  nextStep: z.string().nullable(),
  fields: z.record(z.string(), z.string()),
  madeBy: z.enum(['rules', 'model', 'member']),
  createdAt: z.date(),
})

const callStatsView = z.object({
  days: z.number(),
  calls: z.number(),
  costMicroUsd: z.number().nullable(),
  bargeIns: z.number(),
  engineFailures: z.number(),
  /** Percentiles of each measure over the calls; null where nothing was measured. */
  measures: z.record(z.string(), z.object({ p50: z.number().nullable(), p95: z.number().nullable() })),
})

const decision = z.object({ what: z.string(), ms: z.number().nullable() })
const replayView = z.object({
  callSid: z.string(),
  same: z.boolean(),
  firstDifference: z
    .object({ index: z.number(), recorded: decision.nullable(), replayed: decision.nullable() })
    .nullable(),
  /** The recorded ones. */
  decisions: z.array(decision),
  /** One line per utterance. */
  transcript: z.array(z.string()),
})

/** Our id or the carrier's call SID. */
const idOrCallSid = z.object({ id: z.string().min(1).max(64) })

export const callsRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/calls', tag: 'Calls', summary: 'List calls' } })
    .input(callFilters.prefault({}))
    .output(pageOf(callView))
    .query(({ ctx, input }) => listCalls(ctx.business, input)),
  get: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/{id}',
        tag: 'Calls',
        summary: 'Get a call',
        description: 'With its turns, recordings and lead. `id` is the id of the call or the carrier’s call SID.',
        example: { id: 'CA0123456789abcdef0123456789abcdef' },
      },
    })
    .input(idOrCallSid)
    .output(callDetail)
    .query(({ ctx, input }) => getCall(ctx.business, input.id)),
  summary: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/{id}/summary',
        tag: 'Calls',
        summary: 'Get the summary of a call',
        description: 'Null until the summary is written.',
      },
    })
    .input(byId)
    .output(summaryView.nullable())
    .query(({ ctx, input }) => getSummary(ctx.business, input.id)),
  editSummary: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/calls/{id}/summary',
        tag: 'Calls',
        summary: 'Write the summary of a call',
        description: 'Takes the place of the one that was made, and stays.',
        example: { summary: 'Wants a quote for a kitchen.', nextStep: 'Send the quote', fields: { name: 'Dana Levi' } },
      },
    })
    .input(summaryChanges.extend(byId.shape))
    .output(summaryView.nullable())
    .mutation(({ ctx, input: { id, ...changes } }) => editSummary(ctx.business, id, changes)),
  audio: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/{id}/peaks',
        tag: 'Calls',
        summary: 'Get the peaks of the audio of a call',
        description:
          'One value of 0 to 100 a step for each side. The audio itself, the caller on the left and the agent on the right, is at `/calls/{id}/audio` once the state is `ready`.',
      },
    })
    .input(idOrCallSid)
    .output(callAudioView)
    .query(({ ctx, input }) => getCallAudio(ctx.business, input.id, ctx.services.storage)),
  moments: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/{id}/moments',
        tag: 'Calls',
        summary: 'List what happened in a call',
        description:
          'From its trace: interruptions, answers with the time the caller waited, tools with arguments and results, changes of the engine, the end.',
      },
    })
    .input(idOrCallSid)
    .output(z.object({ items: z.array(callMoment), nextCursor: z.null() }))
    .query(async ({ ctx, input }) => ({
      items: await ctx.services.readMoments(await getCallTraceKey(ctx.business, input.id)),
      nextCursor: null,
    })),
  stats: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/stats',
        tag: 'Calls',
        summary: 'Get call statistics',
        description: 'Counts, latency percentiles and the cost of the speech engine over the last days.',
      },
    })
    .input(z.object({ days: z.coerce.number().int().min(1).max(366).default(30) }).prefault({}))
    .output(callStatsView)
    .query(({ ctx, input }) => callStats(ctx.business, input.days)),
  replay: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/{id}/replay',
        tag: 'Calls',
        summary: 'Replay the trace of a call',
        description:
          'Runs the recorded trace through the current code and compares the decisions. `id` is the id of the call or the carrier’s call SID.',
        example: { id: 'CA0123456789abcdef0123456789abcdef' },
      },
    })
    .input(idOrCallSid)
    .output(replayView)
    .query(async ({ ctx, input }) => ctx.services.replayTrace(await getCallTraceKey(ctx.business, input.id))),
})

import { z } from 'zod'
import {
  callAudioView,
  callDetail,
  callFilters,
  callMoment,
  callStats,
  callView,
  editSummary,
  findLiveCall,
  getCall,
  getCallAudio,
  getCallTraceKey,
  getSummary,
  listCalls,
  listLiveCalls,
  liveCallView,
  summaryChanges,
} from '../domain/calls/index.ts'
import { AppError } from '../lib/errors.ts'
import { parsePhone } from '../lib/phone.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

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
  measures: z.record(z.string(), z.object({ p50: z.number().nullable(), p95: z.number().nullable() })),
})

const decision = z.object({ what: z.string(), ms: z.number().nullable() })
const replayView = z.object({
  callSid: z.string(),
  same: z.boolean(),
  firstDifference: z
    .object({ index: z.number(), recorded: decision.nullable(), replayed: decision.nullable() })
    .nullable(),
  decisions: z.array(decision),
  transcript: z.array(z.string()),
})

/** Our id or the carrier's call SID. */
const idOrCallSid = z.object({ id: z.string().min(1).max(64) })

const listenView = z.object({
  token: z.string(),
  expiresAt: z.date(),
  path: z.literal('/ws/listen'),
})

/** @throws AppError `bad_phone` */
function transferTo(number: string | undefined): string | null {
  if (!number) return null
  const phone = parsePhone(number)
  if (!phone)
    throw new AppError(
      'invalid',
      'bad_phone',
      'The number to transfer to is not valid. Write it with its country code.',
      {
        field: 'number',
      },
    )
  return phone
}

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
  live: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/live',
        tag: 'Calls',
        summary: 'List live calls',
        description: 'The calls that the agent is serving now, over all servers, with the last words of each.',
      },
    })
    .output(pageOf(liveCallView))
    .query(async ({ ctx }) => onePage(await listLiveCalls(ctx.business))),
  end: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/calls/{id}/end',
        tag: 'Calls',
        summary: 'End a live call',
        description: 'The caller hears a goodbye. `id` is the id of the call or the carrier’s call SID.',
      },
    })
    .input(idOrCallSid)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await ctx.services.liveCalls.command(ctx.business, input.id, { kind: 'end' })
      return OK
    }),
  transfer: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/calls/{id}/transfer',
        tag: 'Calls',
        summary: 'Transfer a live call',
        description:
          'To a number, or to the one that the receptionist transfers to. The caller hears an announcement. Answers once the carrier has the call.',
        example: { number: '+972501234567' },
      },
    })
    .input(idOrCallSid.extend({ number: z.string().trim().max(40).optional() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      const number = transferTo(input.number)
      await ctx.services.liveCalls.command(ctx.business, input.id, { kind: 'transfer', number })
      return OK
    }),
  whisper: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/calls/{id}/whisper',
        tag: 'Calls',
        summary: 'Instruct the agent of a live call',
        description:
          'The caller does not hear it. An engine that only follows its script answers `follows_script` (409).',
      },
    })
    .input(idOrCallSid.extend({ text: z.string().trim().min(1).max(1_000) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await ctx.services.liveCalls.command(ctx.business, input.id, { kind: 'whisper', text: input.text })
      return OK
    }),
  listen: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/calls/{id}/listen',
        tag: 'Calls',
        summary: 'Listen to a live call',
        description:
          'Answers a token for half a minute. Open the WebSocket and send the token as its first message: every message then is 8 kHz μ-law of both sides, the first half of its bytes the caller’s. Every listening is in the audit log.',
      },
    })
    .input(idOrCallSid)
    .output(listenView)
    .mutation(async ({ ctx, input }) => {
      const { id } = await findLiveCall(ctx.business, input.id)
      const { businessId, actor } = ctx.business
      return { ...ctx.services.listenToken({ callId: id, businessId, actor }), path: '/ws/listen' as const }
    }),
})

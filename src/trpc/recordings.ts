import { z } from 'zod'
import {
  getRecordingPeaks,
  listRecordings,
  markHeard,
  recordingFilters,
  recordingPeaksView,
  recordingView,
} from '../domain/recordings/index.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

export const recordingsRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/recordings',
        tag: 'Calls',
        summary: 'List recordings',
        description: 'The audio of a recording is at `/recordings/{id}/audio`.',
      },
    })
    .input(recordingFilters.prefault({}))
    .output(pageOf(recordingView))
    .query(({ ctx, input }) => listRecordings(ctx.business, input)),
  peaks: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/recordings/{id}/peaks',
        tag: 'Calls',
        summary: 'Get the peaks of a recording',
        description: 'The loudest sample of each step, 0 to 100, made once when the recording was stored.',
      },
    })
    .input(byId)
    .output(recordingPeaksView)
    .query(({ ctx, input }) => getRecordingPeaks(ctx.business, input.id)),
  mark: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/recordings/{id}',
        tag: 'Calls',
        summary: 'Mark a recording as heard',
        example: { heard: true },
      },
    })
    .input(byId.extend({ heard: z.boolean() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await markHeard(ctx.business, input.id, input.heard)
      return OK
    }),
})

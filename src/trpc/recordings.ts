import { z } from 'zod'
import { listRecordings, markHeard, recordingFilters, recordingView } from '../domain/recordings/index.ts'
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

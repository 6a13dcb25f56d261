import { pageInput } from '../domain/paging.ts'
import { listRecordings, recordingView } from '../domain/recordings/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

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
    .input(pageInput.prefault({}))
    .output(pageOf(recordingView))
    .query(({ ctx, input }) => listRecordings(ctx.business, input)),
})

import { z } from 'zod'
import {
  answerGap,
  dismissGap,
  gapAnswer,
  gapFilters,
  gapView,
  knowledgeAnswerView,
  listGaps,
  searchKnowledge,
} from '../domain/knowledge/index.ts'
import type { RestMeta } from './rest-meta.ts'
import { businessProcedure, byId, done, OK, onePage, router } from './trpc.ts'

function route(
  method: RestMeta['method'],
  path: RestMeta['path'],
  summary: string,
  more: Pick<RestMeta, 'description' | 'example' | 'status'> = {},
) {
  const openapi: RestMeta = { method, path, tag: 'Knowledge', summary, ...more }
  return { openapi }
}

export const knowledgeRouter = router({
  search: businessProcedure
    .meta(
      route('GET', '/knowledge-hits', 'Search what the business knows', {
        description:
          'Its own texts, its files and its site, best first. `sure` is false where nothing found is likely to answer the question.',
      }),
    )
    .input(
      z.object({ query: z.string().trim().min(1).max(300), limit: z.coerce.number().int().min(1).max(20).default(5) }),
    )
    .output(knowledgeAnswerView)
    .query(({ ctx, input }) => searchKnowledge(ctx.business, input)),
  gaps: businessProcedure
    .meta(
      route('GET', '/knowledge-gaps', 'List what people asked and nothing answered', {
        description: 'Questions of one meaning are one, the most frequent first; numbers and addresses are masked.',
      }),
    )
    .input(gapFilters.prefault({}))
    .output(z.object({ items: z.array(gapView), nextCursor: z.null() }))
    .query(async ({ ctx, input }) => onePage(await listGaps(ctx.business, input))),
  answerGap: businessProcedure
    .meta(
      route('POST', '/knowledge-gaps/{id}/answer', 'Answer a question that nothing answered', {
        description: 'The answer becomes a text of the business at once.',
        example: { answer: 'Yes, there is free parking in the yard.', title: 'Parking' },
      }),
    )
    .input(byId.extend(gapAnswer.shape))
    .output(done)
    .mutation(async ({ ctx, input: { id, ...answer } }) => {
      await answerGap(ctx.business, id, answer)
      return OK
    }),
  dismissGap: businessProcedure
    .meta(route('POST', '/knowledge-gaps/{id}/dismiss', 'Dismiss a question that nothing answered'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await dismissGap(ctx.business, input.id)
      return OK
    }),
})

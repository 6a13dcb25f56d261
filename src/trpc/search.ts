import { searchEverything, searchInput, searchResults } from '../domain/search/index.ts'
import { businessProcedure, router } from './trpc.ts'

export const searchRouter = router({
  all: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/search',
        tag: 'Search',
        summary: 'Search a business',
        description:
          'Searches contacts, messages, calls, leads and notes by words or by a phone number in any spelling.',
        example: { q: 'levi' },
      },
    })
    .input(searchInput)
    .output(searchResults)
    .query(({ ctx, input }) => searchEverything(ctx.business, input)),
})

import { searchEverything, searchInput, searchResults } from '../domain/search/index.ts'
import { businessProcedure, router } from './trpc.ts'

export const searchRouter = router({
  /** Everything of the business by words or by a phone number in any spelling. */
  all: businessProcedure
    .input(searchInput)
    .output(searchResults)
    .query(({ ctx, input }) => searchEverything(ctx.business, input)),
})

export { SEARCH_KINDS, searchEverything, searchInput, searchResults } from './search.ts'
export { phonePatterns, textQuery } from './text-query.ts'

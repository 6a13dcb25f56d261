export { searchEverything, searchInput, searchResults } from './search.ts'

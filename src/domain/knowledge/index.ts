export { answerGap, dismissGap, gapAnswer, gapFilters, gapView, listGaps, pruneGaps, recordGap } from './gaps.ts'
export { IN_A_CALL, warmKnowledge } from './memory.ts'
export { readSource, type SourceDeps } from './read-source.ts'
export {
  type KnowledgeAnswer,
  type KnowledgeHit,
  knowledgeAnswerView,
  searchKnowledge,
  searchWithTexts,
} from './search.ts'
export { hasWordsOf, SearchIndex, scoreTexts } from './search-index.ts'
export { queueSources } from './source-queue.ts'
export {
  addFile,
  addSite,
  fileInput,
  getSource,
  listParts,
  listSitePages,
  listSources,
  partsInput,
  partView,
  readAgain,
  removeSource,
  siteInput,
  sitePagesInput,
  sitePageView,
  sourceView,
  stopSource,
} from './sources.ts'

export { conflictView, listConflicts } from './conflicts.ts'
export {
  connectByForm,
  connectByLogin,
  connectionChanges,
  connectionInput,
  connectionView,
  getConnection,
  listConnections,
  removeConnection,
  updateConnection,
} from './connections.ts'
export type { CalendarDeps, OAuthKind } from './deps.ts'
export { addFeed, createFeedLinks, type FeedLinks, feedView, listFeeds, readFeed, removeFeed } from './feeds.ts'
export { createLiveCheck } from './live-check.ts'
export { decideChange } from './outside-changes.ts'
export { pushConnection, queuePushes } from './push.ts'
export { forgetChannel, pruneOutside, queueSyncs, syncConnection, syncNow, takeNotice } from './sync.ts'

export { readTimeline, timelinePage } from './read-timeline.ts'

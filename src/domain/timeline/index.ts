export { readTimeline, timelineEntry, timelinePage } from './read-timeline.ts'

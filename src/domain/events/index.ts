export {
  eventView,
  listEvents,
  pruneEvents,
} from './events.ts'
export { createEventHub, type EventHub } from './hub.ts'

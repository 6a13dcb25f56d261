export {
  type EventPosition,
  type EventView,
  eventView,
  listEvents,
  pruneEvents,
  readEvents,
  type StoredEvent,
} from './events.ts'
export { createEventHub, type EventHub, type StreamItem } from './hub.ts'

export {
  countEvents,
  findEvent,
  finishEvents,
  insertEvents,
  loadEvent,
  type NewEvent,
  requeueEvents,
} from './events.ts'
export {
  countQuarantined,
  describeQuarantine,
  dropQuarantined,
  forgetQuarantined,
  getQuarantined,
  listQuarantine,
  type QuarantineScope,
  quarantineDetail,
  quarantineView,
  retryQuarantined,
  type SetAside,
  setAside,
} from './quarantine.ts'

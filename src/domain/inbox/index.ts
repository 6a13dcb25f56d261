export {
  countEvents,
  findEvent,
  finishEvents,
  insertEvents,
  loadEvent,
  requeueEvents,
  reviveEvent,
} from './events.ts'
export {
  countQuarantined,
  describeQuarantine,
  dropQuarantined,
  forgetQuarantined,
  getQuarantined,
  listQuarantine,
  quarantineDetail,
  quarantineView,
  retryQuarantined,
  setAside,
} from './quarantine.ts'

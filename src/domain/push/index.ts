export { deliverPush } from './deliver-push.ts'
export {
  addPushDevice,
  changePushDevice,
  deviceView,
  getPushSettings,
  listPushDevices,
  newDevice,
  PUSH_KINDS,
  pushSettingsView,
  removePushDevice,
  savePushSettings,
  testPushDevice,
} from './devices.ts'
export { ensurePushKeys, type PushDeps } from './keys.ts'
export { prunePushes, queuePushes } from './notices.ts'

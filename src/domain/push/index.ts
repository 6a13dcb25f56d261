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
  requireOwnDevice,
  savePushSettings,
} from './devices.ts'
export { takeEarlierDeliveries } from './earlier.ts'
export { ensurePushKeys, type PushDeps } from './keys.ts'
export { forgetDevice, sendToDevice } from './send.ts'

export { endAlertCall, type Spoken, speakAlert, takeKey } from './calls.ts'
export {
  addChannel,
  changeChannel,
  channelChanges,
  channelView,
  listChannels,
  newChannel,
  removeChannel,
} from './channels.ts'
export { type AlertDeps, type AlertLinks, noteTextStatus, placeIn, reachOf, sendAlert, sendOverdue } from './deliver.ts'
export { observe, seeIncident, takeIncident } from './incidents.ts'
export { MEMBER_WAYS } from './kinds.ts'
export {
  alertKindView,
  escalationSettings,
  getEscalation,
  getMemberAlerts,
  listAlertKinds,
  listMemberAlerts,
  memberAlertSettings,
  memberAlertView,
  memberWhoAsks,
  saveEscalation,
  saveMemberAlerts,
  unsubscribeMail,
} from './members.ts'
export { pruneAlerts } from './notices.ts'
export type { Reach } from './plan.ts'
export {
  alertDeliveryView,
  alertDetail,
  alertFilters,
  alertView,
  deliveryFilters,
  getAlert,
  listAlertDeliveries,
  listAlerts,
} from './queries.ts'
export { isAlertReply, takeSmsReply } from './replies.ts'
export { runAlerts, runNotices } from './round.ts'
export { takeTelegramUpdate } from './telegram.ts'
export { testChannel, testDevice, testWay } from './tests.ts'
export { CODE_WAYS, confirmPhone, phoneCode, sendPhoneCode } from './verify-phone.ts'
export { type Found, isDue, isWatched, reportInstallation, watchBusinesses } from './watch.ts'

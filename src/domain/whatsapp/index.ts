export {
  type AccountCommand,
  type AccountSettings,
  accountSettings,
  changeAccountSettings,
  closeCommand,
  createAccount,
  deleteAccount,
  getLink,
  type LinkView,
  linkView,
  listLinks,
  logoutAccount,
  openCommands,
  requestLink,
  restartAccount,
} from './accounts.ts'
export { createAuthStore } from './auth-store.ts'
export { pendingFiles, recallMessage, reviveInbound, storeInbound } from './inbound.ts'
export {
  acquireLeases,
  ensureLinks,
  isCurrent,
  type Lease,
  releaseLease,
  releaseOrphans,
  renewLeases,
  surplusOf,
} from './leases.ts'
export { confirmNumber, refuseNumber } from './linked-number.ts'
export {
  type AcceptedSend,
  accountsWithWork,
  beginSend,
  endAndBegin,
  endSend,
  markSent,
  nextInOutbox,
  type OutboxItem,
  refuseQueued,
  settleDoubt,
} from './outbox.ts'
export { applyReceipts } from './receipts.ts'
export { findMessageSecret } from './secrets.ts'
export { isOver, saveAccountStatus } from './status.ts'
export { addTwilioSender } from './twilio-senders.ts'

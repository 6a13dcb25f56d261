export {
  type AccountView,
  listAccounts,
  type SenderChoice,
  senderFor,
  WAKE_CHANNEL,
  type Wake,
  wake,
  wakeAccount,
} from './accounts.ts'
export { authenticateApiKey, createApiKey, ensureApiKey } from './api-keys.ts'
export {
  addPhoneNumber,
  blockBusiness,
  createBusiness,
  getBusiness,
  listBusinesses,
  setWhatsAppProviders,
  unblockBusiness,
} from './businesses.ts'
export {
  type AccountEntry,
  type BusinessDirectory,
  type BusinessEntry,
  createDirectory,
  type NumberLookup,
} from './directory.ts'
export { ensureFirstBusiness } from './ensure-first-business.ts'

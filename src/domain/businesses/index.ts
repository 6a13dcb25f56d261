export {
  listAccounts,
  type SenderChoice,
  senderFor,
  WAKE_CHANNEL,
  type Wake,
  wake,
  wakeAccount,
  wakeCall,
} from './accounts.ts'
export {
  apiKeyView,
  authenticateApiKey,
  bootstrapKeyExists,
  createApiKey,
  listApiKeys,
  revokeApiKey,
  scopeOfApiKey,
  setBootstrapKey,
} from './api-keys.ts'
export {
  addPhoneNumber,
  blockBusiness,
  businessSettings,
  businessView,
  createBusiness,
  getBusiness,
  listBusinesses,
  listPhoneNumbers,
  phoneNumberView,
  removePhoneNumber,
  setBusiness,
  unblockBusiness,
  updateBusiness,
  weekHours,
} from './businesses.ts'
export {
  carrierNumberView,
  connectNumber,
  listCarrierNumbers,
  type NumberWebhooks,
  wrongWebhooks,
} from './carrier-numbers.ts'
export {
  type AccountEntry,
  type BusinessDirectory,
  type BusinessEntry,
  createDirectory,
} from './directory.ts'
export { ensureFirstBusiness } from './ensure-first-business.ts'

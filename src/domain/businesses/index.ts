export { type AccountView, listAccounts, type SenderChoice, senderFor } from './accounts.ts'
export { authenticateApiKey, createApiKey, ensureApiKey } from './api-keys.ts'
export {
  addPhoneNumber,
  blockBusiness,
  createBusiness,
  getBusiness,
  listBusinesses,
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

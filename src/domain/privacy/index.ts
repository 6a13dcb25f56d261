export { deletePending, forgetMentions, pruneTombstones, requeueDeletions } from '../erasures/index.ts'
export { eraseContact, erasure } from './erase-contact.ts'
export { maskedKinds, readMaskedKinds, readMaskedKindsOf } from './masking.ts'
export { getRetention, retention, setRetention, sweepRetention } from './privacy.ts'

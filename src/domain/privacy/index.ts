export { deletePending, forgetMentions, pruneTombstones, requeueDeletions } from '../erasures/index.ts'
export { eraseContact, erasure } from './erase-contact.ts'
export { getRetention, type Retention, retention, setRetention, sweepRetention } from './privacy.ts'

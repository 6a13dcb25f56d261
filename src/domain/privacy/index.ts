export {
  deletePending,
  eraseContact,
  erasure,
  getRetention,
  type Retention,
  requeueDeletions,
  retention,
  setRetention,
  sweepRetention,
} from './privacy.ts'

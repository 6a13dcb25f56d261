export {
  deleteLeftovers,
  deletePending,
  filesOfRecordings,
  filesOfTurns,
  noteDeletions,
  noteFiles,
  queueDeletions,
  type Ref,
  requeueDeletions,
} from './deletions.ts'
export { eraseCalls, silenceNews } from './erase-calls.ts'
export {
  type ForgetJobs,
  forgetMentions,
  type Identity,
  isErasedSql,
  personErased,
  pruneTombstones,
  refuseErased,
  refuseErasedCall,
  writeTombstones,
} from './tombstones.ts'

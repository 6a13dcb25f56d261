export {
  deleteLeftovers,
  deletePending,
  filesOfCallAudio,
  filesOfRecordings,
  filesOfTurns,
  noteDeletions,
  noteFiles,
  queueDeletions,
  requeueDeletions,
} from './deletions.ts'
export { eraseCalls, eraseEvents } from './erase-calls.ts'
export {
  forgetMentions,
  type Identity,
  isErasedSql,
  personErased,
  pruneTombstones,
  refuseErased,
  refuseErasedCall,
  writeTombstones,
} from './tombstones.ts'

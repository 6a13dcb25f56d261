export {
  deleteFileAfter,
  deleteLeftovers,
  deletePending,
  filesOfCallAudio,
  filesOfRecordings,
  filesOfTurns,
  keepFiles,
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

export { deleteRemoteRecording, fetchRecording } from './fetch-recording.ts'
export { markHeard } from './mark-heard.ts'
export {
  getRecording,
  getRecordingPeaks,
  listRecordings,
  recordingFilters,
  recordingPeaksView,
  recordingView,
} from './queries.ts'
export { requeueRemoteDeletions } from './sweep.ts'

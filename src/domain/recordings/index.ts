export { deleteRemoteRecording, fetchRecording } from './fetch-recording.ts'
export { getRecording, listRecordings, recordingView } from './queries.ts'
export { requeueRemoteDeletions } from './sweep.ts'

export { deleteRemoteRecording, fetchRecording } from './fetch-recording.ts'
export { getRecording, listRecordings } from './queries.ts'
export { requeueRemoteDeletions } from './sweep.ts'

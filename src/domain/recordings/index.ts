export { deleteRemoteRecording, fetchRecording, type RecordingSource } from './fetch-recording.ts'
export { getRecording, listRecordings, recordingView } from './queries.ts'
export { requeueRemoteDeletions } from './sweep.ts'

export { callTraceKey } from '../storage-keys.ts'
export { decideAfterStream } from './after-stream.ts'
export { attestationOf } from './attestation.ts'
export {
  callAudioView,
  enqueueCallAudio,
  getCallAudio,
  getCallAudioKey,
  renderCallAudio,
  requeueCallAudio,
} from './call-audio.ts'
export { CALL_OUTCOMES, outcomeSql } from './call-outcome.ts'
export { callStats } from './call-stats.ts'
export { attachCallTrace, findCallTrace, getCallTraceKey } from './call-trace.ts'
export { callerPhone, isDiverted } from './caller.ts'
export { claimStream } from './claim-stream.ts'
export { type CallEndReason, callEndReason } from './end-reasons.ts'
export { needsFallbackSummary } from './fallback-summary.ts'
export { endCallWithMessage, finishCall } from './finish-call.ts'
export { createListenToken, type ListenToken, verifyListenToken } from './listen-token.ts'
export {
  auditLiveAction,
  callNotLive,
  findLiveCall,
  type LiveAction,
  type LiveCall,
  listLiveCalls,
  liveCallView,
} from './live-calls.ts'
export { type LiveState, recordLiveState } from './live-state.ts'
export { callFilters, getCall, getTurnAudio, listCalls } from './queries.ts'
export { recordCallStatus } from './record-status.ts'
export { recordStreamEvent } from './record-stream-event.ts'
export { registerCall, upsertCall } from './register-call.ts'
export { registerPending } from './register-pending.ts'
export { rejectStream } from './reject-stream.ts'
export { saveTurn, saveTurns } from './save-turn.ts'
export { createStreamToken, type StreamToken, type TestCall, verifyStreamToken } from './stream-token.ts'
export { editSummary, getSummary, summarizeCall, summaryChanges } from './summarize-call.ts'
export { summaryByRules } from './summary-rules.ts'
export { endAbandonedCalls, requeueSummaries, requeueTranscripts } from './sweep.ts'
export { actorName, beginTestCall } from './test-call.ts'
export { transcribeTurn } from './transcribe-turn.ts'
export { type CallMoment, callDetail, callMoment, callView } from './views.ts'

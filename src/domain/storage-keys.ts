/** Storage keys are known before their file exists, so that a retry finds what a crash left. */

/** The message that a caller left, by the carrier's id of it. */
export function recordingKey(businessId: string, recordingSid: string): string {
  return `recordings/${businessId}/${safe(recordingSid)}.wav`
}

export function turnAudioKey(businessId: string, callSid: string, index: number): string {
  return `calls/${businessId}/${safe(callSid)}/turn-${index}.wav`
}

export function callTraceKey(businessId: string, callSid: string): string {
  return `calls/${businessId}/${safe(callSid)}/record.jsonl`
}

/** Both sides of a call as they were heard. */
export function callAudioKey(businessId: string, callSid: string): string {
  return `calls/${businessId}/${safe(callSid)}/heard.wav`
}

/** The loudness of a call's audio over time, to be drawn. */
export function callPeaksKey(businessId: string, callSid: string): string {
  return `calls/${businessId}/${safe(callSid)}/peaks.json`
}

export function mediaKey(businessId: string, mediaId: string): string {
  return `media/${businessId}/${mediaId}`
}

function safe(id: string): string {
  return id.replace(/[^A-Za-z0-9_-]/g, '_')
}

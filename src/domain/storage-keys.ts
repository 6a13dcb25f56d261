/**
 * Where files lie in the storage. Each is known before its file is there, so that what a crash left half done is found by
 * whoever does it again.
 */

/** The message that a caller left, by the carrier's id of it. */
export function recordingKey(businessId: string, recordingSid: string): string {
  return `recordings/${businessId}/${recordingSid.replace(/[^A-Za-z0-9_-]/g, '_')}.wav`
}

/** A file of an inbound message. */
export function mediaKey(businessId: string, mediaId: string): string {
  return `media/${businessId}/${mediaId}`
}

import { writeTelephoneWav } from './audio.ts'
import {
  API_ROOT,
  deliverAnswer,
  injectedError,
  matchesDate,
  pageOf,
  twilioError,
  twilioJson,
  twilioNotFound,
} from './rest.ts'
import type { CarrierState, RecordingRecord } from './state.ts'
import { formatRfc2822 } from './twilio-sid.ts'

export function recordingUrl(state: CarrierState, sid: string): string {
  return `${state.url}${API_ROOT}/Accounts/${state.accountSid}/Recordings/${sid}`
}

export function recordingToJson(state: CarrierState, recording: RecordingRecord): Record<string, unknown> {
  const uri = `${API_ROOT}/Accounts/${state.accountSid}/Recordings/${recording.sid}`
  const done = recording.status === 'completed'
  return {
    account_sid: state.accountSid,
    api_version: '2010-04-01',
    call_sid: recording.callSid,
    channels: recording.channels,
    conference_sid: null,
    date_created: formatRfc2822(recording.createdAt),
    date_updated: formatRfc2822(recording.updatedAt),
    duration: done ? String(recording.durationSeconds) : null,
    encryption_details: null,
    error_code: null,
    media_url: recordingUrl(state, recording.sid),
    price: null,
    price_unit: 'USD',
    sid: recording.sid,
    source: recording.source,
    start_time: formatRfc2822(recording.startedAt),
    status: recording.status,
    subresource_uris: {},
    uri: `${uri}.json`,
  }
}

/**
 * `GET /Recordings…`: the list, a recording's JSON, or its file. The file is 16-bit PCM WAV (`.wav` or no extension), 404
 * until the recording is completed; two channels of a `<Record>` file are refused with 400; `.mp3` is 404, as there is no
 * encoder.
 */
export async function readRecordings(
  state: CarrierState,
  parts: readonly string[],
  url: URL,
): Promise<Response | null> {
  const [sid, sub] = parts
  if (sub !== undefined) return null
  const effects = state.faults.strike('recordings')
  const refused = injectedError(effects)
  if (refused) return refused
  const query = url.searchParams
  if (sid === undefined) {
    const found = [...state.recordings.values()]
      .filter((recording) => !query.has('CallSid') || recording.callSid === query.get('CallSid'))
      .filter((recording) => matchesDate(recording.createdAt, query, 'DateCreated'))
      .reverse()
    return pageOf('recordings', found, url, (recording) => recordingToJson(state, recording))
  }
  const missing = twilioNotFound(url.pathname.slice(API_ROOT.length))
  const recording = state.recordings.get(sid)
  if (!recording) return missing
  if (url.pathname.endsWith('.json')) return deliverAnswer(twilioJson(recordingToJson(state, recording)), effects)
  if (recording.status !== 'completed' || url.pathname.endsWith('.mp3')) return missing
  if (query.get('RequestedChannels') === '2') {
    return twilioError(400, 20001, 'RequestedChannels is not available for a mono recording')
  }
  const wav = writeTelephoneWav(recording.audio)
  return deliverAnswer(
    new Response(wav, { headers: { 'Content-Type': 'audio/x-wav', 'Content-Length': String(wav.length) } }),
    effects,
  )
}

export function deleteRecording(state: CarrierState, sid: string, url: URL): Response {
  if (!state.recordings.delete(sid)) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  return new Response(null, { status: 204 })
}

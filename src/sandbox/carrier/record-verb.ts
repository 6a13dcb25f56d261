import { concatBytes, mulawSilence } from '../../audio/mulaw.ts'
import { findVoice, isVoice, makeTone } from './audio.ts'
import {
  type CallContext,
  type LoadedDocument,
  loadDocument,
  notify,
  voiceParams,
  waitUntilHeard,
} from './call-context.ts'
import type { RecordedMessage } from './call-report.ts'
import { FRAME_MS } from './line.ts'
import { recordingUrl } from './recordings-api.ts'
import type { RecordingRecord } from './state.ts'
import { newSid } from './twilio-sid.ts'
import type { TwimlElement } from './twiml.ts'

const BEEP = makeTone(1000, 400)

type Captured = { audio: Uint8Array; endedBy: RecordedMessage['endedBy']; key: string | null }

/**
 * Runs `<Record>`: beep, the caller's audio until silence, a key, the maximum length or the end of the call, a Recording in
 * the carrier, the status callback when its file is ready, and the `action` request. Returns the next document; null = no
 * speech, so the call falls through to the next verb.
 * @param base URL of the document, which is also the default `action`
 */
export async function runRecord(
  context: CallContext,
  element: TwimlElement,
  base: string | null,
): Promise<LoadedDocument | null> {
  const { line, interrupt, call, log, state } = context
  const { attributes } = element
  if (attributes.playBeep !== 'false') {
    line.hear(BEEP)
    await waitUntilHeard(context)
  }
  const startedAt = new Date()
  const captured = interrupt.signal.aborted ? null : await capture(context, attributes)
  const voice = captured && findVoice(captured.audio)
  if (!captured || !voice) {
    log.note(line.now(), 'record_empty')
    const sid = newSid('RE')
    tellRecording(context, element, 'absent', { RecordingSid: sid, RecordingStatus: 'absent', RecordingDuration: '0' })
    return null
  }
  const audio = attributes.trim === 'do-not-trim' ? captured.audio : captured.audio.slice(voice.start, voice.end)
  const recording: RecordingRecord = {
    sid: newSid('RE'),
    callSid: call.parentSid ?? call.sid,
    status: 'processing',
    channels: 1,
    source: 'RecordVerb',
    startedAt,
    createdAt: startedAt,
    updatedAt: new Date(),
    durationSeconds: Math.max(1, Math.round(audio.length / 8000)),
    audio,
  }
  state.addRecording(recording)
  log.recordings.push({ sid: recording.sid, durationSeconds: recording.durationSeconds, endedBy: captured.endedBy })
  log.note(line.now(), 'recorded', `${recording.durationSeconds} s, ended by ${captured.endedBy}`)
  const about = {
    RecordingSid: recording.sid,
    RecordingUrl: recordingUrl(state, recording.sid),
    RecordingDuration: String(recording.durationSeconds),
  }
  state.later(state.settings.recordingDelayMs, () => {
    recording.status = 'completed'
    recording.updatedAt = new Date()
    tellRecording(context, element, 'completed', { ...about, RecordingStatus: 'completed' })
  })
  const action = attributes.action ?? base
  // A REST update replaces the TwiML, the action of this verb included.
  if (action === null || interrupt.cause?.kind === 'update') return null
  const hungUp = interrupt.cause?.kind === 'hangup'
  const digits = hungUp ? 'hangup' : captured.key
  const document = await loadDocument(context, 'record_action', action, {
    base,
    method: attributes.method === 'GET' ? 'GET' : 'POST',
    params: { ...about, ...(digits === null ? {} : { Digits: digits }) },
    followed: !hungUp,
  })
  return document
}

function tellRecording(
  context: CallContext,
  element: TwimlElement,
  event: 'completed' | 'absent',
  params: Record<string, string>,
): void {
  const { recordingStatusCallback, recordingStatusCallbackEvent, recordingStatusCallbackMethod } = element.attributes
  const wanted = (recordingStatusCallbackEvent ?? 'completed').split(/\s+/)
  if (recordingStatusCallback === undefined || !wanted.includes(event)) return
  if (!URL.canParse(recordingStatusCallback)) {
    context.log.raise(context.line.now(), 11100, 'warning', 'recordingStatusCallback is not an absolute URL')
    return
  }
  const { AccountSid = '', CallSid = '' } = voiceParams(context)
  const form = { AccountSid, CallSid, ...params, RecordingChannels: '1', RecordingSource: 'RecordVerb' }
  const method = recordingStatusCallbackMethod === 'GET' ? 'GET' : 'POST'
  notify(context, 'recording_status', recordingStatusCallback, form, method)
}

function capture(context: CallContext, attributes: Readonly<Record<string, string>>): Promise<Captured> {
  const { line, interrupt } = context
  const silenceMs = Number(attributes.timeout ?? '5') * 1000
  const maxMs = Number(attributes.maxLength ?? '3600') * 1000
  const finishKeys = attributes.finishOnKey ?? '1234567890*#'
  const frames: Uint8Array[] = []
  let quietMs = 0
  let heardVoice = false
  return new Promise((resolve) => {
    const finish = (endedBy: Captured['endedBy'], key: string | null = null): void => {
      line.connect(null)
      interrupt.signal.removeEventListener('abort', stop)
      resolve({ audio: concatBytes(frames), endedBy, key })
    }
    const stop = (): void => finish(interrupt.cause?.kind === 'hangup' ? 'hangup' : 'rest')
    interrupt.signal.addEventListener('abort', stop)
    line.connect({
      frame: (frame) => {
        const audio = frame ?? mulawSilence(FRAME_MS)
        frames.push(audio)
        const loud = isVoice(audio)
        heardVoice ||= loud
        quietMs = loud ? 0 : quietMs + FRAME_MS
        if (frames.length * FRAME_MS >= maxMs) finish('max_length')
        else if (silenceMs > 0 && quietMs >= silenceMs) finish(heardVoice ? 'silence' : 'empty')
      },
      key: (digit) => {
        if (finishKeys.includes(digit)) finish('key', digit)
      },
    })
  })
}

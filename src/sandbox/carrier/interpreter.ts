import { concatBytes, mulawSilence } from '../../audio/mulaw.ts'
import { makeTone, readTelephoneWav } from './audio.ts'
import {
  ApplicationError,
  absoluteUrl,
  type CallContext,
  fetchMedia,
  type LoadedDocument,
  loadDocument,
  sleepUnless,
  waitUntilHeard,
} from './call-context.ts'
import type { CallEnd } from './call-report.ts'
import { runGather } from './gather-verb.ts'
import { runStream } from './media-stream.ts'
import { runRecord } from './record-verb.ts'
import { newCarrierCall } from './state.ts'
import type { TwimlElement } from './twiml.ts'

/** What follows a document: another document, the end of the call, or an interruption (hang-up, REST). */
export type Outcome =
  | { kind: 'document'; document: LoadedDocument }
  | { kind: 'end'; end: CallEnd }
  | { kind: 'interrupted' }

/** Reading speed of `<Say>`, ms per character: some 15 characters a second. */
const MS_PER_CHARACTER = 65
/** Bytes per second of usual MP3 prompts (32 kbit/s), for a file that is not decoded. */
const MP3_BYTES_PER_SECOND = 4000

const goOn = (document: LoadedDocument): Outcome => ({ kind: 'document', document })
const end = (by: CallEnd['by'], detail: string): Outcome => ({ kind: 'end', end: { by, detail } })

/** Runs a TwiML document verb by verb. The end of the document ends the call. */
export async function runDocument(context: CallContext, document: LoadedDocument): Promise<Outcome> {
  const { interrupt, log, line } = context
  for (const verb of document.root.children) {
    if (interrupt.cause !== null) return { kind: 'interrupted' }
    log.note(line.now(), `verb_${verb.name}`)
    const outcome = await runVerb(context, verb, document.url)
    if (interrupt.cause !== null) return { kind: 'interrupted' }
    if (outcome !== null) return outcome
  }
  if (interrupt.cause !== null) return { kind: 'interrupted' }
  return end('document_end', 'no verb left')
}

async function runVerb(context: CallContext, verb: TwimlElement, base: string | null): Promise<Outcome | null> {
  const method = verb.attributes.method === 'GET' ? 'GET' : 'POST'
  if (verb.name === 'Hangup') return end('agent', '<Hangup>')
  if (verb.name === 'Reject') return end('rejected', verb.attributes.reason ?? 'rejected')
  if (verb.name === 'Redirect') return goOn(await loadDocument(context, 'redirect', verb.text.trim(), { base, method }))
  if (verb.name === 'Pause') {
    await sleepUnless(context.interrupt.signal, Number(verb.attributes.length ?? '1') * 1000)
    return null
  }
  if (verb.name === 'Say') return runSay(context, verb)
  if (verb.name === 'Play') return runPlay(context, verb, base)
  if (verb.name === 'Connect') return runConnect(context, verb, base, method)
  if (verb.name === 'Dial') return runDial(context, verb, base, method)
  if (verb.name === 'Gather') {
    const next = await runGather(context, verb, base)
    return next === null ? null : goOn(next)
  }
  if (verb.name === 'Record') {
    const next = await runRecord(context, verb, base)
    return next === null ? null : goOn(next)
  }
  return null
}

/** The text is in the report; the caller hears a tone of the same length, as no voice is synthesized. */
async function runSay(context: CallContext, verb: TwimlElement): Promise<null> {
  const text = verb.text.trim()
  context.log.said.push({ atMs: Math.round(context.line.now()), text, language: verb.attributes.language ?? null })
  for (let i = 0; i < loops(verb) && context.interrupt.cause === null; i += 1) {
    context.line.hear(makeTone(220, Math.max(200, text.length * MS_PER_CHARACTER), 2000))
    await waitUntilHeard(context)
  }
  return null
}

function loops(verb: TwimlElement): number {
  const asked = Number(verb.attributes.loop ?? '1')
  return asked === 0 ? 1000 : asked
}

async function runPlay(context: CallContext, verb: TwimlElement, base: string | null): Promise<null> {
  const url = absoluteUrl(verb.text.trim(), base)
  if (verb.text.trim() === '' || url === null) {
    if (verb.attributes.digits === undefined) {
      context.log.raise(context.line.now(), 11100, 'warning', '<Play> has no absolute URL')
    }
    return null
  }
  const media = await fetchMedia(context, url)
  if (media === null) return null
  const audio = decodeMedia(media.bytes, media.contentType)
  if (audio === null) {
    context.log.raise(context.line.now(), 12300, 'warning', `cannot play ${media.contentType || 'a file of no type'}`)
    return null
  }
  for (let i = 0; i < loops(verb) && context.interrupt.cause === null; i += 1) {
    context.line.hear(audio)
    await waitUntilHeard(context)
  }
  return null
}

/** WAV and raw μ-law are played as they are; an MP3 is replaced by a tone of its length. */
function decodeMedia(bytes: Uint8Array, contentType: string): Uint8Array | null {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  if (/^audio\/(x-|vnd\.)?wave?$/.test(type)) return readTelephoneWav(bytes)
  if (type === 'audio/basic' || type === 'audio/ulaw' || type === 'audio/x-mulaw') return bytes
  if (type === 'audio/mpeg' || type === 'audio/mp3')
    return makeTone(220, (bytes.length / MP3_BYTES_PER_SECOND) * 1000, 2000)
  return null
}

async function runConnect(
  context: CallContext,
  verb: TwimlElement,
  base: string | null,
  method: 'GET' | 'POST',
): Promise<Outcome | null> {
  const stream = verb.children.find((child) => child.name === 'Stream')
  if (!stream) {
    context.log.raise(context.line.now(), 12200, 'warning', '<Connect> without <Stream>')
    return null
  }
  const report = await runStream(context, stream, base)
  const { action } = verb.attributes
  // A REST redirect replaces the TwiML: the action of the interrupted stream is not requested.
  if (action === undefined || report.endedBy === 'rest') return null
  const hungUp = context.interrupt.cause?.kind === 'hangup'
  const document = await loadDocument(context, 'connect_action', action, { base, method, followed: !hungUp })
  return goOn(document)
}

/** The call's plan says how it ends. A whisper document is fetched when "answered". */
async function runDial(
  context: CallContext,
  verb: TwimlElement,
  base: string | null,
  method: 'GET' | 'POST',
): Promise<Outcome | null> {
  const { dial, interrupt, line, log, state, call } = context
  const noun = verb.children.find((child) => child.name === 'Number')
  const number = (noun?.text ?? verb.text).trim()
  const ringMs =
    dial.outcome === 'no-answer' ? Math.min(dial.afterMs, Number(verb.attributes.timeout ?? '30') * 1000) : dial.afterMs
  if (verb.attributes.answerOnBridge === 'true')
    line.hear(concatBytes([makeTone(400, Math.min(ringMs, 1000), 2000), mulawSilence(20)]))
  await sleepUnless(interrupt.signal, ringMs)
  line.playback.clear(line.now())
  const child = newCarrierCall(verb.attributes.callerId ?? call.from, number, call.sid)
  child.status = dial.outcome === 'answered' ? 'in-progress' : dial.outcome
  state.addCall(child)
  log.note(line.now(), 'dial', dial.outcome)
  const startedAt = line.now()
  if (dial.outcome === 'answered' && interrupt.cause === null) {
    child.answeredAt = new Date()
    const whisper = noun?.attributes.url
    if (whisper !== undefined) await loadWhisper({ ...context, call: child }, whisper, base)
    await sleepUnless(interrupt.signal, dial.talkMs)
    child.status = 'completed'
  }
  child.endedAt = new Date()
  if (verb.attributes.action === undefined) return null
  const seconds = Math.round((line.now() - startedAt) / 1000)
  const hungUp = interrupt.cause?.kind === 'hangup'
  const params = {
    DialCallStatus: child.status,
    DialCallSid: child.sid,
    DialBridged: String(dial.outcome === 'answered'),
    ...(dial.outcome === 'answered' ? { DialCallDuration: String(seconds) } : {}),
  }
  if (interrupt.cause?.kind === 'update') return null
  return goOn(
    await loadDocument(context, 'dial_action', verb.attributes.action, { base, method, params, followed: !hungUp }),
  )
}

async function loadWhisper(context: CallContext, url: string, base: string | null): Promise<void> {
  try {
    await loadDocument(context, 'whisper', url, { base })
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error
    context.log.raise(context.line.now(), error.code, 'warning', `whisper: ${error.message}`)
  }
}

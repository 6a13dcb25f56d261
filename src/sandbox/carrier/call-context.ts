import { errorMessage } from '../../lib/errors.ts'
import type { CallLog } from './call-log.ts'
import type { FollowedDocument } from './call-report.ts'
import type { Line } from './line.ts'
import type { CallUpdate, CarrierCall, CarrierState } from './state.ts'
import { checkTwiml, parseTwiml, type TwimlElement } from './twiml.ts'
import type { ConnectRule } from './webhook-client.ts'
import { resolveTarget, sendWebhook, type WebhookAnswer } from './webhook-client.ts'

export type InterruptCause = { kind: 'hangup'; by: 'caller' | 'time_limit' } | { kind: 'update'; update: CallUpdate }

/** Signals the running verb that the caller hung up or that the REST API redirected the call. */
export class Interrupt {
  #controller = new AbortController()
  #cause: InterruptCause | null = null

  get cause(): InterruptCause | null {
    return this.#cause
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** A hang-up is final. */
  raise(cause: InterruptCause): void {
    if (this.#cause?.kind === 'hangup') return
    this.#cause = cause
    this.#controller.abort()
  }

  takeUpdate(): CallUpdate | null {
    if (this.#cause?.kind !== 'update') return null
    const { update } = this.#cause
    this.#cause = null
    this.#controller = new AbortController()
    return update
  }
}

/** A document that ends the call with "an application error has occurred". */
export class ApplicationError extends Error {
  readonly code: number
  readonly url: string

  constructor(code: number, url: string, message: string) {
    super(message)
    this.code = code
    this.url = url
  }
}

export type LoadedDocument = { root: TwimlElement; url: string | null }

/** How a Dial ends; no real call is made. */
export type DialPlan = { outcome: 'answered' | 'no-answer' | 'busy' | 'failed'; afterMs: number; talkMs: number }

/** How the marks of a stream return: late, or never (including those that a `clear` returns). */
export type MarkPlan = { lateMs: number; lost: boolean }

export type CallContext = {
  state: CarrierState
  call: CarrierCall
  line: Line
  log: CallLog
  interrupt: Interrupt
  accountSid: string
  authToken: string
  rules: readonly ConnectRule[]
  extraParams: Readonly<Record<string, string>>
  dial: DialPlan
  marks: MarkPlan
  signature: SignatureMode
  /** Callbacks in progress; the report waits for them. */
  pending: Set<Promise<unknown>>
  onClear: (now: number) => void
}

/** `right`; `trailing_slash` = a stream is signed over its URL with a `/` behind it, as Twilio may; `wrong`; `none`. */
export type SignatureMode = 'right' | 'trailing_slash' | 'wrong' | 'none'

/** Waits, until the signal at most. */
export function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

/** Waits until all queued audio was played; an interruption silences the line instead. */
export async function waitUntilHeard(context: CallContext): Promise<void> {
  const { line, interrupt } = context
  // A timer may fire a fraction early: look again until the last byte is played.
  for (let left = line.playback.bufferedMs(line.now()); left > 0 && !interrupt.signal.aborted; ) {
    await sleepUnless(interrupt.signal, left)
    left = line.playback.bufferedMs(line.now())
  }
  if (interrupt.signal.aborted) line.playback.clear(line.now())
  else line.flushMarks()
}

/** The parameters of every voice request of this call. */
export function voiceParams(context: CallContext): Record<string, string> {
  const { call } = context
  const place = (prefix: string, number: string): Record<string, string> => ({
    [`${prefix}City`]: '',
    [`${prefix}Country`]: countryOf(number),
    [`${prefix}State`]: '',
    [`${prefix}Zip`]: '',
  })
  return {
    AccountSid: context.accountSid,
    ApiVersion: '2010-04-01',
    CallSid: call.sid,
    CallStatus: call.status,
    Called: call.to,
    ...place('Called', call.to),
    Caller: call.from,
    ...place('Caller', call.from),
    Direction: call.direction,
    From: call.from,
    ...place('From', call.from),
    To: call.to,
    ...place('To', call.to),
    ...(call.parentSid === null ? {} : { ParentCallSid: call.parentSid }),
    ...context.extraParams,
  }
}

function countryOf(number: string): string {
  if (number.startsWith('+972')) return 'IL'
  if (number.startsWith('+1')) return 'US'
  return number.startsWith('+44') ? 'GB' : ''
}

export function requestVoice(
  context: CallContext,
  url: string,
  params: Readonly<Record<string, string>>,
  method: 'GET' | 'POST' = 'POST',
): Promise<WebhookAnswer> {
  const { signature } = context
  return sendWebhook({
    authToken: signature === 'wrong' ? `${context.authToken}x` : context.authToken,
    url,
    params,
    method,
    kind: 'voice',
    rules: context.rules,
    ...(signature === 'none' ? { signature: null } : {}),
  })
}

/** Sends a callback in the background; the call's report waits for it. A 4xx or 5xx is 15003. */
export function notify(
  context: CallContext,
  kind: 'call_status' | 'stream_status' | 'recording_status',
  url: string,
  params: Readonly<Record<string, string>>,
  method: 'GET' | 'POST' = 'POST',
): void {
  const task = requestVoice(context, url, params, method).then((answer) => {
    context.state.noteCallback({ at: new Date(), kind, url, params, status: answer.status, error: answer.error })
    if (answer.status === null || answer.status >= 400) {
      const came = answer.status ?? answer.error ?? 'nothing'
      context.log.raise(context.line.now(), 15003, 'warning', `${kind} callback answered ${came}`)
    }
  })
  context.pending.add(task)
  void task.finally(() => context.pending.delete(task))
}

export function absoluteUrl(url: string, base: string | null): string | null {
  if (URL.canParse(url)) return url
  if (base === null || !URL.canParse(url, base)) return null
  return new URL(url, base).toString()
}

/**
 * Fetches and parses a TwiML document, and adds it to the report.
 * @throws ApplicationError 11200 (no good answer), 11100 (no usable URL), 12300 (not XML by its Content-Type), 12100 (not
 * parseable)
 */
export async function loadDocument(
  context: CallContext,
  source: FollowedDocument['source'],
  url: string,
  options: {
    method?: 'GET' | 'POST'
    base?: string | null
    params?: Readonly<Record<string, string>>
    followed?: boolean
  } = {},
): Promise<LoadedDocument> {
  const absolute = absoluteUrl(url, options.base ?? null)
  const { log, line } = context
  if (absolute === null) throw new ApplicationError(11100, url, `not an absolute URL: ${url}`)
  const params = { ...voiceParams(context), ...options.params }
  const atMs = Math.round(line.now())
  const answer = await requestVoice(context, absolute, params, options.method)
  const body = new TextDecoder().decode(answer.body)
  const followed: FollowedDocument = {
    atMs,
    source,
    url: absolute,
    params,
    status: answer.status,
    contentType: answer.contentType,
    body,
    verbs: [],
    latencyMs: Math.round(answer.latencyMs * 10) / 10,
    followed: options.followed ?? true,
  }
  log.documents.push(followed)
  log.note(line.now(), `document_${source}`, `${answer.status ?? answer.error}`)
  if (answer.status === null) throw new ApplicationError(11200, absolute, `no answer: ${answer.error ?? ''}`)
  if (answer.status >= 400) throw new ApplicationError(11200, absolute, `answered ${answer.status}`)
  if (answer.status === 204)
    return { root: { name: 'Response', attributes: {}, children: [], text: '' }, url: absolute }
  const type = (answer.contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (!['text/xml', 'application/xml', 'text/html'].includes(type)) {
    throw new ApplicationError(12300, absolute, `Content-Type ${type === '' ? 'is missing' : type}`)
  }
  const root = parseDocument(context, body, absolute)
  followed.verbs = root.children.map((child) => child.name)
  return { root, url: absolute }
}

/** Parses TwiML and raises its schema warnings (12200). @throws ApplicationError 12100 */
export function parseDocument(context: CallContext, body: string, url: string): TwimlElement {
  try {
    const root = parseTwiml(body)
    for (const problem of checkTwiml(root)) context.log.raise(context.line.now(), 12200, 'warning', problem)
    return root
  } catch (error) {
    throw new ApplicationError(12100, url, errorMessage(error))
  }
}

/** Fetches a file that TwiML names, signed as every request. Null (and 11200 in the report) when it cannot be fetched. */
export async function fetchMedia(
  context: CallContext,
  url: string,
): Promise<{ bytes: Uint8Array; contentType: string } | null> {
  const answer = await requestVoice(context, url, {}, 'GET')
  if (answer.status === null || answer.status >= 400) {
    context.log.raise(context.line.now(), 11200, 'warning', `media answered ${answer.status ?? answer.error}`)
    return null
  }
  return { bytes: answer.body, contentType: answer.contentType ?? '' }
}

export function dialTarget(context: CallContext, url: string): string {
  return resolveTarget(url, context.rules)
}

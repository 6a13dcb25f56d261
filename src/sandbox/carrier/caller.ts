import {
  ApplicationError,
  type CallContext,
  type DialPlan,
  Interrupt,
  type LoadedDocument,
  loadDocument,
  type MarkPlan,
  notify,
  parseDocument,
  type SignatureMode,
  voiceParams,
} from './call-context.ts'
import { CallLog } from './call-log.ts'
import type { CallEnd, CallReport, CallStatus } from './call-report.ts'
import { ScriptRunner } from './caller-script.ts'
import type { CallerStep } from './caller-step.ts'
import { runDocument } from './interpreter.ts'
import { Line } from './line.ts'
import { type CallUpdate, type CarrierCall, type CarrierState, newCarrierCall } from './state.ts'
import type { ConnectRule } from './webhook-client.ts'

export type PlaceCall = {
  carrier: CarrierState
  /** The number's voice webhook, as the product's public URL, with connection overrides in its fragment. */
  webhookUrl: string
  /** The number's fallback URL, requested when a document fails. */
  fallbackUrl?: string
  /** Base URL to dial instead of the public one (`http://127.0.0.1:5000`); the webhook's own origin when absent. */
  connectBaseUrl?: string
  from: string
  to: string
  /** `outbound-api` for a call that the product makes: the steps are those of the person who answers. */
  direction?: 'inbound' | 'outbound-api'
  /** The caller's steps; a caller without a script listens until the agent ends the call. */
  script?: readonly CallerStep[]
  maxSeconds?: number
  /** The number's status callback, and its events (Twilio's default: the end only). */
  statusCallbackUrl?: string
  statusCallbackEvents?: readonly ('ringing' | 'answered' | 'completed')[]
  /** Replace the carrier's, to play a foreign account. */
  accountSid?: string
  authToken?: string
  signature?: SignatureMode
  /** More fields for every voice request: `CallerName`, `ForwardedFrom`, `StirVerstat`… */
  extraParams?: Readonly<Record<string, string>>
  /** How a `<Dial>` ends. Default: no answer, after 200 ms. */
  dial?: Partial<DialPlan>
  /** How marks return. Default: at once. */
  marks?: Partial<MarkPlan>
  /** μ-law sound of the caller's room under the silences. */
  background?: Uint8Array
  onPlaced?: (callSid: string) => void
}

const DEFAULT_MAX_SECONDS = 60

/**
 * Places a phone call: requests the voice webhook as Twilio does, follows the TwiML, runs the caller's script in real time,
 * and resolves after the call and its callbacks.
 * Errors of the product are in the report (`codes`, `ended`); it rejects only on a mistake of its own.
 */
export async function placeCall(options: PlaceCall): Promise<CallReport> {
  const { carrier } = options
  const call = newCarrierCall(options.from, options.to, null, options.direction)
  const interrupt = new Interrupt()
  const line = new Line(options.background ?? null)
  const log = new CallLog()
  // For Twilio the call ends the moment the caller leaves: later requests carry CallStatus=completed.
  const endBy = (by: 'caller' | 'time_limit'): void => {
    endCall(call)
    interrupt.raise({ kind: 'hangup', by })
  }
  const hangUp = (): void => endBy('caller')
  const script = new ScriptRunner({ steps: options.script ?? [], line, log, hangUp })
  call.control = {
    hangUp,
    update: (update) => interrupt.raise({ kind: 'update', update }),
    pressKeys: (digits) => {
      for (const digit of digits) {
        log.keys.push({ atMs: Math.round(line.now()), digit })
        line.press(digit)
      }
    },
  }
  carrier.addCall(call)
  options.onPlaced?.(call.sid)
  const context: CallContext = {
    state: carrier,
    call,
    line,
    log,
    interrupt,
    accountSid: options.accountSid ?? carrier.accountSid,
    authToken: options.authToken ?? carrier.authToken,
    rules: connectRules(options),
    extraParams: options.extraParams ?? {},
    dial: { outcome: 'no-answer', afterMs: 200, talkMs: 300, ...options.dial },
    marks: { lateMs: 0, lost: false, ...options.marks },
    signature: options.signature ?? 'right',
    pending: new Set(),
    onClear: (now) => script.noteClear(now),
  }
  const limit = setTimeout(() => endBy('time_limit'), (options.maxSeconds ?? DEFAULT_MAX_SECONDS) * 1000)
  try {
    tellStatus(context, options, 'ringing')
    const ended = await followCall(context, options)
    endCall(call, ended.by === 'rejected' ? 'busy' : undefined)
    log.note(line.now(), 'call_ended', `${ended.by}: ${ended.detail}`)
    tellStatus(context, options, 'completed')
    line.playback.clear(line.now())
    const report = log.toReport(call, context.accountSid, line, ended, script.stepsLeft)
    line.stop()
    await settle(context.pending)
    report.codes = log.codes
    call.report = report
    return report
  } finally {
    clearTimeout(limit)
    line.stop()
    call.control = null
  }
}

function connectRules(options: PlaceCall): ConnectRule[] {
  const origin = new URL(options.webhookUrl).origin
  return [
    { publicBaseUrl: origin, connectBaseUrl: options.connectBaseUrl ?? origin },
    ...options.carrier.settings.connectRules,
  ]
}

/** Follows document after document until the call is over. */
async function followCall(context: CallContext, options: PlaceCall): Promise<CallEnd> {
  const { interrupt } = context
  let fallback = options.fallbackUrl
  let next: () => Promise<LoadedDocument> = () => loadDocument(context, 'webhook', options.webhookUrl)
  for (;;) {
    try {
      const document = await next()
      if (interrupt.cause === null) {
        answer(context, options, document)
        const outcome = await runDocument(context, document)
        if (outcome.kind === 'end') return outcome.end
        if (outcome.kind === 'document') {
          next = async () => outcome.document
          continue
        }
      }
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error
      context.log.raise(context.line.now(), error.code, 'error', error.message)
      if (interrupt.cause === null) {
        if (fallback === undefined) return { by: 'application_error', detail: `${error.code} ${error.message}` }
        const url = fallback
        const params = { ErrorCode: String(error.code), ErrorUrl: error.url }
        fallback = undefined
        next = () => loadDocument(context, 'fallback', url, { params })
        continue
      }
    }
    const cause = interrupt.cause
    if (cause?.kind === 'hangup')
      return { by: cause.by, detail: cause.by === 'caller' ? 'hung up' : 'maximum duration' }
    const update = interrupt.takeUpdate()
    if (update === null) throw new Error('a document was interrupted without a cause')
    if (update.kind === 'complete') return { by: 'rest', detail: 'status=completed' }
    next = () => loadUpdate(context, update)
  }
}

async function loadUpdate(
  context: CallContext,
  update: Exclude<CallUpdate, { kind: 'complete' }>,
): Promise<LoadedDocument> {
  context.line.playback.clear(context.line.now())
  if (update.kind === 'url') return loadDocument(context, 'rest', update.url, { method: update.method })
  const root = parseDocument(context, update.twiml, 'REST parameter Twiml')
  context.log.documents.push({
    atMs: Math.round(context.line.now()),
    source: 'rest',
    url: null,
    params: {},
    status: null,
    contentType: null,
    body: update.twiml,
    verbs: root.children.map((child) => child.name),
    latencyMs: 0,
    followed: true,
  })
  return { root, url: null }
}

function answer(context: CallContext, options: PlaceCall, document: LoadedDocument): void {
  const { call, line, log } = context
  if (call.answeredAt !== null || document.root.children[0]?.name === 'Reject') return
  call.answeredAt = new Date()
  call.updatedAt = call.answeredAt
  call.status = 'in-progress'
  log.note(line.now(), 'answered')
  line.start()
  tellStatus(context, options, 'answered')
}

function endCall(call: CarrierCall, status?: CallStatus): void {
  if (call.endedAt !== null) return
  call.status = status ?? (call.answeredAt === null ? 'no-answer' : 'completed')
  call.endedAt = new Date()
  call.updatedAt = call.endedAt
}

function tellStatus(context: CallContext, options: PlaceCall, event: 'ringing' | 'answered' | 'completed'): void {
  const { statusCallbackUrl } = options
  if (statusCallbackUrl === undefined || !(options.statusCallbackEvents ?? ['completed']).includes(event)) return
  const { call } = context
  const seconds = callSeconds(call)
  const params: Record<string, string> = {
    ...voiceParams(context),
    Timestamp: new Date().toUTCString().replace('GMT', '+0000'),
    CallbackSource: 'call-progress-events',
    SequenceNumber: String({ ringing: 0, answered: 1, completed: 2 }[event]),
    ...(event === 'completed' ? { CallDuration: String(seconds), Duration: String(Math.ceil(seconds / 60)) } : {}),
  }
  notify(context, 'call_status', statusCallbackUrl, params)
}

function callSeconds(call: CarrierCall): number {
  if (call.answeredAt === null || call.endedAt === null) return 0
  return Math.max(1, Math.round((call.endedAt.getTime() - call.answeredAt.getTime()) / 1000))
}

async function settle(pending: ReadonlySet<Promise<unknown>>): Promise<void> {
  while (pending.size > 0) await Promise.allSettled([...pending])
}

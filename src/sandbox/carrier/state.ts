import type { Logger } from '../../lib/log.ts'
import type { CallReport, CallStatus } from './call-report.ts'
import type { CallerStep } from './caller-step.ts'
import { FaultList } from './faults.ts'
import { newSid } from './twilio-sid.ts'
import type { ConnectRule } from './webhook-client.ts'

export type MessageStatus =
  | 'accepted'
  | 'queued'
  | 'sent'
  | 'delivered'
  | 'read'
  | 'failed'
  | 'undelivered'
  | 'received'

export type MediaRecord = { sid: string; messageSid: string; contentType: string; bytes: Uint8Array; createdAt: Date }

export type MessageRecord = {
  sid: string
  direction: 'inbound' | 'outbound-api'
  from: string
  to: string
  body: string
  mediaUrls: readonly string[]
  media: MediaRecord[]
  contentSid: string | null
  contentVariables: string | null
  messagingServiceSid: string | null
  statusCallback: string | null
  status: MessageStatus
  errorCode: number | null
  createdAt: Date
  updatedAt: Date
  sentAt: Date | null
}

export type CallUpdate =
  | { kind: 'twiml'; twiml: string }
  | { kind: 'url'; url: string; method: 'GET' | 'POST' }
  | { kind: 'complete' }

export type CarrierCall = {
  sid: string
  parentSid: string | null
  from: string
  to: string
  direction: 'inbound' | 'outbound-dial' | 'outbound-api'
  status: CallStatus
  createdAt: Date
  updatedAt: Date
  answeredAt: Date | null
  endedAt: Date | null
  control: { update: (update: CallUpdate) => void; hangUp: () => void; pressKeys: (digits: string) => void } | null
  report: CallReport | null
}

export type RecordingRecord = {
  sid: string
  callSid: string
  status: 'processing' | 'completed' | 'absent'
  channels: 1
  source: 'RecordVerb'
  startedAt: Date
  createdAt: Date
  updatedAt: Date
  durationSeconds: number
  audio: Uint8Array
}

export type NumberRecord = {
  sid: string
  phoneNumber: string
  friendlyName: string
  voiceUrl: string
  voiceMethod: 'GET' | 'POST'
  voiceFallbackUrl: string
  voiceFallbackMethod: 'GET' | 'POST'
  /** When set it answers instead of `voiceUrl`; so does a trunk. */
  voiceApplicationSid: string
  statusCallback: string
  statusCallbackMethod: 'GET' | 'POST'
  smsUrl: string
  smsMethod: 'GET' | 'POST'
  smsFallbackUrl: string
  smsFallbackMethod: 'GET' | 'POST'
  trunkSid: string | null
  createdAt: Date
  updatedAt: Date
}

export type ContentRecord = {
  sid: string
  friendlyName: string
  language: string
  body: string
  variables: Record<string, string>
  approval: 'approved' | 'pending' | 'rejected'
}

export type CallbackRecord = {
  at: Date
  kind: 'message_status' | 'inbound_message' | 'call_status' | 'stream_status' | 'recording_status'
  url: string
  params: Readonly<Record<string, string>>
  status: number | null
  error: string | null
}

/** How a person who is rung up reacts. */
export type PersonAnswer = {
  outcome: 'answered' | 'no-answer' | 'busy' | 'failed'
  script?: readonly CallerStep[]
}

export type CarrierSettings = {
  /** Ms after acceptance at which each status is reported. */
  statusDelaysMs: { queued: number; sent: number; delivered: number; read: number }
  enforceWindow: boolean
  windowMs: number
  /** Ms from the end of a `<Record>` until its file is available. */
  recordingDelayMs: number
  sendReadReceipts: boolean
  connectRules: ConnectRule[]
}

export const DEFAULT_SETTINGS: Readonly<CarrierSettings> = {
  statusDelaysMs: { queued: 5, sent: 30, delivered: 80, read: 150 },
  enforceWindow: false,
  windowMs: 24 * 60 * 60 * 1000,
  recordingDelayMs: 300,
  sendReadReceipts: true,
  connectRules: [],
}

const DEFAULT_CONTENTS: readonly ContentRecord[] = [
  {
    sid: `HX${'1'.padStart(32, '0')}`,
    friendlyName: 'appointment_reminder_he',
    language: 'he',
    body: 'שלום {{1}}, תזכורת לפגישה ב-{{2}}. נתראה!',
    variables: { 1: 'דנה', 2: 'יום שני בשעה 10:00' },
    approval: 'approved',
  },
  {
    sid: `HX${'2'.padStart(32, '0')}`,
    friendlyName: 'appointment_reminder_en',
    language: 'en',
    body: 'Hello {{1}}, a reminder of your appointment on {{2}}. See you!',
    variables: { 1: 'Dana', 2: 'Monday at 10:00' },
    approval: 'approved',
  },
  {
    sid: `HX${'3'.padStart(32, '0')}`,
    friendlyName: 'spring_sale',
    language: 'en',
    body: 'Our spring sale begins tomorrow.',
    variables: {},
    approval: 'pending',
  },
]

/** Memory limits: a sandbox that runs for days stores the newest of each kind. */
const KEEP = { messages: 5000, calls: 500, recordings: 500, callbacks: 5000 }

export class CarrierState {
  readonly accountSid: string
  readonly authToken: string
  readonly logger: Logger
  readonly settings: CarrierSettings
  readonly messages = new Map<string, MessageRecord>()
  readonly calls = new Map<string, CarrierCall>()
  readonly recordings = new Map<string, RecordingRecord>()
  readonly numbers = new Map<string, NumberRecord>()
  readonly contents: ContentRecord[] = DEFAULT_CONTENTS.map((content) => ({ ...content }))
  readonly callbacks: CallbackRecord[] = []
  /** How people answer calls that the product makes, by number; the rest listen and press nothing, like a machine. */
  readonly answers = new Map<string, PersonAnswer>()
  readonly faults = new FaultList()
  /** When each WhatsApp user last wrote to each sender: key `sender|user`, ms since the epoch. */
  readonly lastInbound = new Map<string, number>()
  url = ''
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #closed = false

  constructor(options: { accountSid: string; authToken: string; logger: Logger; settings?: Partial<CarrierSettings> }) {
    this.accountSid = options.accountSid
    this.authToken = options.authToken
    this.logger = options.logger
    this.settings = { ...structuredClone(DEFAULT_SETTINGS), ...options.settings }
  }

  addMessage(message: MessageRecord): void {
    keepNewest(this.messages, message.sid, message, KEEP.messages)
  }

  addCall(call: CarrierCall): void {
    keepNewest(this.calls, call.sid, call, KEEP.calls)
  }

  addRecording(recording: RecordingRecord): void {
    keepNewest(this.recordings, recording.sid, recording, KEEP.recordings)
  }

  noteCallback(callback: CallbackRecord): void {
    this.callbacks.push(callback)
    if (this.callbacks.length > KEEP.callbacks) this.callbacks.shift()
  }

  /** Runs `task` later unless the carrier has been closed by then; a failure is logged. */
  later(ms: number, task: () => Promise<void> | void): void {
    if (this.#closed) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      Promise.resolve()
        .then(task)
        .catch((error: unknown) => this.logger.error({ err: error }, 'carrier task failed'))
    }, ms)
    this.#timers.add(timer)
  }

  endAll(): void {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    for (const call of this.calls.values()) call.control?.hangUp()
  }
}

function keepNewest<T>(map: Map<string, T>, key: string, value: T, keep: number): void {
  map.set(key, value)
  if (map.size <= keep) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}

export function newCarrierCall(
  from: string,
  to: string,
  parentSid: string | null = null,
  direction: CarrierCall['direction'] = parentSid === null ? 'inbound' : 'outbound-dial',
): CarrierCall {
  const now = new Date()
  return {
    sid: newSid('CA'),
    parentSid,
    from,
    to,
    direction,
    status: 'ringing',
    createdAt: now,
    updatedAt: now,
    answeredAt: null,
    endedAt: null,
    control: null,
    report: null,
  }
}

import { z } from 'zod'
import { sha256Hex } from '../lib/ids.ts'

/**
 * The catalogue of background work: what may be enqueued, with which payload, on which queue, and how it is retried.
 * Producers and consumers share it; it holds no handlers, so that a producer stays light.
 * New payload fields must be optional: jobs in flight survive a deploy.
 */
export const QUEUES = ['crm', 'whatsapp', 'recordings', 'payments'] as const
export type QueueName = (typeof QUEUES)[number]

/**
 * What puts a job back that the queue lost: the rows which say that its work is not done, and a sweep over them. `inbound_events`
 * hold the payloads of jobs that nothing else knows of; `schedule` is made anew by the workers.
 */
export type RestoredBy =
  | 'inbound_events'
  | 'calls'
  | 'call_turns'
  | 'message_media'
  | 'messages'
  | 'recordings'
  | 'webhook_deliveries'
  | 'imports'
  | 'mails'
  | 'pending_deletions'
  | 'payments'
  | 'schedule'

export type JobDefinition = {
  queue: QueueName
  payload: z.ZodType
  restoredBy: RestoredBy
  /** Tries in all; a job that used them up stays in the failed set, visible on the board, until somebody decides. */
  attempts: number
  /** Exponential backoff from `delayMs`, never longer than `maxDelayMs`. */
  backoff: { delayMs: number; maxDelayMs: number }
}

// A database that is away for hours must not use up a job's tries: about a day of patience.
const patient = { attempts: 300, backoff: { delayMs: 500, maxDelayMs: 300_000 } }

/** The businesses that the teller speaks for: what is another's stays as it is. Absent is all. */
const onlyFor = z.array(z.uuid()).optional()
const at = z.iso.datetime()

/** A file of a message; without `url` it cannot be had, and is shown as that. `thumbnail` is a small JPEG in base64. */
const mediaReference = z.object({
  kind: z.enum(['image', 'video', 'audio', 'voice', 'document', 'sticker']).nullish(),
  url: z.string().nullable(),
  contentType: z.string(),
  fileName: z.string().nullish(),
  seconds: z.number().nullish(),
  thumbnail: z.string().nullish(),
})

/** A WhatsApp message as both providers deliver it, normalised. `dedupeKey` is the provider's identity of the message. */
export const inboundMessage = z.object({
  provider: z.enum(['twilio', 'baileys']),
  businessId: z.uuid(),
  accountId: z.uuid().optional(),
  dedupeKey: z.string().min(1),
  providerMessageId: z.string().min(1),
  kind: z.string().default('text'),
  from: z.object({
    phone: z.string().nullable(),
    lid: z.string().nullish(),
    externalId: z.string().nullish(),
    name: z.string().nullish(),
  }),
  body: z.string(),
  media: z.array(mediaReference).default([]),
  replyTo: z.string().nullish(),
  data: z.record(z.string(), z.unknown()).optional(),
  /** The key for answers to the message, sealed. */
  secret: z.string().nullish(),
  at,
})
export type InboundMessage = z.infer<typeof inboundMessage>

export const callTurn = z.object({
  callSid: z.string(),
  businessId: z.uuid(),
  index: z.int().nonnegative(),
  role: z.enum(['agent', 'caller']),
  text: z.string().nullable(),
  question: z.string().nullish(),
  startMs: z.number().nonnegative(),
  endMs: z.number().nonnegative(),
  heardMs: z.number().nonnegative().nullish(),
  interrupted: z.boolean().default(false),
  audioKey: z.string().nullish(),
})
export type CallTurn = z.infer<typeof callTurn>

export const jobs = {
  'call.register': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      callSid: z.string(),
      businessId: z.uuid(),
      from: z.string(),
      to: z.string(),
      callerName: z.string().nullish(),
      forwardedFrom: z.string().nullish(),
      stirVerstat: z.string().nullish(),
      answeredBy: z.enum(['agent', 'voicemail']).default('agent'),
      voicemailReason: z.string().nullish(),
      at,
    }),
    ...patient,
  },
  'call.stream_event': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      callSid: z.string(),
      streamSid: z.string(),
      event: z.string(),
      error: z.string().nullish(),
      onlyFor,
      at,
    }),
    ...patient,
  },
  'call.status': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({ callSid: z.string(), status: z.string(), durationSeconds: z.number().nullish(), onlyFor, at }),
    ...patient,
  },
  'call.turn': { queue: 'crm', restoredBy: 'inbound_events', payload: callTurn, ...patient },
  'call.finish': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      callSid: z.string(),
      businessId: z.uuid(),
      reason: z.string(),
      detail: z.string().nullish(),
      durationMs: z.number().nonnegative(),
      metrics: z.record(z.string(), z.number().nullable()).default({}),
      at,
    }),
    ...patient,
  },
  /** A stream that was refused before its call had a row. The call comes within moments, or was never one. */
  'call.refuse_stream': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({ callSid: z.string(), detail: z.string(), onlyFor, at }),
    attempts: 12,
    backoff: { delayMs: 500, maxDelayMs: 60_000 },
  },
  /** What a call came to, and the message that follows it. */
  'call.summarize': {
    queue: 'crm',
    restoredBy: 'calls',
    /** `fallback`: only when the server of the call does not ask for it. */
    payload: z.object({ callSid: z.string(), businessId: z.uuid(), fallback: z.boolean().optional() }),
    attempts: 8,
    backoff: { delayMs: 2_000, maxDelayMs: 300_000 },
  },
  'call.transcribe': {
    queue: 'recordings',
    restoredBy: 'call_turns',
    payload: z.object({ businessId: z.uuid(), turnId: z.uuid() }),
    attempts: 8,
    backoff: { delayMs: 2_000, maxDelayMs: 300_000 },
  },
  'lead.save': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      callSid: z.string(),
      businessId: z.uuid(),
      name: z.string().nullish(),
      inquiry: z.string().nullish(),
      /** The earlier name of `inquiry`, for the workers and jobs of the version before. */
      wish: z.string().nullish(),
      callbackTime: z.string().nullish(),
      at,
    }),
    ...patient,
  },
  'message.receive': { queue: 'crm', restoredBy: 'inbound_events', payload: inboundMessage, ...patient },
  'message.fetch_media': {
    queue: 'recordings',
    restoredBy: 'message_media',
    payload: z.object({ businessId: z.uuid(), mediaId: z.uuid() }),
    attempts: 12,
    backoff: { delayMs: 2_000, maxDelayMs: 600_000 },
  },
  /** What a stored file still lacks: a picture's thumbnail, a voice note's transcript, a card's people. */
  'message.process_media': {
    queue: 'recordings',
    restoredBy: 'message_media',
    payload: z.object({ businessId: z.uuid(), mediaId: z.uuid() }),
    attempts: 8,
    backoff: { delayMs: 2_000, maxDelayMs: 300_000 },
  },
  'message.status': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      provider: z.enum(['twilio', 'baileys']),
      /** Our row's id when the callback carried it: links a provider id that a lost response never told us. */
      messageId: z.uuid().nullish(),
      /** The account that the news came to: another account's message of the same id is left alone. */
      accountId: z.uuid().nullish(),
      providerMessageId: z.string(),
      status: z.string(),
      errorCode: z.string().nullish(),
      onlyFor,
      at,
    }),
    ...patient,
  },
  'whatsapp.send': {
    queue: 'whatsapp',
    restoredBy: 'messages',
    payload: z.object({ businessId: z.uuid(), messageId: z.uuid() }),
    ...patient,
  },
  'recording.fetch': {
    queue: 'recordings',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      callSid: z.string(),
      recordingSid: z.string(),
      /** The carrier account that has it; absent is the business's. */
      accountSid: z.string().nullish(),
      durationSeconds: z.number().nullish(),
      channels: z.number().nullish(),
      at,
    }),
    attempts: 40,
    backoff: { delayMs: 1_000, maxDelayMs: 300_000 },
  },
  'recording.delete_remote': {
    queue: 'recordings',
    restoredBy: 'recordings',
    payload: z.object({ businessId: z.uuid(), recordingId: z.uuid() }),
    attempts: 40,
    backoff: { delayMs: 2_000, maxDelayMs: 600_000 },
  },
  /** Tells a business's own server of an event. */
  'webhook.deliver': {
    queue: 'crm',
    restoredBy: 'webhook_deliveries',
    payload: z.object({ businessId: z.uuid(), endpointId: z.uuid(), eventId: z.string().regex(/^\d{1,18}$/) }),
    // Twelve tries over about a day.
    attempts: 12,
    backoff: { delayMs: 5_000, maxDelayMs: 6 * 3_600_000 },
  },
  'mail.send': {
    queue: 'crm',
    restoredBy: 'mails',
    payload: z.object({ mailId: z.uuid() }),
    attempts: 30,
    backoff: { delayMs: 5_000, maxDelayMs: 3_600_000 },
  },
  'import.run': {
    queue: 'crm',
    restoredBy: 'imports',
    payload: z.object({ businessId: z.uuid(), importId: z.uuid() }),
    ...patient,
  },
  /** Deletes what an erasure or a retention period left to be deleted outside the database. */
  'privacy.delete': {
    queue: 'recordings',
    restoredBy: 'pending_deletions',
    payload: z.object({ businessId: z.uuid(), deletionId: z.uuid() }),
    ...patient,
  },
  /** A payment asked for during a call: its link is sent by WhatsApp. */
  'payment.request': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      /** E.164, or the id of a contact. */
      contact: z.string(),
      /** Agorot, cents. */
      amount: z.int().positive(),
      currency: z.enum(['ILS', 'USD', 'EUR']).default('ILS'),
      description: z.string(),
      provider: z.enum(['paypal', 'tranzila']).nullish(),
      idempotencyKey: z.string(),
    }),
    ...patient,
  },
  /** Asks the provider how a payment stands: this one, or the one that this transaction of this provider belongs to. */
  'payment.settle': {
    queue: 'payments',
    restoredBy: 'inbound_events',
    payload: z.object({
      provider: z.enum(['paypal', 'tranzila']).nullish(),
      paymentId: z.uuid().nullish(),
      transactionId: z.string().nullish(),
    }),
    ...patient,
  },
  'payment.receipt': {
    queue: 'crm',
    restoredBy: 'payments',
    payload: z.object({ businessId: z.uuid(), paymentId: z.uuid() }),
    ...patient,
  },
  /** What a linked account brought and its owner could not store: stored when somebody asks for it again. */
  'whatsapp.store': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      accountId: z.uuid(),
      event: z.looseObject({ id: z.string(), dedupeKey: z.string(), at }),
    }),
    ...patient,
  },
  /** The trace of a call that its server could not store, gzipped in base64. */
  'call.store_trace': {
    queue: 'recordings',
    restoredBy: 'inbound_events',
    payload: z.object({ businessId: z.uuid(), callSid: z.string(), gzip: z.base64() }),
    ...patient,
  },
  /** Settles what no notify came for, and ends what nobody paid. */
  'payment.sweep': {
    queue: 'crm',
    restoredBy: 'schedule',
    payload: z.object({}),
    attempts: 1,
    backoff: { delayMs: 1_000, maxDelayMs: 1_000 },
  },
  /** Puts back what a crash between row and job left behind. */
  'maintenance.sweep': {
    queue: 'crm',
    restoredBy: 'schedule',
    payload: z.object({}),
    attempts: 1,
    backoff: { delayMs: 1_000, maxDelayMs: 1_000 },
  },
} as const satisfies Record<string, JobDefinition>

export type JobName = keyof typeof jobs
export type JobPayload<N extends JobName> = z.output<(typeof jobs)[N]['payload']>
/** The jobs whose payload stands in `inbound_events` until they are done. */
export type DurableJob = {
  [N in JobName]: (typeof jobs)[N]['restoredBy'] extends 'inbound_events' ? N : never
}[JobName]
const DEFINITIONS: Readonly<Record<string, JobDefinition>> = jobs

export function isDurable(name: string): name is DurableJob {
  return Object.hasOwn(DEFINITIONS, name) && DEFINITIONS[name]?.restoredBy === 'inbound_events'
}

/** What a producer hands in: fields with defaults may be left out. */
export type JobInput<N extends JobName> = z.input<(typeof jobs)[N]['payload']>

/** Longer keys are hashed: an index entry is bounded. */
const MAX_KEY = 400

/** The key of an event over all jobs, from the provider's identity of it. */
export function eventKey(name: DurableJob, key: string): string {
  const whole = `${name}:${key}`
  return whole.length > MAX_KEY ? `${name}:${sha256Hex(key)}` : whole
}

/** A job whose payload stands in `inbound_events`, by the row's id. */
export const eventReference = z.strictObject({ inboundEventId: z.uuid() })

/** How an enqueued job is addressed. */
export type EnqueueOptions = {
  /** Jobs with one id are one job for as long as it is kept; characters outside [A-Za-z0-9_.-] are not allowed. */
  jobId?: string
  delayMs?: number
}

/** What the domain needs of a queue: the promise resolves when the job is durable, and rejects fast when it is not. */
export type Enqueue = <N extends JobName>(name: N, payload: JobInput<N>, options?: EnqueueOptions) => Promise<void>

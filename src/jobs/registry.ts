import { z } from 'zod'
import { sha256Hex } from '../lib/ids.ts'

/** Background jobs, without handlers. New payload fields are optional: old jobs are still queued after a deploy. */
export const QUEUES = ['crm', 'whatsapp', 'recordings', 'payments', 'agent', 'knowledge'] as const
export type QueueName = (typeof QUEUES)[number]

/**
 * The table from which a sweep restores lost jobs. `inbound_events` has the only payloads; workers recreate the `schedule`.
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
  | 'alert_deliveries'
  | 'calendar_connections'
  | 'pending_deletions'
  | 'payments'
  | 'agent_answers'
  | 'scenario_runs'
  | 'knowledge_sources'
  | 'schedule'

export type JobDefinition = {
  queue: QueueName
  payload: z.ZodType
  restoredBy: RestoredBy
  /** All attempts; after the last one the job stays in the failed set, visible on the board, until an operator decides. */
  attempts: number
  backoff: { delayMs: number; maxDelayMs: number }
}

// About a day: an outage of the database for hours must not use up the attempts.
const patient = { attempts: 300, backoff: { delayMs: 500, maxDelayMs: 300_000 } }

/** The businesses that the sender may change; all when absent. */
const onlyFor = z.array(z.uuid()).optional()
const at = z.iso.datetime()

/** A file of a message; without `url` it cannot be fetched. `thumbnail` is a small JPEG in base64. */
const mediaReference = z.object({
  kind: z.enum(['image', 'video', 'audio', 'voice', 'document', 'sticker']).nullish(),
  url: z.string().nullable(),
  contentType: z.string(),
  fileName: z.string().nullish(),
  seconds: z.number().nullish(),
  thumbnail: z.string().nullish(),
})

/** A WhatsApp message of either provider. `dedupeKey` identifies it at its provider. */
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
  /** Turns of all calls of a process in half a second: a job a turn would cost more than the turn. */
  'call.turns': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({ turns: z.array(callTurn).min(1) }),
    ...patient,
  },
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
      test: z.boolean().optional(),
      at,
    }),
    ...patient,
  },
  /** A stream that was refused before its call had a row. The call's event may still arrive. */
  'call.refuse_stream': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({ callSid: z.string(), detail: z.string(), onlyFor, at }),
    attempts: 12,
    backoff: { delayMs: 500, maxDelayMs: 60_000 },
  },
  'call.summarize': {
    queue: 'crm',
    restoredBy: 'calls',
    /** `fallback`: only when the server of the call has not requested it. */
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
  'call.render_audio': {
    queue: 'recordings',
    restoredBy: 'calls',
    payload: z.object({ callSid: z.string(), businessId: z.uuid() }),
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
      /** The row's id from the callback URL: links the provider's id when the response to the send was lost. */
      messageId: z.uuid().nullish(),
      /** The account of the event: a message of another account with the same id is not changed. */
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
  /** Answers what a contact wrote, up to a message; a newer one has a job of its own. */
  'agent.answer': {
    queue: 'agent',
    restoredBy: 'agent_answers',
    payload: z.object({ businessId: z.uuid(), conversationId: z.uuid(), messageId: z.uuid() }),
    attempts: 8,
    backoff: { delayMs: 1_000, maxDelayMs: 60_000 },
  },
  /** Plays the scenarios of a business. */
  'scenario.run': {
    queue: 'agent',
    restoredBy: 'scenario_runs',
    payload: z.object({ businessId: z.uuid(), runId: z.uuid() }),
    attempts: 3,
    backoff: { delayMs: 5_000, maxDelayMs: 60_000 },
  },
  'recording.fetch': {
    queue: 'recordings',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      callSid: z.string(),
      recordingSid: z.string(),
      /** The carrier account of the recording; the one of the business when absent. */
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
  'webhook.deliver': {
    queue: 'crm',
    restoredBy: 'webhook_deliveries',
    payload: z.object({ businessId: z.uuid(), endpointId: z.uuid(), eventId: z.string().regex(/^\d{1,18}$/) }),
    // Twelve attempts in about a day.
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
  'alert.send': {
    queue: 'crm',
    restoredBy: 'alert_deliveries',
    payload: z.object({ businessId: z.uuid(), deliveryId: z.uuid() }),
    // Eight attempts in about ten minutes: what is older says nothing new.
    attempts: 8,
    backoff: { delayMs: 5_000, maxDelayMs: 600_000 },
  },
  /** An SMS to a number of a business: a member may answer an alert by it, a customer a reminder. */
  'alert.reply': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      /** The carrier's; an earlier version left it out. */
      id: z.string().default(''),
      from: z.string(),
      text: z.string(),
      at,
    }),
    ...patient,
  },
  /** What became of an SMS by the carrier: of an alert or of a notice of an appointment. */
  'sms.status': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      of: z.enum(['alert', 'notice']),
      id: z.uuid(),
      status: z.string(),
      code: z.string().nullable(),
    }),
    ...patient,
  },
  /** Looks at what can be wrong without an event, and pings the dead man's switch. */
  'alert.watch': {
    queue: 'crm',
    restoredBy: 'schedule',
    payload: z.object({}),
    attempts: 1,
    backoff: { delayMs: 1_000, maxDelayMs: 1_000 },
  },
  /** Reads what changed in the calendars of a connection, and keeps its channels open. */
  'calendar.sync': {
    queue: 'crm',
    restoredBy: 'calendar_connections',
    payload: z.object({ businessId: z.uuid(), connectionId: z.uuid() }),
    // A round that fails says itself when the next one is due.
    attempts: 1,
    backoff: { delayMs: 1_000, maxDelayMs: 1_000 },
  },
  /** Writes the appointments of a connection into its calendars. */
  'calendar.push': {
    queue: 'crm',
    restoredBy: 'calendar_connections',
    payload: z.object({ businessId: z.uuid(), connectionId: z.uuid() }),
    attempts: 1,
    backoff: { delayMs: 1_000, maxDelayMs: 1_000 },
  },
  /** Reads a file or a site that the agent answers from. */
  'knowledge.read': {
    queue: 'knowledge',
    restoredBy: 'knowledge_sources',
    payload: z.object({ businessId: z.uuid(), sourceId: z.uuid() }),
    attempts: 3,
    backoff: { delayMs: 5_000, maxDelayMs: 60_000 },
  },
  'import.run': {
    queue: 'crm',
    restoredBy: 'imports',
    payload: z.object({ businessId: z.uuid(), importId: z.uuid() }),
    ...patient,
  },
  'privacy.delete': {
    queue: 'recordings',
    restoredBy: 'pending_deletions',
    payload: z.object({ businessId: z.uuid(), deletionId: z.uuid() }),
    ...patient,
  },
  'payment.request': {
    queue: 'crm',
    restoredBy: 'inbound_events',
    payload: z.object({
      businessId: z.uuid(),
      /** E.164, or the id of a contact. */
      contact: z.string(),
      /** Minor units: agorot, cents. */
      amount: z.int().positive(),
      currency: z.enum(['ILS', 'USD', 'EUR']).default('ILS'),
      description: z.string(),
      provider: z.enum(['paypal', 'tranzila']).nullish(),
      idempotencyKey: z.string(),
    }),
    ...patient,
  },
  /** Asks the provider for the state of a payment, named by its id or by a transaction. */
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
  /** An event of a linked account that could not be stored: stored when an operator retries it. */
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
  'payment.sweep': {
    queue: 'crm',
    restoredBy: 'schedule',
    payload: z.object({}),
    attempts: 1,
    backoff: { delayMs: 1_000, maxDelayMs: 1_000 },
  },
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
export type DurableJob = {
  [N in JobName]: (typeof jobs)[N]['restoredBy'] extends 'inbound_events' ? N : never
}[JobName]
const DEFINITIONS: Readonly<Record<string, JobDefinition>> = jobs

export function isDurable(name: string): name is DurableJob {
  return Object.hasOwn(DEFINITIONS, name) && DEFINITIONS[name]?.restoredBy === 'inbound_events'
}

export type JobInput<N extends JobName> = z.input<(typeof jobs)[N]['payload']>

/** Longer keys are hashed: an index entry is bounded. */
const MAX_KEY = 400

/** The key of an event, unique over all jobs. @param key the provider's id of the event */
export function eventKey(name: DurableJob, key: string): string {
  const whole = `${name}:${key}`
  return whole.length > MAX_KEY ? `${name}:${sha256Hex(key)}` : whole
}

export const eventReference = z.strictObject({ inboundEventId: z.uuid() })

export type EnqueueOptions = {
  /** While a job exists, another one with its id is not added. Allowed characters: [A-Za-z0-9_.-]. */
  jobId?: string
  delayMs?: number
}

export type Enqueue = <N extends JobName>(name: N, payload: JobInput<N>, options?: EnqueueOptions) => Promise<void>

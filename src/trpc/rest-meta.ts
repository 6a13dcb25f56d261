import type { z } from 'zod'

export const REST_TAGS = {
  Account: 'The caller of the API and its permissions.',
  Businesses: 'Businesses of the installation, their settings and phone numbers.',
  Members: 'People who work in a business, and invitations to join it.',
  Keys: 'API keys of a business.',
  Credentials: 'A business’s own accounts at its providers.',
  Calls: 'Phone calls, their transcripts, summaries and recordings.',
  Messages: 'WhatsApp messages and their files.',
  Contacts: 'People who called or wrote, their notes and tags.',
  Conversations: 'Message threads and who works on them.',
  Leads: 'Sales opportunities and the stages of the pipeline.',
  Appointments: 'Booked appointments.',
  Calendars: 'Calendars outside: what is read and written, conflicts, and feeds.',
  Booking: 'Services, staff, free times and the booking page.',
  Knowledge: 'What the agent answers from, and what people asked in vain.',
  Catalogue: 'What the business offers one by one, for the agent to search.',
  Payments: 'Payment links and refunds.',
  WhatsApp: 'WhatsApp accounts that are linked like a companion device.',
  Receptionist: 'What the receptionist says and knows.',
  Statistics: 'Counts, latencies, usage and cost.',
  Search: 'Full-text search over a business.',
  Events: 'What changed in a business, in order.',
  'Text models': 'The models that answer in writing, their budget and cost.',
  Webhooks: 'Endpoints that receive events, and their deliveries.',
  Notifications: 'Who is notified of what and how, what was sent, and the devices of members.',
  Audit: 'Who changed what.',
  Imports: 'CSV files that are read into the CRM.',
  Exports: 'CSV files of a business’s data.',
  Privacy: 'Retention periods and erasure.',
  Quarantine: 'Inbound events that could not be stored after several attempts.',
  System: 'Processes and queues of the installation. Operators only.',
} as const

export type RestTag = keyof typeof REST_TAGS

/** How a procedure is reached by REST and what the API reference says about it. */
export type RestMeta = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`; `{id}` is the input's field of that name. */
  path: `/${string}`
  tag: RestTag
  summary: string
  description?: string
  /** An input that is valid; fields that are left out get an example from their schema. */
  example?: Readonly<Record<string, unknown>>
  status?: 201 | 202
}

type StreamMeta = {
  summary: string
  /** What it sends; `{ id, data }` for an item that a client can resume after. */
  item: z.ZodType
}

export type ProcedureMeta = { openapi: RestMeta; stream?: never } | { stream: StreamMeta; openapi?: never }

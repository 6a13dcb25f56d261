import { z } from 'zod'
import { MESSAGE_STATUSES } from '../../../db/schema/index.ts'

/** A message as the API answers it. */
export const messageView = z.object({
  id: z.uuid(),
  conversationId: z.uuid(),
  contactId: z.uuid(),
  phone: z.string().nullable(),
  contactName: z.string().nullable(),
  direction: z.enum(['in', 'out']),
  provider: z.enum(['twilio', 'baileys']),
  kind: z.string(),
  status: z.enum(MESSAGE_STATUSES),
  body: z.string(),
  providerMessageId: z.string().nullable(),
  errorCode: z.string().nullable(),
  errorMessage: z.string().nullable(),
  sentAt: z.date().nullable(),
  deliveredAt: z.date().nullable(),
  readAt: z.date().nullable(),
  failedAt: z.date().nullable(),
  occurredAt: z.date(),
  createdAt: z.date(),
})

export const messageTaken = z.object({ id: z.uuid(), status: z.enum(MESSAGE_STATUSES) })

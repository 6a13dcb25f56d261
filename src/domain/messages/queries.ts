import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import { contacts, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { type Page, pageInput, pageQuery, toPage } from '../paging.ts'
import { partyPhone } from './outbound.ts'

export const messageFilters = pageInput.extend({
  contactId: z.uuid().optional(),
  conversationId: z.uuid().optional(),
  direction: z.enum(['in', 'out']).optional(),
  provider: z.enum(['twilio', 'baileys']).optional(),
  status: z.enum(['queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown', 'received']).optional(),
})

const view = {
  id: messages.id,
  conversationId: messages.conversationId,
  contactId: messages.contactId,
  phone: partyPhone,
  contactName: contacts.name,
  direction: messages.direction,
  provider: messages.provider,
  kind: messages.kind,
  status: messages.status,
  body: messages.body,
  providerMessageId: messages.providerMessageId,
  errorCode: messages.errorCode,
  errorMessage: messages.errorMessage,
  sentAt: messages.sentAt,
  deliveredAt: messages.deliveredAt,
  readAt: messages.readAt,
  failedAt: messages.failedAt,
  occurredAt: messages.occurredAt,
  createdAt: messages.createdAt,
}

export type MessageView = Awaited<ReturnType<typeof getMessage>>

/** The messages of the business, newest first. */
export async function listMessages(ctx: BusinessContext, input: z.input<typeof messageFilters>) {
  const page = messageFilters.parse(input)
  const query = pageQuery(
    messages.id,
    page,
    eq(messages.businessId, ctx.businessId),
    page.contactId ? eq(messages.contactId, page.contactId) : undefined,
    page.conversationId ? eq(messages.conversationId, page.conversationId) : undefined,
    page.direction ? eq(messages.direction, page.direction) : undefined,
    page.provider ? eq(messages.provider, page.provider) : undefined,
    page.status ? eq(messages.status, page.status) : undefined,
  )
  const rows = await ctx.db
    .select(view)
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit) satisfies Page<(typeof rows)[number]>
}

/** @throws AppError `message_not_found` */
export async function getMessage(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(view)
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'message_not_found', 'There is no such message.')
  return row
}

/**
 * The message once its sending is decided (`sent` or later, `failed`, `unknown`), or as it stands when time is up.
 * @param timeoutMs how long to wait at most
 */
export async function waitForMessage(ctx: BusinessContext, id: string, timeoutMs: number): Promise<MessageView> {
  const deadline = Date.now() + timeoutMs
  for (let pause = 25; ; pause = Math.min(250, pause * 2)) {
    const message = await getMessage(ctx, id)
    const left = deadline - Date.now()
    if ((message.status !== 'queued' && message.status !== 'sending') || left <= 0) return message
    await Bun.sleep(Math.min(pause, left))
  }
}

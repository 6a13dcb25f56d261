import { and, desc, eq, gt, isNull } from 'drizzle-orm'
import { z } from 'zod'
import { contacts, conversations } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { olderThan, timePageInput, timeText, toTimePage } from '../paging-by-time.ts'

export const CONVERSATION_STATUSES = conversations.status.enumValues

export const conversationFilters = timePageInput.extend({
  status: z.enum(CONVERSATION_STATUSES).optional(),
  contactId: z.uuid().optional(),
  /** A user's id, `me`, or `none`. */
  assignee: z.string().min(1).max(64).optional(),
  unread: z
    .union([z.boolean(), z.enum(['true', 'false'])])
    .transform((value) => value === true || value === 'true')
    .optional(),
})

export const conversationView = z.object({
  id: z.uuid(),
  contactId: z.uuid(),
  contactName: z.string().nullable(),
  phone: z.string().nullable(),
  status: z.enum(CONVERSATION_STATUSES),
  unread: z.number(),
  assigneeId: z.string().nullable(),
  snoozedUntil: z.date().nullable(),
  lastInboundAt: z.date().nullable(),
  lastEventAt: z.date(),
  createdAt: z.date(),
})

const columns = {
  id: conversations.id,
  contactId: conversations.contactId,
  contactName: contacts.name,
  phone: contacts.phone,
  status: conversations.status,
  unread: conversations.unread,
  assigneeId: conversations.assigneeId,
  snoozedUntil: conversations.snoozedUntil,
  lastInboundAt: conversations.lastInboundAt,
  lastEventAt: conversations.lastEventAt,
  createdAt: conversations.createdAt,
}

export async function listConversations(ctx: BusinessContext, input: z.input<typeof conversationFilters>) {
  const page = conversationFilters.parse(input)
  const assignee = page.assignee === 'me' ? ctx.actor.id : page.assignee
  const rows = await ctx.db
    .select({ ...columns, atText: timeText(conversations.lastEventAt) })
    .from(conversations)
    .innerJoin(contacts, eq(contacts.id, conversations.contactId))
    .where(
      and(
        eq(conversations.businessId, ctx.businessId),
        page.status ? eq(conversations.status, page.status) : undefined,
        page.contactId ? eq(conversations.contactId, page.contactId) : undefined,
        assignee === undefined
          ? undefined
          : assignee === 'none'
            ? isNull(conversations.assigneeId)
            : eq(conversations.assigneeId, assignee),
        page.unread === undefined ? undefined : page.unread ? gt(conversations.unread, 0) : eq(conversations.unread, 0),
        olderThan(conversations.lastEventAt, conversations.id, page.cursor),
      ),
    )
    .orderBy(desc(conversations.lastEventAt), desc(conversations.id))
    .limit(page.limit + 1)
  return toTimePage(rows, page.limit)
}

/** @throws AppError `conversation_not_found` */
export async function getConversation(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(columns)
    .from(conversations)
    .innerJoin(contacts, eq(contacts.id, conversations.contactId))
    .where(and(eq(conversations.id, id), eq(conversations.businessId, ctx.businessId)))
  if (!row) throw noConversation()
  return row
}

export function noConversation() {
  return new AppError('not_found', 'conversation_not_found', 'There is no such conversation.')
}

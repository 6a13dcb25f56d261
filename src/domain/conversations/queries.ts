import { and, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls, contacts, conversations, MEDIA_KINDS, MESSAGE_STATUSES, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { olderThan, timePageInput, timeText, toTimePage } from '../paging-by-time.ts'
import { isShownSql } from './alerts-only.ts'

export const CONVERSATION_STATUSES = conversations.status.enumValues

export const conversationFilters = timePageInput.extend({
  status: z.enum(CONVERSATION_STATUSES).optional(),
  contactId: z.uuid().optional(),
  assignee: z.string().min(1).max(64).optional(),
  unread: z
    .union([z.boolean(), z.enum(['true', 'false'])])
    .transform((value) => value === true || value === 'true')
    .optional(),
})

const lastMessage = z.object({
  kind: z.literal('message'),
  direction: z.enum(messages.direction.enumValues),
  status: z.enum(MESSAGE_STATUSES),
  content: z.string(),
  text: z.string(),
  media: z.enum(MEDIA_KINDS).nullable(),
})
const lastCall = z.object({
  kind: z.literal('call'),
  direction: z.enum(calls.direction.enumValues),
  state: z.enum(calls.state.enumValues),
  answeredBy: z.enum(calls.answeredBy.enumValues),
})
const lastEntry = z.discriminatedUnion('kind', [lastMessage, lastCall]).nullable()

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
  last: lastEntry,
})

const PREVIEW_LENGTH = 160

/** Read for the rows of a page alone, each by one look-up in the index of the timeline. */
const lastSql = sql<unknown>`(select newest.entry from (
  (select said.occurred_at as at, jsonb_build_object('kind', 'message', 'direction', said.direction, 'status', said.status,
      'content', said.kind, 'text', left(said.body, ${sql.raw(String(PREVIEW_LENGTH))}), 'media', coalesce(
        (select file.kind from message_media as file where file.message_id = said.id order by file.index limit 1),
        case when said.outbound_media is null then null when (said.outbound_media->0->>'voice')::boolean then 'voice'
          when split_part(lower(said.outbound_media->0->>'contentType'), '/', 1) in ('image', 'video', 'audio')
            then split_part(lower(said.outbound_media->0->>'contentType'), '/', 1) else 'document' end)) as entry
    from messages as said where said.contact_id = "conversations"."contact_id"
      and said.business_id = "conversations"."business_id" and said.kind not in ('reaction', 'poll_vote')
    order by said.occurred_at desc, said.id desc limit 1)
  union all
  (select talk.started_at, jsonb_build_object('kind', 'call', 'direction', talk.direction, 'state', talk.state,
      'answeredBy', talk.answered_by)
    from calls as talk where talk.contact_id = "conversations"."contact_id" and talk.business_id = "conversations"."business_id"
    order by talk.started_at desc, talk.id desc limit 1)
  ) newest order by newest.at desc limit 1)`

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
  last: lastSql,
}

const withPreview = <Row extends { last: unknown }>(row: Row) => ({ ...row, last: lastEntry.parse(row.last) })

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
        // Whoever asks for one contact knows whom.
        page.contactId ? undefined : isShownSql,
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
  return toTimePage(rows.map(withPreview), page.limit)
}

/** @throws AppError `conversation_not_found` */
export async function getConversation(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(columns)
    .from(conversations)
    .innerJoin(contacts, eq(contacts.id, conversations.contactId))
    .where(and(eq(conversations.id, id), eq(conversations.businessId, ctx.businessId)))
  if (!row) throw noConversation()
  return withPreview(row)
}

export function noConversation() {
  return new AppError('not_found', 'conversation_not_found', 'There is no such conversation.')
}

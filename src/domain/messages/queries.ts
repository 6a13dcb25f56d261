import { and, eq, gte, inArray, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { contacts, conversations, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { firstIdAt } from '../../lib/ids.ts'
import type { BusinessContext } from '../context.ts'
import { type Page, pageInput, pageQuery, timeFilter, toPage } from '../paging.ts'
import { partyPhone } from './outbound.ts'
import { type MessageView, toMessageView } from './views.ts'

export const messageFilters = pageInput.extend({
  contactId: z.uuid().optional(),
  conversationId: z.uuid().optional(),
  direction: z.enum(messages.direction.enumValues).optional(),
  provider: z.enum(messages.provider.enumValues).optional(),
  status: z.enum(messages.status.enumValues).optional(),
  /** When it came or was requested, from this moment on. */
  since: timeFilter.optional(),
  /** And before this one. */
  until: timeFilter.optional(),
  /** Of the failed ones, those that a member set aside, or that still wait. */
  handled: z
    .union([z.boolean(), z.enum(['true', 'false'])])
    .transform((value) => value === true || value === 'true')
    .optional(),
})

/** Reactions of a large group to one message are shown up to this many. */
const MOST_REACTIONS = 300

/** A view's related rows by index look-ups in the statement that reads `messages`, so that a page costs one round trip. */
export const relatedSql = {
  files: sql<unknown>`(select jsonb_agg(jsonb_build_object('id', file.id, 'kind', file.kind, 'contentType', file.content_type,
      'fileName', file.file_name, 'bytes', file.bytes, 'seconds', file.seconds, 'state', file.state,
      'hasThumbnail', file.thumbnail is not null, 'transcript', file.transcript) order by file.index)
    from message_media as file where file.message_id = messages.id)`,
  about: sql<unknown>`case when messages.provider_message_id is not null then (
    select jsonb_agg(jsonb_build_object('kind', said.kind, 'body', said.body, 'options', said.data->'options',
      'direction', said.direction, 'author', said.data->'author', 'at', said.occurred_at) order by said.occurred_at, said.id)
    from (select * from messages as note
      where note.business_id = messages.business_id and note.reply_to = messages.provider_message_id
        and note.kind in ('reaction', 'poll_vote') and note.conversation_id = messages.conversation_id
        and note.status <> 'failed'
      order by note.occurred_at desc, note.id desc limit ${sql.raw(String(MOST_REACTIONS))}) as said) end`,
  answered: sql<unknown>`case when messages.reply_to is not null then (
    select jsonb_build_object('id', target.id, 'text', left(target.body, 300)) from messages as target
    where target.provider = messages.provider and target.provider_message_id = messages.reply_to
      and target.conversation_id = messages.conversation_id limit 1) end`,
}

/** Whether a reaction or vote is shown with its message; ours that failed or is unknown is also shown by itself. */
export const isFoldedSql: SQL = sql`(messages.kind in ('reaction', 'poll_vote')
  and messages.status not in ('failed', 'unknown') and exists (
  select from messages as target where target.provider = messages.provider
    and target.provider_message_id = messages.reply_to and target.conversation_id = messages.conversation_id))`

const columns = {
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
  data: messages.data,
  outboundMedia: messages.outboundMedia,
  replyTo: messages.replyTo,
  editedAt: messages.editedAt,
  deletedAt: messages.deletedAt,
  partOf: messages.partOf,
  providerMessageId: messages.providerMessageId,
  errorCode: messages.errorCode,
  errorMessage: messages.errorMessage,
  sentAt: messages.sentAt,
  deliveredAt: messages.deliveredAt,
  readAt: messages.readAt,
  failedAt: messages.failedAt,
  occurredAt: messages.occurredAt,
  createdAt: messages.createdAt,
  ...relatedSql,
}

/** The business's messages, newest first, with reactions and votes, which `replyTo` links to their message. */
export async function listMessages(
  ctx: BusinessContext,
  input: z.input<typeof messageFilters>,
): Promise<Page<MessageView>> {
  const page = messageFilters.parse(input)
  const query = pageQuery(
    messages.id,
    page,
    eq(messages.businessId, ctx.businessId),
    page.contactId ? eq(messages.conversationId, conversationOf(ctx, page.contactId)) : undefined,
    page.conversationId ? eq(messages.conversationId, page.conversationId) : undefined,
    page.direction ? eq(messages.direction, page.direction) : undefined,
    // The same rows, by the index on the status.
    page.direction === 'in' ? eq(messages.status, 'received') : undefined,
    page.provider ? eq(messages.provider, page.provider) : undefined,
    page.status ? eq(messages.status, page.status) : undefined,
    // By the id, which begins with the time, as the statistics count.
    page.since ? gte(messages.id, firstIdAt(new Date(page.since))) : undefined,
    page.until ? lt(messages.id, firstIdAt(new Date(page.until))) : undefined,
    page.handled === undefined ? undefined : page.handled ? isNotNull(messages.handledAt) : isNull(messages.handledAt),
  )
  const rows = await ctx.db
    .select(columns)
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows.map(toMessageView), page.limit)
}

/** A contact has one conversation, and its messages have an index in the order of the list. */
function conversationOf(ctx: BusinessContext, contactId: string): SQL {
  return sql`(select ${conversations.id} from ${conversations}
    where ${conversations.businessId} = ${ctx.businessId} and ${conversations.contactId} = ${contactId})`
}

/** @throws AppError `message_not_found` */
export async function getMessage(ctx: BusinessContext, id: string): Promise<MessageView> {
  const [found] = await getMessages(ctx, [id])
  if (!found) throw new AppError('not_found', 'message_not_found', 'There is no such message.')
  return found
}

export async function getMessages(ctx: BusinessContext, ids: string[]): Promise<MessageView[]> {
  if (ids.length === 0) return []
  const rows = await ctx.db
    .select(columns)
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(and(inArray(messages.id, ids), eq(messages.businessId, ctx.businessId)))
  const found = new Map(rows.map((row) => [row.id, toMessageView(row)]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

/** The message once sent, failed or unknown, or as it stands after `timeoutMs`. */
export async function waitForMessage(ctx: BusinessContext, id: string, timeoutMs: number): Promise<MessageView> {
  const deadline = Date.now() + timeoutMs
  for (let pause = 25; ; pause = Math.min(250, pause * 2)) {
    const message = await getMessage(ctx, id)
    const left = deadline - Date.now()
    if ((message.status !== 'queued' && message.status !== 'sending') || left <= 0) return message
    await Bun.sleep(Math.min(pause, left))
  }
}

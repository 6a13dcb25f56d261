import { and, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import { contacts, conversations } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { noContact } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { olderThan, timePageInput, timeText, toTimePage } from '../paging-by-time.ts'

export const CONVERSATION_STATUSES = ['open', 'closed', 'snoozed'] as const

export const conversationFilters = timePageInput.extend({
  status: z.enum(CONVERSATION_STATUSES).optional(),
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

/** The conversations of the business, the latest event first. */
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

const entry = <K extends string, S extends z.ZodRawShape>(kind: K, data: S) =>
  z.object({ kind: z.literal(kind), id: z.uuid(), at: z.date(), data: z.object(data) })

/** One thing that happened with a contact. */
export const timelineEntry = z.discriminatedUnion('kind', [
  entry('message', {
    direction: z.enum(['in', 'out']),
    provider: z.enum(['twilio', 'baileys']),
    kind: z.string(),
    status: z.string(),
    body: z.string(),
    errorCode: z.string().nullable(),
  }),
  entry('call', {
    direction: z.enum(['inbound', 'outbound']),
    state: z.string(),
    answeredBy: z.string(),
    endReason: z.string().nullable(),
    durationMs: z.number().nullable(),
    callSid: z.string(),
  }),
  entry('payment', {
    /** In the smallest unit of the currency. */
    amount: z.number(),
    currency: z.string(),
    description: z.string(),
    provider: z.string(),
    state: z.string(),
  }),
  entry('appointment', {
    startsAt: z.iso.datetime({ offset: true }),
    endsAt: z.iso.datetime({ offset: true }),
    state: z.string(),
    name: z.string().nullable(),
    note: z.string().nullable(),
  }),
  entry('note', { body: z.string(), authorKind: z.string(), authorId: z.string() }),
])

export const timelinePage = z.object({ items: z.array(timelineEntry), nextCursor: z.string().nullable() })

/**
 * Everything that happened with a contact, newest first: messages, calls, payments, appointments (when they were made), private notes. Each kind is read from its own
 * index to the page's length, so that a page costs the same however long the history is.
 * @throws AppError `contact_not_found`
 */
export async function readTimeline(
  ctx: BusinessContext,
  contactId: string,
  input: z.input<typeof timePageInput>,
): Promise<z.infer<typeof timelinePage>> {
  const page = timePageInput.parse(input)
  const limit = page.limit + 1
  const scope = sql`business_id = ${ctx.businessId} and contact_id = ${contactId}`
  const older = (at: string) => {
    const condition = olderThan(sql.raw(at), sql.raw('id'), page.cursor)
    return condition ? sql`and ${condition}` : sql``
  }
  const [contact, rows] = await Promise.all([
    ctx.db
      .select({ id: contacts.id })
      .from(contacts)
      .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId))),
    ctx.db.execute<{ kind: string; id: string; at: string; at_text: string; data: unknown }>(sql`
    select kind, id, at, at::text as at_text, data from (
      (select 'message' as kind, id, occurred_at as at, jsonb_build_object('direction', direction, 'provider', provider,
          'kind', kind, 'status', status, 'body', body, 'errorCode', error_code) as data
        from messages where ${scope} ${older('occurred_at')} order by occurred_at desc, id desc limit ${limit})
      union all
      (select 'call', id, started_at, jsonb_build_object('direction', direction, 'state', state, 'answeredBy', answered_by,
          'endReason', end_reason, 'durationMs', duration_ms, 'callSid', call_sid)
        from calls where ${scope} ${older('started_at')} order by started_at desc, id desc limit ${limit})
      union all
      (select 'payment', id, created_at, jsonb_build_object('amount', amount, 'currency', currency,
          'description', description, 'provider', provider, 'state', state)
        from payments where ${scope} ${older('created_at')} order by created_at desc, id desc limit ${limit})
      union all
      (select 'appointment', id, created_at, jsonb_build_object('startsAt', starts_at, 'endsAt', ends_at, 'state', state,
          'name', name, 'note', note)
        from appointments where ${scope} ${older('created_at')} order by created_at desc, id desc limit ${limit})
      union all
      (select 'note', id, created_at, jsonb_build_object('body', body, 'authorKind', author_kind, 'authorId', author_id)
        from notes where ${scope} ${older('created_at')} order by created_at desc, id desc limit ${limit})
    ) everything
    order by at desc, id desc limit ${limit}`),
  ])
  if (contact.length === 0) throw noContact()
  const { items, nextCursor } = toTimePage(
    [...rows].map((row) => ({ ...row, at: new Date(row.at), atText: row.at_text })),
    page.limit,
  )
  return { items: z.array(timelineEntry).parse(items), nextCursor }
}

export function noConversation() {
  return new AppError('not_found', 'conversation_not_found', 'There is no such conversation.')
}

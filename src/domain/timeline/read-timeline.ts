import { and, eq, sql } from 'drizzle-orm'
import { z } from 'zod'
import { appointments, calls, contacts, payments } from '../../../db/schema/index.ts'
import { noContact } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { isFoldedSql, messageView, relatedSql, toMessageView } from '../messages/index.ts'
import { olderThan, timePageInput, toTimePage } from '../paging-by-time.ts'

const messageRow = z.looseObject({
  data: z.unknown(),
  outboundMedia: z
    .array(
      z.object({
        url: z.string(),
        contentType: z.string().exactOptional(),
        fileName: z.string().exactOptional(),
        voice: z.boolean().exactOptional(),
      }),
    )
    .nullable(),
  replyTo: z.string().nullable(),
  editedAt: z.coerce.date().nullable(),
  deletedAt: z.coerce.date().nullable(),
  deliveredAt: z.coerce.date().nullable(),
  readAt: z.coerce.date().nullable(),
  files: z.unknown(),
  about: z.unknown(),
  answered: z.unknown(),
})

const entry = <K extends string, S extends z.ZodRawShape>(kind: K, data: S) =>
  z.object({ kind: z.literal(kind), id: z.uuid(), at: z.date(), data: z.object(data) })

export const timelineEntry = z.discriminatedUnion('kind', [
  entry(
    'message',
    messageView.pick({
      direction: true,
      provider: true,
      kind: true,
      status: true,
      body: true,
      data: true,
      media: true,
      replyTo: true,
      editedAt: true,
      deletedAt: true,
      reactions: true,
      votes: true,
      forwarded: true,
      referral: true,
      errorCode: true,
      errorMessage: true,
      deliveredAt: true,
      readAt: true,
    }).shape,
  ),
  entry('call', {
    direction: z.enum(calls.direction.enumValues),
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
    state: z.enum(payments.state.enumValues),
  }),
  entry('appointment', {
    startsAt: z.iso.datetime({ offset: true }),
    endsAt: z.iso.datetime({ offset: true }),
    state: z.enum(appointments.state.enumValues),
    name: z.string().nullable(),
    note: z.string().nullable(),
  }),
  entry('note', { body: z.string(), authorKind: z.string(), authorId: z.string() }),
])

export const timelinePage = z.object({ items: z.array(timelineEntry), nextCursor: z.string().nullable() })

/**
 * A contact's history, newest first; reactions and votes stand with their message if it is here. Each kind is read from its
 * index to the page's length, so that history costs nothing. @throws AppError `contact_not_found`
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
      .select({ phone: contacts.phone, contactName: contacts.name })
      .from(contacts)
      .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId))),
    ctx.db.execute<{ kind: string; id: string; at: string; at_text: string; data: unknown }>(sql`
    select kind, id, at, at::text as at_text, data from (
      (select 'message' as kind, id, occurred_at as at, jsonb_build_object('direction', direction, 'provider', provider,
          'kind', kind, 'status', status, 'body', body, 'errorCode', error_code,
          'errorMessage', error_message, 'deliveredAt', delivered_at, 'readAt', read_at, 'data', messages.data,
          'outboundMedia', outbound_media, 'replyTo', reply_to, 'editedAt', edited_at, 'deletedAt', deleted_at,
          'files', ${relatedSql.files}, 'about', ${relatedSql.about}, 'answered', ${relatedSql.answered}) as data
        from messages where ${scope} and not ${isFoldedSql} ${older('occurred_at')}
        order by occurred_at desc, id desc limit ${limit})
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
  const [who] = contact
  if (!who) throw noContact()
  const { items, nextCursor } = toTimePage(
    [...rows].map(({ data, ...row }) => ({
      ...row,
      data: row.kind === 'message' ? toMessageView({ ...messageRow.parse(data), ...who }) : data,
      at: new Date(row.at),
      atText: row.at_text,
    })),
    page.limit,
  )
  return { items: z.array(timelineEntry).parse(items), nextCursor }
}

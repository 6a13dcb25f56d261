import { and, eq, sql } from 'drizzle-orm'
import {
  calls,
  callTurns,
  contacts,
  leads,
  messages,
  type pushDeliveries,
  recordings,
} from '../../../db/schema/index.ts'
import { cutText } from '../../lib/text.ts'
import type { BusinessContext } from '../context.ts'

/** A notification has room for so much; a message to a push service for 4 KB (RFC 8030, section 7.2). */
const MAX_TEXT = 300
/** A caller may be recording a message: the carrier ends the call at last, or this passes. */
const STILL_ON_MS = 6 * 60_000

const TERMINAL = ['completed', 'busy', 'failed', 'no-answer', 'canceled']

/** What a notification is about. `later`: it is not decided yet. Null: there is nothing to notify of any more. */
export type Content = { who: string | null; text: string | null; url: string } | 'later' | null

export async function contentOf(
  ctx: BusinessContext,
  delivery: Pick<typeof pushDeliveries.$inferSelect, 'kind' | 'entityId'>,
): Promise<Content> {
  switch (delivery.kind) {
    case 'missed_call':
      return await missedCall(ctx, delivery.entityId)
    case 'voicemail':
      return await voicemail(ctx, delivery.entityId)
    case 'lead':
      return await lead(ctx, delivery.entityId)
    case 'message':
      return await message(ctx, delivery.entityId)
    case 'test':
      return { who: null, text: null, url: 'settings?part=notifications' }
  }
}

async function missedCall(ctx: BusinessContext, id: string): Promise<Content> {
  const ofCall = (table: typeof recordings | typeof callTurns) =>
    and(eq(table.callId, calls.id), eq(table.businessId, ctx.businessId))
  const [call] = await ctx.db
    .select({
      from: calls.fromNumber,
      name: contacts.name,
      reason: calls.endReason,
      endedAt: calls.endedAt,
      carrierStatus: calls.carrierStatus,
      messages: sql<number>`(select count(*)::int from ${recordings} where ${ofCall(recordings)} and ${recordings.state} <> 'failed')`,
      words: sql<number>`(select count(*)::int from ${callTurns} where ${ofCall(callTurns)} and ${callTurns.role} = 'caller')`,
    })
    .from(calls)
    .leftJoin(contacts, and(eq(contacts.id, calls.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(calls.id, id), eq(calls.businessId, ctx.businessId)))
  // With a message it is a voicemail, of which one is notified too.
  if (!call || call.messages > 0) return null
  // Who hung up after talking to the agent was served.
  if ((call.reason === 'caller_hung_up' || call.reason === 'silence') && call.words > 0) return null
  const over = TERMINAL.includes(call.carrierStatus ?? '')
  const endedMs = Date.now() - (call.endedAt?.getTime() ?? 0)
  if (!over && endedMs < STILL_ON_MS && call.reason !== 'caller_hung_up') return 'later'
  return { who: call.name ?? numberOf(call.from), text: null, url: `calls/${id}` }
}

async function voicemail(ctx: BusinessContext, id: string): Promise<Content> {
  const [row] = await ctx.db
    .select({ callId: recordings.callId, from: calls.fromNumber, name: contacts.name })
    .from(recordings)
    .innerJoin(calls, and(eq(calls.id, recordings.callId), eq(calls.businessId, ctx.businessId)))
    .leftJoin(contacts, and(eq(contacts.id, calls.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(recordings.id, id), eq(recordings.businessId, ctx.businessId)))
  return row ? { who: row.name ?? numberOf(row.from), text: null, url: `calls/${row.callId}` } : null
}

async function lead(ctx: BusinessContext, id: string): Promise<Content> {
  const [row] = await ctx.db
    .select({ name: leads.name, inquiry: leads.inquiry, contactName: contacts.name, phone: contacts.phone })
    .from(leads)
    .leftJoin(contacts, and(eq(contacts.id, leads.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
  return row ? { who: row.name ?? row.contactName ?? row.phone, text: short(row.inquiry), url: 'leads' } : null
}

async function message(ctx: BusinessContext, id: string): Promise<Content> {
  const [row] = await ctx.db
    .select({ contactId: messages.contactId, body: messages.body, name: contacts.name, phone: contacts.phone })
    .from(messages)
    .leftJoin(contacts, and(eq(contacts.id, messages.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId)))
  if (!row) return null
  return { who: row.name ?? row.phone, text: short(row.body), url: `inbox?contact=${row.contactId}` }
}

function short(text: string | null): string | null {
  return text === null ? null : cutText(text, MAX_TEXT)
}

/** A withheld caller has a word in its place. */
function numberOf(from: string): string | null {
  return /\d{4}/.test(from) ? from : null
}

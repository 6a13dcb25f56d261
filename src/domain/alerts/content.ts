import { and, eq, sql } from 'drizzle-orm'
import {
  appointments,
  calls,
  callTurns,
  contacts,
  leads,
  messages,
  payments,
  recordings,
} from '../../../db/schema/index.ts'
import { wallClock } from '../../lib/local-time.ts'
import { cutText } from '../../lib/text.ts'
import { getBusiness } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { type AlertKind, KINDS } from './kinds.ts'

/** A notification has room for so much; a message to a push service for 4 KB (RFC 8030, section 7.2). */
const MAX_TEXT = 300
/** A caller may be recording a message: the carrier ends the call at last, or this passes. */
const STILL_ON_MS = 6 * 60_000
/** A voicemail is notified without its words when they are not there by then. */
const TRANSCRIBING_MS = 60_000

const TERMINAL = ['completed', 'busy', 'failed', 'no-answer', 'canceled']

/** Something to say beside who it is: a time is written in the zone of the business. */
type Detail = { at: Date } | { amount: number; currency: string }

/** What an alert says. `who` is a name or a number, null for a withheld one, undefined where it is about no person. */
export type Content = {
  who?: string | null
  text: string | null
  details?: Detail[]
  phone?: string | null
  url: string
}

type Notified = { kind: AlertKind; subject: string; facts: Record<string, string | number> | null }

/** @returns `later` while it is not decided yet, null when there is nothing to tell any more */
export async function contentOf(
  ctx: BusinessContext,
  { kind, facts, ...notified }: Notified,
  now: Date,
): Promise<Content | 'later' | null> {
  const [subject = ''] = notified.subject.split('#')
  switch (kind) {
    case 'missed_call':
      return await missedCall(ctx, subject, now)
    case 'voicemail':
      return await voicemail(ctx, subject, now)
    case 'lead':
      return await lead(ctx, subject)
    case 'message':
    case 'urgent_message':
      return await message(ctx, subject)
    case 'handover':
      return (await message(ctx, subject)) ?? (await handedOver(ctx, subject))
    case 'appointment_made':
    case 'appointment_moved':
    case 'appointment_cancelled':
    case 'calendar_conflict':
    case 'deposit_late':
    case 'deposit_unavailable':
      return await appointment(ctx, subject, kind)
    case 'payment_made':
    case 'payment_failed':
      return await payment(ctx, subject)
    default:
      return { text: null, url: urlOf(kind, facts) }
  }
}

function urlOf(kind: AlertKind, facts: Notified['facts']): string {
  return kind === 'engine_failing' && facts?.callId ? `calls/${facts.callId}` : KINDS[kind].url
}

async function missedCall(ctx: BusinessContext, id: string, now: Date): Promise<Content | 'later' | null> {
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
  const endedMs = now.getTime() - (call.endedAt?.getTime() ?? 0)
  if (!over && endedMs < STILL_ON_MS && call.reason !== 'caller_hung_up') return 'later'
  return { who: call.name ?? numberOf(call.from), text: null, phone: numberOf(call.from), url: `calls/${id}` }
}

async function voicemail(ctx: BusinessContext, id: string, now: Date): Promise<Content | 'later' | null> {
  const [row] = await ctx.db
    .select({
      callId: recordings.callId,
      transcript: recordings.transcript,
      updatedAt: recordings.updatedAt,
      from: calls.fromNumber,
      name: contacts.name,
    })
    .from(recordings)
    .innerJoin(calls, and(eq(calls.id, recordings.callId), eq(calls.businessId, ctx.businessId)))
    .leftJoin(contacts, and(eq(contacts.id, calls.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(recordings.id, id), eq(recordings.businessId, ctx.businessId)))
  if (!row) return null
  if (row.transcript === null && now.getTime() - row.updatedAt.getTime() < TRANSCRIBING_MS) return 'later'
  return {
    who: row.name ?? numberOf(row.from),
    phone: numberOf(row.from),
    text: short(row.transcript),
    url: `calls/${row.callId}`,
  }
}

async function lead(ctx: BusinessContext, id: string): Promise<Content | null> {
  const [row] = await ctx.db
    .select({ name: leads.name, inquiry: leads.inquiry, contactName: contacts.name, phone: contacts.phone })
    .from(leads)
    .leftJoin(contacts, and(eq(contacts.id, leads.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
  return row
    ? {
        who: row.name ?? row.contactName ?? row.phone,
        phone: row.phone,
        text: short(row.inquiry),
        url: `leads?lead=${id}`,
      }
    : null
}

async function message(ctx: BusinessContext, id: string): Promise<Content | null> {
  const [row] = await ctx.db
    .select({ contactId: messages.contactId, body: messages.body, name: contacts.name, phone: contacts.phone })
    .from(messages)
    .leftJoin(contacts, and(eq(contacts.id, messages.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId)))
  if (!row) return null
  return {
    who: row.name ?? row.phone,
    phone: row.phone,
    text: short(row.body),
    url: `inbox?contact=${row.contactId}`,
  }
}

async function handedOver(ctx: BusinessContext, id: string): Promise<Content | null> {
  const [call] = await ctx.db
    .select({ from: calls.fromNumber, name: contacts.name })
    .from(calls)
    .leftJoin(contacts, and(eq(contacts.id, calls.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(calls.id, id), eq(calls.businessId, ctx.businessId)))
  if (!call) return null
  return { who: call.name ?? numberOf(call.from), text: null, phone: numberOf(call.from), url: `calls/${id}` }
}

async function appointment(ctx: BusinessContext, id: string, kind: AlertKind): Promise<Content | null> {
  const [row] = await ctx.db
    .select({
      startsAt: appointments.startsAt,
      state: appointments.state,
      name: sql<string | null>`coalesce(${appointments.name}, ${contacts.name}, ${contacts.phone})`,
      phone: contacts.phone,
    })
    .from(appointments)
    .leftJoin(contacts, and(eq(contacts.id, appointments.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId)))
  // One that was cancelled before it was notified is notified as cancelled.
  const anyState = kind === 'calendar_conflict' || kind === 'deposit_late' || kind === 'deposit_unavailable'
  if (!row) return anyState ? { text: null, url: KINDS[kind].url } : null
  if (!anyState && (row.state === 'cancelled') !== (kind === 'appointment_cancelled')) return null
  const { date } = wallClock(row.startsAt, (await getBusiness(ctx)).timezone)
  const url = `calendar?date=${date}&appointment=${id}`
  return { who: row.name, text: null, details: [{ at: row.startsAt }], phone: row.phone, url }
}

async function payment(ctx: BusinessContext, id: string): Promise<Content | null> {
  const [row] = await ctx.db
    .select({
      amount: payments.amount,
      currency: payments.currency,
      description: payments.description,
      name: contacts.name,
      phone: contacts.phone,
    })
    .from(payments)
    .leftJoin(contacts, and(eq(contacts.id, payments.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(payments.id, id), eq(payments.businessId, ctx.businessId)))
  if (!row) return null
  const { amount, currency } = row
  return {
    who: row.name ?? row.phone ?? undefined,
    text: short(row.description),
    details: [{ amount, currency }],
    phone: row.phone,
    url: 'payments',
  }
}

function short(text: string | null): string | null {
  return text === null ? null : cutText(text, MAX_TEXT)
}

/** A withheld caller has a word in its place. */
function numberOf(from: string): string | null {
  return /\d{4}/.test(from) ? from : null
}

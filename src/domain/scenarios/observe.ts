import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import {
  type AgentToolRun,
  agentAnswers,
  agentRuns,
  agentStates,
  appointments,
  calls,
  contacts,
  conversations,
  leads,
  messages,
} from '../../../db/schema/index.ts'
import { wallClock } from '../../lib/local-time.ts'
import type { BusinessContext } from '../context.ts'

export type ObservedRow = Record<string, string | number | boolean | null>

/** What the CRM holds of a customer after a play. */
export type Observed = {
  contact: ObservedRow | null
  leads: ObservedRow[]
  /** Those that are to be: not the cancelled ones. */
  appointments: ObservedRow[]
  gaps: ObservedRow[]
  calls: ObservedRow[]
  /** Sent and received, in the order in which they are shown. */
  messages: {
    direction: 'in' | 'out'
    body: string
    id: string
    status: string
    writtenBy: string | null
    createdAt: Date
    answered: boolean
  }[]
  runs: {
    outcome: string
    reason: string | null
    text: string | null
    tools: AgentToolRun[]
    gaps: string[]
    costMicros: number | null
    model: string | null
    thinkingMs: number | null
    settledMs: number | null
    sentMessageId: string | null
  }[]
  agent: 'on' | 'paused' | 'off'
}

/** Reads what there is of a customer, by the number. A business without the customer has none of it. */
export async function observeCustomer(ctx: BusinessContext, phone: string, timeZone: string): Promise<Observed> {
  const { db, businessId } = ctx
  const people = await db
    .select({ id: contacts.id, name: contacts.name, phone: contacts.phone, optedOutAt: contacts.optedOutAt })
    .from(contacts)
    .where(and(eq(contacts.businessId, businessId), eq(contacts.phone, phone)))
  const [contact] = people
  if (!contact)
    return { contact: null, leads: [], appointments: [], gaps: [], calls: [], messages: [], runs: [], agent: 'on' }
  const theirs = <Column extends typeof leads.contactId>(column: Column) => eq(column, contact.id)
  const [leadRows, visits, callRows, written, runs, states] = await Promise.all([
    db
      .select()
      .from(leads)
      .where(and(eq(leads.businessId, businessId), theirs(leads.contactId)))
      .orderBy(asc(leads.id)),
    db
      .select()
      .from(appointments)
      .where(
        and(
          eq(appointments.businessId, businessId),
          eq(appointments.contactId, contact.id),
          inArray(appointments.state, ['held', 'booked']),
        ),
      )
      .orderBy(asc(appointments.startsAt)),
    db
      .select()
      .from(calls)
      .where(and(eq(calls.businessId, businessId), eq(calls.contactId, contact.id)))
      .orderBy(asc(calls.id)),
    db
      .select({
        direction: messages.direction,
        body: messages.body,
        id: messages.id,
        status: messages.status,
        writtenBy: messages.writtenBy,
        createdAt: messages.createdAt,
        answered: sql<boolean>`${agentAnswers.messageId} is not null`,
      })
      .from(messages)
      .leftJoin(agentAnswers, eq(agentAnswers.messageId, messages.id))
      .where(and(eq(messages.businessId, businessId), eq(messages.contactId, contact.id)))
      .orderBy(asc(messages.id)),
    db
      .select()
      .from(agentRuns)
      .where(and(eq(agentRuns.businessId, businessId), eq(agentRuns.contactId, contact.id)))
      .orderBy(asc(agentRuns.id)),
    db
      .select({ mode: agentStates.mode })
      .from(agentStates)
      .innerJoin(conversations, eq(conversations.id, agentStates.conversationId))
      .where(and(eq(agentStates.businessId, businessId), eq(conversations.contactId, contact.id))),
  ])
  return {
    contact: { name: contact.name, phone: contact.phone, optedOut: contact.optedOutAt !== null },
    leads: leadRows.map(({ name, inquiry, callbackTime, stage, source }) => ({
      name,
      inquiry,
      callbackTime,
      stage,
      source,
    })),
    appointments: visits.map(({ startsAt, state, source, name, note }) => {
      const { date, time } = wallClock(startsAt, timeZone)
      return { date, time, state, source, name, note }
    }),
    gaps: runs.flatMap(({ gaps }) => gaps.map((question) => ({ question }))),
    calls: callRows.map(({ state, endReason, fallback, carrierStatus }) => ({
      ...{ state, endReason, fallback, carrierStatus },
    })),
    messages: written,
    runs,
    agent: states[0]?.mode ?? 'on',
  }
}

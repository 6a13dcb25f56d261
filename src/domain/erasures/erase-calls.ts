import { and, eq, inArray, or } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments, auditLog, calls, events, leads } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { noteFiles } from './deletions.ts'
import { writeTombstones } from './tombstones.ts'

const ENTITIES = ['contact', 'call', 'message', 'lead', 'note', 'conversation', 'appointment']

export type ErasedCalls = {
  pending: string[]
  leads: number
  appointments: number
}

/** Erases calls with all that came of them; with `person` also the person's leads, appointments and message files. */
export async function eraseCalls(
  tx: Executor,
  ctx: BusinessContext,
  rows: { id: string; callSid: string }[],
  at: Date,
  person: { contactId: string; messageIds: string[] } | null = null,
): Promise<ErasedCalls> {
  const callIds = rows.map((row) => row.id)
  await writeTombstones(
    tx,
    ctx,
    rows.map((row) => ({ kind: 'call', value: row.callSid })),
    at,
  )
  const pending = await noteFiles(tx, ctx, callIds, person?.messageIds ?? [])
  const theirs = (table: typeof leads | typeof appointments) =>
    and(
      eq(table.businessId, ctx.businessId),
      or(inArray(table.callId, callIds), person ? eq(table.contactId, person.contactId) : undefined),
    )
  const leadIds = await gone(tx.delete(leads).where(theirs(leads)).returning({ id: leads.id }))
  const appointmentIds = await gone(
    tx.delete(appointments).where(theirs(appointments)).returning({ id: appointments.id }),
  )
  await tx.delete(calls).where(and(eq(calls.businessId, ctx.businessId), inArray(calls.id, callIds)))
  await eraseEvents(tx, [...callIds, ...leadIds, ...appointmentIds])
  return { pending, leads: leadIds.length, appointments: appointmentIds.length }
}

/** What the audit log and the events say of these loses its data. */
export async function eraseEvents(tx: Executor, ids: string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += 5_000) {
    const some = ids.slice(at, at + 5_000)
    await tx
      .update(auditLog)
      .set({ data: null })
      .where(and(inArray(auditLog.entity, ENTITIES), inArray(auditLog.entityId, some)))
    await tx
      .update(events)
      .set({ data: null })
      .where(and(inArray(events.entity, ENTITIES), inArray(events.entityId, some)))
  }
}

async function gone(rows: Promise<{ id: string }[]>): Promise<string[]> {
  return (await rows).map((row) => row.id)
}

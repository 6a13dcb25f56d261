import { and, eq, inArray, lt, or, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import {
  appointments,
  auditLog,
  calls,
  callTurns,
  contactIdentities,
  contacts,
  events,
  leads,
  messageMedia,
  messages,
  notes,
  pendingDeletions,
  recordings,
  retentionSettings,
} from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import { lockContact } from '../contacts/index.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'

const days = z.int().min(1).max(3_650).nullable()

/** How many days a business keeps what; null keeps for ever. */
export const retention = z.object({ messageDays: days, callDays: days, recordingDays: days })
export type Retention = z.infer<typeof retention>

export async function getRetention(ctx: BusinessContext): Promise<Retention> {
  const [row] = await ctx.db.select().from(retentionSettings).where(eq(retentionSettings.businessId, ctx.businessId))
  return {
    messageDays: row?.messageDays ?? null,
    callDays: row?.callDays ?? null,
    recordingDays: row?.recordingDays ?? null,
  }
}

export async function setRetention(ctx: BusinessContext, settings: Retention): Promise<Retention> {
  await ctx.db.transaction(async (tx) => {
    await tx
      .insert(retentionSettings)
      .values({ businessId: ctx.businessId, ...settings })
      .onConflictDoUpdate({ target: retentionSettings.businessId, set: { ...settings, updatedAt: new Date() } })
    await audit(tx, ctx, {
      action: 'privacy.retention',
      entity: 'business',
      entityId: ctx.businessId,
      data: { ...settings },
    })
  })
  return await getRetention(ctx)
}

export const erasure = z.object({
  messages: z.number(),
  calls: z.number(),
  leads: z.number(),
  notes: z.number(),
  appointments: z.number(),
  /** Files and carrier's copies whose deletion is under way. */
  files: z.number(),
})

const ERASED = ['contact', 'call', 'message', 'lead', 'note', 'conversation', 'appointment']

/**
 * Erases everything of one contact: messages, calls with their turns, recordings, leads, appointments, notes, the
 * person; payments stay in the books without the person. What the audit
 * log and the events say of these loses its data. Files, and the carrier's copies of recordings, are written down in the same
 * transaction and deleted by jobs, so that none is forgotten.
 * @returns what went, and under which names the person may stand in jobs that are done
 * @throws AppError `contact_not_found`
 */
export async function eraseContact(
  ctx: BusinessContext,
  contactId: string,
): Promise<z.infer<typeof erasure> & { mentions: string[] }> {
  const { counts, pending, mentions } = await ctx.db.transaction(async (tx) => {
    const contact = await lockContact(tx, ctx, contactId)
    const scope = eq(calls.businessId, ctx.businessId)
    // A call that came in while the contact was being made may know the number alone.
    const theirs = and(
      scope,
      contact.phone
        ? or(eq(calls.contactId, contactId), and(eq(calls.fromNumber, contact.phone), sql`${calls.contactId} is null`))
        : eq(calls.contactId, contactId),
    )
    const callRows = await tx.select({ id: calls.id, callSid: calls.callSid }).from(calls).where(theirs)
    const callIds = callRows.map((row) => row.id)
    const identities = await tx
      .select({ value: contactIdentities.value })
      .from(contactIdentities)
      .where(and(eq(contactIdentities.businessId, ctx.businessId), eq(contactIdentities.contactId, contactId)))
    const mentions = [
      ...(contact.phone ? [contact.phone] : []),
      ...identities.map((row) => row.value),
      ...callRows.map((row) => row.callSid),
    ]
    const messageIds = (
      await tx
        .select({ id: messages.id })
        .from(messages)
        .where(and(eq(messages.businessId, ctx.businessId), eq(messages.contactId, contactId)))
    ).map((row) => row.id)
    const pending = await writeDown(tx, ctx, callIds, messageIds)
    const gone = async (rows: Promise<{ id: string }[]>) => (await rows).map((row) => row.id)
    const leadIds = await gone(
      tx
        .delete(leads)
        .where(
          and(
            eq(leads.businessId, ctx.businessId),
            or(eq(leads.contactId, contactId), callIds.length ? inArray(leads.callId, callIds) : undefined),
          ),
        )
        .returning({ id: leads.id }),
    )
    const noteIds = await gone(
      tx
        .delete(notes)
        .where(and(eq(notes.businessId, ctx.businessId), eq(notes.contactId, contactId)))
        .returning({ id: notes.id }),
    )
    const appointmentIds = await gone(
      tx
        .delete(appointments)
        .where(
          and(
            eq(appointments.businessId, ctx.businessId),
            or(
              eq(appointments.contactId, contactId),
              callIds.length ? inArray(appointments.callId, callIds) : undefined,
            ),
          ),
        )
        .returning({ id: appointments.id }),
    )
    if (callIds.length > 0) await tx.delete(calls).where(and(scope, inArray(calls.id, callIds)))
    await tx.delete(messages).where(and(eq(messages.businessId, ctx.businessId), eq(messages.contactId, contactId)))
    await tx.delete(contacts).where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId)))
    const ids = [contactId, ...callIds, ...messageIds, ...leadIds, ...noteIds, ...appointmentIds]
    for (let at = 0; at < ids.length; at += 5_000) {
      const some = ids.slice(at, at + 5_000)
      await tx
        .update(auditLog)
        .set({ data: null })
        .where(and(inArray(auditLog.entity, ERASED), inArray(auditLog.entityId, some)))
      await tx
        .update(events)
        .set({ data: null })
        .where(and(inArray(events.entity, ERASED), inArray(events.entityId, some)))
    }
    const counts = {
      messages: messageIds.length,
      calls: callIds.length,
      leads: leadIds.length,
      notes: noteIds.length,
      appointments: appointmentIds.length,
      files: pending.length,
    }
    await audit(tx, ctx, { action: 'contact.erase', entity: 'contact', entityId: contactId, data: counts })
    return { counts, pending, mentions }
  })
  await queueDeletions(ctx, pending)
  return { ...counts, mentions }
}

/** Deletes one thing outside the database, then forgets that it was to be deleted. Gone already is fine. */
export async function deletePending(
  ctx: BusinessContext,
  deletionId: string,
  means: { storage: ObjectStorage; deleteCarrierRecording: ((sid: string) => Promise<void>) | null },
): Promise<void> {
  const mine = and(eq(pendingDeletions.id, deletionId), eq(pendingDeletions.businessId, ctx.businessId))
  const [row] = await ctx.db
    .update(pendingDeletions)
    .set({ attempts: sql`${pendingDeletions.attempts} + 1` })
    .where(mine)
    .returning()
  if (!row) return
  if (row.kind === 'file') await means.storage.delete(row.ref)
  // Without a carrier there is nobody to ask; the line stays until there is.
  else if (means.deleteCarrierRecording) await means.deleteCarrierRecording(row.ref)
  else return
  await ctx.db.delete(pendingDeletions).where(mine)
}

/** Queues again what should long have been deleted. @returns how many */
export async function requeueDeletions(ctx: DomainContext, idleMs = 10 * 60_000): Promise<number> {
  const rows = await ctx.db
    .select()
    .from(pendingDeletions)
    .where(lt(pendingDeletions.updatedAt, new Date(Date.now() - idleMs)))
    .limit(200)
  for (const row of rows)
    await ctx.enqueue(
      'privacy.delete',
      { businessId: row.businessId, deletionId: row.id },
      { jobId: `erase-${row.id}-${row.attempts}` },
    )
  return rows.length
}

const SWEEP_BATCH = 500

/**
 * Deletes what is older than its business keeps it, some of each kind at a time.
 * @returns how many rows went
 */
export async function sweepRetention(ctx: DomainContext): Promise<number> {
  let gone = 0
  for (const row of await ctx.db.select().from(retentionSettings)) {
    const business = within(ctx, row.businessId)
    const before = (count: number) => new Date(Date.now() - count * 86_400_000)
    if (row.messageDays) gone += await expireMessages(business, before(row.messageDays))
    if (row.callDays) gone += await expireCalls(business, before(row.callDays))
    if (row.recordingDays) gone += await expireRecordings(business, before(row.recordingDays))
  }
  return gone
}

async function expireMessages(ctx: BusinessContext, before: Date): Promise<number> {
  return await expire(ctx, 'messages', async (tx) => {
    const ids = (
      await tx
        .select({ id: messages.id })
        .from(messages)
        .where(and(eq(messages.businessId, ctx.businessId), lt(messages.occurredAt, before)))
        .limit(SWEEP_BATCH)
    ).map((row) => row.id)
    if (ids.length === 0) return { count: 0, pending: [] }
    const pending = await writeDown(tx, ctx, [], ids)
    await tx.delete(messages).where(and(eq(messages.businessId, ctx.businessId), inArray(messages.id, ids)))
    return { count: ids.length, pending }
  })
}

async function expireCalls(ctx: BusinessContext, before: Date): Promise<number> {
  return await expire(ctx, 'calls', async (tx) => {
    const ids = (
      await tx
        .select({ id: calls.id })
        .from(calls)
        .where(and(eq(calls.businessId, ctx.businessId), lt(calls.startedAt, before), eq(calls.state, 'ended')))
        .limit(SWEEP_BATCH)
    ).map((row) => row.id)
    if (ids.length === 0) return { count: 0, pending: [] }
    const pending = await writeDown(tx, ctx, ids, [])
    await tx.delete(calls).where(and(eq(calls.businessId, ctx.businessId), inArray(calls.id, ids)))
    return { count: ids.length, pending }
  })
}

/** Recordings and turns' audio go, the call's words stay. */
async function expireRecordings(ctx: BusinessContext, before: Date): Promise<number> {
  return await expire(ctx, 'recordings', async (tx) => {
    const rows = await tx
      .select({ id: recordings.id })
      .from(recordings)
      .where(and(eq(recordings.businessId, ctx.businessId), lt(recordings.recordedAt, before)))
      .limit(SWEEP_BATCH)
    const turns = await tx
      .select({ id: callTurns.id })
      .from(callTurns)
      .where(
        and(
          eq(callTurns.businessId, ctx.businessId),
          lt(callTurns.createdAt, before),
          sql`${callTurns.audioKey} is not null`,
        ),
      )
      .limit(SWEEP_BATCH)
    const [recordingIds, turnIds] = [rows.map((row) => row.id), turns.map((row) => row.id)]
    const refs = [
      ...(await filesOfRecordings(tx, ctx, inArray(recordings.id, recordingIds), recordingIds.length)),
      ...(await filesOfTurns(tx, ctx, inArray(callTurns.id, turnIds), turnIds.length)),
    ]
    if (recordingIds.length > 0)
      await tx
        .delete(recordings)
        .where(and(eq(recordings.businessId, ctx.businessId), inArray(recordings.id, recordingIds)))
    if (turnIds.length > 0)
      await tx
        .update(callTurns)
        .set({ audioKey: null })
        .where(and(eq(callTurns.businessId, ctx.businessId), inArray(callTurns.id, turnIds)))
    return { count: recordingIds.length + turnIds.length, pending: await insertPending(tx, ctx, refs) }
  })
}

async function expire(
  ctx: BusinessContext,
  what: string,
  run: (tx: Executor) => Promise<{ count: number; pending: string[] }>,
): Promise<number> {
  const { count, pending } = await ctx.db.transaction(async (tx) => {
    const result = await run(tx)
    if (result.count > 0)
      await audit(tx, ctx, {
        action: 'privacy.expire',
        entity: 'business',
        entityId: ctx.businessId,
        data: { what, count: result.count },
      })
    return result
  })
  await queueDeletions(ctx, pending)
  return count
}

type Ref = { kind: 'file' | 'carrier_recording'; ref: string }

async function writeDown(
  tx: Executor,
  ctx: BusinessContext,
  callIds: string[],
  messageIds: string[],
): Promise<string[]> {
  return await insertPending(tx, ctx, [
    ...(await filesOfRecordings(tx, ctx, inArray(recordings.callId, callIds), callIds.length)),
    ...(await filesOfTurns(tx, ctx, inArray(callTurns.callId, callIds), callIds.length)),
    ...(await recordsOfCalls(tx, ctx, callIds)),
    ...(messageIds.length > 0
      ? (
          await tx
            .select({ key: messageMedia.storageKey })
            .from(messageMedia)
            .where(and(eq(messageMedia.businessId, ctx.businessId), inArray(messageMedia.messageId, messageIds)))
        ).flatMap((row): Ref[] => (row.key ? [{ kind: 'file', ref: row.key }] : []))
      : []),
  ])
}

async function filesOfRecordings(tx: Executor, ctx: BusinessContext, which: ReturnType<typeof inArray>, count: number) {
  if (count === 0) return []
  const rows = await tx
    .select({ key: recordings.storageKey, sid: recordings.recordingSid, gone: recordings.deletedRemotelyAt })
    .from(recordings)
    .where(and(eq(recordings.businessId, ctx.businessId), which))
  return rows.flatMap((row): Ref[] => [
    ...(row.key ? [{ kind: 'file' as const, ref: row.key }] : []),
    ...(row.gone ? [] : [{ kind: 'carrier_recording' as const, ref: row.sid }]),
  ])
}

async function filesOfTurns(tx: Executor, ctx: BusinessContext, which: ReturnType<typeof inArray>, count: number) {
  if (count === 0) return []
  const rows = await tx
    .select({ key: callTurns.audioKey })
    .from(callTurns)
    .where(and(eq(callTurns.businessId, ctx.businessId), which))
  return rows.flatMap((row): Ref[] => (row.key ? [{ kind: 'file', ref: row.key }] : []))
}

/** Locks the calls: a record that is being stored is attached before this, and found, or never. */
async function recordsOfCalls(tx: Executor, ctx: BusinessContext, callIds: string[]): Promise<Ref[]> {
  if (callIds.length === 0) return []
  const rows = await tx
    .select({ key: calls.recordKey })
    .from(calls)
    .where(and(eq(calls.businessId, ctx.businessId), inArray(calls.id, callIds)))
    .for('update')
  return rows.flatMap((row): Ref[] => (row.key ? [{ kind: 'file', ref: row.key }] : []))
}

async function insertPending(tx: Executor, ctx: BusinessContext, refs: Ref[]): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < refs.length; at += 1_000) {
    const rows = await tx
      .insert(pendingDeletions)
      .values(refs.slice(at, at + 1_000).map((ref) => ({ id: newId(), businessId: ctx.businessId, ...ref })))
      .onConflictDoNothing()
      .returning({ id: pendingDeletions.id })
    ids.push(...rows.map((row) => row.id))
  }
  return ids
}

async function queueDeletions(ctx: BusinessContext, ids: string[]): Promise<void> {
  try {
    for (const deletionId of ids)
      await ctx.enqueue('privacy.delete', { businessId: ctx.businessId, deletionId }, { jobId: `erase-${deletionId}` })
  } catch (error) {
    // They are written down: the sweep queues them.
    ctx.log.warn({ error: errorMessage(error) }, 'deletions could not be queued; the sweep will')
  }
}

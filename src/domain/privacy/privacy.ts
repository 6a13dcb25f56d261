import { and, eq, inArray, isNotNull, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { calls, callTurns, messages, recordings, retentionSettings } from '../../../db/schema/index.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import {
  eraseEvents,
  filesOfCallAudio,
  filesOfRecordings,
  filesOfTurns,
  noteDeletions,
  noteFiles,
  queueDeletions,
} from '../erasures/index.ts'

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

const SWEEP_BATCH = 500

/** Deletes what is past its retention, in portions. @returns how many rows */
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
    const pending = await noteFiles(tx, ctx, [], ids)
    await tx.delete(messages).where(and(eq(messages.businessId, ctx.businessId), inArray(messages.id, ids)))
    // Their events say what was written.
    await eraseEvents(tx, ids)
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
    const pending = await noteFiles(tx, ctx, ids, [])
    await tx.delete(calls).where(and(eq(calls.businessId, ctx.businessId), inArray(calls.id, ids)))
    return { count: ids.length, pending }
  })
}

async function expireRecordings(ctx: BusinessContext, before: Date): Promise<number> {
  return await expire(ctx, 'recordings', async (tx) => {
    const rows = await tx
      .select({ id: recordings.id })
      .from(recordings)
      .where(and(eq(recordings.businessId, ctx.businessId), lt(recordings.recordedAt, before)))
      .limit(SWEEP_BATCH)
    const turns = await tx
      .select({ id: callTurns.id, callId: callTurns.callId })
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
      ...(await filesOfRecordings(tx, ctx, inArray(recordings.id, recordingIds))),
      ...(await filesOfTurns(tx, ctx, inArray(callTurns.id, turnIds))),
    ]
    if (recordingIds.length > 0)
      await tx
        .delete(recordings)
        .where(and(eq(recordings.businessId, ctx.businessId), inArray(recordings.id, recordingIds)))
    // The audio of the whole call is made of its turns'.
    const made =
      turnIds.length > 0
        ? await tx
            .update(calls)
            .set({ audioKey: null })
            .where(
              and(
                eq(calls.businessId, ctx.businessId),
                inArray(
                  calls.id,
                  turns.map((turn) => turn.callId),
                ),
                isNotNull(calls.audioKey),
              ),
            )
            .returning({ callSid: calls.callSid })
        : []
    refs.push(...made.flatMap(({ callSid }) => filesOfCallAudio(ctx, callSid)))
    if (turnIds.length > 0)
      await tx
        .update(callTurns)
        .set({ audioKey: null })
        .where(and(eq(callTurns.businessId, ctx.businessId), inArray(callTurns.id, turnIds)))
    return { count: recordingIds.length + turnIds.length, pending: await noteDeletions(tx, ctx, refs) }
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

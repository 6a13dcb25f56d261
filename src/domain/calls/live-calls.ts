import { and, desc, eq, inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls, callTurns, contacts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { auditOnly, type BusinessContext } from '../context.ts'
import { liveState } from './live-state.ts'

/** Calls that are shown at once; a business has a number of lines, not of pages. */
const MAX_CALLS = 200
const LAST_TURNS = 4

export const liveCallView = z.object({
  id: z.uuid(),
  callSid: z.string(),
  contactId: z.uuid().nullable(),
  contactName: z.string().nullable(),
  from: z.string(),
  to: z.string(),
  since: z.date(),
  state: liveState.nullable(),
  lastTurns: z.array(
    z.object({
      id: z.uuid(),
      role: z.enum(callTurns.role.enumValues),
      text: z.string().nullable(),
      interrupted: z.boolean(),
    }),
  ),
})

/** The calls that the agent is serving now, over all servers, the oldest first; no test calls. */
export async function listLiveCalls(ctx: BusinessContext) {
  const rows = await ctx.db
    .select({
      id: calls.id,
      callSid: calls.callSid,
      contactId: calls.contactId,
      contactName: contacts.name,
      from: calls.fromNumber,
      to: calls.toNumber,
      since: sql<Date>`coalesce(${calls.streamStartedAt}, ${calls.startedAt})`.mapWith(calls.startedAt),
      state: calls.liveState,
    })
    .from(calls)
    .leftJoin(contacts, and(eq(contacts.id, calls.contactId), eq(contacts.businessId, ctx.businessId)))
    .where(and(eq(calls.businessId, ctx.businessId), eq(calls.state, 'live'), eq(calls.isTest, false)))
    .orderBy(calls.id)
    .limit(MAX_CALLS)
  const turns = await lastTurnsOf(
    ctx,
    rows.map(({ id }) => id),
  )
  return rows.map((row) => ({ ...row, lastTurns: turns.get(row.id) ?? [] }))
}

async function lastTurnsOf(ctx: BusinessContext, ids: string[]) {
  if (ids.length === 0) return new Map<string, z.infer<typeof liveCallView>['lastTurns']>()
  const rank = sql<number>`row_number() over (partition by ${callTurns.callId} order by ${callTurns.index} desc)`
  const ranked = ctx.db
    .select({
      id: callTurns.id,
      callId: callTurns.callId,
      index: callTurns.index,
      role: callTurns.role,
      text: callTurns.text,
      interrupted: callTurns.interrupted,
      rank: rank.as('rank'),
    })
    .from(callTurns)
    .where(and(inArray(callTurns.callId, ids), eq(callTurns.businessId, ctx.businessId)))
    .as('ranked')
  const rows = await ctx.db.select().from(ranked).where(sql`${ranked.rank} <= ${LAST_TURNS}`).orderBy(desc(ranked.rank))
  return Map.groupBy(
    rows.map(({ callId, id, role, text, interrupted }) => ({ callId, id, role, text, interrupted })),
    ({ callId }) => callId,
  )
}

export type LiveCall = { id: string; callSid: string; serverId: string; to: string }

/** A live call, by our id or the carrier's call SID. @throws AppError `call_not_found`, `call_not_live` */
export async function findLiveCall(ctx: BusinessContext, key: string): Promise<LiveCall> {
  const [call] = await ctx.db
    .select({
      id: calls.id,
      callSid: calls.callSid,
      serverId: calls.serverId,
      state: calls.state,
      to: calls.toNumber,
    })
    .from(calls)
    .where(
      and(
        z.uuid().safeParse(key).success ? eq(calls.id, key) : eq(calls.callSid, key),
        eq(calls.businessId, ctx.businessId),
        eq(calls.isTest, false),
      ),
    )
  if (!call) throw new AppError('not_found', 'call_not_found', 'There is no such call.')
  if (call.state !== 'live' || !call.serverId) throw callNotLive()
  const { state: _, serverId, ...found } = call
  return { ...found, serverId }
}

export function callNotLive(): AppError {
  return new AppError('conflict', 'call_not_live', 'The call is over, or the agent does not have it.')
}

/** What members do to live calls, in the audit log alone: it is nothing that a webhook should tell others. */
export type LiveAction = 'call.listen' | 'call.whisper' | 'call.take_over' | 'call.hang_up'

export async function auditLiveAction(ctx: BusinessContext, call: { id: string }, action: LiveAction): Promise<void> {
  await auditOnly(ctx.db, ctx, { action, entity: 'call', entityId: call.id })
}

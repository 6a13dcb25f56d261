import { and, inArray, sql } from 'drizzle-orm'
import { calls, callTurns } from '../../../db/schema/index.ts'
import type { CallTurn } from '../../jobs/registry.ts'
import { isErased } from '../../lib/errors.ts'
import { maskPersonalData, type PersonalData } from '../../lib/personal-data.ts'
import { type BusinessContext, type DomainContext, emitAll, within } from '../context.ts'
import { deleteLeftovers, refuseErasedCall } from '../erasures/index.ts'
import { readMaskedKindsOf } from '../privacy/index.ts'
import { enqueueCallAudio } from './call-audio.ts'

export type SavedTurn = {
  id: string
  /** Its audio waits for a transcriber. */
  untranscribed: boolean
}

/**
 * Writes one turn of a call. The same turn written again (a correction, a retried job) replaces itself.
 * @throws AppError `person_erased` for a call that was erased; its audio is deleted
 * @returns null when there is no such call yet
 */
export async function saveTurn(ctx: BusinessContext, turn: CallTurn): Promise<SavedTurn | null> {
  const [saved] = await saveTurns(ctx, [{ ...turn, businessId: ctx.businessId }])
  return saved ?? (await refuseTurn(ctx, turn))
}

/**
 * Writes turns of any calls and businesses together: all or, when it throws, none. A turn that is there already, and the same,
 * makes no event.
 * @returns for each turn, null when there is no such call of its business
 */
export async function saveTurns(ctx: DomainContext, turns: CallTurn[]): Promise<(SavedTurn | null)[]> {
  const found = await ctx.db
    .select({
      id: calls.id,
      businessId: calls.businessId,
      callSid: calls.callSid,
      isTest: calls.isTest,
      fromNumber: calls.fromNumber,
      toNumber: calls.toNumber,
      audioKey: calls.audioKey,
    })
    .from(calls)
    .where(
      and(
        inArray(calls.callSid, [...new Set(turns.map(({ callSid }) => callSid))]),
        inArray(calls.businessId, [...new Set(turns.map(({ businessId }) => businessId))]),
      ),
    )
  const callOf = (turn: CallTurn) =>
    found.find(({ callSid, businessId }) => callSid === turn.callSid && businessId === turn.businessId)
  const maskedBy = await readMaskedKindsOf(
    ctx.db,
    found.map(({ businessId }) => businessId),
  )
  const rows = new Map<string, ReturnType<typeof rowOf>>()
  for (const turn of turns) {
    const call = callOf(turn)
    if (call) rows.set(nameOf(call.id, turn.index), rowOf(call, turn, maskedBy(call.businessId)))
  }
  const ids = rows.size > 0 ? await write(ctx, [...rows.values()], found) : new Map<string, string>()
  // What comes after the audio of the whole call was made belongs into it.
  for (const call of found)
    if (call.audioKey && turns.some((turn) => turn.audioKey && callOf(turn) === call))
      await enqueueCallAudio(within(ctx, call.businessId), call.callSid)
  return turns.map((turn) => {
    const call = callOf(turn)
    const id = call && ids.get(nameOf(call.id, turn.index))
    return id ? { id, untranscribed: isUntranscribed(turn) } : null
  })
}

type Call = { id: string; businessId: string; isTest: boolean; fromNumber: string; toNumber: string }

const nameOf = (callId: string, index: number) => `${callId}:${index}`

const isUntranscribed = (turn: CallTurn) => turn.role === 'caller' && turn.text === null && !!turn.audioKey

function rowOf(call: Call, turn: CallTurn, kinds: ReadonlySet<PersonalData>) {
  const ownPhones = [call.fromNumber, call.toNumber]
  const heard: 'untranscribed' | 'transcribed' = isUntranscribed(turn) ? 'untranscribed' : 'transcribed'
  return {
    businessId: call.businessId,
    callId: call.id,
    index: turn.index,
    role: turn.role,
    text: turn.text === null ? null : maskPersonalData(turn.text, { kinds, ownPhones }),
    transcript: turn.role === 'agent' ? ('none' as const) : heard,
    question: turn.question ?? null,
    startMs: Math.round(turn.startMs),
    endMs: Math.round(turn.endMs),
    heardMs: turn.heardMs == null ? null : Math.round(turn.heardMs),
    interrupted: turn.interrupted,
    audioKey: turn.audioKey ?? null,
  }
}

const CONTENT = [
  'role',
  'text',
  'transcript',
  'question',
  'startMs',
  'endMs',
  'heardMs',
  'interrupted',
  'audioKey',
] as const satisfies (keyof ReturnType<typeof rowOf>)[]

/** @returns the ids of the turns */
async function write(
  ctx: DomainContext,
  rows: ReturnType<typeof rowOf>[],
  of: Call[],
): Promise<ReadonlyMap<string, string>> {
  // In one order in every process: two that write the same turns must not wait for each other.
  const ordered = rows.toSorted((a, b) => (a.callId === b.callId ? a.index - b.index : a.callId < b.callId ? -1 : 1))
  const given = (name: (typeof CONTENT)[number]) => sql`excluded.${sql.identifier(callTurns[name].name)}`
  const both = (part: (name: (typeof CONTENT)[number]) => unknown) =>
    sql.join(
      CONTENT.map((name) => sql`${part(name)}`),
      sql`, `,
    )
  const written = await ctx.db.transaction(async (tx) => {
    const changed = await tx
      .insert(callTurns)
      .values(ordered)
      .onConflictDoUpdate({
        target: [callTurns.callId, callTurns.index],
        set: Object.fromEntries(CONTENT.map((name) => [name, given(name)])),
        setWhere: sql`(${both((name) => callTurns[name])}) is distinct from (${both(given)})`,
      })
      .returning({ id: callTurns.id, callId: callTurns.callId, index: callTurns.index, role: callTurns.role })
    await emitAll(
      tx,
      ctx.actor,
      changed.flatMap(({ id, callId, index, role }) => {
        const call = of.find((each) => each.id === callId)
        if (!call) return []
        const action = call.isTest ? 'test_call.turn' : 'call.turn'
        return [
          { businessId: call.businessId, action, entity: 'call', entityId: callId, data: { turnId: id, index, role } },
        ]
      }),
    )
    return changed
  })
  const ids = new Map(written.map(({ id, callId, index }) => [nameOf(callId, index), id]))
  if (ids.size === rows.length) return ids
  const same = await ctx.db
    .select({ id: callTurns.id, callId: callTurns.callId, index: callTurns.index })
    .from(callTurns)
    .where(
      and(
        inArray(callTurns.callId, [...new Set(rows.map(({ callId }) => callId))]),
        inArray(callTurns.index, [...new Set(rows.map(({ index }) => index))]),
      ),
    )
  for (const { id, callId, index } of same) ids.set(nameOf(callId, index), id)
  return ids
}

async function refuseTurn(ctx: BusinessContext, turn: CallTurn): Promise<null> {
  try {
    await refuseErasedCall(ctx.db, turn.callSid)
    return null
  } catch (error) {
    if (isErased(error) && turn.audioKey) await deleteLeftovers(ctx, [{ kind: 'file', ref: turn.audioKey }])
    throw error
  }
}

import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { calls } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { identitiesOf, lockIdentities, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'
import { eraseCalls, isErasedSql, personErased, queueDeletions } from '../erasures/index.ts'
import { setLeadContact } from '../leads/index.ts'
import { callerName, callerPhone } from './caller.ts'

export type CallRegistration = {
  callSid: string
  from: string
  to: string
  callerName?: string | null
  forwardedFrom?: string | null
  stirVerstat?: string | null
  answeredBy?: 'agent' | 'voicemail'
  voicemailReason?: string | null
  at: Date
}

/** The call's row, made by whichever event comes first. @throws AppError `person_erased` for an erased call */
export async function upsertCall(
  tx: Executor,
  ctx: BusinessContext,
  call: { callSid: string; from: string; to: string; at: Date; test?: boolean },
): Promise<{ id: string; businessId: string; contactId: string | null; isTest: boolean }> {
  await tx
    .insert(calls)
    .values({
      id: newId(),
      businessId: ctx.businessId,
      callSid: call.callSid,
      fromNumber: call.from,
      toNumber: call.to,
      startedAt: call.at,
      isTest: call.test ?? false,
    })
    .onConflictDoNothing()
  // Looked up after the insert, which has waited for an erasure that was just taking this call away.
  const [row] = await tx
    .select({
      id: calls.id,
      businessId: calls.businessId,
      contactId: calls.contactId,
      isTest: calls.isTest,
      erased: sql<boolean>`${isErasedSql(ctx, [{ kind: 'call', value: call.callSid }])}`,
    })
    .from(calls)
    .where(and(eq(calls.callSid, call.callSid), eq(calls.businessId, ctx.businessId)))
  if (!row) throw new AppError('conflict', 'call_of_another_business', 'The call belongs to another business.')
  const { erased, ...found } = row
  if (erased) throw personErased()
  return found
}

/** Writes an incoming call with contact and conversation, once. @throws AppError `person_erased`, and leaves nothing */
export async function registerCall(ctx: BusinessContext, input: CallRegistration): Promise<string> {
  // A withheld number ("anonymous") is a call without a contact.
  const who = { phone: await callerPhone(ctx.db, ctx, input), name: callerName(input.callerName) }
  const { id, erased } = await ctx.db.transaction(async (tx) => {
    const identities = identitiesOf(who)
    // Before the call's row: in the order of an erasure.
    await lockIdentities(tx, ctx, identities)
    const call = await upsertCall(tx, ctx, input)
    const known = { id: call.id, erased: null }
    if (call.contactId) return known
    const [row] = await tx.execute<{ late: boolean }>(sql`select ${isErasedSql(ctx, identities, input.at)} as late`)
    if (row?.late) {
      const theirs = [{ id: call.id, callSid: input.callSid }]
      return { id: call.id, erased: await eraseCalls(tx, ctx, theirs, new Date()) }
    }
    if (await isRegistered(tx, call.id)) return known
    const contactId = who.phone ? await resolveContact(tx, ctx, who) : null
    const conversationId = contactId
      ? await openConversation(tx, ctx, contactId, { at: input.at, inbound: false })
      : null
    const registered = await tx
      .update(calls)
      .set({
        contactId,
        conversationId,
        forwardedFrom: input.forwardedFrom ?? null,
        stirVerstat: input.stirVerstat ?? null,
        fromNumber: input.from,
        toNumber: input.to,
        startedAt: input.at,
        registeredAt: input.at,
        ...(input.answeredBy === 'voicemail'
          ? {
              answeredBy: 'voicemail' as const,
              fallback: 'voicemail' as const,
              endDetail: input.voicemailReason ?? null,
            }
          : {}),
      })
      .where(and(eq(calls.id, call.id), eq(calls.businessId, ctx.businessId), isNull(calls.contactId)))
      .returning({ id: calls.id })
    if (contactId) await setLeadContact(tx, ctx, call.id, contactId)
    if (registered.length > 0) await audit(tx, ctx, { action: 'call.register', entity: 'call', entityId: call.id })
    return known
  })
  if (!erased) return id
  await queueDeletions(ctx, erased.pending)
  throw personErased()
}

async function isRegistered(tx: Executor, callId: string): Promise<boolean> {
  const [call] = await tx
    .select({ registeredAt: calls.registeredAt })
    .from(calls)
    .where(eq(calls.id, callId))
    .for('update')
  return call?.registeredAt != null
}

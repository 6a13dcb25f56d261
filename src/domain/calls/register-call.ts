import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { auditLog, calls, leads } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { parsePhone } from '../../lib/phone.ts'
import { resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'

export type CallRegistration = {
  callSid: string
  from: string
  to: string
  callerName?: string | null
  forwardedFrom?: string | null
  answeredBy?: 'agent' | 'voicemail'
  voicemailReason?: string | null
  at: Date
}

/** The call's row, made when there is none: whichever news of a call comes first makes it. */
export async function upsertCall(
  tx: Executor,
  ctx: BusinessContext,
  call: { callSid: string; from: string; to: string; at: Date },
): Promise<{ id: string; businessId: string; contactId: string | null }> {
  await tx
    .insert(calls)
    .values({
      id: newId(),
      businessId: ctx.businessId,
      callSid: call.callSid,
      fromNumber: call.from,
      toNumber: call.to,
      startedAt: call.at,
    })
    .onConflictDoNothing()
  const [row] = await tx
    .select({ id: calls.id, businessId: calls.businessId, contactId: calls.contactId })
    .from(calls)
    .where(and(eq(calls.callSid, call.callSid), eq(calls.businessId, ctx.businessId)))
  if (!row) throw new AppError('conflict', 'call_of_another_business', 'The call belongs to another business.')
  return row
}

/** Writes an incoming call with its contact and conversation. Run twice, the second changes nothing. */
export async function registerCall(ctx: BusinessContext, input: CallRegistration): Promise<string> {
  return await ctx.db.transaction(async (tx) => {
    const call = await upsertCall(tx, ctx, input)
    if (call.contactId) return call.id
    if (await isRegistered(tx, call.id)) return call.id
    // A withheld number ("anonymous") is a call without a contact.
    const phone = parsePhone(input.from)
    const contactId = phone ? await resolveContact(tx, ctx, { phone, name: input.callerName ?? null }) : null
    const conversationId = contactId
      ? await openConversation(tx, ctx, contactId, { at: input.at, inbound: false })
      : null
    const registered = await tx
      .update(calls)
      .set({
        contactId,
        conversationId,
        forwardedFrom: input.forwardedFrom ?? null,
        fromNumber: input.from,
        toNumber: input.to,
        startedAt: input.at,
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
    // A lead that was faster than the call it is of.
    if (contactId)
      await tx
        .update(leads)
        .set({ contactId })
        .where(and(eq(leads.callId, call.id), eq(leads.businessId, ctx.businessId), isNull(leads.contactId)))
    if (registered.length > 0) await audit(tx, ctx, { action: 'call.register', entity: 'call', entityId: call.id })
    return call.id
  })
}

/** Whether the call was registered before: one of a withheld number has no contact to tell it by. */
async function isRegistered(tx: Executor, callId: string): Promise<boolean> {
  await tx.execute(sql`select 1 from ${calls} where ${calls.id} = ${callId} for update`)
  const [entry] = await tx
    .select({ id: auditLog.id })
    .from(auditLog)
    .where(and(eq(auditLog.entity, 'call'), eq(auditLog.entityId, callId), eq(auditLog.action, 'call.register')))
    .limit(1)
  return entry !== undefined
}

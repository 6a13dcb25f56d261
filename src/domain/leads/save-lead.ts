import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { calls, leads } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { fillContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'

/**
 * Writes a call's one lead; the later answer counts in any order of arrival; null without a call. @throws AppError
 * `person_erased`
 */
export async function saveLead(
  ctx: BusinessContext,
  input: {
    callSid: string
    source: 'call' | 'voicemail'
    name?: string | null
    inquiry?: string | null
    callbackTime?: string | null
    at: Date
  },
): Promise<string | null> {
  return await ctx.db.transaction(async (tx) => {
    const [call] = await tx
      .select({ id: calls.id, contactId: calls.contactId })
      .from(calls)
      .where(and(eq(calls.callSid, input.callSid), eq(calls.businessId, ctx.businessId)))
      // Held: the call's contact may just be on its way.
      .for('update')
    if (!call) {
      await refuseErasedCall(tx, input.callSid)
      return null
    }
    const answers = {
      name: input.name ?? null,
      inquiry: input.inquiry ?? null,
      callbackTime: input.callbackTime ?? null,
    }
    const [lead] = await tx
      .insert(leads)
      .values({
        id: newId(),
        businessId: ctx.businessId,
        contactId: call.contactId,
        callId: call.id,
        source: input.source,
        answeredAt: input.at,
        ...answers,
      })
      .onConflictDoUpdate({
        target: leads.callId,
        set: {
          contactId: sql`coalesce(${leads.contactId}, excluded.contact_id)`,
          name: laterOf(leads.name),
          inquiry: laterOf(leads.inquiry),
          callbackTime: laterOf(leads.callbackTime),
          answeredAt: sql`greatest(${leads.answeredAt}, excluded.answered_at)`,
          updatedAt: new Date(),
        },
      })
      .returning({ id: leads.id })
    if (!lead) throw new Error('The lead upsert answered no row.')
    if (call.contactId) await fillContact(tx, ctx, call.contactId, { name: input.name ?? null })
    await audit(tx, ctx, { action: 'lead.save', entity: 'lead', entityId: lead.id })
    return lead.id
  })
}

/** The stored or the given value, whichever was answered later; an answer outranks none. */
function laterOf(column: PgColumn): SQL {
  const given = sql.raw(`excluded.${column.name}`)
  return sql`case when ${leads.answeredAt} > excluded.answered_at then coalesce(${column}, ${given})
    else coalesce(${given}, ${column}) end`
}

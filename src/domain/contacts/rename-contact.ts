import { and, eq } from 'drizzle-orm'
import { calls, contacts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext } from '../context.ts'

/** Gives the caller of a call the name that they say. @throws AppError `contact_not_found` for a withheld number */
export async function renameCaller(ctx: BusinessContext, callSid: string, name: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [call] = await tx
      .select({ contactId: calls.contactId })
      .from(calls)
      .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId)))
    if (!call?.contactId)
      throw new AppError('not_found', 'contact_not_found', 'The caller’s number is withheld: there is no contact.')
    await tx
      .update(contacts)
      .set({ name })
      .where(and(eq(contacts.id, call.contactId), eq(contacts.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'contact.rename', entity: 'contact', entityId: call.contactId })
  })
}

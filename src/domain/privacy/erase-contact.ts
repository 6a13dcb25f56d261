import { and, eq, inArray, isNull, or } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { calls, contactIdentities, contacts, messages, notes } from '../../../db/schema/index.ts'
import { phoneVariants } from '../../lib/phone.ts'
import { lockContactWhole, lockIdentities } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { eraseCalls, eraseEvents, type Identity, queueDeletions, writeTombstones } from '../erasures/index.ts'
import { eraseRejects } from '../imports/index.ts'

export const erasure = z.object({
  messages: z.number(),
  calls: z.number(),
  leads: z.number(),
  notes: z.number(),
  appointments: z.number(),
  files: z.number(),
})

/**
 * Erases all of a contact; payments stay without the person, audit log and events lose their data. The transaction notes
 * files and carrier copies for deletion by jobs, and a tombstone that stops late jobs. Whoever calls or writes later is a
 * new contact. @throws AppError `contact_not_found`
 */
export async function eraseContact(ctx: BusinessContext, contactId: string): Promise<z.infer<typeof erasure>> {
  const { counts, pending } = await ctx.db.transaction(async (tx) => {
    const who = await lockWhole(tx, ctx, contactId)
    const erasedAt = new Date()
    await writeTombstones(tx, ctx, [{ kind: 'contact', value: contactId }, ...who.identities], erasedAt)
    const theirMessages = and(eq(messages.businessId, ctx.businessId), eq(messages.contactId, contactId))
    const messageIds = (await tx.select({ id: messages.id }).from(messages).where(theirMessages)).map((row) => row.id)
    const erased = await eraseCalls(tx, ctx, who.calls, erasedAt, { contactId, messageIds })
    const noteIds = await tx
      .delete(notes)
      .where(and(eq(notes.businessId, ctx.businessId), eq(notes.contactId, contactId)))
      .returning({ id: notes.id })
    await tx.delete(messages).where(theirMessages)
    await eraseRejects(
      tx,
      ctx,
      who.identities.flatMap(({ kind, value }) => (kind === 'phone' ? [value] : [])),
    )
    await tx.delete(contacts).where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId)))
    await eraseEvents(tx, [contactId, ...messageIds, ...noteIds.map((row) => row.id)])
    const counts = {
      messages: messageIds.length,
      calls: who.calls.length,
      leads: erased.leads,
      notes: noteIds.length,
      appointments: erased.appointments,
      files: erased.pending.length,
    }
    await audit(tx, ctx, { action: 'contact.erase', entity: 'contact', entityId: contactId, data: counts })
    return { counts, pending: erased.pending }
  })
  await queueDeletions(ctx, pending)
  return counts
}

/** Locks a contact, its identities and calls in the writers' order: identities, calls, conversation, contact. */
async function lockWhole(tx: Executor, ctx: BusinessContext, contactId: string) {
  await lockCalls(tx, ctx, contactId, await lockNames(tx, ctx, contactId))
  await lockContactWhole(tx, ctx, contactId)
  // What was learned of them before they were held; nearly always nothing.
  const identities = await lockNames(tx, ctx, contactId)
  return { identities, calls: await lockCalls(tx, ctx, contactId, identities) }
}

async function lockNames(tx: Executor, ctx: BusinessContext, contactId: string): Promise<Identity[]> {
  const [contact] = await tx
    .select({ phone: contacts.phone })
    .from(contacts)
    .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId)))
  const others = await tx
    .select({ kind: contactIdentities.kind, value: contactIdentities.value })
    .from(contactIdentities)
    .where(and(eq(contactIdentities.businessId, ctx.businessId), eq(contactIdentities.contactId, contactId)))
  const known = [...(contact?.phone ? [{ kind: 'phone' as const, value: contact.phone }] : []), ...others]
  // Under every spelling: what is still on its way may name the number in any of them.
  const identities = known.flatMap(({ kind, value }): Identity[] =>
    kind === 'phone' || kind === 'whatsapp'
      ? phoneVariants(value).map((spelling) => ({ kind: 'phone', value: spelling }))
      : [{ kind, value }],
  )
  await lockIdentities(tx, ctx, identities)
  return identities
}

async function lockCalls(tx: Executor, ctx: BusinessContext, contactId: string, identities: Identity[]) {
  const numbers = identities.flatMap((identity) => (identity.kind === 'phone' ? [identity.value] : []))
  return await tx
    .select({ id: calls.id, callSid: calls.callSid })
    .from(calls)
    .where(
      and(
        eq(calls.businessId, ctx.businessId),
        // A call that came in while the contact was being made may know the number alone.
        or(eq(calls.contactId, contactId), and(inArray(calls.fromNumber, numbers), isNull(calls.contactId))),
      ),
    )
    .for('update')
}

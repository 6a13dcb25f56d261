import { and, eq, ne } from 'drizzle-orm'
import { contactIdentities } from '../../../db/schema/index.ts'
import { canonicalPhone, networkPhone } from '../../lib/phone.ts'
import type { BusinessContext } from '../context.ts'
import { findContactByPhone, lockIdentities } from './resolve-contact.ts'

const WHATSAPP_NUMBER = /^(\d{6,15})(?::\d+)?@(?:s\.whatsapp\.net|c\.us|hosted)$/
const LID = /^(\d+)(?::\d+)?@(?:lid|hosted\.lid)$/

/**
 * Remembers the JID (`553177776666@s.whatsapp.net`) or LID that WhatsApp gave for a number (E.164), so that its writer is
 * the same contact; nothing for a number without contact or another contact's id.
 */
export async function rememberWhatsAppId(ctx: BusinessContext, phone: string, jid: string): Promise<void> {
  const user = WHATSAPP_NUMBER.exec(jid)?.[1]
  const lid = LID.exec(jid)?.[1]
  if (!user && !lid) return
  const identity = user
    ? ({ kind: 'whatsapp', value: `+${user}`, phone: canonicalPhone(phone) } as const)
    : ({ kind: 'lid', value: `${lid}@lid` } as const)
  await ctx.db.transaction(async (tx) => {
    await lockIdentities(tx, ctx, [{ kind: 'phone', value: phone }])
    const contactId = await findContactByPhone(tx, ctx, phone)
    if (!contactId) return
    const owner = user ? await findContactByPhone(tx, ctx, networkPhone(`+${user}`) ?? `+${user}`) : null
    if (owner && owner !== contactId) return
    // A number has one id at a time: of a new registration the old one is forgotten.
    if (user)
      await tx
        .delete(contactIdentities)
        .where(
          and(
            eq(contactIdentities.contactId, contactId),
            eq(contactIdentities.kind, 'whatsapp'),
            eq(contactIdentities.phone, canonicalPhone(phone)),
            ne(contactIdentities.value, identity.value),
          ),
        )
    await tx
      .insert(contactIdentities)
      .values({ ...identity, businessId: ctx.businessId, contactId })
      .onConflictDoNothing()
  })
}

/** The JID under which WhatsApp knows a number, when WhatsApp was asked before; null when it was not. */
export async function whatsappIdOf(ctx: BusinessContext, phone: string): Promise<string | null> {
  const contactId = await findContactByPhone(ctx.db, ctx, phone)
  if (!contactId) return null
  const [row] = await ctx.db
    .select({ value: contactIdentities.value })
    .from(contactIdentities)
    .where(
      and(
        eq(contactIdentities.contactId, contactId),
        eq(contactIdentities.businessId, ctx.businessId),
        eq(contactIdentities.kind, 'whatsapp'),
        eq(contactIdentities.phone, canonicalPhone(phone)),
      ),
    )
    .limit(1)
  return row ? `${row.value.slice(1)}@s.whatsapp.net` : null
}

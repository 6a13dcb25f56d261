import { and, eq, sql } from 'drizzle-orm'
import { contactIdentities, contacts } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

const WHATSAPP_NUMBER = /^(\d{6,15})@s\.whatsapp\.net$/

/**
 * Remembers under which id WhatsApp knows a number, as WhatsApp itself answered. Of a number that no contact has nothing is
 * kept.
 * @param phone E.164
 * @param jid a phone-number JID (`553177776666@s.whatsapp.net`)
 */
export async function rememberWhatsAppId(ctx: BusinessContext, phone: string, jid: string): Promise<void> {
  if (!WHATSAPP_NUMBER.test(jid)) return
  await ctx.db
    .insert(contactIdentities)
    .select(
      ctx.db
        .select({
          businessId: contacts.businessId,
          kind: sql<'external'>`'external'`.as('kind'),
          value: sql<string>`${jid}::text`.as('value'),
          contactId: contacts.id,
          createdAt: sql<Date>`now()`.as('created_at'),
        })
        .from(contacts)
        .where(and(eq(contacts.businessId, ctx.businessId), eq(contacts.phone, phone))),
    )
    .onConflictDoNothing()
}

import { and, desc, eq, sql } from 'drizzle-orm'
import { whatsappAccounts } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

type ProviderName = 'twilio' | 'baileys'

export type SenderChoice =
  | { kind: 'ready'; accountId: string | null; phone: string }
  | { kind: 'never_linked' }
  | { kind: 'none' }

/**
 * The account that a business sends from.
 * @param defaultSender the installation's Twilio sender (E.164), for a business without one of its own
 */
export async function senderFor(
  ctx: BusinessContext,
  provider: ProviderName,
  defaultSender: string | null,
): Promise<SenderChoice> {
  const [account] = await ctx.db
    .select({ id: whatsappAccounts.id, phone: whatsappAccounts.phone, linkedAt: whatsappAccounts.linkedAt })
    .from(whatsappAccounts)
    .where(and(eq(whatsappAccounts.businessId, ctx.businessId), eq(whatsappAccounts.provider, provider)))
    .orderBy(sql`${whatsappAccounts.linkedAt} is null`, desc(whatsappAccounts.id))
    .limit(1)
  if (account?.linkedAt && account.phone) return { kind: 'ready', accountId: account.id, phone: account.phone }
  if (provider === 'twilio' && defaultSender) return { kind: 'ready', accountId: null, phone: defaultSender }
  return provider === 'twilio' ? { kind: 'none' } : { kind: 'never_linked' }
}

export type AccountView = {
  id: string
  provider: ProviderName
  phone: string | null
  state: string
  reason: string | null
  since: Date
  linked: boolean
}

/** The WhatsApp accounts of the business with their states. */
export async function listAccounts(ctx: BusinessContext): Promise<AccountView[]> {
  const rows = await ctx.db
    .select()
    .from(whatsappAccounts)
    .where(eq(whatsappAccounts.businessId, ctx.businessId))
    .orderBy(whatsappAccounts.id)
  return rows.map((row) => ({
    id: row.id,
    provider: row.provider,
    phone: row.phone,
    state: row.state,
    reason: row.stateReason,
    since: row.stateSince,
    linked: row.linkedAt !== null,
  }))
}

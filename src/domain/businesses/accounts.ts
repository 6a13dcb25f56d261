import { and, desc, eq, gt, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { whatsappAccounts, whatsappLinks } from '../../../db/schema/index.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { getBusiness } from './businesses.ts'

/** Postgres channel that notifies workers to look at a linked account; the payload is a `Wake` as JSON. */
export const WAKE_CHANNEL = 'whatsapp_account'

export const wake = z.object({
  accountId: z.uuid(),
  /** There is a message to send, or something was asked of the account itself. */
  why: z.enum(['outbox', 'command']),
})
export type Wake = z.infer<typeof wake>

/** Tells the worker that holds the account to look at it now; it looks every second anyway. */
export async function wakeAccount(ctx: DomainContext, accountId: string, why: Wake['why']): Promise<void> {
  await ctx.db.execute(sql`select ${wakeCall(accountId, why)}`)
}

/** The same as part of a statement: heard when that commits. */
export function wakeCall(accountId: string, why: Wake['why']): SQL {
  return sql`pg_notify(${WAKE_CHANNEL}, ${JSON.stringify({ accountId, why })})`
}

type ProviderName = 'twilio' | 'baileys'

export type SenderChoice =
  | {
      kind: 'ready'
      accountId: string | null
      /** Only its owner can bring it back: logged out, blocked, given up. Otherwise it sends, now or once it is back. */
      down: boolean
      unconfirmed: boolean
      /** WhatsApp lets it open no new chats now. */
      restricted: boolean
      since: Date
    }
  | { kind: 'never_linked' }
  | { kind: 'none' }

/**
 * The account that a business sends from: one that sends by itself before one that waits for a person.
 * @param twilio.defaultSender E.164, for a business none of whose senders is listed; `own`: of its own account, and first
 * @param preferred goes before those that are as able; not where a Twilio account of its own has the sender
 */
export async function senderFor(
  ctx: BusinessContext,
  provider: ProviderName,
  twilio: { defaultSender: string | null; own: boolean },
  preferred: string | null = null,
): Promise<SenderChoice> {
  const { defaultSender, own } = twilio
  const chosen = provider === 'twilio' && own ? defaultSender : null
  const down = sql<boolean>`(${whatsappAccounts.state} in ('logged_out', 'blocked')
    or (${whatsappAccounts.state} = 'failed' and ${whatsappLinks.retryAt} is null))`
  const unconfirmed = sql<boolean>`${whatsappLinks.expectedPhone} is not null`
  const [account] = await ctx.db
    .select({
      id: whatsappAccounts.id,
      phone: whatsappAccounts.phone,
      linkedAt: whatsappAccounts.linkedAt,
      since: whatsappAccounts.createdAt,
      down,
      unconfirmed,
      restricted: sql<boolean>`coalesce(${gt(whatsappLinks.restrictedAt, sql`now() - interval '24 hours'`)}, false)`,
    })
    .from(whatsappAccounts)
    .leftJoin(whatsappLinks, eq(whatsappLinks.accountId, whatsappAccounts.id))
    .where(and(eq(whatsappAccounts.businessId, ctx.businessId), eq(whatsappAccounts.provider, provider)))
    .orderBy(
      ...(chosen ? [sql`${whatsappAccounts.phone} is distinct from ${chosen}`] : []),
      sql`${whatsappAccounts.linkedAt} is null`,
      sql`${down} or ${unconfirmed}`,
      ...(preferred ? [sql`${whatsappAccounts.id} is distinct from ${preferred}`] : []),
      sql`${whatsappAccounts.state} <> 'working'`,
      desc(whatsappAccounts.id),
    )
    .limit(1)
  // A linked account has no number between a refused one and the next.
  if (account?.linkedAt && (account.phone || provider === 'baileys') && (!chosen || account.phone === chosen)) {
    const { since, down, unconfirmed, restricted } = account
    return { kind: 'ready', accountId: account.id, since, down, unconfirmed, restricted }
  }
  if (provider === 'twilio' && defaultSender) {
    const { createdAt } = await getBusiness(ctx)
    const able = { down: false, unconfirmed: false, restricted: false }
    return { kind: 'ready', accountId: null, since: createdAt, ...able }
  }
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
  confirmationNeeded: boolean
}

export async function listAccounts(ctx: BusinessContext): Promise<AccountView[]> {
  const rows = await ctx.db
    .select({ row: whatsappAccounts, expectedPhone: whatsappLinks.expectedPhone })
    .from(whatsappAccounts)
    .leftJoin(whatsappLinks, eq(whatsappLinks.accountId, whatsappAccounts.id))
    .where(eq(whatsappAccounts.businessId, ctx.businessId))
    .orderBy(whatsappAccounts.id)
  return rows.map(({ row, expectedPhone }) => ({
    id: row.id,
    provider: row.provider,
    phone: row.phone,
    state: row.state,
    reason: row.stateReason,
    since: row.stateSince,
    linked: row.linkedAt !== null,
    confirmationNeeded: row.phone !== null && expectedPhone !== null,
  }))
}

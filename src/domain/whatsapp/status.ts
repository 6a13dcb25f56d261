import { and, eq, ne, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { whatsappAccounts, whatsappLinks } from '../../../db/schema/index.ts'
import { maskPhone } from '../../lib/log.ts'
import type { AccountStatus } from '../../providers/whatsapp/port.ts'
import { audit, type DomainContext, emit } from '../context.ts'
import { holds, type Lease } from './leases.ts'
import { expectedInsteadOf } from './linked-number.ts'

const QR_MS = 60_000
const PAIRING_MS = 160_000

/** Writes an account's status under the latest lease, with an event if it changed; `number_taken` writes nothing. */
export async function saveAccountStatus(
  ctx: DomainContext,
  lease: Lease,
  status: AccountStatus,
): Promise<'saved' | 'stale' | 'number_taken'> {
  return await ctx.db.transaction(async (tx) => {
    const [link] = await tx.select().from(whatsappLinks).where(holds(lease)).for('update')
    if (!link) return 'stale'
    const { state, phone, reason } = status
    if (state === 'working' && phone && (await isTaken(tx, lease, phone))) return 'number_taken'
    const [before] = await tx
      .select({ state: whatsappAccounts.state, reason: whatsappAccounts.stateReason, phone: whatsappAccounts.phone })
      .from(whatsappAccounts)
      .where(eq(whatsappAccounts.id, lease.accountId))
    const account = { id: lease.accountId, phone: before?.phone ?? null, expectedPhone: link.expectedPhone }
    const expectedPhone =
      state === 'working' && phone ? await expectedInsteadOf(tx, account, phone) : link.expectedPhone
    // The number was never confirmed, and the expected one may be another account's: this one reserves neither.
    const isUnlinked = state === 'logged_out' && link.expectedPhone !== null
    await tx
      .update(whatsappAccounts)
      .set({
        state,
        stateReason: reason,
        stateSince: status.since,
        ...(state === 'working' && phone
          ? { phone, linkedAt: sql`coalesce(${whatsappAccounts.linkedAt}, now())` }
          : {}),
        ...(isUnlinked ? { phone: null } : {}),
      })
      .where(eq(whatsappAccounts.id, lease.accountId))
    const isOtherNumber = state === 'working' && phone !== null && before?.phone !== phone
    await saveLink(tx, link, status, expectedPhone, isOtherNumber)
    const isChange =
      before?.state !== state ||
      expectedPhone !== link.expectedPhone ||
      before.reason !== reason ||
      (status.qr !== null && status.qr !== link.qr) ||
      (status.pairingCode !== null && status.pairingCode !== link.pairingCode)
    // Which phone took the link is for the business to see: a wrong one reads and writes in its name.
    if (isOtherNumber)
      await audit(
        tx,
        { ...ctx, businessId: lease.businessId },
        {
          action: 'whatsapp.linked',
          entity: 'whatsapp_account',
          entityId: lease.accountId,
          data: { phone: maskPhone(phone), confirmationNeeded: expectedPhone !== null },
        },
      )
    if (isChange)
      await emit(
        tx,
        { ...ctx, businessId: lease.businessId },
        {
          action: 'whatsapp.state',
          entity: 'whatsapp_account',
          entityId: lease.accountId,
          data: { state, reason, ...(expectedPhone !== null && !isUnlinked ? { confirmationNeeded: true } : {}) },
        },
      )
    return 'saved'
  })
}

async function isTaken(tx: Executor, lease: Lease, phone: string): Promise<boolean> {
  const [other] = await tx
    .select({ id: whatsappAccounts.id })
    .from(whatsappAccounts)
    .where(
      and(
        eq(whatsappAccounts.provider, 'baileys'),
        eq(whatsappAccounts.phone, phone),
        ne(whatsappAccounts.id, lease.accountId),
      ),
    )
  return other !== undefined
}

async function saveLink(
  tx: Executor,
  link: typeof whatsappLinks.$inferSelect,
  status: AccountStatus,
  expectedPhone: string | null,
  isOtherNumber: boolean,
): Promise<void> {
  const { advice, retryAt, qr, pairingCode, lid, restriction } = status
  await tx
    .update(whatsappLinks)
    .set({
      ...{ expectedPhone, advice, retryAt, qr, pairingCode },
      ...(qr && qr !== link.qr ? { qrExpiresAt: new Date(Date.now() + QR_MS) } : {}),
      ...(pairingCode && pairingCode !== link.pairingCode
        ? { pairingExpiresAt: new Date(Date.now() + PAIRING_MS) }
        : {}),
      ...(lid ? { lid } : {}),
      // WhatsApp restricts a number: one that links in its place is free.
      ...(isOtherNumber ? { restrictionCode: null, restrictedAt: null } : {}),
      ...(restriction ? { restrictionCode: restriction.code, restrictedAt: restriction.at } : {}),
    })
    .where(eq(whatsappLinks.accountId, link.accountId))
}

/** Whether no process needs to hold the account's socket any more: only its owner can bring it back. */
export function isOver(status: AccountStatus): boolean {
  const { state } = status
  return state === 'logged_out' || state === 'blocked' || (state === 'failed' && status.retryAt === null)
}

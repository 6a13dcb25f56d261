import { and, desc, eq, gt, isNotNull, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { whatsappAccounts, whatsappCommands, whatsappLinks } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { maskPhone } from '../../lib/log.ts'
import { isSamePhone, parsePhone } from '../../lib/phone.ts'
import { wakeAccount } from '../businesses/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { getLink, type LinkView, want } from './accounts.ts'

/** A pairing code that was asked for within this time names the number that is expected to link. */
const REQUEST_MS = 3_600_000

/** Nothing is sent by an account whose number waits to be confirmed. */
export const mayWrite: SQL = sql`${whatsappLinks.expectedPhone} is null`

/** The expected number (of the pairing code, else the earlier link) when another one linked the account; else null. */
export async function expectedInsteadOf(
  tx: Executor,
  account: { id: string; phone: string | null; expectedPhone: string | null },
  linked: string,
): Promise<string | null> {
  const { phone, expectedPhone } = account
  if (phone !== null && isSamePhone(phone, linked)) return expectedPhone
  const expected = (await requestedPhone(tx, account.id)) ?? expectedPhone ?? phone
  return expected !== null && !isSamePhone(expected, linked) ? expected : null
}

async function requestedPhone(tx: Executor, accountId: string): Promise<string | null> {
  const [command] = await tx
    .select({ data: whatsappCommands.data })
    .from(whatsappCommands)
    .where(
      and(
        eq(whatsappCommands.accountId, accountId),
        eq(whatsappCommands.kind, 'pairing_code'),
        gt(whatsappCommands.createdAt, new Date(Date.now() - REQUEST_MS)),
      ),
    )
    .orderBy(desc(whatsappCommands.id))
    .limit(1)
  return command?.data?.phone ?? null
}

/** Accepts the number as the member saw it. @throws AppError `account_not_found`, `nothing_to_confirm`, `another_number` */
export async function confirmNumber(ctx: BusinessContext, id: string, phone: string): Promise<LinkView> {
  const needed = await requireUnconfirmed(ctx, id, phone)
  await ctx.db.transaction(async (tx) => {
    // The account's row is locked as the worker locks it: the link first.
    await tx.select({ id: whatsappLinks.accountId }).from(whatsappLinks).where(theLink(ctx, id)).for('update')
    const [current] = await tx
      .select({ phone: whatsappAccounts.phone })
      .from(whatsappAccounts)
      .where(and(eq(whatsappAccounts.id, id), eq(whatsappAccounts.businessId, ctx.businessId)))
    if (current?.phone !== needed.phone) throw anotherNumber()
    const changed = await tx
      .update(whatsappLinks)
      .set({ expectedPhone: null })
      .where(and(theLink(ctx, id), isNotNull(whatsappLinks.expectedPhone)))
      .returning({ id: whatsappLinks.accountId })
    if (changed.length > 0) await note(tx, ctx, 'whatsapp.confirm', id, needed.phone)
  })
  await wakeAccount(ctx, id, 'outbox')
  return getLink(ctx, id)
}

/** Refuses the linked number and unlinks. @throws AppError `account_not_found`, `nothing_to_confirm`, `another_number` */
export async function refuseNumber(ctx: BusinessContext, id: string, phone: string): Promise<void> {
  const needed = await requireUnconfirmed(ctx, id, phone)
  await ctx.db.transaction((tx) => note(tx, ctx, 'whatsapp.refuse', id, needed.phone))
  await want(ctx, id, 'whatsapp.logout', { kind: 'logout' })
}

const theLink = (ctx: BusinessContext, id: string) =>
  and(eq(whatsappLinks.accountId, id), eq(whatsappLinks.businessId, ctx.businessId))

async function requireUnconfirmed(ctx: BusinessContext, id: string, phone: string) {
  const { confirmationNeeded } = await getLink(ctx, id)
  if (!confirmationNeeded)
    throw new AppError('conflict', 'nothing_to_confirm', 'No number of this account waits to be confirmed.')
  if (!isSamePhone(confirmationNeeded.phone, parsePhone(phone) ?? phone)) throw anotherNumber()
  return confirmationNeeded
}

function anotherNumber(): AppError {
  return new AppError(
    'conflict',
    'another_number',
    'Another number is linked now. Look at the status of the account.',
    {
      field: 'phone',
    },
  )
}

async function note(tx: Executor, ctx: BusinessContext, action: string, id: string, phone: string): Promise<void> {
  await audit(tx, ctx, { action, entity: 'whatsapp_account', entityId: id, data: { phone: maskPhone(phone) } })
}

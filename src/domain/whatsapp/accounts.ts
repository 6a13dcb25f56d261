import { and, eq, inArray, isNull } from 'drizzle-orm'
import { z } from 'zod'
import { whatsappAccounts, whatsappCommands, whatsappLinks } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { formatPhone, parsePhone } from '../../lib/phone.ts'
import type { AccountState } from '../../providers/whatsapp/port.ts'
import { wakeAccount } from '../businesses/index.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { abandonAccountMessages } from '../messages/index.ts'

const pace = z.int().min(0).max(600_000)

export const accountSettings = z.object({
  delivery: z.enum(whatsappLinks.delivery.enumValues).optional(),
  gapMs: pace.optional(),
  jitterMs: pace.optional(),
  typingMsPerChar: z.int().min(0).max(1_000).optional(),
  newContactsPerDay: z.int().min(0).max(10_000).nullable().optional(),
  allowGroups: z.boolean().optional(),
  historyLimit: z.int().min(0).max(50_000).optional(),
})
export type AccountSettings = z.input<typeof accountSettings>

export const linkView = z.object({
  id: z.uuid(),
  phone: z.string().nullable(),
  state: z.enum(whatsappAccounts.state.enumValues),
  since: z.date(),
  reason: z.string().nullable(),
  advice: z.string().nullable(),
  linked: z.boolean(),
  qr: z.string().nullable(),
  qrExpiresAt: z.date().nullable(),
  pairingCode: z.string().nullable(),
  lid: z.string().nullable(),
  /** Another number than the expected one linked the account: it receives, and sends once `whatsapp.confirm` accepts the number. */
  confirmationNeeded: z.object({ phone: z.string(), expectedPhone: z.string() }).nullable(),
  retryAt: z.date().nullable(),
  restriction: z.object({ code: z.string(), at: z.date() }).nullable(),
  owner: z.string().nullable(),
  settings: accountSettings.required(),
})
export type LinkView = z.output<typeof linkView>

const linkColumns = {
  id: whatsappAccounts.id,
  phone: whatsappAccounts.phone,
  state: whatsappAccounts.state,
  since: whatsappAccounts.stateSince,
  reason: whatsappAccounts.stateReason,
  linkedAt: whatsappAccounts.linkedAt,
  link: whatsappLinks,
}

/** The business's linked accounts and how they stand, oldest first. */
export async function listLinks(ctx: BusinessContext): Promise<LinkView[]> {
  const rows = await ctx.db
    .select(linkColumns)
    .from(whatsappAccounts)
    .innerJoin(whatsappLinks, eq(whatsappLinks.accountId, whatsappAccounts.id))
    .where(eq(whatsappAccounts.businessId, ctx.businessId))
    .orderBy(whatsappAccounts.id)
  return rows.map(toView)
}

/** @throws AppError `account_not_found` */
export async function getLink(ctx: BusinessContext, id: string): Promise<LinkView> {
  const [row] = await ctx.db
    .select(linkColumns)
    .from(whatsappAccounts)
    .innerJoin(whatsappLinks, eq(whatsappLinks.accountId, whatsappAccounts.id))
    .where(and(eq(whatsappAccounts.businessId, ctx.businessId), eq(whatsappAccounts.id, id)))
  if (!row) throw new AppError('not_found', 'account_not_found', 'There is no such WhatsApp account.')
  return toView(row)
}

/** Makes an account to be linked: a worker opens it at once and shows a QR code. */
export async function createAccount(ctx: BusinessContext, settings: AccountSettings = {}): Promise<LinkView> {
  const given = accountSettings.parse(settings)
  const id = newId()
  await ctx.db.transaction(async (tx) => {
    await tx.insert(whatsappAccounts).values({ id, businessId: ctx.businessId, provider: 'baileys', state: 'starting' })
    await tx.insert(whatsappLinks).values({ ...given, accountId: id, businessId: ctx.businessId })
    await audit(tx, ctx, { action: 'whatsapp.create', entity: 'whatsapp_account', entityId: id })
  })
  await wakeAccount(ctx, id, 'command')
  return getLink(ctx, id)
}

/**
 * Opens an account for linking by QR, or by pairing code with `phone`. @throws AppError `account_not_found`,
 * `already_linked`, `invalid_number`
 */
export async function requestLink(ctx: BusinessContext, id: string, input: { phone?: string } = {}): Promise<void> {
  const { state } = await getLink(ctx, id)
  if (state === 'working')
    throw new AppError('conflict', 'already_linked', 'This account is linked and works. Log it out to link it anew.')
  const phone = input.phone === undefined ? null : parsePhone(input.phone)
  if (input.phone !== undefined && !phone)
    throw new AppError('invalid', 'invalid_number', 'This is no phone number.', { field: 'phone' })
  // A process that still gives up an account that was logged out would take back the inquiry alone; a command it leaves.
  const reopen: Command | null = state === 'starting' || state === 'scan_qr' ? null : { kind: 'restart' }
  await want(ctx, id, 'whatsapp.link', phone ? { kind: 'pairing_code', data: { phone } } : reopen)
}

/** Connects an account anew, whatever it is doing now. */
export async function restartAccount(ctx: BusinessContext, id: string): Promise<void> {
  await getLink(ctx, id)
  await want(ctx, id, 'whatsapp.restart', { kind: 'restart' })
}

/** Unlinks an account: its owner tells the phone and forgets the credentials. @returns once that is done, or asked for */
export async function logoutAccount(ctx: BusinessContext, id: string, waitMs = 5_000): Promise<{ done: boolean }> {
  await getLink(ctx, id)
  const commandId = await want(ctx, id, 'whatsapp.logout', { kind: 'logout' })
  for (const deadline = Date.now() + waitMs; ; await Bun.sleep(100)) {
    const [row] = await ctx.db
      .select({ doneAt: whatsappCommands.doneAt })
      .from(whatsappCommands)
      .where(eq(whatsappCommands.id, commandId))
    if (!row || row.doneAt) return { done: true }
    if (Date.now() > deadline) return { done: false }
  }
}

/** Unlinks an account and removes it. Its messages stay; those still waiting to be sent fail. */
export async function deleteAccount(ctx: BusinessContext, id: string): Promise<void> {
  const { linked } = await getLink(ctx, id)
  if (linked) await logoutAccount(ctx, id)
  await ctx.db.transaction(async (tx) => {
    await abandonAccountMessages(tx, ctx, id)
    await tx
      .delete(whatsappAccounts)
      .where(and(eq(whatsappAccounts.id, id), eq(whatsappAccounts.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'whatsapp.delete', entity: 'whatsapp_account', entityId: id })
  })
}

/** Changes an account's rules: sending rules hold from the next message; a change about groups reopens the socket. */
export async function changeAccountSettings(
  ctx: BusinessContext,
  id: string,
  input: AccountSettings,
): Promise<LinkView> {
  const settings = accountSettings.parse(input)
  const before = await getLink(ctx, id)
  if (Object.keys(settings).length > 0)
    await ctx.db.transaction(async (tx) => {
      await tx
        .update(whatsappLinks)
        .set(settings)
        .where(and(eq(whatsappLinks.accountId, id), eq(whatsappLinks.businessId, ctx.businessId)))
      await audit(tx, ctx, { action: 'whatsapp.settings', entity: 'whatsapp_account', entityId: id, data: settings })
    })
  const groups = settings.allowGroups ?? before.settings.allowGroups
  if (groups !== before.settings.allowGroups && before.state !== 'stopped' && before.linked)
    await restartAccount(ctx, id)
  return getLink(ctx, id)
}

type Command = Pick<typeof whatsappCommands.$inferInsert, 'kind' | 'data'>

/** Asks the owner of an account's socket to do something. @returns the command's id */
export async function want(ctx: BusinessContext, id: string, action: string, command: Command | null): Promise<string> {
  const commandId = newId()
  await ctx.db.transaction(async (tx) => {
    await tx
      .update(whatsappLinks)
      .set({ wanted: true })
      .where(and(eq(whatsappLinks.accountId, id), eq(whatsappLinks.businessId, ctx.businessId)))
    if (command) await tx.insert(whatsappCommands).values({ id: commandId, accountId: id, ...command })
    await audit(tx, ctx, { action, entity: 'whatsapp_account', entityId: id })
  })
  await wakeAccount(ctx, id, 'command')
  return commandId
}

/** What is asked of these accounts and not done yet, oldest first. */
export async function openCommands(ctx: DomainContext, accountIds: string[]) {
  if (accountIds.length === 0) return []
  return await ctx.db
    .select()
    .from(whatsappCommands)
    .where(and(inArray(whatsappCommands.accountId, accountIds), isNull(whatsappCommands.doneAt)))
    .orderBy(whatsappCommands.id)
}
export type AccountCommand = typeof whatsappCommands.$inferSelect

/** Says that a command was carried out, or why it could not be. */
export async function closeCommand(ctx: DomainContext, id: string, error: string | null): Promise<void> {
  await ctx.db.update(whatsappCommands).set({ doneAt: new Date(), error }).where(eq(whatsappCommands.id, id))
}

function toView(row: {
  id: string
  phone: string | null
  state: AccountState
  since: Date
  reason: string | null
  linkedAt: Date | null
  link: typeof whatsappLinks.$inferSelect
}): LinkView {
  const { link } = row
  // No process renews it: whatever its last owner wrote, it is not connected.
  const orphan = link.wanted && link.leaseExpiresAt.getTime() < Date.now() && row.state !== 'stopped'
  const { expectedPhone } = link
  const confirmationNeeded = row.phone && expectedPhone ? { phone: row.phone, expectedPhone } : null
  const fresh = (until: Date | null) => until !== null && until.getTime() > Date.now()
  return {
    id: row.id,
    phone: row.phone,
    state: orphan ? 'starting' : row.state,
    since: row.since,
    reason: orphan ? 'no_worker' : row.reason,
    advice: orphan ? 'It waits for a WhatsApp worker; one has to run.' : (adviceOn(confirmationNeeded) ?? link.advice),
    linked: row.linkedAt !== null && link.creds !== null,
    qr: row.state === 'scan_qr' && fresh(link.qrExpiresAt) ? link.qr : null,
    qrExpiresAt: link.qrExpiresAt,
    pairingCode: row.state === 'scan_qr' && fresh(link.pairingExpiresAt) ? link.pairingCode : null,
    lid: link.lid,
    confirmationNeeded,
    retryAt: link.retryAt,
    restriction:
      link.restrictionCode !== null && link.restrictedAt !== null
        ? { code: link.restrictionCode, at: link.restrictedAt }
        : null,
    owner: link.owner,
    settings: {
      delivery: link.delivery,
      gapMs: link.gapMs,
      jitterMs: link.jitterMs,
      typingMsPerChar: link.typingMsPerChar,
      newContactsPerDay: link.newContactsPerDay,
      allowGroups: link.allowGroups,
      historyLimit: link.historyLimit,
    },
  }
}

function adviceOn(needed: LinkView['confirmationNeeded']): string | null {
  if (!needed) return null
  return `${formatPhone(needed.phone)} linked this account, ${formatPhone(needed.expectedPhone)} was expected. Nothing is sent until the number is confirmed; refusing it unlinks the account.`
}

import { and, count, eq, gt, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businesses, invitations, mails, memberships, users } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { cutText } from '../../lib/text.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { lock } from '../locks.ts'
import { cancelMails, enqueueMail, mailStateOf, queueMail } from '../mails/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { hashLinkToken, type LinkDeps, newLinkToken } from './links.ts'
import { insertLogin, normalizeEmail } from './logins.ts'
import { invitationMail, type Language } from './mail-texts.ts'
import { grantMembership } from './members.ts'
import { ROLES, type Role } from './roles.ts'

const VALID_DAYS = 7
/** A business may not use the installation to write to strangers. */
const MAX_AN_HOUR = 30
const RESEND_SECONDS = 60

export const invitationView = z.object({
  id: z.uuid(),
  email: z.string(),
  role: z.enum(ROLES),
  expiresAt: z.date(),
  createdAt: z.date(),
  /** What becomes of its mail; null where the link is handed over by hand. */
  mail: z.enum(mails.state.enumValues).nullable(),
})

/** An invitation that was just made; `link` is answered this once, and only where no mail carries it. */
export const madeInvitation = invitationView.extend({ link: z.string().nullable() })

const open = and(isNull(invitations.acceptedAt), isNull(invitations.revokedAt))
const view = {
  id: invitations.id,
  email: invitations.email,
  role: invitations.role,
  expiresAt: invitations.expiresAt,
  createdAt: invitations.createdAt,
}

/**
 * Invites an address, the same with or without a login; ends an earlier link. @throws AppError `already_member`,
 * `too_many_invitations`
 */
export async function inviteMember(ctx: BusinessContext, input: { email: string; role: Role }, links: LinkDeps) {
  const email = normalizeEmail(input.email)
  const { token, hash } = newLinkToken()
  const made = await ctx.db.transaction(async (tx) => {
    // One business's invitations one after the other: the limit holds, and an address is invited once.
    await lock(tx, `invite:${ctx.businessId}`)
    await refuseMember(tx, ctx, email)
    await refuseTooMany(tx, ctx)
    const expiresAt = validUntil()
    const [earlier] = await tx
      .select({ id: invitations.id })
      .from(invitations)
      .where(and(eq(invitations.businessId, ctx.businessId), eq(invitations.email, email), open))
    const id = earlier?.id ?? newId()
    const values = { role: input.role, tokenHash: hash, expiresAt }
    if (earlier) await tx.update(invitations).set(values).where(eq(invitations.id, id))
    else await tx.insert(invitations).values({ id, businessId: ctx.businessId, email, ...values })
    await audit(tx, ctx, {
      action: 'member.invite',
      entity: 'invitation',
      entityId: id,
      data: { role: input.role, linkShown: links.mailBox === null },
    })
    return { id, mailId: await mailInvitation(tx, ctx, { id, email, role: input.role, expiresAt }, token, links) }
  })
  return await finish(ctx, made, token, links)
}

/** Sends an invitation again, with a new link; the earlier one stops working. @throws AppError `invitation_not_found`, `sent_just_now` */
export async function resendInvitation(ctx: BusinessContext, id: string, links: LinkDeps) {
  const { token, hash } = newLinkToken()
  const made = await ctx.db.transaction(async (tx) => {
    const [row] = await tx.select().from(invitations).where(mine(ctx, id)).for('update')
    if (!row) throw noInvitation()
    if (row.updatedAt > new Date(Date.now() - RESEND_SECONDS * 1_000))
      throw new AppError('rate_limited', 'sent_just_now', 'This invitation was sent a moment ago; wait a minute.')
    const expiresAt = validUntil()
    await tx.update(invitations).set({ tokenHash: hash, expiresAt }).where(eq(invitations.id, id))
    await audit(tx, ctx, {
      action: 'member.invite',
      entity: 'invitation',
      entityId: id,
      data: { role: row.role, linkShown: links.mailBox === null },
    })
    return { id, mailId: await mailInvitation(tx, ctx, { ...row, expiresAt }, token, links) }
  })
  return await finish(ctx, made, token, links)
}

/** Ends an invitation. @throws AppError `invitation_not_found` */
export async function revokeInvitation(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .update(invitations)
      .set({ revokedAt: new Date() })
      .where(mine(ctx, id))
      .returning({ id: invitations.id })
    if (gone.length === 0) throw noInvitation()
    await cancelMails(tx, id)
    await audit(tx, ctx, { action: 'member.revoke_invitation', entity: 'invitation', entityId: id })
  })
}

export async function listInvitations(ctx: BusinessContext, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(invitations.id, page, and(eq(invitations.businessId, ctx.businessId), open))
  const mail = sql<'pending' | 'sent' | 'failed' | null>`(select ${mails.state} from ${mails}
    where ${mails.subjectId} = ${invitations.id} order by ${mails.id} desc limit 1)`
  const rows = await ctx.db
    .select({ ...view, mail })
    .from(invitations)
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

export type OpenInvitation = {
  id: string
  businessId: string
  businessName: string
  language: Language
  email: string
  role: Role
}

/** The invitation behind a link; null when it expired, was accepted, revoked or replaced, or never was. */
export async function findInvitation(ctx: DomainContext, token: string): Promise<OpenInvitation | null> {
  const [row] = await ctx.db
    .select({
      id: invitations.id,
      businessId: invitations.businessId,
      businessName: businesses.name,
      language: businesses.language,
      email: invitations.email,
      role: invitations.role,
    })
    .from(invitations)
    .innerJoin(businesses, eq(businesses.id, invitations.businessId))
    .where(byToken(token))
  return row ?? null
}

/** Accepts for the signed-in invited person. @throws AppError `invitation_not_found`, `another_address` */
export async function acceptInvitation(ctx: DomainContext, token: string, userId: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const invitation = await take(tx, token)
    const [user] = await tx.select({ email: users.email }).from(users).where(eq(users.id, userId))
    if (!user || normalizeEmail(user.email) !== invitation.email)
      throw new AppError('forbidden', 'another_address', 'This invitation is for another address.')
    await join(tx, ctx, invitation, { userId, newLogin: false })
  })
}

/** Makes a login and accepts; returns the user's id. @throws AppError `invitation_not_found`, `login_exists` */
export async function acceptWithNewLogin(
  ctx: DomainContext,
  token: string,
  login: { name: string; passwordHash: string },
): Promise<string> {
  return await ctx.db.transaction(async (tx) => {
    const invitation = await take(tx, token)
    const userId = await insertLogin(tx, { ...login, email: invitation.email })
    await join(tx, ctx, invitation, { userId, newLogin: true })
    return userId
  })
}

type Invitation = typeof invitations.$inferSelect

async function take(tx: Executor, token: string): Promise<Invitation> {
  const [row] = await tx.select().from(invitations).where(byToken(token)).for('update')
  if (!row) throw noInvitation()
  return row
}

async function join(
  tx: Executor,
  ctx: DomainContext,
  invitation: Invitation,
  { userId, newLogin }: { userId: string; newLogin: boolean },
): Promise<void> {
  await tx.update(invitations).set({ acceptedAt: new Date() }).where(eq(invitations.id, invitation.id))
  const bound = within(ctx, invitation.businessId, { kind: 'user', id: userId })
  await audit(tx, bound, {
    action: 'member.accept_invitation',
    entity: 'invitation',
    entityId: invitation.id,
    data: { role: invitation.role, newLogin },
  })
  await grantMembership(tx, bound, userId, invitation.role)
}

async function refuseMember(tx: Executor, ctx: BusinessContext, email: string): Promise<void> {
  const [member] = await tx
    .select({ id: memberships.id })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.businessId, ctx.businessId), eq(users.email, email)))
  if (member)
    throw new AppError('conflict', 'already_member', 'This person is a member already; change the role instead.', {
      field: 'email',
    })
}

async function refuseTooMany(tx: Executor, ctx: BusinessContext): Promise<void> {
  const [recent] = await tx
    .select({ sent: count() })
    .from(invitations)
    .where(and(eq(invitations.businessId, ctx.businessId), gt(invitations.updatedAt, new Date(Date.now() - 3_600_000))))
  if ((recent?.sent ?? 0) >= MAX_AN_HOUR)
    throw new AppError(
      'rate_limited',
      'too_many_invitations',
      `A business can send ${MAX_AN_HOUR} invitations an hour; try again later.`,
    )
}

async function mailInvitation(
  tx: Executor,
  ctx: BusinessContext,
  invitation: { id: string; email: string; role: Role; expiresAt: Date },
  token: string,
  links: LinkDeps,
): Promise<string | null> {
  await cancelMails(tx, invitation.id)
  if (!links.mailBox) return null
  const [business] = await tx
    .select({ name: businesses.name, language: businesses.language })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
  if (!business) throw new AppError('not_found', 'business_not_found', 'There is no such business.')
  return await queueMail(tx, links.mailBox, {
    kind: 'invitation',
    subjectId: invitation.id,
    expiresAt: invitation.expiresAt,
    content: invitationMail(business.language, {
      to: invitation.email,
      businessName: mailName(business.name),
      role: invitation.role,
      link: links.url('invite', token),
      days: VALID_DAYS,
    }),
  })
}

/** A business's name in a mail to a stranger is no place for an address or a message. */
function mailName(name: string): string {
  return cutText(name.replace(/\S*(:\/\/|www\.)\S*/gi, '…').replace(/\s+/g, ' '), 60)
}

async function finish(
  ctx: BusinessContext,
  made: { id: string; mailId: string | null },
  token: string,
  links: LinkDeps,
): Promise<z.infer<typeof madeInvitation>> {
  if (made.mailId) await enqueueMail(ctx, made.mailId)
  const [row] = await ctx.db.select(view).from(invitations).where(eq(invitations.id, made.id))
  if (!row) throw noInvitation()
  const mail = await mailStateOf(ctx, made.id)
  return { ...row, mail: made.mailId ? mail : null, link: made.mailId ? null : links.url('invite', token) }
}

function byToken(token: string) {
  return and(eq(invitations.tokenHash, hashLinkToken(token)), open, gt(invitations.expiresAt, sql`now()`))
}

function mine(ctx: BusinessContext, id: string) {
  return and(eq(invitations.id, id), eq(invitations.businessId, ctx.businessId), open)
}

function validUntil(): Date {
  return new Date(Date.now() + VALID_DAYS * 24 * 3_600_000)
}

function noInvitation() {
  return new AppError('not_found', 'invitation_not_found', 'There is no such invitation, or it is no longer open.')
}

import { and, count, eq, gt, isNull, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { passwordResets, twoFactors, users } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { audit, type DomainContext } from '../context.ts'
import { enqueueMail, queueMail } from '../mails/index.ts'
import { hashLinkToken, type LinkDeps, newLinkToken, type PasswordDeps } from './links.ts'
import { findLogin, type Login, replacePassword } from './logins.ts'
import { type Language, resetMail } from './mail-texts.ts'

const BY_MAIL_MINUTES = 60
const BY_HAND_MINUTES = 24 * 60
const MAX_MAILS_AN_HOUR = 3

/** Sends a link to set a new password, where there is a login and mail. Whether there is one is not answered. */
export async function requestPasswordReset(
  ctx: DomainContext,
  input: { email: string; language: Language },
  links: LinkDeps,
): Promise<void> {
  const login = await findLogin(ctx, input.email)
  const { mailBox } = links
  if (!login || !mailBox) return
  const [recent] = await ctx.db
    .select({ sent: count() })
    .from(passwordResets)
    .where(and(eq(passwordResets.userId, login.id), gt(passwordResets.createdAt, sql`now() - interval '1 hour'`)))
  if ((recent?.sent ?? 0) >= MAX_MAILS_AN_HOUR) return
  const mailId = await ctx.db.transaction(async (tx) => {
    const { id, token, expiresAt } = await insertReset(tx, ctx, login, BY_MAIL_MINUTES)
    const link = links.url('reset', token)
    return await queueMail(tx, mailBox, {
      kind: 'password_reset',
      subjectId: id,
      expiresAt,
      content: resetMail(input.language, { to: login.email, link, minutes: BY_MAIL_MINUTES }),
    })
  })
  await enqueueMail(ctx, mailId)
}

/** A reset link for the operator to hand over; may also switch the second factor off. @throws AppError `login_not_found` */
export async function makeResetLink(
  ctx: DomainContext,
  email: string,
  links: LinkDeps,
  options: { withoutSecondFactor?: boolean } = {},
): Promise<{ link: string; expiresAt: Date }> {
  const login = await findLogin(ctx, email)
  if (!login) throw new AppError('not_found', 'login_not_found', 'There is no login with this address.')
  return await ctx.db.transaction(async (tx) => {
    const { token, expiresAt } = await insertReset(tx, ctx, login, BY_HAND_MINUTES)
    if (options.withoutSecondFactor) {
      await tx.delete(twoFactors).where(eq(twoFactors.userId, login.id))
      await tx.update(users).set({ twoFactorEnabled: false }).where(eq(users.id, login.id))
      await audit(tx, ctx, { action: 'user.remove_second_factor', entity: 'user', entityId: login.id })
    }
    return { link: links.url('reset', token), expiresAt }
  })
}

/** Whose password a link sets; null when it expired or was used, or never was. */
export async function findReset(
  ctx: Pick<DomainContext, 'db'>,
  token: string,
): Promise<{ userId: string; email: string; name: string } | null> {
  const [row] = await ctx.db
    .select({ userId: users.id, email: users.email, name: users.name })
    .from(passwordResets)
    .innerJoin(users, eq(users.id, passwordResets.userId))
    .where(byToken(token))
  return row ?? null
}

/**
 * Sets a password by link; ends other links and sessions. @throws AppError `reset_not_found`, those of `PasswordDeps.check`
 */
export async function resetPassword(
  ctx: DomainContext,
  token: string,
  password: string,
  passwords: PasswordDeps,
): Promise<{ userId: string; email: string }> {
  const found = await findReset(ctx, token)
  if (!found) throw noReset()
  await passwords.check(password, [found.email, found.name])
  const hash = await passwords.hash(password)
  await ctx.db.transaction(async (tx) => {
    const used = await tx
      .update(passwordResets)
      .set({ usedAt: new Date() })
      .where(byToken(token))
      .returning({ id: passwordResets.id })
    if (used.length === 0) throw noReset()
    await endResets(tx, found.userId)
    await replacePassword(tx, found.userId, hash)
    await audit(
      tx,
      { ...ctx, actor: { kind: 'user', id: found.userId } },
      { action: 'user.reset_password', entity: 'user', entityId: found.userId },
    )
  })
  return found
}

export async function endResets(tx: Executor, userId: string): Promise<void> {
  await tx
    .update(passwordResets)
    .set({ usedAt: new Date() })
    .where(and(eq(passwordResets.userId, userId), isNull(passwordResets.usedAt)))
}

async function insertReset(tx: Executor, ctx: DomainContext, login: Login, minutes: number) {
  const { token, hash } = newLinkToken()
  const id = newId()
  const expiresAt = new Date(Date.now() + minutes * 60_000)
  await tx.insert(passwordResets).values({ id, userId: login.id, tokenHash: hash, expiresAt })
  await audit(tx, ctx, { action: 'user.request_password_reset', entity: 'user', entityId: login.id })
  return { id, token, expiresAt }
}

function byToken(token: string) {
  return and(
    eq(passwordResets.tokenHash, hashLinkToken(token)),
    isNull(passwordResets.usedAt),
    gt(passwordResets.expiresAt, sql`now()`),
  )
}

function noReset() {
  return new AppError('not_found', 'reset_not_found', 'This link is no longer valid; ask for a new one.')
}

import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { accounts, sessions, users, verifications } from '../../../db/schema/index.ts'
import { AppError, isOvertaken } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { DomainContext } from '../context.ts'

/** The login service's name for a login by password. */
const BY_PASSWORD = 'credential'
export type Login = { id: string; email: string; name: string; passwordHash: string | null }

export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

export async function findLogin(ctx: Pick<DomainContext, 'db'>, email: string): Promise<Login | null> {
  const [row] = await ctx.db
    .select({ id: users.id, email: users.email, name: users.name, passwordHash: accounts.password })
    .from(users)
    .leftJoin(accounts, and(eq(accounts.userId, users.id), eq(accounts.providerId, BY_PASSWORD)))
    .where(eq(users.email, normalizeEmail(email)))
  return row ?? null
}

/** Writes a login without signing in. @throws AppError `login_exists` */
export async function insertLogin(
  tx: Executor,
  login: { email: string; name: string; passwordHash: string },
): Promise<string> {
  const id = newId()
  try {
    await tx.insert(users).values({ id, email: normalizeEmail(login.email), name: login.name })
  } catch (error) {
    if (!isOvertaken(error)) throw error
    throw new AppError('conflict', 'login_exists', 'There is a login with this address already.', { cause: error })
  }
  await tx.insert(accounts).values({
    id: newId(),
    userId: id,
    accountId: id,
    providerId: BY_PASSWORD,
    password: login.passwordHash,
  })
  return id
}

/** Gives a login another password and ends everything that the old one opened. */
export async function replacePassword(tx: Executor, userId: string, passwordHash: string): Promise<void> {
  const changed = await tx
    .update(accounts)
    .set({ password: passwordHash })
    .where(and(eq(accounts.userId, userId), eq(accounts.providerId, BY_PASSWORD)))
    .returning({ id: accounts.id })
  if (changed.length === 0)
    await tx
      .insert(accounts)
      .values({ id: newId(), userId, accountId: userId, providerId: BY_PASSWORD, password: passwordHash })
  await endSessions(tx, userId)
}

/** Signs a person out everywhere; devices are asked for the second factor again. */
export async function endSessions(tx: Executor, userId: string): Promise<void> {
  await tx.delete(sessions).where(eq(sessions.userId, userId))
  await forgetTrustedDevices(tx, userId)
}

/** Forgets what the login service noted about a person: devices that skip the second factor, and half-done logins. */
export async function forgetTrustedDevices(tx: Executor, userId: string): Promise<void> {
  await tx.delete(verifications).where(eq(verifications.value, userId))
}

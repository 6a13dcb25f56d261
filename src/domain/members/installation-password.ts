import { and, eq } from 'drizzle-orm'
import { installationState, memberships } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { PasswordDeps } from './links.ts'
import { findLogin, normalizeEmail, replacePassword } from './logins.ts'

const KEY = 'admin_password'

/**
 * Applies a changed password of the settings to the owner. A slow hash of the applied one prevents undoing the owner's own
 * change. `first`: the login was made with it now. @returns `unknown` when no earlier start noted it and it is not the
 * owner's
 */
export async function applyInstallationPassword(
  ctx: BusinessContext,
  given: { email: string; password: string; first: boolean },
  passwords: PasswordDeps & { verify(hash: string, password: string): Promise<boolean> },
): Promise<'unchanged' | 'applied' | 'unknown' | 'no_owner'> {
  const email = normalizeEmail(given.email)
  const mark = `${email}\n${given.password}`
  const [earlier] = await ctx.db.select().from(installationState).where(eq(installationState.key, KEY))
  if (earlier && (await passwords.verify(earlier.value, mark))) return 'unchanged'
  const login = await findLogin(ctx, email)
  const [owner] = login
    ? await ctx.db
        .select({ id: memberships.id })
        .from(memberships)
        .where(
          and(
            eq(memberships.businessId, ctx.businessId),
            eq(memberships.userId, login.id),
            eq(memberships.role, 'owner'),
          ),
        )
    : []
  if (!login || !owner) return 'no_owner'
  const same = login.passwordHash !== null && (await passwords.verify(login.passwordHash, given.password))
  const apply = Boolean(earlier) && !same
  if (apply) await passwords.check(given.password, [email, login.name])
  const value = await passwords.hash(mark)
  const hash = apply ? await passwords.hash(given.password) : null
  await ctx.db.transaction(async (tx) => {
    await tx
      .insert(installationState)
      .values({ key: KEY, value })
      .onConflictDoUpdate({ target: installationState.key, set: { value, updatedAt: new Date() } })
    if (!hash) return
    await replacePassword(tx, login.id, hash)
    await audit(tx, ctx, { action: 'user.reset_password', entity: 'user', entityId: login.id })
  })
  if (apply) return 'applied'
  return same || given.first ? 'unchanged' : 'unknown'
}

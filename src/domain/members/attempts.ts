import { eq, lt, sql } from 'drizzle-orm'
import { accountAttempts, usedCodes } from '../../../db/schema/index.ts'
import { sha256Hex } from '../../lib/ids.ts'
import type { DomainContext } from '../context.ts'

type Db = Pick<DomainContext, 'db'>

export const ATTEMPTS = { max: 10, windowSeconds: 15 * 60 } as const
/** A code is valid for a minute and a half; kept longer, it does not matter. */
const CODE_MEMORY = sql`interval '5 minutes'`

/**
 * Counts an attempt before it is made, so that parallel ones count; `forgiveAttempt` undoes it. @returns whether it may be
 * made
 */
export async function countAttempt(
  { db }: Db,
  key: string,
  { max, windowSeconds }: { max: number; windowSeconds: number } = ATTEMPTS,
): Promise<boolean> {
  const over = sql`${accountAttempts.since} < now() - make_interval(secs => ${windowSeconds})`
  const [row] = await db
    .insert(accountAttempts)
    .values({ key: sha256Hex(key), count: 1 })
    .onConflictDoUpdate({
      target: accountAttempts.key,
      set: {
        // Refused attempts neither count nor lengthen the wait.
        count: sql`case when ${over} then 1 else least(${accountAttempts.count} + 1, ${max + 1}) end`,
        since: sql`case when ${over} then now() else ${accountAttempts.since} end`,
      },
    })
    .returning({ count: accountAttempts.count })
  return (row?.count ?? 1) <= max
}

/** The attempt was a good one: it does not count. */
export async function forgiveAttempt({ db }: Db, key: string): Promise<void> {
  await db
    .update(accountAttempts)
    .set({ count: sql`greatest(${accountAttempts.count} - 1, 0)` })
    .where(eq(accountAttempts.key, sha256Hex(key)))
}

/** Uses a one-time password up. @returns whether it was unused */
export async function useCode({ db }: Db, userId: string, code: string): Promise<boolean> {
  const rows = await db
    .insert(usedCodes)
    .values({ userId, codeHash: sha256Hex(`${userId}:${code}`) })
    .onConflictDoUpdate({
      target: [usedCodes.userId, usedCodes.codeHash],
      set: { usedAt: sql`now()` },
      setWhere: sql`${usedCodes.usedAt} < now() - ${CODE_MEMORY}`,
    })
    .returning({ userId: usedCodes.userId })
  return rows.length > 0
}

export async function pruneAttempts({ db }: Db): Promise<number> {
  const attempts = await db
    .delete(accountAttempts)
    .where(lt(accountAttempts.since, sql`now() - interval '1 day'`))
    .returning({ key: accountAttempts.key })
  const codes = await db
    .delete(usedCodes)
    .where(lt(usedCodes.usedAt, sql`now() - interval '1 day'`))
    .returning({ userId: usedCodes.userId })
  return attempts.length + codes.length
}

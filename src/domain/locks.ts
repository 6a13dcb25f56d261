import { type SQL, sql } from 'drizzle-orm'
import type { DatabaseHandle, Executor } from '../../db/client.ts'

type Connection = Awaited<ReturnType<DatabaseHandle['sql']['reserve']>>

/** SQL that waits for the lock of this name and holds it until the transaction ends. Held already, it stays held. */
export function lockSql(name: string | number): SQL {
  return typeof name === 'number'
    ? sql`pg_advisory_xact_lock(${name})`
    : sql`pg_advisory_xact_lock(hashtextextended(${name}, 0))`
}

/** Waits for the lock of this name and holds it until the transaction ends. */
export async function lock(tx: Executor, name: string | number): Promise<void> {
  await tx.execute(sql`select ${lockSql(name)}`)
}

/**
 * Runs `work` under a lock that ends with its connection, trying for `waitMs` (else once); null when it is held elsewhere.
 */
export async function tryWithLock<T>(
  pool: DatabaseHandle['sql'],
  name: string,
  work: () => Promise<T>,
  options: { waitMs: number } = { waitMs: 0 },
): Promise<{ value: T } | null> {
  const connection = await pool.reserve()
  try {
    for (const deadline = Date.now() + options.waitMs; !(await tryLock(connection, name)); await Bun.sleep(100))
      if (Date.now() >= deadline) return null
    try {
      return { value: await work() }
    } finally {
      await connection`select pg_advisory_unlock(hashtextextended(${name}, 0))`
    }
  } finally {
    connection.release()
  }
}

async function tryLock(connection: Connection, name: string): Promise<boolean> {
  const [row] = await connection<{ locked: boolean }[]>`
    select pg_try_advisory_lock(hashtextextended(${name}, 0)) as locked`
  return row?.locked === true
}

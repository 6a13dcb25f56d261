import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'

/** Any number will do, as long as every migrator takes the same. */
const MIGRATION_LOCK = 4_711_972

/**
 * Applies the migrations that are missing. Several processes may call it at once: one works, the others wait and then
 * find nothing to do.
 */
export async function migrateDatabase(url: string, folder = join(import.meta.dir, 'migrations')): Promise<void> {
  // One connection, because the advisory lock belongs to the session that took it.
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} })
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
    await migrate(drizzle(sql), { migrationsFolder: folder })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

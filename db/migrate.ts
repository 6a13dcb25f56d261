import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { z } from 'zod'

/** Any number will do, as long as every migrator takes the same. */
const MIGRATION_LOCK = 4_711_972

const FOLDER = join(import.meta.dir, 'migrations')

/**
 * Applies the migrations that are missing. Several processes may call it at once: one works, the others wait and then
 * find nothing to do.
 */
export async function migrateDatabase(url: string, folder = FOLDER): Promise<void> {
  // One connection, because the advisory lock belongs to the session that took it.
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} })
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
    await migrate(drizzle(sql), { migrationsFolder: folder })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

const journal = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })

/** Names of the migrations that the database lacks, in order. */
export async function pendingMigrations(url: string, folder = FOLDER): Promise<string[]> {
  const { entries } = journal.parse(await Bun.file(join(folder, 'meta', '_journal.json')).json())
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    const [table] = await sql<{ there: boolean }[]>`
      select to_regclass('drizzle.__drizzle_migrations') is not null as there`
    if (!table?.there) return entries.map((entry) => entry.tag)
    const [last] = await sql<{ at: string | null }[]>`
      select max(created_at)::text as at from drizzle.__drizzle_migrations`
    return entries.filter((entry) => entry.when > Number(last?.at ?? 0)).map((entry) => entry.tag)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

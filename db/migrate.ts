import { join } from 'node:path'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import postgres, { type Sql, type TransactionSql } from 'postgres'
import { z } from 'zod'

const MIGRATION_LOCK = 4_711_972

const FOLDER = join(import.meta.dir, 'migrations')

/** `server_version_num`; `test/db/oldest-postgres.test.ts` keeps newer syntax out. */
const OLDEST_POSTGRES = 140_000

/** The first line of a migration whose statements each commit alone; each of them can run twice. */
const ONLINE = '-- online'

/** While a statement waits for its lock, the product's own statements wait behind it. */
const LOCK_TIMEOUT_MS = 2_000
const LOCK_ATTEMPTS = 60

export type MigrateOptions = {
  folder?: string
  /** The hash of the last migration to apply; without it, all are applied. */
  last?: string
}

/**
 * Applies missing migrations, each in a transaction; one of several processes works, the others wait. An online one runs by
 * statement, so that the previous version goes on reading and writing.
 */
export async function migrateDatabase(url: string, options: MigrateOptions = {}): Promise<void> {
  // One connection, because the advisory lock belongs to the session that took it.
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} })
  try {
    await requireVersion(sql)
    await lock(sql)
    for (const migration of await listMissing(sql, options)) {
      if (migration.sql[0]?.startsWith(ONLINE)) await applyOnline(sql, migration)
      else await applyAtOnce(sql, migration)
    }
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** The hashes of all migrations, in order. */
export function migrationHashes(folder = FOLDER): string[] {
  return readMigrationFiles({ migrationsFolder: folder }).map(({ hash }) => hash)
}

async function requireVersion(sql: Sql): Promise<void> {
  const [row] = await sql<{ version: number }[]>`select current_setting('server_version_num')::int as version`
  if (row) checkVersion(row.version)
}

/** @param version `server_version_num` @throws Error when the product does not work with such a server */
export function checkVersion(version: number): void {
  if (version >= OLDEST_POSTGRES) return
  const found = `${Math.floor(version / 10_000)}.${version % 10_000}`
  throw new Error(`The database server is Postgres ${found}. Use Postgres ${OLDEST_POSTGRES / 10_000} or newer.`)
}

/** Polls: a session that waits inside a statement holds a snapshot, for which CREATE INDEX CONCURRENTLY waits. */
async function lock(sql: Sql): Promise<void> {
  for (;;) {
    const [row] = await sql<{ taken: boolean }[]>`select pg_try_advisory_lock(${MIGRATION_LOCK}) as taken`
    if (row?.taken) return
    await Bun.sleep(100)
  }
}

async function listMissing(sql: Sql, { folder = FOLDER, last }: MigrateOptions): Promise<MigrationMeta[]> {
  await sql`create schema if not exists drizzle`
  await sql`create table if not exists drizzle.__drizzle_migrations (
    id serial primary key, hash text not null, created_at bigint)`
  // The online migration that has begun and not ended, for backups.
  await sql`create table if not exists drizzle.__online_migration (hash text primary key)`
  const [latest] = await sql<{ at: string | null }[]>`
    select max(created_at)::text as at from drizzle.__drizzle_migrations`
  const all = readMigrationFiles({ migrationsFolder: folder })
  const end = last === undefined ? all.length : all.findIndex(({ hash }) => hash === last) + 1
  return all.slice(0, end).filter(({ folderMillis }) => folderMillis > Number(latest?.at ?? 0))
}

async function applyAtOnce(sql: Sql, migration: MigrationMeta): Promise<void> {
  await sql.begin(async (tx) => {
    for (const statement of migration.sql) await tx.unsafe(statement)
    await noteApplied(tx, migration)
  })
}

async function applyOnline(sql: Sql, migration: MigrationMeta): Promise<void> {
  await sql`insert into drizzle.__online_migration (hash) values (${migration.hash}) on conflict do nothing`
  await dropInvalidIndexes(sql)
  for (const statement of migration.sql) await runOnline(sql, statement)
  await sql.begin(async (tx) => {
    await tx`delete from drizzle.__online_migration`
    await noteApplied(tx, migration)
  })
}

async function noteApplied(tx: TransactionSql, { hash, folderMillis }: MigrationMeta): Promise<void> {
  await tx`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`
}

/** An interrupted CREATE INDEX CONCURRENTLY leaves its index behind, invalid but paid for by every write. */
async function dropInvalidIndexes(sql: Sql): Promise<void> {
  const rows = await sql<{ name: string }[]>`
    select indexrelid::regclass::text as name from pg_index join pg_class on pg_class.oid = indexrelid
    where not indisvalid and relnamespace = 'public'::regnamespace`
  for (const { name } of rows) await sql.unsafe(`drop index concurrently if exists ${name}`)
}

/** Only an ALTER TABLE takes a lock that stops the product's statements, and none of ours works long under it. */
async function runOnline(sql: Sql, statement: string): Promise<void> {
  const blocks = /^(--.*\n|\s)*alter table(?!.*\bvalidate constraint\b)/i.test(statement)
  await sql.unsafe(`set lock_timeout = ${blocks ? LOCK_TIMEOUT_MS : 0}`)
  for (let attempt = 1; ; attempt += 1) {
    try {
      await sql.unsafe(statement)
      break
    } catch (error) {
      if (!isLockTimeout(error) || attempt === LOCK_ATTEMPTS) throw error
      await Bun.sleep(500)
    }
  }
  // A migration in one transaction follows on this connection: it waits for its locks as long as it must.
  await sql.unsafe('reset lock_timeout')
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.code === '55P03'
}

const journal = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })

/** Names of the migrations that the database lacks, in order. */
export async function pendingMigrations(url: string, folder = FOLDER): Promise<string[]> {
  const { entries } = journal.parse(await Bun.file(join(folder, 'meta', '_journal.json')).json())
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    await requireVersion(sql)
    const [table] = await sql<{ exists: boolean }[]>`
      select to_regclass('drizzle.__drizzle_migrations') is not null as exists`
    if (!table?.exists) return entries.map((entry) => entry.tag)
    const [latest] = await sql<{ at: string | null }[]>`
      select max(created_at)::text as at from drizzle.__drizzle_migrations`
    return entries.filter((entry) => entry.when > Number(latest?.at ?? 0)).map((entry) => entry.tag)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

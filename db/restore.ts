import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import postgres, { type Sql, type TransactionSql } from 'postgres'
import { AppError } from '../src/lib/errors.ts'
import { readTar, type TarEntry, type TarReader } from '../src/lib/tar.ts'
import {
  appliedMigrations,
  type BackupManifest,
  type BackupProgress,
  type BackupStorage,
  LEFT_OUT,
  listTables,
  manifestSchema,
  quote,
} from './archive.ts'
import { migrateDatabase, migrationHashes } from './migrate.ts'

/**
 * Fills an empty database and storage from an archive, the tables all or nothing; an earlier version's tables are then
 * migrated. @throws AppError `backup_damaged`, `backup_of_another_version`, `backup_half_migrated`, `database_not_empty`
 */
export async function restore(
  url: string,
  storage: BackupStorage,
  path: string,
  options: { progress?: BackupProgress } = {},
): Promise<BackupManifest> {
  const tar = await readTar(path).catch((cause: unknown) => {
    throw new AppError('invalid', 'backup_damaged', 'This file is not a complete backup archive.', { cause })
  })
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} })
  try {
    const manifest = await readManifest(tar)
    requireKnownVersion(manifest)
    await migrateDatabase(url)
    await returnToVersion(sql, url, manifest)
    await sql.begin(async (tx) => {
      await tx`set local statement_timeout = 0`
      await tx`set local idle_in_transaction_session_timeout = 0`
      await requireEmpty(tx)
      await requireSameColumns(tx, manifest)
      await readTables(tx, tar, manifest, options.progress)
      await moveSequences(tx)
      // Before the commit: a restore that is interrupted here leaves files without rows, and can begin again.
      await readFiles(storage, tar, manifest, options.progress)
    })
    await migrateDatabase(url)
    return manifest
  } finally {
    await sql.end({ timeout: 5 })
    await tar.close()
  }
}

async function readManifest(tar: TarReader): Promise<BackupManifest> {
  const entry = tar.entries.get('manifest.json')
  const parsed = entry
    ? manifestSchema.safeParse(JSON.parse(new TextDecoder().decode(await tar.readAll(entry))))
    : undefined
  if (!parsed?.success)
    throw new AppError('invalid', 'backup_damaged', 'The archive has no manifest of a known format.')
  return parsed.data
}

function requireKnownVersion({ migrations, version }: BackupManifest): void {
  if (migrations.length > 0 && migrationHashes().slice(0, migrations.length).join() === migrations.join()) return
  throw new AppError(
    'conflict',
    'backup_of_another_version',
    `Version ${version} made the backup, and its tables are unknown here. Restore with that version, then update.`,
  )
}

/** Brings the empty tables into the form that they had when the archive was made. */
async function returnToVersion(sql: Sql, url: string, manifest: BackupManifest): Promise<void> {
  const isOlder = await sql.begin(async (tx) => {
    await requireEmpty(tx)
    if ((await appliedMigrations(tx)).length === manifest.migrations.length) return false
    const tables = await tx<{ name: string }[]>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`
    await tx.unsafe(`drop table ${tables.map(({ name }) => quote(name)).join(', ')} cascade`)
    await tx`drop schema drizzle cascade`
    return true
  })
  if (isOlder) await migrateDatabase(url, { last: manifest.migrations.at(-1) })
}

async function requireEmpty(tx: TransactionSql): Promise<void> {
  for (const { name } of await listTables(tx)) {
    const [row] = await tx.unsafe(`select 1 from ${quote(name)} limit 1`)
    if (!row) continue
    throw new AppError('conflict', 'database_not_empty', `The table ${name} has rows. Restore into an empty database.`)
  }
}

/** Earlier versions made backups in the middle of a migration: their tables are neither those before nor those after it. */
async function requireSameColumns(tx: TransactionSql, manifest: BackupManifest): Promise<void> {
  const here = new Map((await listTables(tx)).map(({ name, columns }) => [name, new Set(columns)]))
  for (const { name, columns } of manifest.tables) {
    const unknown = LEFT_OUT.has(name) ? undefined : columns.find((column) => !here.get(name)?.has(column))
    if (unknown === undefined) continue
    throw new AppError(
      'conflict',
      'backup_half_migrated',
      `The backup was made while a migration was unfinished (${name}.${unknown} is ahead of its version) and cannot be restored. Use another backup, or make a new one after the migration.`,
    )
  }
}

async function readTables(
  tx: TransactionSql,
  tar: TarReader,
  manifest: BackupManifest,
  progress?: BackupProgress,
): Promise<void> {
  const order = new Map((await listTables(tx)).map((table, index) => [table.name, index]))
  const tables = manifest.tables
    .filter(({ name }) => !LEFT_OUT.has(name))
    .toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
  for (const [index, table] of tables.entries()) {
    progress?.({ what: table.name, done: index, total: tables.length })
    await readTable(tx, tar, table)
  }
}

async function readTable(tx: TransactionSql, tar: TarReader, table: BackupManifest['tables'][number]): Promise<void> {
  const hash = new Bun.CryptoHasher('sha256')
  const source = tar.read(entryOf(tar, `tables/${table.name}.copy`))
  async function* hashed() {
    for await (const chunk of source) {
      hash.update(chunk)
      yield chunk
    }
  }
  const columns = table.columns.map(quote).join(', ')
  const sink = await tx.unsafe(`copy ${quote(table.name)} (${columns}) from stdin`).writable()
  await pipeline(Readable.from(hashed()), sink)
  const [count] = await tx.unsafe<{ rows: number }[]>(`select count(*)::int as rows from ${quote(table.name)}`)
  if (hash.digest('hex') !== table.sha256 || count?.rows !== table.rows)
    throw new AppError('invalid', 'backup_damaged', `The archive’s table ${table.name} is damaged.`)
}

async function readFiles(
  storage: BackupStorage,
  tar: TarReader,
  { files }: BackupManifest,
  progress?: BackupProgress,
): Promise<void> {
  for (const [index, file] of files.entries()) {
    progress?.({ what: 'files', done: index, total: files.length })
    const data = await tar.readAll(entryOf(tar, `files/${file.key}`))
    if (new Bun.CryptoHasher('sha256').update(data).digest('hex') !== file.sha256)
      throw new AppError('invalid', 'backup_damaged', `The archive’s file ${file.key} is damaged.`)
    await storage.put(file.key, data, file.contentType)
  }
}

function entryOf(tar: TarReader, name: string): TarEntry {
  const found = tar.entries.get(name)
  if (!found) throw new AppError('invalid', 'backup_damaged', `The archive lacks ${name}.`)
  return found
}

/** Identity columns continue behind what was restored. */
async function moveSequences(tx: TransactionSql): Promise<void> {
  const columns = await tx<{ table: string; column: string }[]>`
    select table_name as "table", column_name as "column" from information_schema.columns
    where table_schema = 'public' and is_identity = 'YES'`
  for (const { table, column } of columns)
    await tx.unsafe(
      `select setval(pg_get_serial_sequence('public.${table}', '${column}'), coalesce(max(${quote(column)}), 0) + 1, false) from ${quote(table)}`,
    )
}

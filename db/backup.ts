import type { Sql, TransactionSql } from 'postgres'
import { AppError } from '../src/lib/errors.ts'
import { type TarWriter, writeTar } from '../src/lib/tar.ts'
import {
  type ArchivedTable,
  appliedMigrations,
  type BackupManifest,
  type BackupProgress,
  type BackupStorage,
  isHalfMigrated,
  listTables,
  quote,
} from './archive.ts'

/**
 * Writes each table as COPY text, as of one moment, and the files that rows name into one archive at `path`, which must not
 * exist yet. SQL alone: the embedded Postgres brings no pg_dump. @throws AppError `migration_unfinished`
 */
export async function backUp(
  sql: Sql,
  storage: BackupStorage,
  path: string,
  options: { version: string; progress?: BackupProgress },
): Promise<BackupManifest> {
  const { tar, tables, migrations, keys } = await sql.begin('isolation level repeatable read read only', async (tx) => {
    await tx`set local statement_timeout = 0`
    if (await isHalfMigrated(tx))
      throw new AppError(
        'conflict',
        'migration_unfinished',
        'A migration of the database is not finished, and what is backed up now could not be restored. Let it finish (the product migrates when it starts), then back up.',
      )
    const tar = await writeTar(path)
    return {
      tar,
      tables: await writeTables(tx, tar, options.progress),
      migrations: await appliedMigrations(tx),
      keys: await listStorageKeys(tx),
    }
  })
  const manifest: BackupManifest = {
    format: 'agentlocator-backup/1',
    createdAt: new Date().toISOString(),
    version: options.version,
    migrations,
    tables,
    ...(await writeFiles(storage, tar, keys, options.progress)),
  }
  await tar.add('manifest.json', [new TextEncoder().encode(JSON.stringify(manifest, null, 1))])
  await tar.close()
  return manifest
}

async function writeTables(tx: TransactionSql, tar: TarWriter, progress?: BackupProgress) {
  const tables = await listTables(tx)
  const written: BackupManifest['tables'] = []
  for (const [index, table] of tables.entries()) {
    progress?.({ what: table.name, done: index, total: tables.length })
    written.push(await writeTable(tx, tar, table))
  }
  return written
}

async function writeTable(tx: TransactionSql, tar: TarWriter, { name, columns, key }: ArchivedTable) {
  const order = key.length > 0 ? ` order by ${key.map(quote).join(', ')}` : ''
  const source = `select ${columns.map(quote).join(', ')} from ${quote(name)}${order}`
  const stream = await tx.unsafe(`copy (${source}) to stdout`).readable()
  const entry = await tar.add(`tables/${name}.copy`, stream)
  const [count] = await tx.unsafe<{ rows: number }[]>(`select count(*)::int as rows from ${quote(name)}`)
  return { name, columns, rows: count?.rows ?? 0, ...entry }
}

async function writeFiles(storage: BackupStorage, tar: TarWriter, keys: string[], progress?: BackupProgress) {
  const files: BackupManifest['files'] = []
  const missing: string[] = []
  for (const [index, key] of keys.entries()) {
    progress?.({ what: 'files', done: index, total: keys.length })
    const object = await storage.get(key)
    if (!object) {
      missing.push(key)
      continue
    }
    const entry = await tar.add(`files/${key}`, object.body.stream())
    files.push({ key, ...entry, contentType: object.body.type || 'application/octet-stream' })
  }
  return { files, missing }
}

/** Columns that hold a key of the storage have one of these names, so that a new one is found. */
async function listStorageKeys(tx: TransactionSql): Promise<string[]> {
  const columns = await tx<{ table: string; column: string }[]>`
    select table_name as "table", column_name as "column" from information_schema.columns
    where table_schema = 'public' and column_name in ('storage_key', 'audio_key', 'record_key') order by 1, 2`
  const keys = new Set<string>()
  for (const { table, column } of columns) {
    const rows = await tx.unsafe<{ key: string }[]>(
      `select ${quote(column)} as key from ${quote(table)} where ${quote(column)} is not null`,
    )
    for (const { key } of rows) keys.add(key)
  }
  return [...keys].sort()
}

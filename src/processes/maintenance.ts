import { existsSync, renameSync, rmSync } from 'node:fs'
import type { BackupProgress } from '../../db/archive.ts'
import { backUp } from '../../db/backup.ts'
import { createDatabase } from '../../db/client.ts'
import { embeddedPostgresUrl } from '../../db/embedded.ts'
import { migrateDatabase, pendingMigrations } from '../../db/migrate.ts'
import { restore } from '../../db/restore.ts'
import type { Config } from '../config.ts'
import { AppError } from '../lib/errors.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'

/** The settings with their database; the embedded one must be running. @throws AppError `database_not_running` */
export function withDatabase(config: Config): Config & { database: { kind: 'external'; url: string } } {
  if (config.database.kind === 'external') return { ...config, database: config.database }
  const url = embeddedPostgresUrl(config.dataDir)
  if (!url)
    throw new AppError(
      'unavailable',
      'database_not_running',
      `No database runs at ${config.dataDir}. Start the product with ./start_all.sh, or set DATABASE_URL.`,
    )
  return { ...config, database: { kind: 'external', url } }
}

/** Brings the tables up to date. @returns the migrations that were applied */
export async function migrate(config: Config): Promise<string[]> {
  const { url } = withDatabase(config).database
  const pending = await pendingMigrations(url)
  await migrateDatabase(url)
  return pending
}

/** Names of the migrations that the database lacks. */
export function missingMigrations(config: Config): Promise<string[]> {
  return pendingMigrations(withDatabase(config).database.url)
}

export function partialName(file: string): string {
  return `${file}.partial`
}

/** Writes everything into one archive, which gets its name when it is complete. @throws AppError `file_exists` */
export async function backupTo(
  config: Config,
  storage: ObjectStorage,
  file: string,
  options: { version: string; progress?: BackupProgress },
) {
  if (existsSync(file)) throw new AppError('conflict', 'file_exists', `${file} exists already. Choose another name.`)
  const database = createDatabase(withDatabase(config).database.url, { name: 'agentlocator backup', max: 2 })
  const partial = partialName(file)
  // A backup that was killed left it.
  rmSync(partial, { force: true })
  try {
    const manifest = await backUp(database.sql, storage, partial, options)
    renameSync(partial, file)
    return manifest
  } finally {
    rmSync(partial, { force: true })
    await database.close()
  }
}

/** Fills an empty installation from an archive. */
export function restoreFrom(config: Config, storage: ObjectStorage, file: string, progress: BackupProgress) {
  return restore(withDatabase(config).database.url, storage, file, { progress })
}

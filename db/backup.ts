import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Sql, TransactionSql } from 'postgres'
import { z } from 'zod'
import { AppError } from '../src/lib/errors.ts'
import { readTar, writeTar } from '../src/lib/tar.ts'

/** Where files are kept; a part of the product's storage. */
export type BackupStorage = {
  get(key: string): Promise<{ body: Blob; size: number } | null>
  put(key: string, data: Uint8Array, contentType: string): Promise<void>
}

export type BackupProgress = (step: { what: string; done: number; total: number }) => void

const manifestSchema = z.object({
  format: z.literal('agentlocator-backup/1'),
  createdAt: z.string(),
  version: z.string(),
  /** Hashes of the migrations that made the tables. */
  migrations: z.array(z.string()),
  tables: z.array(
    z.object({
      name: z.string(),
      columns: z.array(z.string()),
      rows: z.number(),
      bytes: z.number(),
      sha256: z.string(),
    }),
  ),
  files: z.array(z.object({ key: z.string(), bytes: z.number(), sha256: z.string(), contentType: z.string() })),
  /** Files that rows name but the storage no longer had. */
  missing: z.array(z.string()),
})
export type BackupManifest = z.infer<typeof manifestSchema>

/** What is alive only while processes run, and what lets somebody in: a restore must not bring a session or a link back. */
export const LEFT_OUT: ReadonlySet<string> = new Set([
  'heartbeats',
  'auth_rate_limits',
  'auth_account_attempts',
  'auth_sessions',
  'auth_verifications',
  'auth_used_codes',
  'auth_password_resets',
  'member_invitations',
  'mails',
])
/** Transaction ids mean nothing in another database: the restore's own take their place. */
const LEFT_OUT_COLUMNS = new Set(['events.xid'])

/**
 * Writes everything into one archive: each table as COPY text, as of one moment, and the files that rows name. Made by our own
 * SQL, since the embedded Postgres brings no pg_dump.
 * @param path a file that must not exist yet
 */
export async function backUp(
  sql: Sql,
  storage: BackupStorage,
  path: string,
  options: { version: string; progress?: BackupProgress },
): Promise<BackupManifest> {
  const tar = await writeTar(path)
  const manifest = await sql.begin('isolation level repeatable read read only', async (tx) => {
    await tx`set local statement_timeout = 0`
    const tables = await listTables(tx)
    const written: BackupManifest['tables'] = []
    for (const [index, table] of tables.entries()) {
      options.progress?.({ what: table.name, done: index, total: tables.length })
      const columns = table.columns.map(quote).join(', ')
      const order = table.key.length > 0 ? ` order by ${table.key.map(quote).join(', ')}` : ''
      const stream = await tx.unsafe(`copy (select ${columns} from ${quote(table.name)}${order}) to stdout`).readable()
      const entry = await tar.add(`tables/${table.name}.copy`, stream)
      const [count] = await tx.unsafe<{ rows: number }[]>(`select count(*)::int as rows from ${quote(table.name)}`)
      written.push({ name: table.name, columns: table.columns, rows: count?.rows ?? 0, ...entry })
    }
    return {
      format: 'agentlocator-backup/1' as const,
      createdAt: new Date().toISOString(),
      version: options.version,
      migrations: await migrationHashes(tx),
      tables: written,
      files: [] as BackupManifest['files'],
      missing: [] as string[],
      keys: await listStorageKeys(tx),
    }
  })
  const { keys, ...complete } = manifest
  for (const [index, key] of keys.entries()) {
    options.progress?.({ what: 'files', done: index, total: keys.length })
    const object = await storage.get(key)
    if (!object) {
      complete.missing.push(key)
      continue
    }
    const entry = await tar.add(`files/${key}`, object.body.stream())
    complete.files.push({ key, ...entry, contentType: object.body.type || 'application/octet-stream' })
  }
  await tar.add('manifest.json', [new TextEncoder().encode(JSON.stringify(complete, null, 1))])
  await tar.close()
  return complete
}

/**
 * Fills an empty, migrated database and its storage from an archive: all of it, or nothing of the tables.
 * @throws AppError `backup_damaged`, `backup_of_another_version`, `database_not_empty`
 */
export async function restore(
  sql: Sql,
  storage: BackupStorage,
  path: string,
  options: { progress?: BackupProgress } = {},
): Promise<BackupManifest> {
  const tar = await readTar(path).catch((cause: unknown) => {
    throw new AppError('invalid', 'backup_damaged', 'This is no whole backup archive.', { cause })
  })
  try {
    const entry = tar.entries.get('manifest.json')
    const parsed = entry
      ? manifestSchema.safeParse(JSON.parse(new TextDecoder().decode(await tar.readAll(entry))))
      : undefined
    if (!parsed?.success) throw new AppError('invalid', 'backup_damaged', 'The archive has no manifest that we know.')
    const manifest = parsed.data
    const entryOf = (name: string) => {
      const found = tar.entries.get(name)
      if (!found) throw new AppError('invalid', 'backup_damaged', `The archive lacks ${name}.`)
      return found
    }
    await sql.begin(async (tx) => {
      await tx`set local statement_timeout = 0`
      await tx`set local idle_in_transaction_session_timeout = 0`
      const tables = await listTables(tx)
      const ours = await migrationHashes(tx)
      if (ours.join() !== manifest.migrations.join())
        throw new AppError(
          'conflict',
          'backup_of_another_version',
          `The backup was made by version ${manifest.version}, whose tables are not ours: restore with that version, then update.`,
        )
      for (const table of tables) {
        const [row] = await tx.unsafe(`select 1 from ${quote(table.name)} limit 1`)
        if (row)
          throw new AppError(
            'conflict',
            'database_not_empty',
            `There are rows in ${table.name}; restore into an empty database.`,
          )
      }
      const order = new Map(tables.map((table, index) => [table.name, index]))
      const inOrder = manifest.tables
        .filter(({ name }) => !LEFT_OUT.has(name))
        .toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
      for (const [index, table] of inOrder.entries()) {
        options.progress?.({ what: table.name, done: index, total: inOrder.length })
        const hash = new Bun.CryptoHasher('sha256')
        const source = tar.read(entryOf(`tables/${table.name}.copy`))
        const sink = await tx
          .unsafe(`copy ${quote(table.name)} (${table.columns.map(quote).join(', ')}) from stdin`)
          .writable()
        await pipeline(
          Readable.from(
            (async function* () {
              for await (const chunk of source) {
                hash.update(chunk)
                yield chunk
              }
            })(),
          ),
          sink,
        )
        const [count] = await tx.unsafe<{ rows: number }[]>(`select count(*)::int as rows from ${quote(table.name)}`)
        if (hash.digest('hex') !== table.sha256 || count?.rows !== table.rows)
          throw new AppError('invalid', 'backup_damaged', `The archive’s ${table.name} is damaged.`)
      }
      await moveSequences(tx)
      // Before the commit: cut off here, it leaves files without rows, and a second try begins anew.
      for (const [index, file] of manifest.files.entries()) {
        options.progress?.({ what: 'files', done: index, total: manifest.files.length })
        const data = await tar.readAll(entryOf(`files/${file.key}`))
        if (new Bun.CryptoHasher('sha256').update(data).digest('hex') !== file.sha256)
          throw new AppError('invalid', 'backup_damaged', `The archive’s file ${file.key} is damaged.`)
        await storage.put(file.key, data, file.contentType)
      }
    })
    return manifest
  } finally {
    await tar.close()
  }
}

type Table = { name: string; columns: string[]; key: string[] }

/** The product's tables, each behind those it refers to. */
async function listTables(tx: TransactionSql): Promise<Table[]> {
  const rows = await tx<{ name: string; columns: string[]; key: string[] | null; refers: string[] | null }[]>`
    select c.relname as name,
      (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      (select array_agg(a.attname::text order by array_position(p.conkey, a.attnum)) from pg_constraint p
        join pg_attribute a on a.attrelid = p.conrelid and a.attnum = any(p.conkey)
        where p.conrelid = c.oid and p.contype = 'p') as key,
      (select array_agg(distinct r.confrelid::regclass::text) from pg_constraint r
        where r.conrelid = c.oid and r.contype = 'f' and r.confrelid <> c.oid) as refers
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1`
  const left = new Map(rows.filter((row) => !LEFT_OUT.has(row.name)).map((row) => [row.name, row]))
  const ordered: Table[] = []
  while (left.size > 0) {
    const ready = [...left.values()].filter((row) => !(row.refers ?? []).some((name) => left.has(name)))
    if (ready.length === 0) throw new Error(`These tables refer to each other: ${[...left.keys()].join(', ')}.`)
    for (const row of ready) {
      left.delete(row.name)
      const columns = row.columns.filter((column) => !LEFT_OUT_COLUMNS.has(`${row.name}.${column}`))
      ordered.push({ name: row.name, columns, key: row.key ?? [] })
    }
  }
  return ordered
}

async function migrationHashes(tx: TransactionSql): Promise<string[]> {
  const rows = await tx<{ hash: string }[]>`select hash from drizzle.__drizzle_migrations order by created_at`
  return rows.map((row) => row.hash)
}

/** Columns that hold a key of the storage are named so; a new one is found by its name. */
async function listStorageKeys(tx: TransactionSql): Promise<string[]> {
  const columns = await tx<{ table: string; column: string }[]>`
    select table_name as "table", column_name as "column" from information_schema.columns
    where table_schema = 'public' and column_name in ('storage_key', 'audio_key', 'record_key') order by 1, 2`
  const keys = new Set<string>()
  for (const { table, column } of columns)
    for (const row of await tx.unsafe<{ key: string }[]>(
      `select ${quote(column)} as key from ${quote(table)} where ${quote(column)} is not null`,
    ))
      keys.add(row.key)
  return [...keys].sort()
}

/** Identity columns go on behind what was restored. */
async function moveSequences(tx: TransactionSql): Promise<void> {
  const columns = await tx<{ table: string; column: string }[]>`
    select table_name as "table", column_name as "column" from information_schema.columns
    where table_schema = 'public' and is_identity = 'YES'`
  for (const { table, column } of columns)
    await tx.unsafe(
      `select setval(pg_get_serial_sequence('public.${table}', '${column}'), coalesce(max(${quote(column)}), 0) + 1, false) from ${quote(table)}`,
    )
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

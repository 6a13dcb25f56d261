import type { TransactionSql } from 'postgres'
import { z } from 'zod'

export type BackupStorage = {
  get(key: string): Promise<{ body: Blob; size: number } | null>
  put(key: string, data: Uint8Array, contentType: string): Promise<void>
}

export type BackupProgress = (step: { what: string; done: number; total: number }) => void

export const manifestSchema = z.object({
  format: z.literal('agentlocator-backup/1'),
  createdAt: z.string(),
  version: z.string(),
  /** Hashes of the migrations that made the tables, in order. */
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
  /** Files that rows name and the storage no longer had. */
  missing: z.array(z.string()),
})
export type BackupManifest = z.infer<typeof manifestSchema>

/** What lives only while processes run, and what lets a person in: a restore must not bring a session or a link back. */
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
  'push_devices',
  'push_deliveries',
  'push_notices',
  // They name devices; what was sent before a restore is not notified again.
  'alert_deliveries',
  'alert_steps',
  'alert_watch',
])

/** Transaction ids mean nothing in another database: the restore's own take their place. */
const LEFT_OUT_COLUMNS = new Set(['events.xid'])

export type ArchivedTable = { name: string; columns: string[]; key: string[] }

/** The tables that an archive holds, each behind those that it refers to. */
export async function listTables(tx: TransactionSql): Promise<ArchivedTable[]> {
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
  const ordered: ArchivedTable[] = []
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

/** Whether an online migration has begun and not ended: its first statements have changed the tables already. */
export async function isHalfMigrated(tx: TransactionSql): Promise<boolean> {
  const [table] = await tx<
    { exists: boolean }[]
  >`select to_regclass('drizzle.__online_migration') is not null as exists`
  if (!table?.exists) return false
  const rows = await tx`select 1 from drizzle.__online_migration
    where hash not in (select hash from drizzle.__drizzle_migrations)`
  return rows.length > 0
}

/** Hashes of the migrations that were applied, in order. */
export async function appliedMigrations(tx: TransactionSql): Promise<string[]> {
  const rows = await tx<{ hash: string }[]>`select hash from drizzle.__drizzle_migrations order by created_at`
  return rows.map((row) => row.hash)
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

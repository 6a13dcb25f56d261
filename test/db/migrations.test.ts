import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { backUp } from '../../db/backup.ts'
import { migrateDatabase, migrationHashes } from '../../db/migrate.ts'
import { restore } from '../../db/restore.ts'
import { newId } from '../../src/lib/ids.ts'
import { createFileStorage } from '../../src/providers/storage/file.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/postgres.ts'

/** The last migration before the tenant keys. */
const BEFORE = migrationHashes()[16]
const MESSAGES = 20_000

const open = (database: TestDatabase, max = 1) => postgres(database.url, { max, onnotice: () => {} })

/** A database of the version before, with a business that has calls and messages. */
async function createFormerDatabase(): Promise<{ database: TestDatabase; sql: Sql; business: string; talk: string }> {
  const database = await createEmptyDatabase()
  await migrateDatabase(database.url, { last: BEFORE })
  const sql = open(database, 4)
  const [business, contact, talk, withheld] = [newId(), newId(), newId(), newId()]
  await sql`insert into businesses (id, name) values (${business}, 'Former')`
  await sql`insert into contacts (id, business_id, phone) values (${contact}, ${business}, '+972501234567')`
  await sql`insert into conversations (id, business_id, contact_id) values (${talk}, ${business}, ${contact})`
  await sql`insert into calls (id, business_id, call_sid, from_number, to_number, started_at)
    values (${withheld}, ${business}, 'CA-withheld', 'anonymous', '+97230000000', '2026-01-02T03:04:05Z')`
  await sql`insert into audit_log (id, business_id, actor_kind, action, entity, entity_id) values
    (${newId()}, ${business}, 'system', 'call.register', 'call', ${withheld}),
    (${newId()}, ${business}, 'system', 'contacts.repair', 'business', ${business})`
  await sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body, dedupe_key)
    select gen_random_uuid(), ${business}, ${talk}, ${contact}, 'in', 'twilio', 'received', 'hello ' || n, n::text
    from generate_series(1, ${MESSAGES}) n`
  return { database, sql, business, talk }
}

/** All constraints and indexes, with their definitions. */
const describeTables = (sql: Sql) => sql<{ line: string }[]>`
  select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) as line
  from pg_constraint where connamespace = 'public'::regnamespace
  union all select indexdef from pg_indexes where schemaname = 'public'
  union all select table_name || '.' || column_name || ' ' || data_type from information_schema.columns
  where table_schema = 'public' order by 1`

/** Migrates, and ends the connection in the phase. @returns whether it was caught in time */
async function cutOffAt(database: TestDatabase, sql: Sql, phase: RegExp): Promise<boolean> {
  let outcome: 'running' | 'complete' | 'cut off' = 'running'
  const migration = migrateDatabase(database.url).then(
    () => {
      outcome = 'complete'
    },
    () => {
      outcome = 'cut off'
    },
  )
  while (outcome === 'running') {
    const rows = await sql<{ pid: number; query: string }[]>`
      select pid, query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    const found = rows.find(({ query }) => phase.test(query))
    if (found) await sql`select pg_terminate_backend(${found.pid})`
  }
  await migration
  return outcome === 'cut off'
}

let fresh: TestDatabase
let expected: string[]

beforeAll(async () => {
  fresh = await createTestDatabase()
  const sql = open(fresh)
  expected = (await describeTables(sql)).map(({ line }) => line)
  await sql.end()
}, 120_000)

afterAll(() => fresh.drop())

describe('the migration of the tenant keys', () => {
  test('runs while the version before reads and writes, and leaves the tables of a new installation', async () => {
    const { database, sql, business, talk } = await createFormerDatabase()
    let slowest = 0
    let written = 0
    let over = false
    const writer = (async () => {
      while (!over) {
        const startedAt = performance.now()
        // What the version before runs: conflicts are found without naming an index.
        await sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, dedupe_key)
          select ${newId()}, ${business}, id, contact_id, 'in', 'twilio', 'received', ${`new ${written}`}
          from conversations where id = ${talk} on conflict do nothing`
        await sql`select id from messages where business_id = ${business} and direction = 'in' order by id desc limit 10`
        slowest = Math.max(slowest, performance.now() - startedAt)
        written += 1
      }
    })()
    await migrateDatabase(database.url)
    over = true
    await writer
    expect(written).toBeGreaterThan(10)
    expect(slowest).toBeLessThan(2_500)
    expect((await describeTables(sql)).map(({ line }) => line)).toEqual(expected)
    const [call] = await sql`select registered_at from calls where call_sid = 'CA-withheld'`
    expect(new Date(call?.registered_at).toISOString()).toBe('2026-01-02T03:04:05.000Z')
    expect(await sql`select runs from contact_repairs`).toMatchObject([{ runs: 1 }])
    await sql.end()
    await database.drop()
  }, 60_000)

  test('continues after it was cut off anywhere', async () => {
    const { database, sql } = await createFormerDatabase()
    const storage = createFileStorage(temporaryDirectory('half-migrated-files'))
    const backUpTo = (name: string) =>
      backUp(sql, storage, join(temporaryDirectory('half-migrated'), name), { version: '0.2.0' })
    let cuts = 0
    for (const phase of [/CREATE UNIQUE INDEX.*messages/i, /VALIDATE CONSTRAINT/i, /DROP INDEX/i])
      if (await cutOffAt(database, sql, phase)) cuts += 1
    // The last phase is over in milliseconds, and a busy machine may miss it.
    expect(cuts).toBeGreaterThan(1)
    await expect(backUpTo('half.tar')).rejects.toMatchObject({ code: 'migration_unfinished' })
    await migrateDatabase(database.url)
    expect((await describeTables(sql)).map(({ line }) => line)).toEqual(expected)
    expect((await backUpTo('whole.tar')).migrations).toEqual(migrationHashes())
    await sql.end()
    await database.drop()
  }, 60_000)

  test('brings a backup of the version before up to date when it is restored', async () => {
    const { database, sql } = await createFormerDatabase()
    const directory = temporaryDirectory('former-backup')
    const storage = createFileStorage(join(directory, 'files'))
    const path = join(directory, 'backup.tar')
    await backUp(sql, storage, path, { version: '0.1.0' })
    const target = await createTestDatabase()
    await restore(target.url, storage, path)
    const restored = open(target)
    expect((await describeTables(restored)).map(({ line }) => line)).toEqual(expected)
    const [count] = await restored`select count(*)::int as messages from messages`
    expect(count?.messages).toBe(MESSAGES)
    const [call] = await restored`select registered_at from calls where call_sid = 'CA-withheld'`
    expect(call?.registered_at).not.toBeNull()
    await Promise.all([sql.end(), restored.end()])
    await Promise.all([database.drop(), target.drop()])
  }, 60_000)

  test('refuses a backup that was made in the middle of a migration', async () => {
    const { database, sql } = await createFormerDatabase()
    const directory = temporaryDirectory('half-backup')
    const storage = createFileStorage(join(directory, 'files'))
    const path = join(directory, 'backup.tar')
    await sql`alter table calls add column registered_at timestamptz`
    await backUp(sql, storage, path, { version: '0.1.0' })
    const target = await createTestDatabase()
    await expect(restore(target.url, storage, path)).rejects.toMatchObject({
      code: 'backup_half_migrated',
      message: expect.stringContaining('calls.registered_at'),
    })
    await sql.end()
    await Promise.all([database.drop(), target.drop()])
  }, 60_000)

  test('refuses a backup whose tables it does not know', async () => {
    const directory = temporaryDirectory('later-backup')
    const storage = createFileStorage(join(directory, 'files'))
    const path = join(directory, 'backup.tar')
    const later = await createTestDatabase()
    const sql = open(later)
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a later version', 9999999999999)`
    await backUp(sql, storage, path, { version: '9.0.0' })
    const target = await createTestDatabase()
    await expect(restore(target.url, storage, path)).rejects.toThrow(/Version 9.0.0 made the backup/)
    await sql.end()
    await Promise.all([later.drop(), target.drop()])
  }, 60_000)
})

test('a migration in one transaction waits for its locks as long as it must, also behind an online one', async () => {
  const folder = temporaryDirectory('online-then-plain')
  const migrations = [
    [
      '0000_first',
      '-- online\nCREATE TABLE waited (id int);\n--> statement-breakpoint\nALTER TABLE waited ADD COLUMN more int;',
    ],
    ['0001_second', "CREATE TABLE timeouts AS SELECT current_setting('lock_timeout') AS setting;"],
  ] as const
  mkdirSync(join(folder, 'meta'))
  for (const [tag, text] of migrations) writeFileSync(join(folder, `${tag}.sql`), text)
  const entries = migrations.map(([tag], idx) => ({ idx, version: '7', when: idx + 1, tag, breakpoints: true }))
  writeFileSync(join(folder, 'meta/_journal.json'), JSON.stringify({ version: '7', dialect: 'postgresql', entries }))
  const database = await createEmptyDatabase()
  await migrateDatabase(database.url, { folder })
  const sql = open(database)
  expect(await sql`select setting from timeouts`).toMatchObject([{ setting: '0' }])
  await sql.end()
  await database.drop()
}, 60_000)

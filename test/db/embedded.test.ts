import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import { z } from 'zod'
import { type EmbeddedPostgres, embeddedPostgresUrl, startEmbeddedPostgres } from '../../db/embedded.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createEmptyDatabase, createTestDatabase, ownPostgresDirectory, TEST_SETTINGS } from '../support/postgres.ts'

const logger = createLogger('silent')
const dataDir = ownPostgresDirectory('embedded')
const start = () => startEmbeddedPostgres({ dataDir, logger, settings: TEST_SETTINGS })
let server: EmbeddedPostgres | null = null

afterAll(async () => {
  await server?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function query<T extends object>(url: string, text: string): Promise<T[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await sql.unsafe<T[]>(text)
  } finally {
    await sql.end()
  }
}

const savedConnection = z.object({ port: z.number(), clusterDirectory: z.string() })
const saved = () =>
  savedConnection.parse(JSON.parse(readFileSync(join(dataDir, 'postgres', 'connection.json'), 'utf8')))
const postmasterPid = () => Number.parseInt(readFileSync(join(saved().clusterDirectory, 'postmaster.pid'), 'utf8'), 10)

describe('the embedded Postgres', () => {
  test('has no address before its first start', () => {
    expect(embeddedPostgresUrl(dataDir)).toBeNull()
  })

  test('starts with UTF-8, a password, loopback only, and keeps its secrets to itself', async () => {
    server = await start()
    const [row] = await query<Record<string, string>>(
      server.adminUrl,
      `select current_setting('server_encoding') as encoding, current_setting('listen_addresses') as listen,
        current_setting('max_connections') as connections, current_setting('unix_socket_directories') as sockets,
        current_setting('password_encryption') as auth`,
    )
    expect(row).toEqual({
      encoding: 'UTF8',
      listen: '127.0.0.1',
      connections: '200',
      sockets: '',
      auth: 'scram-sha-256',
    })
    expect(statSync(join(dataDir, 'postgres', 'connection.json')).mode & 0o777).toBe(0o600)
    expect(embeddedPostgresUrl(dataDir)).toBe(server.url)
    const wrong = new URL(server.url)
    wrong.password = 'wrong'
    await expect(query(wrong.href, 'select 1')).rejects.toThrow(/password/)
    await query(server.url, `create table kept as select 'שלום' as word`)
  }, 60_000)

  test('the product works as a role that owns its database and nothing else', async () => {
    const url = server?.url ?? ''
    const [role] = await query<Record<string, boolean>>(
      url,
      `select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles where rolname = current_user`,
    )
    expect(Object.values(role ?? { none: true })).toEqual([false, false, false, false, false])
    for (const forbidden of [
      `copy (select 1) to program 'true'`,
      `select pg_read_file('/etc/passwd')`,
      `select lo_import('/etc/passwd')`,
      `create role other`,
      `create database other`,
      `alter role agentlocator_owner superuser`,
      `alter system set log_statement = 'all'`,
      `select rolpassword from pg_authid`,
    ])
      await expect(query(url, forbidden)).rejects.toThrow(/permission denied|must be/)
    const elsewhere = new URL(url)
    elsewhere.pathname = '/postgres'
    await expect(query(elsewhere.href, 'select 1')).rejects.toThrow(/permission denied/)
    // What the product or a later version needs: tables, and extensions that Postgres trusts.
    await query(url, `create schema own; create table own.t (id int); drop schema own cascade`)
    const [extension] = await query<{ n: number }>(
      url,
      `select count(*)::int as n from pg_available_extension_versions where name = 'pg_trgm' and trusted`,
    )
    if (extension?.n) await query(url, 'create extension pg_trgm; drop extension pg_trgm')
  }, 60_000)

  test('a database of an earlier version is handed over, with everything in it', async () => {
    const file = join(dataDir, 'postgres', 'connection.json')
    const { owner: _, ...earlier } = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify(earlier))
    await migrateDatabase(server?.adminUrl ?? '')
    await query(
      server?.adminUrl ?? '',
      `alter database agentlocator owner to agentlocator;
       create type mood as enum ('a'); create view looked as select 1 as n; create sequence counted;
       create function one() returns int language sql as 'select 1';
       create table old_table (id int generated always as identity, m mood)`,
    )
    server = await start()
    await query(
      server.url,
      `alter table old_table add column more int; alter table calls add column more int; alter table calls drop column more;
       drop table old_table; drop type mood; drop view looked; drop sequence counted; drop function one`,
    )
    // Migrations go on from where the earlier version was.
    await migrateDatabase(server.url)
    expect(embeddedPostgresUrl(dataDir)).toBe(server.url)
    expect((await start()).url).toBe(server.url)
  }, 60_000)

  test('a second owner takes over the running server', async () => {
    const pid = postmasterPid()
    server = await start()
    expect(postmasterPid()).toBe(pid)
  }, 60_000)

  test('several owners at once end up with one server', async () => {
    await server?.stop()
    const all = await Promise.all([start(), start(), start()])
    expect(new Set(all.map(({ url }) => url)).size).toBe(1)
    server = all[0] ?? null
    expect(await query<{ word: string }>(server?.url ?? '', 'select word from kept')).toEqual([{ word: 'שלום' }])
  }, 60_000)

  test('comes back after a SIGKILL of the server', async () => {
    process.kill(postmasterPid(), 'SIGKILL')
    server = await start()
    expect(await query(server.url, 'select word from kept')).toHaveLength(1)
  }, 60_000)

  test('a stale pid file that names a living stranger does not stop it', async () => {
    await server?.stop()
    expect(existsSync(join(saved().clusterDirectory, 'postmaster.pid'))).toBe(false)
    writeFileSync(join(saved().clusterDirectory, 'postmaster.pid'), `${process.pid}\n${saved().clusterDirectory}\n`)
    server = await start()
    expect(postmasterPid()).not.toBe(process.pid)
  }, 60_000)

  test('moves to another port when another process took the saved one', async () => {
    await server?.stop()
    const taken = saved().port
    const stranger = createServer()
    await new Promise<void>((resolve) => stranger.listen(taken, '127.0.0.1', resolve))
    try {
      server = await start()
      expect(saved().port).not.toBe(taken)
      expect(await query(server.url, 'select 1')).toHaveLength(1)
      expect(embeddedPostgresUrl(dataDir)).toBe(server.url)
    } finally {
      stranger.close()
    }
  }, 60_000)

  test('stopping leaves no process', async () => {
    const pid = postmasterPid()
    await server?.stop()
    expect(existsSync(`/proc/${pid}/fd/0`)).toBe(false)
    await server?.stop()
    server = null
  }, 60_000)
})

test('under a strict umask, a data directory that is made at the start lets the server in', async () => {
  const home = ownPostgresDirectory('umask')
  const hidden = join(home, 'new', 'data')
  const mask = process.umask(0o077)
  let started: EmbeddedPostgres | null = null
  try {
    started = await startEmbeddedPostgres({ dataDir: hidden, logger, settings: TEST_SETTINGS })
    expect(existsSync(join(hidden, 'postgres', 'cluster', 'postmaster.pid'))).toBe(true)
    expect(statSync(hidden).mode & 0o066).toBe(0)
  } finally {
    process.umask(mask)
    await started?.stop()
    rmSync(home, { recursive: true, force: true })
  }
}, 60_000)

describe.if(process.getuid?.() === 0)('below a root-only directory', () => {
  test('the database moves to where its user can reach it, and the pointer says where', async () => {
    const home = ownPostgresDirectory('root-only')
    Bun.spawnSync(['chmod', '0700', home])
    const hidden = join(home, 'data')
    const pointer = () =>
      savedConnection.parse(JSON.parse(readFileSync(join(hidden, 'postgres', 'connection.json'), 'utf8')))
    const open = () => startEmbeddedPostgres({ dataDir: hidden, logger, settings: TEST_SETTINGS })
    let first: EmbeddedPostgres | null = null
    try {
      first = await open()
      await query(first.url, `create table kept as select 1 as one`)
      expect(pointer().clusterDirectory.startsWith(home)).toBe(false)
      expect(statSync(pointer().clusterDirectory).mode & 0o077).toBe(0)
      await first.stop()
      first = await open()
      expect(await query<{ one: number }>(first.url, 'select one from kept')).toEqual([{ one: 1 }])
    } finally {
      await first?.stop()
      rmSync(pointer().clusterDirectory, { recursive: true, force: true })
      rmSync(`${pointer().clusterDirectory}.log`, { force: true })
      rmSync(home, { recursive: true, force: true })
    }
  }, 60_000)
})

describe('migrations', () => {
  test('several migrators at once apply each migration once', async () => {
    const database = await createEmptyDatabase()
    await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(database.url)))
    const files = new Bun.Glob('*.sql').scanSync(join(import.meta.dir, '../../db/migrations'))
    const applied = await query(database.url, 'select * from drizzle.__drizzle_migrations')
    expect(applied).toHaveLength([...files].length)
    await database.drop()
  }, 60_000)

  test('a test database is migrated and its own', async () => {
    const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()])
    expect(one.url).not.toBe(two.url)
    expect(await query(one.url, 'select * from businesses')).toEqual([])
    await Promise.all([one.drop(), two.drop()])
  }, 60_000)
})

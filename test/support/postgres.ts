import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../db/embedded.ts'
import { readConnection } from '../../db/embedded-files.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { processEnvironment } from '../../src/config.ts'
import { makePrivateDirectory } from '../../src/lib/file-modes.ts'
import { createLogger } from '../../src/lib/log.ts'

export type TestDatabase = {
  /** Connection string of a database that only this test uses. */
  url: string
  drop(): Promise<void>
}

/** Safe only because a test database is temporary. */
export const TEST_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
}

let shared: Promise<EmbeddedPostgres> | null = null
let template: Promise<string> | null = null
let counter = 0

/** The one Postgres of this process, started by the first test that needs it. */
export function sharedPostgres(): Promise<EmbeddedPostgres> {
  shared ??= startShared()
  return shared
}

/** A fresh database with all migrations applied, copied from a template that is migrated once per run. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { adminUrl: url } = await sharedPostgres()
  template ??= createTemplate(url)
  return createDatabaseFrom(url, await template)
}

/** An empty database. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const { adminUrl: url } = await sharedPostgres()
  return createDatabaseFrom(url, 'template0')
}

async function startShared(): Promise<EmbeddedPostgres> {
  const dataDir = join(tmpdir(), `agentlocator-test-postgres-${process.pid}-${crypto.randomUUID().slice(0, 8)}`)
  const logger = createLogger('warn', { process: 'test' })
  const server = await startEmbeddedPostgres({ dataDir, logger, settings: TEST_SETTINGS, ...chosenBinaries() })
  const cluster = readConnection(dataDir)?.clusterDirectory
  if (!cluster) throw new Error(`There is no connection in ${dataDir}.`)
  endWithThisProcess(dataDir, cluster)
  return server
}

/**
 * Ends the server and removes its files when this process ends, also by a kill: its end of a pipe closes. A worker of the
 * tests says nothing when it ends, and runs the cleanups after each file.
 */
function endWithThisProcess(dataDir: string, cluster: string): void {
  const script = `trap '' HUP INT TERM
    cat >/dev/null
    pid=$(head -n 1 "$1/postmaster.pid") && kill -QUIT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" && sleep 0.2; done
    rm -rf "$2"`
  const stdio: ['pipe', 'ignore', 'ignore'] = ['pipe', 'ignore', 'ignore']
  Bun.spawn(['sh', '-c', script, 'end-postgres', cluster, dataDir], { stdio, detached: true }).unref()
}

/** `TEST_POSTGRES_BIN`, a directory with `initdb` and `pg_ctl`, runs the tests on another version of Postgres. */
function chosenBinaries(): Pick<EmbeddedPostgresOptions, 'binaries'> {
  const directory = processEnvironment().TEST_POSTGRES_BIN
  return directory ? { binaries: { initdb: join(directory, 'initdb'), pgCtl: join(directory, 'pg_ctl') } } : {}
}

async function createTemplate(url: string): Promise<string> {
  const database = await createDatabaseFrom(url, 'template0')
  await migrateDatabase(database.url)
  return new URL(database.url).pathname.slice(1)
}

async function createDatabaseFrom(url: string, source: string): Promise<TestDatabase> {
  counter += 1
  const name = `test_${process.pid}_${counter}`
  // The default of Postgres 15 and later writes every page to the log: five times the work.
  const strategy = (await versionOf(url)) >= 15 ? 'strategy file_copy' : ''
  await administrate(url, `create database ${name} template ${source} ${strategy}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: own.href, drop: () => administrate(url, `drop database if exists ${name} with (force)`) }
}

let version: Promise<number> | null = null

/** The major version of the server. */
function versionOf(url: string): Promise<number> {
  version ??= (async () => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    try {
      const [row] = await sql<{ number: string }[]>`select current_setting('server_version_num') as number`
      return Math.floor(Number(row?.number) / 10_000)
    } finally {
      await sql.end({ timeout: 1 })
    }
  })()
  return version
}

let administration: Promise<unknown> = Promise.resolve()

/** One at a time: a template that is being copied cannot be copied again at once. */
async function administrate(url: string, statement: string): Promise<void> {
  const turn = administration.then(async () => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    try {
      await sql.unsafe(statement)
    } finally {
      await sql.end({ timeout: 1 })
    }
  })
  administration = turn.catch(() => {})
  await turn
}

/** A new directory for tests that stop and start their own server. */
export function ownPostgresDirectory(name: string): string {
  const dataDir = join(tmpdir(), `agentlocator-test-${name}-${process.pid}`)
  // An earlier test may have had the product restrict this process's umask; the server does not run as root.
  makePrivateDirectory(dataDir, true)
  return dataDir
}

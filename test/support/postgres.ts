import { existsSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../db/embedded.ts'
import { readConnection } from '../../db/embedded-files.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { processEnvironment } from '../../src/config.ts'
import { makePrivateDirectory } from '../../src/lib/file-modes.ts'
import { createLogger } from '../../src/lib/log.ts'
import { onTestRunEnd } from './cleanup.ts'

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

const PREFIX = 'agentlocator-test-postgres-'
let shared: Promise<EmbeddedPostgres> | null = null
let template: Promise<string> | null = null
let counter = 0

/** The one Postgres of this test run, started by the first test that needs it. */
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
  await removeLeftovers()
  const dataDir = join(tmpdir(), `${PREFIX}${process.pid}`)
  const logger = createLogger('warn', { process: 'test' })
  const server = await startEmbeddedPostgres({ dataDir, logger, settings: TEST_SETTINGS, ...chosenBinaries() })
  onTestRunEnd(async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return server
}

/** `TEST_POSTGRES_BIN`, a directory with `initdb` and `pg_ctl`, runs the tests on another version of Postgres. */
function chosenBinaries(): Pick<EmbeddedPostgresOptions, 'binaries'> {
  const directory = processEnvironment().TEST_POSTGRES_BIN
  return directory ? { binaries: { initdb: join(directory, 'initdb'), pgCtl: join(directory, 'pg_ctl') } } : {}
}

/** Removes the server of a killed run. */
async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const pid = Number(name.slice(PREFIX.length))
    if (pid === process.pid || isAlive(pid)) continue
    const dataDir = join(tmpdir(), name)
    const cluster = readConnection(dataDir)?.clusterDirectory
    if (cluster && existsSync(join(cluster, 'postmaster.pid'))) {
      const logger = createLogger('silent')
      const server = await startEmbeddedPostgres({ dataDir, logger, settings: TEST_SETTINGS, ...chosenBinaries() })
      await server.stop()
    }
    rmSync(dataDir, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function createTemplate(url: string): Promise<string> {
  const database = await createDatabaseFrom(url, 'template0')
  await migrateDatabase(database.url)
  return new URL(database.url).pathname.slice(1)
}

async function createDatabaseFrom(url: string, source: string): Promise<TestDatabase> {
  counter += 1
  const name = `test_${process.pid}_${counter}`
  await administrate(url, `create database ${name} template ${source}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: own.href, drop: () => administrate(url, `drop database if exists ${name} with (force)`) }
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

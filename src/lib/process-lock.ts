import { Database } from 'bun:sqlite'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { PRIVATE_FILE } from './file-modes.ts'

export type ProcessLock = { release(): void }

export type LockResult = { held: true; lock: ProcessLock } | { held: false; pid: number | null }

/** A garbage-collected database would release its lock. */
const held = new Set<Database>()

/** A lock released when the process ends: an exclusive SQLite transaction is a POSIX lock. `<path>.pid` is for messages. */
export function tryLock(path: string): LockResult {
  mkdirSync(dirname(path), { recursive: true })
  makePrivate(path)
  const database = new Database(path, { create: true })
  try {
    database.run('PRAGMA busy_timeout = 0')
    database.run('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY'))) throw error
    return { held: false, pid: readPid(`${path}.pid`) }
  }
  held.add(database)
  writeFileSync(`${path}.pid`, `${process.pid}\n`, { mode: PRIVATE_FILE })
  const release = () => {
    held.delete(database)
    database.close()
  }
  return { held: true, lock: { release } }
}

/** Whoever can open the file can lock it. It is not opened here: closing any descriptor drops the process's POSIX locks. */
function makePrivate(path: string): void {
  try {
    writeFileSync(path, '', { mode: PRIVATE_FILE, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    chmodSync(path, PRIVATE_FILE)
  }
}

/** `tryLock` until it succeeds. @throws Error after `timeoutMs` */
export async function waitForLock(path: string, timeoutMs: number): Promise<ProcessLock> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const result = tryLock(path)
    if (result.held) return result.lock
    if (Date.now() > deadline) throw new Error(`${path} is still held by process ${result.pid ?? 'unknown'}.`)
    await Bun.sleep(50)
  }
}

function readPid(path: string): number | null {
  if (!existsSync(path)) return null
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10)
  return Number.isNaN(pid) ? null : pid
}

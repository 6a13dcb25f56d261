import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'

/**
 * Keeps acknowledged events on disk until the database has them. Line and directory entry are synchronised before a write
 * resolves; concurrent lines share one synchronisation.
 */
export type Spool = {
  /** Resolves when the line is on the disk, or after a logged failure. @param line without line breaks */
  write(id: string, line: string): Promise<void>
  done(id: string): void
  /** Stores lines of ended processes, then removes their files; a file stays when `store` throws. */
  recover(store: (line: string) => Promise<void>): Promise<number>
  close(): Promise<void>
}

/** A file of another machine, or of a reused process id, counts as left behind after this time without a change. */
const IDLE_MS = 20 * 60_000

/** @param dir created on first use */
export function createSpool(dir: string, log: Logger): Spool {
  const name = `${hostname()}.${process.pid}.${newId()}.jsonl`
  const path = join(dir, name)
  const waiting = new Set<string>()
  let file: Promise<FileHandle> | null = null
  let writing: Promise<void> = Promise.resolve()
  let lines: { id: string; line: string }[] = []
  let dirty = false

  const flush = async () => {
    const text = lines.flatMap(({ id, line }) => (waiting.has(id) ? [`${line}\n`] : [])).join('')
    lines = []
    try {
      if (text) {
        file ??= openFile(path)
        const handle = await file
        dirty = true
        await handle.appendFile(text)
        await handle.datasync()
      }
      // All of its lines are stored elsewhere.
      if (dirty && waiting.size === 0 && lines.length === 0 && file) {
        await (await file).truncate(0)
        dirty = false
      }
    } catch (error) {
      const failed = file
      file = null
      void failed?.then((handle) => handle.close()).catch(() => {})
      log.warn({ error: errorMessage(error) }, 'spool not written, events in memory only')
    }
  }
  const later = () => {
    writing = writing.then(flush)
    return writing
  }

  return {
    write(id, line) {
      waiting.add(id)
      lines.push({ id, line })
      return lines.length === 1 ? later() : writing
    },
    done(id) {
      if (waiting.delete(id) && waiting.size === 0) void later()
    },
    async recover(store) {
      let recovered = 0
      for (const each of await listFiles(dir)) {
        if (each === name || !(await isLeftBehind(dir, each))) continue
        const left = (await readFile(join(dir, each), 'utf8')).split('\n').filter((line) => line !== '')
        for (const line of left) await store(line)
        recovered += left.length
        await rm(join(dir, each), { force: true })
      }
      return recovered
    },
    async close() {
      await writing
      const handle = await file?.catch(() => null)
      await handle?.close()
      if (handle && waiting.size === 0) await rm(path, { force: true })
    },
  }
}

async function openFile(path: string): Promise<FileHandle> {
  const dir = dirname(path)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = await open(path, 'a', 0o600)
  // A synchronised file is still lost without its directory entry.
  await syncDirectory(dir)
  await syncDirectory(dirname(dir))
  return file
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function listFiles(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.endsWith('.jsonl'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

async function isLeftBehind(dir: string, name: string): Promise<boolean> {
  const [, host, pid] = /^(.+)\.(\d+)\.[^.]+\.jsonl$/.exec(name) ?? []
  // A process id of ours under another name is one of an earlier life, as in a container.
  if (host === hostname() && (Number(pid) === process.pid || !isAlive(Number(pid)))) return true
  const { mtimeMs, size } = await stat(join(dir, name))
  return size > 0 && Date.now() - mtimeMs > IDLE_MS
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

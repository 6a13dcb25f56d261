import { appendFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'

/** One line of a call's record: `t` in ms since `start`, `k` its kind, and what belongs to it. */
export type RecordLine = { t: number; k: string } & Record<string, unknown>

/** Keeps what happens in a call, in order; nothing of it is waited for. */
export type CallRecorder = {
  line(line: RecordLine): void
  /** The call is over, and its record complete. */
  close(): void
  /** The call is another stream's: this record was never one. */
  discard?(): void
}

export type Recorders = {
  open(callSid: string): CallRecorder
  /** Writes what waits. */
  flush(): Promise<void>
  /** The file of a call that was opened here. */
  pathOf(callSid: string): string
  /** Whether this process still writes to a file. */
  writes(path: string): boolean
}

const FLUSH_MS = 5_000
/** A record that cannot be written is given up rather than kept in memory for ever. */
const MAX_WAITING_LINES = 20_000

/**
 * Append-only JSONL files, one a call, written in the background: events, timings and turns, no audio.
 * @param dir made when missing. A file is named by the call's SID and by this process, since two streams may show one call's
 *   token to two processes
 * @param onClosed told once a record is complete and on the disk
 */
export function createFileRecorders(options: {
  dir: string
  log: Logger
  onClosed?: (path: string) => void
}): Recorders {
  const { dir, log } = options
  const tag = newId().slice(-12)
  const pathOf = (callSid: string) => join(dir, `${callSid.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)}.${tag}.jsonl`)
  const waiting = new Map<string, string[]>()
  const open = new Set<string>()
  let timer: Timer | undefined
  let writing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    const batches = [...waiting]
    waiting.clear()
    if (batches.length === 0) return
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      for (const [path, lines] of batches) await appendFile(path, `${lines.join('\n')}\n`, { mode: 0o600 })
    } catch (error) {
      log.warn({ error: errorMessage(error) }, 'the record of a call could not be written')
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(write)
    return writing
  }

  return {
    open(callSid) {
      const path = pathOf(callSid)
      open.add(path)
      return {
        line(line) {
          const lines = waiting.get(path)
          const text = JSON.stringify(line)
          if (!lines) waiting.set(path, [text])
          else if (lines.length < MAX_WAITING_LINES) lines.push(text)
          timer ??= setTimeout(() => void flush(), FLUSH_MS)
        },
        close() {
          void flush().then(() => {
            open.delete(path)
            options.onClosed?.(path)
          })
        },
        discard() {
          waiting.delete(path)
          writing = writing
            .then(() => rm(path, { force: true }))
            .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'a record could not be deleted'))
            .finally(() => open.delete(path))
        },
      }
    },
    flush,
    pathOf,
    writes: (path) => open.has(path),
  }
}

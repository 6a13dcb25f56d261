import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'

/** One line of a call's record: `t` in ms since `start`, `k` its kind, and what belongs to it. */
export type RecordLine = { t: number; k: string } & Record<string, unknown>

/** Keeps what happens in a call, in order; nothing of it is waited for. */
export type CallRecorder = {
  line(line: RecordLine): void
  close(): void
}

export type Recorders = {
  open(callSid: string): CallRecorder
  /** Writes what waits. */
  flush(): Promise<void>
}

const FLUSH_MS = 2_000
/** A record that cannot be written is given up rather than kept in memory for ever. */
const MAX_WAITING_LINES = 20_000

/**
 * Append-only JSONL files, one a call, written in the background: events, timings and turns, no audio.
 * @param dir made when missing; a file is named by the call's SID
 */
export function createFileRecorders({ dir, log }: { dir: string; log: Logger }): Recorders {
  const waiting = new Map<string, string[]>()
  let timer: Timer | undefined
  let writing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    const batches = [...waiting]
    waiting.clear()
    if (batches.length === 0) return
    try {
      await mkdir(dir, { recursive: true })
      for (const [callSid, lines] of batches)
        await appendFile(recordPath(dir, callSid), `${lines.join('\n')}\n`, { mode: 0o600 })
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
      return {
        line(line) {
          const lines = waiting.get(callSid)
          const text = JSON.stringify(line)
          if (!lines) waiting.set(callSid, [text])
          else if (lines.length < MAX_WAITING_LINES) lines.push(text)
          timer ??= setTimeout(() => void flush(), FLUSH_MS)
        },
        close: () => void flush(),
      }
    },
    flush,
  }
}

/** Where a call's record lies. */
export function recordPath(dir: string, callSid: string): string {
  return join(dir, `${callSid.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)}.jsonl`)
}

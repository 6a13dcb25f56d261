import { appendFile, mkdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'

/** One line of a call's record: `t` in ms since `start`, `k` its kind, and what belongs to it. */
export type RecordLine = { t: number; k: string } & Record<string, unknown>

/** Keeps what happens in a call, in order; nothing of it is waited for. */
export type CallTraceWriter = {
  line(line: RecordLine): void
  /** The call is over, and its record complete. */
  close(): void
  /** The call is another stream's: this record was never one. */
  discard?(): void
}

/** What the disk did not take of a complete record, or did not take whole. */
export type Unwritten = {
  /** The record's first line: whose it is. */
  first: string
  /** Bytes at the beginning of the file that are good; what follows is torn. */
  written: number
  /** The lines after those. */
  lines: string[]
  /** Lines after all of these for which there was no room. */
  lost: number
}

export type TraceWriters = {
  open(callSid: string): CallTraceWriter
  /** Writes what waits. */
  flush(): Promise<void>
  /** The file of a call that was opened here. */
  pathOf(callSid: string): string
  /** Whether this process still writes to a file. */
  writes(path: string): boolean
  /** Characters that wait to be written. */
  readonly waiting: number
}

const FLUSH_MS = 5_000
/** What may wait for a disk that takes nothing: of one call, and of all of them, in characters. */
const MAX_WAITING_LINES = 20_000
const MAX_WAITING = 32 * 1024 * 1024

type OpenFile = Unwritten & { path: string; torn: boolean; writing: Promise<void> }

/**
 * Append-only JSONL files, one a call, written in the background: events, timings and turns, no audio. What the disk does not
 * take waits in memory, up to a bound, for the disk or for the end of the call.
 * @param dir made when missing. A file is named by the call's SID and by this process, since two streams may show one call's
 *   token to two processes
 * @param onClosed told once a record is complete: on the disk, or with what the disk did not take
 * @param maxWaiting characters that may wait in memory, over all calls
 */
export function createFileTraceWriters(options: {
  dir: string
  log: Logger
  onClosed?: (path: string, unwritten: Unwritten | null) => void
  onWriteFailed?: () => void
  maxWaiting?: number
}): TraceWriters {
  const { dir, log, maxWaiting = MAX_WAITING } = options
  const tag = newId().slice(-12)
  const pathOf = (callSid: string) => join(dir, `${callSid.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)}.${tag}.jsonl`)
  const open = new Map<string, OpenFile>()
  let waiting = 0
  let failing = false
  /** Files whose last write failed. */
  const failed = new Set<OpenFile>()
  let timer: Timer | undefined
  let flushing: Promise<void> = Promise.resolve()

  /** Writes what waits of one file, after what is being written of it. */
  function write(file: OpenFile): Promise<void> {
    file.writing = file.writing.then(() => append(file))
    return file.writing
  }

  async function append(file: OpenFile): Promise<void> {
    const lines = file.lines.splice(0)
    if (lines.length === 0) return
    const text = `${lines.join('\n')}\n`
    try {
      // A failed write may have left a part of itself.
      if (file.torn) await restore(file)
      file.torn = true
      await appendText(dir, file.path, text)
      file.torn = false
      file.written += Buffer.byteLength(text)
      waiting -= text.length
      noteSuccess(file)
    } catch (error) {
      if (open.get(file.path) === file) file.lines.unshift(...lines)
      // Discarded meanwhile.
      else waiting -= text.length
      noteFailure(file, error)
    }
  }

  function noteSuccess(file: OpenFile): void {
    failed.delete(file)
    if (!failing || failed.size > 0) return
    failing = false
    log.info('records of calls can be written again')
  }

  function noteFailure(file: OpenFile, error: unknown): void {
    if (open.get(file.path) === file) failed.add(file)
    options.onWriteFailed?.()
    if (!failing) log.warn({ error: errorMessage(error) }, 'records of calls cannot be written; they wait in memory')
    failing = true
    timer ??= setTimeout(() => void flush(), FLUSH_MS)
  }

  async function writeAll(): Promise<void> {
    for (const file of open.values()) await write(file)
  }

  function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    flushing = flushing.then(writeAll)
    return flushing
  }

  function forget(file: OpenFile): void {
    waiting -= lengthOf(file.lines)
    failed.delete(file)
    if (open.get(file.path) === file) open.delete(file.path)
  }

  return {
    open(callSid) {
      const path = pathOf(callSid)
      const file: OpenFile = {
        path,
        first: '',
        written: 0,
        lines: [],
        lost: 0,
        torn: false,
        writing: Promise.resolve(),
      }
      open.set(path, file)
      return {
        line(line) {
          const text = JSON.stringify(line)
          file.first ||= text
          if (file.lines.length >= MAX_WAITING_LINES || waiting + text.length >= maxWaiting) {
            file.lost += 1
            return
          }
          const added = file.lost > 0 ? [gapLine(line.t, file.lost), text] : [text]
          file.lost = 0
          file.lines.push(...added)
          waiting += lengthOf(added)
          timer ??= setTimeout(() => void flush(), FLUSH_MS)
        },
        close() {
          // Its own file alone: a busy server closes calls more often than it can write all open ones.
          void write(file).then(() => {
            forget(file)
            const { first, written, lines, lost } = file
            options.onClosed?.(path, lines.length > 0 || lost > 0 ? { first, written, lines, lost } : null)
          })
        },
        discard() {
          forget(file)
          file.writing = file.writing
            .then(() => rm(path, { force: true }))
            .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'a record could not be deleted'))
          flushing = Promise.all([flushing, file.writing]).then(() => {})
        },
      }
    },
    flush,
    pathOf,
    writes: (path) => open.has(path),
    get waiting() {
      return waiting
    },
  }
}

/** Stands where lines were lost. */
export function gapLine(t: number, lines: number): string {
  return JSON.stringify({ t, k: 'gap', lines } satisfies RecordLine)
}

function lengthOf(lines: string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0)
}

/** Appends to a file whose directory may be missing. */
async function appendText(dir: string, path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text, { mode: 0o600 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await appendFile(path, text, { mode: 0o600 })
  }
}

/** Cuts a file back to what is good of it. */
async function restore(file: OpenFile): Promise<void> {
  if (file.written === 0) await rm(file.path, { force: true })
  else await truncate(file.path, file.written)
}

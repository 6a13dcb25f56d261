import { appendFile, mkdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import type { TraceEntry } from './trace-entries.ts'

/** Writes what happens in a call, in order, without waiting for the disk. */
export type CallTraceWriter = {
  write(entry: TraceEntry): void
  /** The call is over, and its trace complete. */
  close(): void
  /** The call belongs to another stream: this trace is deleted. */
  discard?(): void
}

/** What the disk did not take of a complete trace, or not completely. */
export type Unwritten = {
  /** The trace's first line, which names the call. */
  first: string
  /** Bytes at the beginning of the file that are valid; what follows is torn. */
  written: number
  /** The lines after those. */
  lines: string[]
  /** Lines after all of these for which there was no room. */
  lost: number
}

export type TraceWriters = {
  open(callSid: string): CallTraceWriter
  /** Writes what is buffered. */
  flush(): Promise<void>
  /** The file of a call that was opened here. */
  pathOf(callSid: string): string
  /** Whether this process still writes to a file. */
  writes(path: string): boolean
  /** Characters that are buffered. */
  readonly waiting: number
}

const FLUSH_MS = 5_000
/** What is buffered while the disk fails: lines of one call, and characters of all calls. */
const MAX_WAITING_LINES = 20_000
const MAX_WAITING = 32 * 1024 * 1024

type TraceWriterOptions = {
  dir: string
  log: Logger
  onClosed?: (path: string, unwritten: Unwritten | null) => void
  onWriteFailed?: () => void
  maxWaiting?: number
}

type OpenFile = Unwritten & { path: string; torn: boolean }

/**
 * Append-only JSONL files, one a call, written in the background: events, timings and turns, no audio. What a failing disk
 * does not take is buffered, up to a bound, until the disk works or the call ends.
 * @param options.dir made when missing; a file is named by the CallSid and this process, since two streams may present
 *   one call's token to two processes
 * @param options.onClosed called when a trace is complete: on the disk, or with what the disk did not take
 */
export function createFileTraceWriters(options: TraceWriterOptions): TraceWriters {
  return new FileTraceWriters(options)
}

class FileTraceWriters implements TraceWriters {
  readonly #tag = newId().slice(-12)
  readonly #open = new Map<string, OpenFile>()
  readonly #maxWaiting: number
  #waiting = 0
  #failing = false
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(private readonly options: TraceWriterOptions) {
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING
  }

  get waiting(): number {
    return this.#waiting
  }

  readonly pathOf = (callSid: string): string =>
    join(this.options.dir, `${callSid.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)}.${this.#tag}.jsonl`)

  readonly writes = (path: string): boolean => this.#open.has(path)

  open(callSid: string): CallTraceWriter {
    const path = this.pathOf(callSid)
    const file: OpenFile = { path, first: '', written: 0, lines: [], lost: 0, torn: false }
    this.#open.set(path, file)
    return {
      write: (entry) => this.#buffer(file, entry),
      close: () => void this.#close(file),
      discard: () => this.#discard(file),
    }
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#writeAll())
    return this.#writing
  }

  #buffer(file: OpenFile, entry: TraceEntry): void {
    const text = JSON.stringify(entry)
    file.first ||= text
    if (file.lines.length >= MAX_WAITING_LINES || this.#waiting + text.length >= this.#maxWaiting) {
      file.lost += 1
      return
    }
    const added = file.lost > 0 ? [gapLine(entry.t, file.lost), text] : [text]
    file.lost = 0
    file.lines.push(...added)
    this.#waiting += lengthOf(added)
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS)
  }

  async #close(file: OpenFile): Promise<void> {
    await this.flush()
    this.#forget(file)
    const { path, first, written, lines, lost } = file
    this.options.onClosed?.(path, lines.length > 0 || lost > 0 ? { first, written, lines, lost } : null)
  }

  #discard(file: OpenFile): void {
    this.#forget(file)
    this.#writing = this.#writing
      .then(() => rm(file.path, { force: true }))
      .catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'call trace not deleted'))
  }

  #forget(file: OpenFile): void {
    this.#waiting -= lengthOf(file.lines)
    if (this.#open.get(file.path) === file) this.#open.delete(file.path)
  }

  async #writeAll(): Promise<void> {
    const pending = [...this.#open.values()].filter((file) => file.lines.length > 0)
    if (pending.length === 0) return
    const errors: unknown[] = []
    for (const file of pending) {
      // Discarded during the writes before.
      if (!this.writes(file.path)) continue
      const error = await this.#write(file)
      if (error !== null) errors.push(error)
    }
    const { log, onWriteFailed } = this.options
    if (errors.length > 0) {
      onWriteFailed?.()
      if (!this.#failing) log.warn({ error: errorMessage(errors[0]) }, 'call traces not written, buffered in memory')
      this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS)
    } else if (this.#failing) log.info('call traces written again')
    this.#failing = errors.length > 0
  }

  /** @returns why the disk did not take the lines, which are buffered again; null when it did */
  async #write(file: OpenFile): Promise<unknown> {
    const lines = file.lines.splice(0)
    const text = `${lines.join('\n')}\n`
    try {
      await mkdir(this.options.dir, { recursive: true, mode: 0o700 })
      // A write that failed may have left a part of itself.
      if (file.torn) await cutBack(file)
      file.torn = true
      await appendFile(file.path, text, { mode: 0o600 })
      file.torn = false
      file.written += Buffer.byteLength(text)
      this.#waiting -= text.length
      return null
    } catch (error) {
      if (this.#open.get(file.path) === file) file.lines.unshift(...lines)
      // Discarded during the write.
      else this.#waiting -= text.length
      return error
    }
  }
}

/** The entry that stands for lost ones. */
export function gapLine(t: number, lines: number): string {
  return JSON.stringify({ t, kind: 'gap', lines } satisfies TraceEntry)
}

function lengthOf(lines: string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0)
}

/** Cuts a file back to its valid bytes. */
async function cutBack(file: OpenFile): Promise<void> {
  if (file.written === 0) await rm(file.path, { force: true })
  else await truncate(file.path, file.written)
}

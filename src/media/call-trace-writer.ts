import { appendFile, mkdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import type { TraceEntry } from './trace-entries.ts'

/** Writes what happens in a call, in order, without waiting for the disk. */
export type CallTraceWriter = {
  write(entry: TraceEntry): void
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
  flush(): Promise<void>
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

type OpenFile = Unwritten & { path: string; torn: boolean; writing: Promise<void> }

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
  readonly #failed = new Set<OpenFile>()
  #timer: Timer | undefined
  #flushing: Promise<void> = Promise.resolve()

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
    const first = this.pathOf(callSid)
    // A second stream of the call has its own: one of the two will be discarded.
    const path = this.#open.has(first) ? first.replace(/jsonl$/, `${newId().slice(-12)}.jsonl`) : first
    const file: OpenFile = { path, first: '', written: 0, lines: [], lost: 0, torn: false, writing: Promise.resolve() }
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
    this.#flushing = this.#flushing.then(() => this.#writeAll())
    return this.#flushing
  }

  #isOpen(file: OpenFile): boolean {
    return this.#open.get(file.path) === file
  }

  #buffer(file: OpenFile, entry: TraceEntry): void {
    if (!this.#isOpen(file)) return
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

  /** Writes its own file alone: a busy server closes calls more often than it can write all open ones. */
  async #close(file: OpenFile): Promise<void> {
    if (this.#isOpen(file)) await this.#write(file)
    // Discarded before or during the write.
    if (!this.#isOpen(file)) return
    this.#forget(file)
    const { path, first, written, lines, lost } = file
    this.options.onClosed?.(path, lines.length > 0 || lost > 0 ? { first, written, lines, lost } : null)
  }

  #discard(file: OpenFile): void {
    if (!this.#isOpen(file)) return
    this.#forget(file)
    file.lines = []
    file.writing = file.writing
      .then(() => rm(file.path, { force: true }))
      .catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'call trace not deleted'))
    this.#flushing = Promise.all([this.#flushing, file.writing]).then(() => {})
  }

  #forget(file: OpenFile): void {
    this.#waiting -= lengthOf(file.lines)
    this.#failed.delete(file)
    this.#open.delete(file.path)
  }

  async #writeAll(): Promise<void> {
    for (const file of this.#open.values()) await this.#write(file)
  }

  /** Writes what is buffered of one file, after what is being written of it. */
  #write(file: OpenFile): Promise<void> {
    file.writing = file.writing.then(() => this.#append(file))
    return file.writing
  }

  async #append(file: OpenFile): Promise<void> {
    const lines = file.lines.splice(0)
    if (lines.length === 0) return
    const text = `${lines.join('\n')}\n`
    try {
      // A write that failed may have left a part of itself.
      if (file.torn) await cutBack(file)
      file.torn = true
      await appendText(this.options.dir, file.path, text)
      file.torn = false
      file.written += Buffer.byteLength(text)
      this.#waiting -= text.length
      this.#noteSuccess(file)
    } catch (error) {
      if (this.#isOpen(file)) file.lines.unshift(...lines)
      // Discarded during the write.
      else this.#waiting -= text.length
      this.#noteFailure(file, error)
    }
  }

  #noteSuccess(file: OpenFile): void {
    this.#failed.delete(file)
    if (!this.#failing || this.#failed.size > 0) return
    this.#failing = false
    this.options.log.info('call traces written again')
  }

  #noteFailure(file: OpenFile, error: unknown): void {
    const { log, onWriteFailed } = this.options
    if (this.#isOpen(file)) this.#failed.add(file)
    onWriteFailed?.()
    if (!this.#failing) log.warn({ error: errorMessage(error) }, 'call traces not written, buffered in memory')
    this.#failing = true
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS)
  }
}

async function appendText(dir: string, path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text, { mode: 0o600 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await appendFile(path, text, { mode: 0o600 })
  }
}

/** The entry that stands for lost ones. */
export function gapLine(t: number, lines: number): string {
  return JSON.stringify({ t, kind: 'gap', lines } satisfies TraceEntry)
}

function lengthOf(lines: string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0)
}

async function cutBack(file: OpenFile): Promise<void> {
  if (file.written === 0) await rm(file.path, { force: true })
  else await truncate(file.path, file.written)
}

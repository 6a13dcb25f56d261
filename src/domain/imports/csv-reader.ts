import { AppError } from '../../lib/errors.ts'
import type { CsvInput, CsvRow, CsvSummary } from './csv-file.ts'
import type { CsvReply, CsvRequest } from './csv-worker.ts'

/** Threads of a process that read files at once; each holds one file. */
const THREADS = 2
/** Requests that wait for a thread; more are refused as busy. */
const MAX_WAITING = 16
const REPLY_MS = 30_000
const WAIT_MS = 60_000

/** A file that is being read by a thread of its own: whatever it holds, this process goes on with its calls. */
export type CsvReader = {
  summary: CsvSummary
  text: string | null
  textHash: string | null
  /** The next rows, at most `count`; none at the end. */
  next(count: number): Promise<CsvRow[]>
}

/**
 * Opens a CSV file in a thread, after `skip` rows, for `use`. @throws AppError as `openCsvFile`; `csv_reader_busy`,
 * `csv_reader_failed`
 */
export async function withCsvReader<Result>(
  input: CsvInput,
  options: { skip?: number; withText?: boolean },
  use: (reader: CsvReader) => Promise<Result>,
): Promise<Result> {
  await enter()
  const thread = new CsvThread()
  try {
    const opened = await thread.ask({
      kind: 'open',
      input,
      skip: options.skip ?? 0,
      withText: options.withText ?? false,
    })
    if (opened.kind !== 'opened') throw failed('it answered something else')
    return await use({
      summary: opened.summary,
      text: opened.text,
      textHash: opened.textHash,
      next: async (count) => {
        const reply = await thread.ask({ kind: 'rows', count })
        if (reply.kind !== 'rows') throw failed('it answered something else')
        return reply.rows
      },
    })
  } finally {
    thread.close()
    leave()
  }
}

let busy = 0
const waiting: (() => void)[] = []

async function enter(): Promise<void> {
  if (busy < THREADS) {
    busy += 1
    return
  }
  if (waiting.length >= MAX_WAITING) throw crowded()
  await new Promise<void>((resolve, reject) => {
    const enterNow = () => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(enterNow), 1)
      reject(crowded())
    }, WAIT_MS)
    waiting.push(enterNow)
  })
}

function leave(): void {
  const next = waiting.shift()
  if (next) next()
  else busy -= 1
}

class CsvThread {
  readonly #worker = new Worker(new URL('./csv-worker.ts', import.meta.url), { smol: true })
  #settle: { resolve: (reply: CsvReply) => void; reject: (error: AppError) => void } | null = null

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<CsvReply>) => {
      if (data.kind !== 'error') this.#settle?.resolve(data)
      else {
        const { error, reason } = data
        const field = error?.field ? { field: error.field } : {}
        this.#settle?.reject(error ? new AppError(error.kind, error.code, error.message, field) : failed(reason))
      }
    }
    this.#worker.onerror = (event) =>
      this.#settle?.reject(failed(/\w*Error: .*/.exec(event.message)?.[0] ?? 'it crashed'))
    this.#worker.addEventListener('close', () => this.#settle?.reject(failed('it ended unexpectedly')))
  }

  async ask(request: CsvRequest): Promise<CsvReply> {
    const { promise, resolve, reject } = Promise.withResolvers<CsvReply>()
    this.#settle = { resolve, reject }
    const timer = setTimeout(
      () =>
        reject(new AppError('invalid', 'csv_too_slow', 'The file takes too long to read; split it.', { field: 'csv' })),
      REPLY_MS,
    )
    this.#worker.postMessage(request)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#settle = null
    this.#worker.terminate()
  }
}

function crowded(): AppError {
  return new AppError('unavailable', 'csv_reader_busy', 'Several files are being read; try again in a minute.')
}

function failed(reason: string): AppError {
  return new AppError('internal', 'csv_reader_failed', `The file could not be read: ${reason}.`)
}

import type { SpeechMark } from '../../../audio/vad/turn-detector.ts'
import { AppError } from '../../../lib/errors.ts'
import type { VadReply, VadRequest } from './vad-worker.ts'

export type VadPoolOptions = {
  /** Threads; one serves some 150 calls that all speak at once. */
  size?: number
  /** The thread's entry file. */
  workerUrl?: URL
}

export type VadListener = {
  onOpen: () => void
  onMark: (mark: SpeechMark) => void
  /** The thread died: the line gets no marks any more. */
  onFailure: (error: AppError) => void
}

/** A line's access to its thread. */
export type VadLine = {
  push: (mulaw: Uint8Array, atMs: number) => void
  listen: (endOfTurnMs: number) => void
  close: () => void
}

/** Frames of all lines are batched for this long: one message to the thread instead of hundreds. */
const BATCH_MS = 10

/** Threads that listen for speech, each line on the one with the fewest. They start with the first line. */
export class VadPool {
  readonly #size: number
  readonly #workerUrl: URL
  #threads: VadThread[] = []
  #nextLine = 1

  constructor(options: VadPoolOptions = {}) {
    this.#size = options.size ?? 1
    this.#workerUrl = options.workerUrl ?? new URL('./vad-worker.ts', import.meta.url)
  }

  open(endOfTurnMs: number, listener: VadListener): VadLine {
    this.#threads = this.#threads.filter((thread) => thread.alive)
    const free = this.#threads.toSorted((a, b) => a.lineCount - b.lineCount)[0]
    const thread = free && (free.lineCount === 0 || this.#threads.length >= this.#size) ? free : this.#addThread()
    return thread.open(this.#nextLine++, endOfTurnMs, listener)
  }

  /** Lines that the threads report. */
  async countLines(): Promise<number> {
    const counts = await Promise.all(this.#threads.filter((thread) => thread.alive).map((thread) => thread.count()))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  close(): void {
    for (const thread of this.#threads) thread.close()
    this.#threads = []
  }

  #addThread(): VadThread {
    const thread = new VadThread(this.#workerUrl)
    this.#threads.push(thread)
    return thread
  }
}

class VadThread {
  readonly #worker: Worker
  readonly #lines = new Map<number, VadListener>()
  readonly #counting = new Map<number, (lines: number) => void>()
  #batch: { line: number; atMs: number; mulaw: Uint8Array }[] = []
  #timer: Timer | undefined
  #nextCount = 1
  alive = true

  constructor(workerUrl: URL) {
    this.#worker = new Worker(workerUrl)
    this.#worker.onmessage = (message: MessageEvent<VadReply>) => this.#take(message.data)
    this.#worker.onerror = (event) => this.#die(`crashed: ${/\w*Error: .*/.exec(event.message)?.[0] ?? event.message}`)
    this.#worker.addEventListener('close', () => this.#die('ended unexpectedly'))
  }

  get lineCount(): number {
    return this.#lines.size
  }

  open(line: number, endOfTurnMs: number, listener: VadListener): VadLine {
    this.#lines.set(line, listener)
    this.#post({ type: 'open', line, endOfTurnMs })
    return {
      push: (mulaw, atMs) => {
        if (!this.#lines.has(line)) return
        this.#batch.push({ line, atMs, mulaw })
        this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS)
      },
      listen: (ms) => this.#post({ type: 'listen', line, endOfTurnMs: ms }),
      close: () => {
        if (this.#lines.delete(line)) this.#post({ type: 'close', line })
      },
    }
  }

  count(): Promise<number> {
    const id = this.#nextCount++
    return new Promise((resolve) => {
      this.#counting.set(id, resolve)
      this.#post({ type: 'count', id })
    })
  }

  close(): void {
    this.alive = false
    clearTimeout(this.#timer)
    this.#lines.clear()
    this.#batch = []
    for (const resolve of this.#counting.values()) resolve(0)
    this.#counting.clear()
    this.#worker.terminate()
  }

  /** Frames before a command reach the thread before it. */
  #post(request: VadRequest): void {
    if (!this.alive) return
    this.#flush()
    this.#worker.postMessage(request)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    const audio = new Uint8Array(batch.reduce((sum, frame) => sum + frame.mulaw.length, 0))
    let offset = 0
    for (const { mulaw } of batch) {
      audio.set(mulaw, offset)
      offset += mulaw.length
    }
    const request: VadRequest = {
      type: 'audio',
      lines: batch.map((frame) => frame.line),
      times: batch.map((frame) => frame.atMs),
      lengths: batch.map((frame) => frame.mulaw.length),
      audio,
    }
    this.#worker.postMessage(request, { transfer: [audio.buffer] })
  }

  #take(reply: VadReply): void {
    switch (reply.type) {
      case 'failed':
        this.#die(`failed: ${reply.message}`)
        break
      case 'count':
        this.#counting.get(reply.id)?.(reply.lines)
        this.#counting.delete(reply.id)
        break
      case 'opened':
        this.#lines.get(reply.line)?.onOpen()
        break
      case 'marks':
        // A mark may end the call and close the line: later marks then have no listener.
        for (const mark of reply.marks) this.#lines.get(reply.line)?.onMark(mark)
    }
  }

  #die(how: string): void {
    if (!this.alive) return
    const listeners = [...this.#lines.values()]
    this.close()
    for (const { onFailure } of listeners)
      onFailure(new AppError('unavailable', 'vad_unavailable', `Speech detection failed: its thread ${how}.`))
  }
}

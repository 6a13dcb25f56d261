import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { attachCallTrace, callTraceKey, findCallTrace } from '../domain/calls/index.ts'
import { type DomainContext, within } from '../domain/context.ts'
import { setAside } from '../domain/inbox/index.ts'
import { eventKey } from '../jobs/registry.ts'
import { errorMessage, failureKind } from '../lib/errors.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { gapLine, type Unwritten } from './call-trace-writer.ts'
import { readStart } from './trace-entries.ts'

/** A stopped process's file is complete once it is unchanged for longer than a call lasts: the process may still run. */
const IDLE_MS = 20 * 60_000
/** A call's row may come late, through a queue; a trace without one for this long is deleted. */
const OWNERLESS_MS = 15 * 60_000
const SWEEP_EVERY_MS = 60_000
/** A short call may be over before its row is written: its trace is tried again this much later. */
const RETRY_SOON_MS = 3_000
/** Traces that the disk did not take, in memory until the storage has them: bytes. */
const MAX_IN_MEMORY = 32 * 1024 * 1024
/** A trace that is refused is set aside after so many tries; one with an unknown failure after a day of them. */
const TRIES_OF_REFUSED = 5
const TRIES_OF_UNKNOWN = 30
/** After some failures the tries become rarer, up to an hour apart. */
const QUICK_TRIES = 5
const LONGEST_PAUSE_MS = 3_600_000
/** The largest trace that the database takes when it is set aside: bytes, compressed. */
const MAX_SET_ASIDE = 16 * 1024 * 1024
/** How long a storage that hangs may delay the stop of a server. */
const STOP_MS = 10_000

/** `waiting`: for a later sweep. `dropped`: deleted, since no call has it. `set_aside`: it could not be stored. */
export type TraceOutcome = 'stored' | 'waiting' | 'dropped' | 'set_aside'

/** How many files had which outcome; `set_aside` is present when there was one. */
export type SweepCounts = Record<Exclude<TraceOutcome, 'set_aside'>, number> & { set_aside?: number }

/** `from_memory`: stored although the disk failed. `lost`: neither disk nor storage took it. */
export type TraceTrouble = 'from_memory' | 'lost'

export type CallTraceStore = {
  /** Stores a complete trace: its file, or the file with what the disk did not take. */
  add(path: string, unwritten?: Unwritten | null): void
  /** Stores what a crash or an outage left. Files that this process still writes are skipped. */
  sweep(now?: number): Promise<SweepCounts>
  start(): void
  /** Stops sweeping and tries once more to store what was added; resolves when that is done, or takes too long. */
  stop(): Promise<void>
  /** Traces that waited at the last sweep, those in memory included. */
  readonly waiting: number
}

type StoreOptions = {
  dir: string
  storage: ObjectStorage
  ctx: DomainContext
  writes(path: string): boolean
  onTrouble?: (what: TraceTrouble) => void
  maxInMemory?: number
}

/**
 * Moves the complete traces of this machine's calls into the storage and notes each at its call. A file is deleted only when
 * both are done: after an interruption the next sweep repeats all of it, to the same effect.
 */
export function createCallTraceStore(options: StoreOptions): CallTraceStore {
  return new TraceStore(options)
}

class TraceStore implements CallTraceStore {
  readonly #ownerlessSince = new Map<string, number>()
  /** Complete and not stored yet. */
  readonly #closed = new Set<string>()
  readonly #memory: TraceMemory
  readonly #failures = new Map<string, { count: number; retryAt: number }>()
  readonly #working = new Set<Promise<unknown>>()
  readonly #log
  #timer: Timer | undefined
  #soon: Timer | undefined
  #waiting = 0
  #sweeping: Promise<SweepCounts> | null = null

  constructor(private readonly options: StoreOptions) {
    this.#log = options.ctx.log
    this.#memory = new TraceMemory(options)
  }

  get waiting(): number {
    return Math.max(this.#waiting, this.#memory.paths().length)
  }

  add(path: string, unwritten: Unwritten | null = null): void {
    this.#closed.add(path)
    const work = async () => {
      if (unwritten) await this.#memory.add(path, unwritten)
      return await this.#attempt(path, Date.now(), true)
    }
    void this.#track(work()).then((outcome) => {
      if (outcome === 'waiting') this.#soon ??= setTimeout(() => this.#retryClosed(), RETRY_SOON_MS)
    })
  }

  sweep(now = Date.now()): Promise<SweepCounts> {
    this.#sweeping ??= this.#track(this.#sweepOnce(now)).finally(() => {
      this.#sweeping = null
    })
    return this.#sweeping
  }

  start(): void {
    const sweep = () =>
      void this.sweep().catch((error: unknown) =>
        this.#log.warn({ error: errorMessage(error) }, 'sweep of call traces failed'),
      )
    sweep()
    this.#timer ??= setInterval(sweep, SWEEP_EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    // The disk may be gone with the process.
    this.#retryClosed()
    let expired = false
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const limit = setTimeout(() => {
      expired = true
      resolve()
    }, STOP_MS)
    while (this.#working.size > 0 && !expired) await Promise.race([Promise.allSettled(this.#working), late])
    clearTimeout(limit)
    for (const path of this.#memory.paths()) {
      this.options.onTrouble?.('lost')
      this.#log.error({ file: basename(path) }, 'call trace lost: the process stops, neither disk nor storage took it')
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#working.delete(tracked))
    this.#working.add(tracked)
    return tracked
  }

  #retryClosed(): void {
    this.#soon = undefined
    for (const path of this.#closed) void this.#track(this.#attempt(path, Date.now(), true))
  }

  async #sweepOnce(now: number): Promise<SweepCounts> {
    const counts: SweepCounts = { stored: 0, waiting: 0, dropped: 0 }
    const onDisk = await listTraces(this.options.dir).catch((error: unknown) => {
      if (this.#memory.isEmpty) throw error
      this.#log.warn({ error: errorMessage(error) }, 'call traces on the disk not listed')
      return []
    })
    for (const path of new Set([...onDisk, ...this.#memory.paths()])) {
      if (this.options.writes(path)) continue
      if ((this.#failures.get(path)?.retryAt ?? 0) > now) {
        counts.waiting++
        continue
      }
      const outcome = await this.#attempt(path, now, this.#closed.has(path))
      counts[outcome] = (counts[outcome] ?? 0) + 1
    }
    this.#waiting = counts.waiting
    if (counts.stored + counts.dropped + (counts.set_aside ?? 0) > 0) this.#log.info(counts, 'left call traces swept')
    return counts
  }

  async #attempt(path: string, now: number, own: boolean): Promise<TraceOutcome> {
    try {
      const outcome = await this.#move(path, now, own)
      if (outcome !== 'waiting') this.#closed.delete(path)
      this.#failures.delete(path)
      return outcome
    } catch (error) {
      if (await this.#giveUp(path, error, now)) return 'set_aside'
      this.#log.warn({ file: basename(path), error: errorMessage(error) }, 'call trace not stored yet')
      return 'waiting'
    }
  }

  /** @param own this process closed the file: it is complete without doubt */
  async #move(path: string, now: number, own: boolean): Promise<TraceOutcome> {
    const { storage, ctx } = this.options
    const buffered = this.#memory.get(path)
    const file = Bun.file(path)
    if (!buffered && !(await file.exists())) return 'stored'
    if (!own && now - (await stat(path)).mtimeMs < IDLE_MS) return 'waiting'
    const data = buffered ?? (await file.bytes())
    const start = startOf(data)
    const business = start && within(ctx, start.businessId)
    const call = start && business ? await findCallTrace(business, start.callSid) : null
    if (!start || !business || !call) return await this.#waitForOwner(path, now, start)
    this.#ownerlessSince.delete(path)
    if (!own && !call.ended) return 'waiting'
    const key = callTraceKey(start.businessId, start.callSid)
    // The first one stays: a call has one stream.
    if (!call.recordKey) {
      await storage.put(key, data, 'application/x-ndjson')
      const trace = { callSid: start.callSid, key, lines: linesOf(data) }
      // The call was erased during the upload: its trace must go too.
      if (!(await attachCallTrace(business, trace))) await storage.delete(key)
    }
    if (await this.#remove(path)) {
      this.options.onTrouble?.('from_memory')
      this.#log.warn({ callSid: start.callSid }, 'call trace stored from memory: the disk had not taken it')
    }
    return 'stored'
  }

  async #waitForOwner(path: string, now: number, start: ReturnType<typeof startOf>): Promise<TraceOutcome> {
    const since = this.#ownerlessSince.get(path) ?? now
    this.#ownerlessSince.set(path, since)
    if (now - since < OWNERLESS_MS) return 'waiting'
    // An interrupted try may have stored it before its call was erased.
    if (start) await this.options.storage.delete(callTraceKey(start.businessId, start.callSid))
    this.#ownerlessSince.delete(path)
    await this.#remove(path)
    this.#log.warn({ file: basename(path) }, 'call trace without a call deleted')
    return 'dropped'
  }

  /** Removes a trace; what a failing disk keeps, a later sweep finds and removes. @returns whether it was in memory */
  async #remove(path: string): Promise<boolean> {
    const buffered = this.#memory.delete(path)
    await rm(path, { force: true }).catch((error: unknown) => {
      if (!buffered) throw error
    })
    return buffered
  }

  /** @returns whether it was set aside, since another try would fail the same way */
  async #giveUp(path: string, error: unknown, now: number): Promise<boolean> {
    const kind = failureKind(error)
    if (kind === 'transient') return false
    const count = (this.#failures.get(path)?.count ?? 0) + 1
    const pause = count < QUICK_TRIES ? 0 : Math.min(LONGEST_PAUSE_MS, SWEEP_EVERY_MS * 2 ** (count - QUICK_TRIES))
    this.#failures.set(path, { count, retryAt: now + pause })
    if (count < (kind === 'permanent' ? TRIES_OF_REFUSED : TRIES_OF_UNKNOWN)) return false
    try {
      await this.#setAside(path, error, count)
    } catch (refusal) {
      this.#log.warn({ file: basename(path), error: errorMessage(refusal) }, 'call trace not set aside yet')
      return false
    }
    this.#closed.delete(path)
    this.#failures.delete(path)
    return true
  }

  /** Into the database; one that is too large for it stays on the disk under another name. */
  async #setAside(path: string, error: unknown, attempts: number): Promise<void> {
    const data = this.#memory.get(path) ?? (await Bun.file(path).bytes())
    const start = startOf(data)
    const gzip = gzipSync(data)
    if (start && gzip.byteLength <= MAX_SET_ASIDE) {
      const { businessId, callSid } = start
      const payload = { businessId, callSid, gzip: gzip.toString('base64') }
      const key = eventKey('call.store_trace', basename(path))
      await setAside(this.options.ctx, { job: 'call.store_trace', key, payload, error, attempts })
      await this.#remove(path)
      return
    }
    await rename(path, `${path}.set-aside`)
    this.#memory.delete(path)
    this.#log.error({ file: basename(path), attempts }, 'call trace set aside on the disk')
  }
}

/** Traces that the disk did not take, up to a bound; they end with the process. */
class TraceMemory {
  readonly #traces = new Map<string, Uint8Array>()

  constructor(private readonly options: Pick<StoreOptions, 'ctx' | 'onTrouble' | 'maxInMemory'>) {}

  get isEmpty(): boolean {
    return this.#traces.size === 0
  }

  paths(): string[] {
    return [...this.#traces.keys()]
  }

  get(path: string): Uint8Array | undefined {
    return this.#traces.get(path)
  }

  delete(path: string): boolean {
    return this.#traces.delete(path)
  }

  /** Takes a trace from the disk as far as that has it, and the rest from `unwritten`. */
  async add(path: string, { first, written, lines, lost }: Unwritten): Promise<void> {
    const head = written > 0 ? await readHead(path, written) : new Uint8Array()
    const text = [
      // The disk does not return the beginning: the first line says which call it is.
      ...(head ? [] : [first, gapLine(0, 0)]),
      ...lines,
      ...(lost > 0 ? [gapLine(0, lost)] : []),
    ]
    const tail = new TextEncoder().encode(text.map((line) => `${line}\n`).join(''))
    const data = Buffer.concat([head ?? new Uint8Array(), tail])
    let bytes = data.byteLength
    for (const each of this.#traces.values()) bytes += each.byteLength
    if (bytes > (this.options.maxInMemory ?? MAX_IN_MEMORY)) {
      this.options.onTrouble?.('lost')
      this.options.ctx.log.error({ file: basename(path) }, 'call trace lost: disk and storage fail, memory is full')
      return
    }
    this.#traces.set(path, data)
  }
}

async function listTraces(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.endsWith('.jsonl')).map((name) => join(dir, name))
  } catch (error) {
    // No call has been traced here yet.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** The valid bytes of a file; null when the disk does not return them. */
async function readHead(path: string, bytes: number): Promise<Uint8Array | null> {
  try {
    const head = await Bun.file(path).slice(0, bytes).bytes()
    return head.byteLength === bytes ? head : null
  } catch {
    return null
  }
}

/** The call that a trace is of; null when its first line does not begin a trace. */
function startOf(data: Uint8Array): { callSid: string; businessId: string } | null {
  const end = data.indexOf(10)
  return end < 0 ? null : readStart(new TextDecoder().decode(data.subarray(0, end)))
}

function linesOf(data: Uint8Array): number {
  let lines = 0
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) lines++
  return lines
}

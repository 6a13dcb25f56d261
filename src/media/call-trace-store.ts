import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { z } from 'zod'
import { attachCallTrace, callTraceKey, findCallTrace } from '../domain/calls/index.ts'
import { type DomainContext, within } from '../domain/context.ts'
import { setAside } from '../domain/inbox/index.ts'
import { eventKey } from '../jobs/registry.ts'
import { errorMessage, failureKind } from '../lib/errors.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { gapLine, type Unwritten } from './call-trace-writer.ts'

/**
 * A file of a process that is gone is complete once nothing was written to it for longer than a call lasts: a server that
 * others took for dead may still be writing.
 */
const IDLE_MS = 20 * 60_000
/** A call's row may come late, through a queue; a record without one for this long belongs to nobody. */
const OWNERLESS_MS = 15 * 60_000
const SWEEP_EVERY_MS = 60_000
/** A call that ends as it begins may be over before its row is written: its record is tried again this much later. */
const SOON_MS = 3_000
/** Records that the disk did not take, kept in memory until the storage has them: bytes. */
const MAX_IN_MEMORY = 32 * 1024 * 1024
/** A record that is refused for its own sake is set aside after so many tries, one that fails in a way never seen after a day of them. */
const TRIES_OF_REFUSED = 5
const TRIES_OF_UNKNOWN = 30
/** After some failures the tries become rarer, up to an hour apart. */
const QUICK_TRIES = 5
const LONGEST_PAUSE_MS = 3_600_000
/** What the database takes of a record that is set aside: bytes, compressed. A larger one stays on the disk under another name. */
const MAX_SET_ASIDE = 16 * 1024 * 1024
/** A storage that hangs does not keep a server from stopping. */
const STOP_MS = 10_000

const beginning = z.object({ k: z.literal('start'), callSid: z.string(), businessId: z.uuid() })

/**
 * What became of a file: `stored` and gone from here, `waiting` for a later sweep, `dropped` since it is nobody's, `set_aside` since
 * it could not be stored.
 */
export type Kept = 'stored' | 'waiting' | 'dropped' | 'set_aside'

/** How many files became what; `set_aside` is named when there was one. */
export type SweepCounts = Record<Exclude<Kept, 'set_aside'>, number> & { set_aside?: number }

/** What is told of records beside their being stored: `from_memory` since the disk failed, `lost` with all there was of it. */
export type RecordTrouble = 'from_memory' | 'lost'

export type CallTraceStore = {
  /** A record is complete, in its file, or there as far as the disk took it: it goes into the storage. */
  keep(path: string, unwritten?: Unwritten | null): void
  /** Looks for what a crash or an outage left. Files that this process writes are left alone. */
  sweep(now?: number): Promise<SweepCounts>
  /** Sweeps now and again and again. */
  start(): void
  /** Ends the sweeping and tries once more what was closed here; resolves when that is done, or takes too long. */
  stop(): Promise<void>
  /** Records that waited when it was last looked, those in memory included. */
  readonly waiting: number
}

/**
 * Moves the closed records of this machine's calls into the storage, and notes at each call where its record lies. A file goes
 * only when both are done: whatever stops in between, the next sweep does all of it again, to the same effect. What the disk did
 * not take of a record comes from memory, which the process's end takes with it.
 */
export function createCallTraceStore(options: {
  dir: string
  storage: ObjectStorage
  ctx: DomainContext
  /** Whether this process still writes to a file. */
  writes(path: string): boolean
  onTrouble?: (what: RecordTrouble) => void
  maxInMemory?: number
}): CallTraceStore {
  const { maxInMemory = MAX_IN_MEMORY } = options
  const { dir, storage, ctx } = options
  const { log } = ctx
  const ownerlessSince = new Map<string, number>()
  /** Closed by this process and not stored yet. */
  const closed = new Set<string>()
  /** Closed by this process, and not whole on the disk. */
  const inMemory = new Map<string, Uint8Array>()
  const failures = new Map<string, { count: number; retryAt: number }>()
  const working = new Set<Promise<unknown>>()
  let timer: Timer | undefined
  let soon: Timer | undefined
  let waiting = 0
  let sweeping: Promise<SweepCounts> | null = null

  function track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => working.delete(tracked))
    working.add(tracked)
    return tracked
  }

  /** @param mine it was closed by this process: there is no doubt that it is complete */
  async function move(path: string, now: number, mine: boolean): Promise<Kept> {
    const held = inMemory.get(path)
    const file = Bun.file(path)
    if (!held && !(await file.exists())) return 'stored'
    if (!mine && now - (await stat(path)).mtimeMs < IDLE_MS) return 'waiting'
    const data = held ?? (await file.bytes())
    const first = beginningOf(data)
    const business = first && within(ctx, first.businessId)
    const call = first && business ? await findCallTrace(business, first.callSid) : null
    if (!first || !business || !call) return await ownerless(path, now, first)
    ownerlessSince.delete(path)
    if (!mine && !call.ended) return 'waiting'
    const key = callTraceKey(first.businessId, first.callSid)
    // The first one stands: a call has one stream.
    if (!call.recordKey) {
      await storage.put(key, data, 'application/x-ndjson')
      const record = { callSid: first.callSid, key, lines: linesOf(data) }
      // Erased meanwhile: nothing may stay.
      if (!(await attachCallTrace(business, record))) await storage.delete(key)
    }
    if (await letGo(path)) {
      options.onTrouble?.('from_memory')
      log.warn({ callSid: first.callSid }, 'a record that the disk did not take was stored from memory')
    }
    return 'stored'
  }

  async function ownerless(path: string, now: number, first: z.output<typeof beginning> | null): Promise<Kept> {
    const since = ownerlessSince.get(path) ?? now
    ownerlessSince.set(path, since)
    if (now - since < OWNERLESS_MS) return 'waiting'
    // A try that died may have stored it before its call was erased.
    if (first) await storage.delete(callTraceKey(first.businessId, first.callSid))
    ownerlessSince.delete(path)
    await letGo(path)
    log.warn({ file: basename(path) }, 'a record of no known call was deleted')
    return 'dropped'
  }

  /**
   * Ours no more; what is left of it on a disk that is away is deleted by a later sweep, which finds the record stored.
   * @returns whether it was held in memory
   */
  async function letGo(path: string): Promise<boolean> {
    const held = inMemory.delete(path)
    await rm(path, { force: true }).catch((error: unknown) => {
      if (!held) throw error
    })
    return held
  }

  /** Takes a record into memory, from the disk as far as that has it. */
  async function hold(path: string, unwritten: Unwritten): Promise<void> {
    const { first, written, lines, lost } = unwritten
    const head = written > 0 ? await readHead(path, written) : new Uint8Array()
    const text = [
      // The disk has the beginning and does not give it back: whose record it is must be known all the same.
      ...(head ? [] : [first, gapLine(0, 0)]),
      ...lines,
      ...(lost > 0 ? [gapLine(0, lost)] : []),
    ]
    const tail = new TextEncoder().encode(text.map((line) => `${line}\n`).join(''))
    const data = Buffer.concat([head ?? new Uint8Array(), tail])
    let bytes = data.byteLength
    for (const each of inMemory.values()) bytes += each.byteLength
    if (bytes > maxInMemory) {
      options.onTrouble?.('lost')
      log.error({ file: basename(path) }, 'a record is lost: neither disk nor storage take any, and memory is full')
      return
    }
    inMemory.set(path, data)
  }

  async function attempt(path: string, now: number, mine: boolean): Promise<Kept> {
    try {
      const kept = await move(path, now, mine)
      if (kept !== 'waiting') closed.delete(path)
      failures.delete(path)
      return kept
    } catch (error) {
      if (await giveUp(path, error, now)) return 'set_aside'
      log.warn({ file: basename(path), error: errorMessage(error) }, 'the record of a call could not be stored yet')
      return 'waiting'
    }
  }

  /** @returns whether it was set aside, since it fails in a way that another try does not mend */
  async function giveUp(path: string, error: unknown, now: number): Promise<boolean> {
    const kind = failureKind(error)
    if (kind === 'transient') return false
    const count = (failures.get(path)?.count ?? 0) + 1
    const pause = count < QUICK_TRIES ? 0 : Math.min(LONGEST_PAUSE_MS, SWEEP_EVERY_MS * 2 ** (count - QUICK_TRIES))
    failures.set(path, { count, retryAt: now + pause })
    if (count < (kind === 'permanent' ? TRIES_OF_REFUSED : TRIES_OF_UNKNOWN)) return false
    try {
      await moveAside(path, error, count)
    } catch (refusal) {
      log.warn({ file: basename(path), error: errorMessage(refusal) }, 'a record could not be set aside yet')
      return false
    }
    closed.delete(path)
    failures.delete(path)
    return true
  }

  async function moveAside(path: string, error: unknown, attempts: number): Promise<void> {
    const data = inMemory.get(path) ?? (await Bun.file(path).bytes())
    const first = beginningOf(data)
    const gzip = gzipSync(data)
    if (first && gzip.byteLength <= MAX_SET_ASIDE) {
      const { businessId, callSid } = first
      const payload = { businessId, callSid, gzip: gzip.toString('base64') }
      const key = eventKey('call.store_trace', basename(path))
      await setAside(ctx, { job: 'call.store_trace', key, payload, error, attempts })
      await letGo(path)
      return
    }
    await rename(path, `${path}.set-aside`)
    inMemory.delete(path)
    log.error({ file: basename(path), attempts }, 'a record that cannot be stored stays on the disk under another name')
  }

  async function sweepOnce(now: number): Promise<SweepCounts> {
    const counts: SweepCounts = { stored: 0, waiting: 0, dropped: 0 }
    const onDisk = await listRecords(dir).catch((error: unknown) => {
      if (inMemory.size === 0) throw error
      log.warn({ error: errorMessage(error) }, 'the records of calls on the disk could not be looked through')
      return []
    })
    for (const path of new Set([...onDisk, ...inMemory.keys()])) {
      if (options.writes(path)) continue
      if ((failures.get(path)?.retryAt ?? 0) > now) {
        counts.waiting++
        continue
      }
      const kept = await attempt(path, now, closed.has(path))
      counts[kept] = (counts[kept] ?? 0) + 1
    }
    waiting = counts.waiting
    if (counts.stored + counts.dropped + (counts.set_aside ?? 0) > 0)
      log.info(counts, 'records of calls that were left behind')
    return counts
  }

  function tryClosed(): void {
    soon = undefined
    for (const path of closed) void track(attempt(path, Date.now(), true))
  }

  const keeper: CallTraceStore = {
    keep(path, unwritten = null) {
      closed.add(path)
      const work = async () => {
        if (unwritten) await hold(path, unwritten)
        return await attempt(path, Date.now(), true)
      }
      void track(work()).then((kept) => {
        if (kept === 'waiting') soon ??= setTimeout(tryClosed, SOON_MS)
      })
    },
    sweep(now = Date.now()) {
      sweeping ??= track(sweepOnce(now)).finally(() => {
        sweeping = null
      })
      return sweeping
    },
    start() {
      const look = () =>
        keeper.sweep().catch((error: unknown) => {
          log.warn({ error: errorMessage(error) }, 'the records of calls could not be looked through')
        })
      void look()
      timer ??= setInterval(look, SWEEP_EVERY_MS)
    },
    async stop() {
      clearInterval(timer)
      clearTimeout(soon)
      // Their disk may go with their process.
      tryClosed()
      let tired = false
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const patience = setTimeout(() => {
        tired = true
        resolve()
      }, STOP_MS)
      while (working.size > 0 && !tired) await Promise.race([Promise.allSettled(working), late])
      clearTimeout(patience)
      for (const path of inMemory.keys()) {
        options.onTrouble?.('lost')
        log.error({ file: basename(path) }, 'a record is lost with this process: neither disk nor storage took it')
      }
    },
    get waiting() {
      return Math.max(waiting, inMemory.size)
    },
  }
  return keeper
}

async function listRecords(dir: string): Promise<string[]> {
  try {
    const names = await readdir(dir)
    return names.filter((name) => name.endsWith('.jsonl')).map((name) => join(dir, name))
  } catch (error) {
    // No call has been recorded here yet.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** The good bytes of a file, or null when the disk does not give them. */
async function readHead(path: string, bytes: number): Promise<Uint8Array | null> {
  try {
    const head = await Bun.file(path).slice(0, bytes).bytes()
    return head.byteLength === bytes ? head : null
  } catch {
    return null
  }
}

/** The first line, when it is one that begins a record. */
function beginningOf(data: Uint8Array): z.output<typeof beginning> | null {
  const end = data.indexOf(10)
  if (end < 0) return null
  try {
    return beginning.parse(JSON.parse(new TextDecoder().decode(data.subarray(0, end))))
  } catch {
    return null
  }
}

function linesOf(data: Uint8Array): number {
  let lines = 0
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) lines++
  return lines
}

import { readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { attachCallRecord, findCallRecord, recordKeyOf } from '../domain/calls/index.ts'
import { type DomainContext, within } from '../domain/context.ts'
import { errorMessage } from '../lib/errors.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'

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
/** A storage that hangs does not keep a server from stopping. */
const STOP_MS = 10_000

const beginning = z.object({ k: z.literal('start'), callSid: z.string(), businessId: z.uuid() })

/** What became of a file: `stored` and gone from here, `waiting` for a later sweep, `dropped` since it is nobody's. */
export type Kept = 'stored' | 'waiting' | 'dropped'

export type RecordKeeper = {
  /** A record is complete: it goes into the storage. */
  keep(path: string): void
  /** Looks for what a crash or an outage left. Files that this process writes are left alone. */
  sweep(now?: number): Promise<Record<Kept, number>>
  /** Sweeps now and again and again. */
  start(): void
  /** Ends the sweeping and tries once more what was closed here; resolves when that is done, or takes too long. */
  stop(): Promise<void>
  /** Files that waited when it was last looked. */
  readonly waiting: number
}

/**
 * Moves the closed records of this machine's calls into the storage, and notes at each call where its record lies. A file goes
 * only when both are done: whatever stops in between, the next sweep does all of it again, to the same effect.
 */
export function createRecordKeeper(options: {
  dir: string
  storage: ObjectStorage
  ctx: DomainContext
  /** Whether this process still writes to a file. */
  writes(path: string): boolean
}): RecordKeeper {
  const { dir, storage, ctx } = options
  const { log } = ctx
  const ownerlessSince = new Map<string, number>()
  /** Closed by this process and not stored yet. */
  const closed = new Set<string>()
  const working = new Set<Promise<unknown>>()
  let timer: Timer | undefined
  let soon: Timer | undefined
  let waiting = 0
  let sweeping: Promise<Record<Kept, number>> | null = null

  function track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => working.delete(tracked))
    working.add(tracked)
    return tracked
  }

  /** @param mine it was closed by this process: there is no doubt that it is complete */
  async function move(path: string, now: number, mine: boolean): Promise<Kept> {
    const file = Bun.file(path)
    if (!(await file.exists())) return 'stored'
    if (!mine && now - (await stat(path)).mtimeMs < IDLE_MS) return 'waiting'
    const data = await file.bytes()
    const first = beginningOf(data)
    const business = first && within(ctx, first.businessId)
    const call = first && business ? await findCallRecord(business, first.callSid) : null
    if (!first || !business || !call) return await ownerless(path, now)
    ownerlessSince.delete(path)
    if (!mine && !call.ended) return 'waiting'
    const key = recordKeyOf(first.businessId, first.callSid)
    // The first one stands: a call has one stream.
    if (!call.recordKey) {
      await storage.put(key, data, 'application/x-ndjson')
      const record = { callSid: first.callSid, key, lines: linesOf(data) }
      // Erased meanwhile: nothing may stay.
      if (!(await attachCallRecord(business, record))) await storage.delete(key)
    }
    await rm(path, { force: true })
    return 'stored'
  }

  async function ownerless(path: string, now: number): Promise<Kept> {
    const since = ownerlessSince.get(path) ?? now
    ownerlessSince.set(path, since)
    if (now - since < OWNERLESS_MS) return 'waiting'
    ownerlessSince.delete(path)
    await rm(path, { force: true })
    log.warn({ file: basename(path) }, 'a record of no known call was deleted')
    return 'dropped'
  }

  async function attempt(path: string, now: number, mine: boolean): Promise<Kept> {
    try {
      const kept = await move(path, now, mine)
      if (kept !== 'waiting') closed.delete(path)
      return kept
    } catch (error) {
      log.warn({ file: basename(path), error: errorMessage(error) }, 'the record of a call could not be stored yet')
      return 'waiting'
    }
  }

  async function sweepOnce(now: number): Promise<Record<Kept, number>> {
    const counts = { stored: 0, waiting: 0, dropped: 0 }
    for (const path of await listRecords(dir)) {
      if (options.writes(path)) continue
      counts[await attempt(path, now, closed.has(path))]++
    }
    waiting = counts.waiting
    if (counts.stored + counts.dropped > 0) log.info(counts, 'records of calls that were left behind')
    return counts
  }

  function tryClosed(): void {
    soon = undefined
    for (const path of closed) void track(attempt(path, Date.now(), true))
  }

  const keeper: RecordKeeper = {
    keep(path) {
      closed.add(path)
      void track(attempt(path, Date.now(), true)).then((kept) => {
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
    },
    get waiting() {
      return waiting
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

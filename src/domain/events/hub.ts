import type { DatabaseHandle } from '../../../db/client.ts'
import { errorMessage } from '../../lib/errors.ts'
import { type BusinessContext, type DomainContext, EVENT_CHANNEL } from '../context.ts'
import { currentPosition, type EventPosition, positionOf, readEvents, type StoredEvent } from './events.ts'

/** What a subscriber gets: an event, or `reset`: its position is gone and everything must be read again. */
export type StreamItem = { kind: 'event'; event: StoredEvent } | { kind: 'reset' }

/** Hands events to this process's subscribers through one listener and reader; missed events come from the table. */
export type EventHub = {
  start(): Promise<void>
  /** @param after the id of the last event that was seen; without it, only what is new */
  subscribe(ctx: BusinessContext, after: string | null, signal: AbortSignal): AsyncGenerator<StreamItem>
  readonly subscribers: number
  stop(): Promise<void>
}

const BATCH = 500
/** How soon an event is looked at again whose transaction is younger than one under way. */
const UNRIPE_MS = 10
/** A lost notification costs this much at most. */
const POLL_MS = 5_000
/** A subscriber that is this far behind reads from the table instead. */
const MAX_WAITING = 2_000
/** The database's clock and ours. */
const CLOCKS_DIFFER_MS = 2_000

type Subscriber = {
  businessId: string
  waiting: StoredEvent[]
  overflowed: boolean
  wake(): void
}

export function createEventHub(options: { ctx: DomainContext; sql: DatabaseHandle['sql'] }): EventHub {
  const { ctx } = options
  const subscribers = new Set<Subscriber>()
  const reader = createReader(ctx, subscribers)
  let listening: { unlisten(): Promise<void> } | null = null
  let timer: ReturnType<typeof setInterval> | undefined

  async function* subscribe(
    business: BusinessContext,
    after: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<StreamItem> {
    const subscriber: Subscriber = { businessId: business.businessId, waiting: [], overflowed: false, wake: () => {} }
    // Registered before the table is read: what becomes readable after that read comes through here.
    const first = subscribers.size === 0
    subscribers.add(subscriber)
    const newSince = Date.now() - CLOCKS_DIFFER_MS
    reader.wake()
    // Without listeners the reader stood still: what lies between its place and this one is not new.
    const passed = first ? await currentPosition(ctx).catch(() => null) : null
    const isOld = ({ position, createdAt }: StoredEvent) =>
      passed !== null && !isBehind(position, passed) && createdAt.getTime() < newSince
    const abort = () => subscriber.wake()
    signal.addEventListener('abort', abort)
    try {
      yield* follow(business, subscriber, after, { isOld, isOver: () => signal.aborted || reader.stopped })
    } finally {
      signal.removeEventListener('abort', abort)
      subscribers.delete(subscriber)
    }
  }

  return {
    async start() {
      await reader.start()
      // Called again after a lost connection came back: what was committed meanwhile is read then.
      listening = await options.sql.listen(EVENT_CHANNEL, reader.wake, reader.wake)
      timer = setInterval(() => {
        if (subscribers.size > 0) reader.wake()
        else void reader.skipToPresent()
      }, POLL_MS)
      timer.unref()
    },
    subscribe,
    get subscribers() {
      return subscribers.size
    },
    async stop() {
      const read = reader.stop()
      clearInterval(timer)
      for (const subscriber of subscribers) subscriber.wake()
      await listening?.unlisten()
      await read
    },
  }
}

function createReader(ctx: DomainContext, subscribers: ReadonlySet<Subscriber>) {
  let position: EventPosition | null = null
  let reading: Promise<void> | null = null
  let again = false
  let stopped = false

  async function read() {
    do {
      again = false
      position ??= await currentPosition(ctx)
      const page = await readEvents(ctx, position, { limit: BATCH })
      for (const event of page.events) {
        position = event.position
        for (const subscriber of subscribers) dispatch(event, subscriber)
      }
      if (page.more) again = true
      else if (page.unripe) {
        await Bun.sleep(UNRIPE_MS)
        again = true
      }
    } while (again && !stopped)
  }

  return {
    get stopped() {
      return stopped
    },
    async start() {
      position = await currentPosition(ctx)
    },
    /** Events happened. Without listeners they are not read: a standby server would read those of all the others. */
    wake() {
      if (stopped || subscribers.size === 0) return
      if (reading) {
        again = true
        return
      }
      reading = read()
        .catch((error: unknown) => ctx.log.warn({ error: errorMessage(error) }, 'reading events failed; trying again'))
        .finally(() => {
          reading = null
        })
    },
    /** No listener is left: the next one starts at the present. */
    async skipToPresent() {
      try {
        const now = await currentPosition(ctx)
        if (subscribers.size === 0 && !reading) position = now
      } catch (error) {
        ctx.log.warn({ error: errorMessage(error) }, 'reading the position of events failed; trying again')
      }
    },
    async stop() {
      stopped = true
      await reading
    },
  }
}

function dispatch(event: StoredEvent, subscriber: Subscriber): void {
  if (subscriber.businessId !== event.businessId) return
  if (subscriber.waiting.length >= MAX_WAITING) {
    subscriber.waiting = []
    subscriber.overflowed = true
  } else if (!subscriber.overflowed) subscriber.waiting.push(event)
  subscriber.wake()
}

/** The events of a business in order: from the table while the subscriber is behind, else as the reader hands them over. */
async function* follow(
  business: BusinessContext,
  subscriber: Subscriber,
  after: string | null,
  options: { isOld(event: StoredEvent): boolean; isOver(): boolean },
): AsyncGenerator<StreamItem> {
  let last = after === null ? null : await positionOf(business, after)
  if (after !== null && !last) yield { kind: 'reset' }
  let behind = last !== null
  while (!options.isOver()) {
    if (subscriber.overflowed) {
      subscriber.overflowed = false
      behind = true
    }
    if (behind && !last) {
      yield { kind: 'reset' }
      behind = false
      continue
    }
    if (behind && last) {
      const page = await readEvents(business, last, { businessId: business.businessId, limit: BATCH })
      for (const event of page.events) {
        last = event.position
        yield { kind: 'event', event }
      }
      behind = page.more
      continue
    }
    const event = subscriber.waiting.shift()
    if (event) {
      if (last ? !isBehind(event.position, last) : options.isOld(event)) continue
      last = event.position
      yield { kind: 'event', event }
      continue
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    subscriber.wake = resolve
    if (!options.isOver() && subscriber.waiting.length === 0 && !subscriber.overflowed) await promise
  }
}

function isBehind(a: EventPosition, b: EventPosition): boolean {
  const [ax, bx] = [BigInt(a.xid), BigInt(b.xid)]
  return ax > bx || (ax === bx && BigInt(a.seq) > BigInt(b.seq))
}

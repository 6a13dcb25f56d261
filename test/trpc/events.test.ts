import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createContact } from '../../src/domain/contacts/index.ts'
import { audit, within } from '../../src/domain/context.ts'
import { createClient } from '../../src/trpc/client.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let database: TestDatabase
let web: TestServer
let second: TestServer
let key: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  second = await startTestServer(database.url)
  key = await web.key('read')
})

afterAll(async () => {
  await second.stop()
  await web.stop()
  await database.drop()
})

type Seen = { id: string; type: string; entityId: string }

/** Collects the events of a stream until it is stopped. */
function collect(url: string, options: { key?: string; after?: string; types?: string[] } = {}) {
  const seen: Seen[] = []
  const started = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<unknown>()
  let wake = () => {}
  const stream = createClient({ url, apiKey: options.key ?? key }).events.stream.subscribe(
    {
      ...(options.after ? { lastEventId: options.after } : {}),
      ...(options.types ? { types: options.types } : {}),
    },
    {
      onStarted: () => started.resolve(),
      onData(item) {
        const event = 'data' in item && 'id' in item && item.data && 'type' in item.data ? item.data : item
        if ('type' in event) seen.push({ id: event.id, type: String(event.type), entityId: event.entityId })
        wake()
      },
      onError: (error) => failed.resolve(error),
    },
  )
  return {
    seen,
    started: started.promise,
    failed: failed.promise,
    stop: () => stream.unsubscribe(),
    async waitFor(count: number, timeoutMs = 5_000): Promise<void> {
      const deadline = Date.now() + timeoutMs
      while (seen.length < count) {
        if (Date.now() > deadline) throw new Error(`only ${seen.length} of ${count} events: ${JSON.stringify(seen)}`)
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await Promise.race([promise, Bun.sleep(50)])
      }
    },
  }
}

const make = (name: string, server = web, businessId = web.businessId) =>
  createContact(within(server.deps.ctx, businessId), { name })

describe('the event stream', () => {
  test('reaches subscribers of every server process, and only those of the business', async () => {
    const here = collect(web.url, { types: ['contact.create'] })
    const there = collect(second.url, { types: ['contact.*'] })
    await Promise.all([here.started, there.started])
    await Bun.sleep(100)
    const contact = await make('live')
    await Promise.all([here.waitFor(1), there.waitFor(1)])
    expect(here.seen[0]?.entityId).toBe(contact.id)
    expect(there.seen[0]?.entityId).toBe(contact.id)
    here.stop()
    there.stop()
  })

  test('goes on behind the last event on another server, with nothing lost and nothing twice', async () => {
    const first = collect(web.url, { types: ['contact.create'] })
    await first.started
    await Bun.sleep(100)
    const before = await make('seen before the break')
    await first.waitFor(1)
    first.stop()
    const last = first.seen[0]
    if (!last) throw new Error('no event')
    expect(last.entityId).toBe(before.id)
    const missed = [await make('missed 1'), await make('missed 2', second)]
    const resumed = collect(second.url, { types: ['contact.create'], after: last.id })
    await resumed.started
    const live = await make('live again')
    await resumed.waitFor(3)
    await Bun.sleep(100)
    expect(resumed.seen.map((event) => event.entityId)).toEqual([...missed, live].map((contact) => contact.id))
    resumed.stop()
  })

  test('an event whose transaction committed late is not skipped', async () => {
    const stream = collect(web.url, { types: ['test.*'] })
    await stream.started
    await Bun.sleep(100)
    const ctx = within(web.deps.ctx, web.businessId)
    const held = Promise.withResolvers<void>()
    const written = Promise.withResolvers<void>()
    // Its number is handed out first; it becomes visible last.
    const slow = ctx.db.transaction(async (tx) => {
      await audit(tx, ctx, { action: 'test.slow', entity: 'test', entityId: 'slow' })
      written.resolve()
      await held.promise
    })
    await written.promise
    await ctx.db.transaction((tx) => audit(tx, ctx, { action: 'test.fast', entity: 'test', entityId: 'fast' }))
    await Bun.sleep(150)
    held.resolve()
    await slow
    await stream.waitFor(2)
    expect(stream.seen.map((event) => event.type)).toEqual(['test.slow', 'test.fast'])
    stream.stop()
  })

  test('hundreds of concurrent commits arrive once each, in one order for everybody', async () => {
    const streams = [collect(web.url, { types: ['test.many'] }), collect(second.url, { types: ['test.many'] })]
    await Promise.all(streams.map((stream) => stream.started))
    await Bun.sleep(100)
    const ctx = within(web.deps.ctx, web.businessId)
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        ctx.db.transaction((tx) => audit(tx, ctx, { action: 'test.many', entity: 'test', entityId: String(index) })),
      ),
    )
    await Promise.all(streams.map((stream) => stream.waitFor(300)))
    const [a = [], b = []] = streams.map((stream) => stream.seen.map((event) => event.entityId))
    expect(new Set(a).size).toBe(300)
    expect(a).toEqual(b)
    for (const stream of streams) stream.stop()
  }, 20_000)

  test('says when the place to go on from is gone', async () => {
    const stream = collect(web.url, { after: '999999999' })
    await stream.waitFor(1)
    expect(stream.seen[0]?.type).toBe('stream.reset')
    stream.stop()
  })

  test('is refused without a key', async () => {
    const stream = collect(web.url, { key: 'al_unknown' })
    expect(String(await stream.failed)).toContain('401')
    stream.stop()
  })
})

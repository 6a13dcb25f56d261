import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createContact, updateContact } from '../../../src/domain/contacts/index.ts'
import { createEventHub, type EventHub, listEvents, pruneEvents } from '../../../src/domain/events/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'
import { eventually } from '../../support/product.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
let hub: EventHub
beforeAll(async () => {
  domain = await startDomain()
  hub = createEventHub({ ctx: domain.ctx, sql: domain.sql })
  await hub.start()
})
afterAll(() => hub.stop())

const newContact = (name: string) => createContact(domain.business, { name })
const typesOf = async () =>
  (await listEvents(domain.business, { limit: 50 })).items.map(({ type, entityId }) => [type, entityId])

/** Follows the events of a business; what came is in `seen`. */
function follow(after: string | null, business = domain.business) {
  const stop = new AbortController()
  const seen: string[] = []
  const done = (async () => {
    for await (const item of hub.subscribe(business, after, stop.signal))
      seen.push(item.kind === 'event' ? item.event.entityId : 'reset')
  })()
  return {
    seen,
    /** Waits for this many, leaves, and answers them. */
    async take(count: number) {
      await eventually(() => seen.length >= count, `${count} events`)
      stop.abort()
      await done
      return seen
    },
  }
}

test('every change is an event of its business, the newest first, in pages', async () => {
  const { id } = await newContact('Dana')
  await updateContact(domain.business, id, { name: 'Dana Levi' })
  expect((await typesOf()).slice(0, 2)).toEqual([
    ['contact.update', id],
    ['contact.create', id],
  ])
  const first = await listEvents(domain.business, { limit: 1 })
  const second = await listEvents(domain.business, { limit: 1, cursor: first.nextCursor ?? undefined })
  expect([...first.items, ...second.items].map(({ type }) => type)).toEqual(['contact.update', 'contact.create'])
  expect((await listEvents({ ...domain.business, businessId: newId() }, { limit: 50 })).items).toEqual([])
})

test('a change that is rolled back is no event', async () => {
  const before = await typesOf()
  const undone = domain.ctx.db.transaction(async (tx) => {
    await createContact({ ...domain.business, db: tx as typeof domain.ctx.db }, { name: 'Undone' })
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await typesOf()).toEqual(before)
})

test('who follows gets what is new; who comes back gets what was missed, each once, in order', async () => {
  const first = follow(null)
  await eventually(() => hub.subscribers === 1, 'the subscriber')
  const a = await newContact('A')
  await eventually(() => first.seen.includes(a.id), 'the new contact')
  expect((await first.take(1)).filter((id) => id === a.id)).toHaveLength(1)
  const [last] = (await listEvents(domain.business, { limit: 1 })).items
  const missed = [await newContact('B'), await newContact('C')]
  const again = follow(last?.id ?? null)
  await eventually(() => again.seen.length === 2, 'what was missed')
  const fresh = await newContact('D')
  expect(await again.take(3)).toEqual([...missed, fresh].map(({ id }) => id))
  expect(hub.subscribers).toBe(0)
})

test('who comes back with a place that is no longer kept is reported to read anew', async () => {
  await newContact('Old')
  const [last] = (await listEvents(domain.business, { limit: 1 })).items
  await domain.sql`update events set created_at = now() - interval '31 days'`
  expect(await pruneEvents(domain.ctx)).toBeGreaterThan(0)
  expect(await typesOf()).toEqual([])
  const stream = follow(last?.id ?? null)
  await eventually(() => stream.seen.length === 1, 'the reset')
  const fresh = await newContact('Fresh')
  expect(await stream.take(2)).toEqual(['reset', fresh.id])
})

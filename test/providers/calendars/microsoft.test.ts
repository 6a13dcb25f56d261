import { afterEach, expect, test } from 'bun:test'
import { createMicrosoft } from '../../../src/providers/calendars/microsoft.ts'

const WINDOW = { from: new Date('2027-01-01T00:00:00Z'), to: new Date('2027-03-01T00:00:00Z'), zone: 'UTC' }
const time = (day: string) => ({ dateTime: `2027-01-${day}T09:00:00.0000000`, timeZone: 'UTC' })
const until = (day: string) => ({ dateTime: `2027-01-${day}T10:00:00.0000000`, timeZone: 'UTC' })
const master = { id: 'M', type: 'seriesMaster', subject: 'Team', showAs: 'busy', start: time('04'), end: until('04') }
/** As Graph lists one: without its subject, which its series has. */
const occurrence = (id: string, day: string) => ({
  ...{ id, type: 'occurrence', seriesMasterId: 'M', start: time(day), end: until(day) },
  '@odata.etag': `W/"${id}"`,
})

let server: ReturnType<typeof Bun.serve> | null = null
afterEach(() => server?.stop(true))

/** Graph's answers to a round of changes and, asked anew, to a first one. */
function account(changes: unknown[][], whole: unknown[] = []) {
  const asked: string[] = []
  server = Bun.serve({
    port: 0,
    fetch({ url }) {
      const { origin, pathname, searchParams } = new URL(url)
      asked.push(searchParams.has('startDateTime') ? 'whole' : 'changes')
      const page = Number(searchParams.get('$skiptoken') ?? 0)
      const pages = searchParams.has('startDateTime') ? [whole] : changes
      const link = page + 1 < pages.length ? `@odata.nextLink` : '@odata.deltaLink'
      const next = page + 1 < pages.length ? `$skiptoken=${page + 1}` : '$deltatoken=next'
      return Response.json({ value: pages[page], [link]: `${origin}${pathname}?${next}` })
    },
  })
  const baseUrl = `http://127.0.0.1:${server.port}`
  const { account: open } = createMicrosoft({ clientId: 'x', clientSecret: 'y', baseUrl })
  const state = `${baseUrl}/v1.0/me/calendars/c/calendarView/delta?$deltatoken=before`
  return { asked, sync: () => open('token').sync('c', state, WINDOW) }
}
const ids = (events: { objectId: string; eventId: string }[]) =>
  events.map(({ objectId, eventId }) => `${objectId}/${eventId}`)

test('a series comes whole: what of it is not among the rest is gone', async () => {
  const { sync, asked } = account([[master, occurrence('a', '04'), occurrence('c', '18')]])
  const { events, removed, whole } = await sync()
  expect([ids(events), removed, whole, asked]).toEqual([['M/a', 'M/c'], ['M'], false, ['changes']])
  expect(events.map(({ title, busy }) => [title, busy])).toEqual([
    ['Team', true],
    ['Team', true],
  ])
})

test('over two pages, with a date cancelled by who invited, and another that Graph names as removed', async () => {
  const cancelled = { ...occurrence('b', '11'), type: 'exception', isCancelled: true }
  const gone = { id: 'd', '@removed': { reason: 'deleted' } }
  const { sync } = account([
    [master, occurrence('a', '04')],
    [cancelled, gone],
  ])
  const { events, removed } = await sync()
  expect(ids(events)).toEqual(['M/a'])
  expect(removed.toSorted()).toEqual(['M', 'b', 'd'])
})

test('an exception without its series: everything is read anew', async () => {
  const moved = { ...occurrence('b', '12'), type: 'exception', subject: 'Moved', showAs: 'busy' }
  const { sync, asked } = account([[moved]], [master, occurrence('a', '04'), moved])
  const { events, removed, whole } = await sync()
  expect([ids(events), removed, whole, asked]).toEqual([['M/a', 'M/b'], [], true, ['changes', 'whole']])
})

test('a whole series that is deleted is named alone', async () => {
  const { sync } = account([[{ id: 'M', '@removed': { reason: 'deleted' } }]])
  expect(await sync()).toMatchObject({ events: [], removed: ['M'], whole: false })
})

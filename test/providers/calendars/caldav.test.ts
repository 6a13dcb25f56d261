import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createSafeFetch } from '../../../src/lib/safe-fetch.ts'
import { createCalDav } from '../../../src/providers/calendars/caldav.ts'

const window = { from: new Date('2027-03-01T00:00:00Z'), to: new Date('2027-04-01T00:00:00Z'), zone: 'Asia/Jerusalem' }
const event = (uid: string, attendee: string, answer: string) =>
  [
    ...['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:x', 'BEGIN:VEVENT', `UID:${uid}`, 'DTSTAMP:20270101T000000Z'],
    ...['DTSTART:20270310T080000Z', 'DTEND:20270310T090000Z', 'SUMMARY:Meeting', 'ORGANIZER:mailto:boss@example.com'],
    `ATTENDEE;PARTSTAT=${answer}:mailto:${attendee}`,
    ...['END:VEVENT', 'END:VCALENDAR', ''],
  ].join('\r\n')
const EVENTS = {
  declined: event('declined', 'Dana@Example.com', 'DECLINED'),
  alias: event('alias', 'dana.levi@example.com', 'DECLINED'),
  // As iCloud writes them: a path or a UUID, and the address beside it.
  path: event('path', '', 'DECLINED').replace('DECLINED:mailto:', 'DECLINED:/principals/dana/'),
  beside: event('beside', '', 'DECLINED').replace(
    'PARTSTAT=DECLINED:mailto:',
    'CN="Levi, Dana";EMAIL="dana@example.com";PARTSTAT=DECLINED:urn:uuid:1C8E3E39-7A54-4B1E-8A0B-2C5D0B1F0A11',
  ),
  capitals: event('capitals', '', 'DECLINED').replace('DECLINED:mailto:', 'DECLINED:MAILTO:DANA@EXAMPLE.COM'),
  accepted: event('accepted', 'dana@example.com', 'ACCEPTED'),
  // Another guest does not come; the meeting is.
  guest: event('guest', 'moshe@example.com', 'DECLINED'),
}

const asked: string[] = []
let tells = true
let server: ReturnType<typeof Bun.serve>

/** A server as Nextcloud and iCloud answer: the name is no address, the addresses stand in the principal (RFC 6638, 2.4.1). */
beforeAll(() => {
  const answer = (href: string, prop: string) =>
    new Response(
      `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>
        <d:href>${href}</d:href><d:propstat><d:prop>${prop}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
        </d:response></d:multistatus>`,
      { status: 207, headers: { 'content-type': 'application/xml' } },
    )
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const body = await request.text()
      asked.push(`${request.method} ${pathname}`)
      if (body.includes('current-user-principal'))
        return answer(
          pathname,
          '<d:current-user-principal><d:href>/principals/dana/</d:href></d:current-user-principal>',
        )
      if (body.includes('calendar-user-address-set'))
        return tells
          ? answer(
              pathname,
              `<c:calendar-user-address-set><d:href preferred="1">mailto:dana@example.com</d:href>
               <d:href>mailto:Dana.Levi@example.com</d:href><d:href>/principals/dana/</d:href><d:href/><d:href> </d:href></c:calendar-user-address-set>`,
            )
          : new Response('', { status: 403 })
      if (body.includes('calendar-query'))
        return new Response(
          `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">${Object.entries(
            EVENTS,
          )
            .map(
              ([name, text]) => `<d:response><d:href>${pathname}${name}.ics</d:href><d:propstat><d:prop>
                <d:getetag>"1"</d:getetag><c:calendar-data>${text}</c:calendar-data></d:prop>
                <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`,
            )
            .join('')}</d:multistatus>`,
          { status: 207, headers: { 'content-type': 'application/xml' } },
        )
      return new Response('', { status: 501 })
    },
  })
})
afterAll(() => server.stop(true))

const busy = async () => {
  const account = createCalDav(
    { serverUrl: server.url.href, username: 'dana', password: 'x' },
    createSafeFetch({ allowPrivate: true }),
  )
  const { events, skipped } = await account.sync(`${server.url.href}dana/work/`, null, window)
  expect(skipped).toBe(0)
  return events.filter((each) => each.busy).map(({ objectId }) => objectId.split('/').at(-1))
}

test('what the account declined by any of its addresses is not busy, though its name is no address', async () => {
  expect(await busy()).toEqual(['accepted.ics', 'guest.ics'])
  // Asked once, not for each event.
  expect(asked.filter((each) => each === 'PROPFIND /principals/dana/')).toHaveLength(1)
})

test('a server that does not tell the addresses costs nothing else', async () => {
  tells = false
  expect(await busy()).toEqual(Object.keys(EVENTS).map((name) => `${name}.ics`))
})

import { sql } from 'drizzle-orm'
import type { Database, DatabaseHandle } from '../../db/client.ts'
import { type CalendarDeps, createFeedLinks } from '../../src/domain/calendars/index.ts'
import { hmacSha256, newId } from '../../src/lib/ids.ts'
import { createSafeFetch } from '../../src/lib/safe-fetch.ts'
import { createSecretBox, deriveKey } from '../../src/lib/secret-box.ts'
import { createCalDav } from '../../src/providers/calendars/caldav.ts'
import { createIcsFeed } from '../../src/providers/calendars/feed.ts'
import { createGoogle } from '../../src/providers/calendars/google.ts'
import { createMicrosoft } from '../../src/providers/calendars/microsoft.ts'
import { SANDBOX_CALENDAR_CLIENT } from '../../src/sandbox/calendars/state.ts'
import type { ApiServices } from '../../src/trpc/trpc.ts'

/** Calendars outside on a test's database. @param baseUrl of the sandbox; nothing answers without one */
export function createTestCalendars(
  database: DatabaseHandle,
  baseUrl = 'http://127.0.0.1:9',
  options: Partial<CalendarDeps> = {},
): CalendarDeps {
  const { id: clientId, secret: clientSecret } = SANDBOX_CALENDAR_CLIENT
  const safeFetch = createSafeFetch({ allowPrivate: true })
  return {
    vendors: {
      google: createGoogle({ clientId, clientSecret, baseUrl }),
      microsoft: createMicrosoft({ clientId, clientSecret, baseUrl }),
    },
    caldav: (access) => createCalDav(access, safeFetch),
    feed: (access) => createIcsFeed(access, safeFetch),
    box: createSecretBox(deriveKey('a secret of the tests', 'calendar connections')),
    pool: database.sql,
    channelSecret: (channel) => hmacSha256('a secret of the tests', channel),
    noticeUrl: () => null,
    now: () => new Date(),
    ...options,
  }
}

export const createTestCalendarServices = (database: DatabaseHandle): ApiServices['calendars'] => ({
  deps: createTestCalendars(database),
  feedLinks: createFeedLinks('a secret of the tests', 'http://localhost:5000/calendars/feed'),
})

/** A connected calendar with one appointment in it, which a person deleted there. It opens nothing. */
export async function insertConnection(
  db: Database,
  businessId: string,
  appointmentId: string,
  name = 'dana@example.com',
): Promise<{ connectionId: string; calendarId: string; pushId: string; feedId: string }> {
  const [connectionId, calendarId, pushId, feedId] = [newId(), newId(), newId(), newId()]
  await db.execute(sql`insert into calendar_connections (id, business_id, kind, name, sealed)
    values (${connectionId}, ${businessId}, 'ics', ${name}, 'none')`)
  await db.execute(sql`insert into outside_calendars (id, business_id, connection_id, remote_id, name, writable, writes)
    values (${calendarId}, ${businessId}, ${connectionId}, 'feed', ${name}, true, true)`)
  await db.execute(sql`insert into calendar_pushes (id, business_id, appointment_id, calendar_id, event_id, state, change)
    values (${pushId}, ${businessId}, ${appointmentId}, ${calendarId}, ${pushId}, 'pushed', 'deleted')`)
  await db.execute(sql`insert into calendar_feeds (id, business_id) values (${feedId}, ${businessId})`)
  return { connectionId, calendarId, pushId, feedId }
}

/** The settings of an installation whose vendors of calendars are the sandbox's. */
export function calendarVariables(baseUrl: string): Record<string, string> {
  const { id, secret } = SANDBOX_CALENDAR_CLIENT
  return {
    ...{ GOOGLE_CLIENT_ID: id, GOOGLE_CLIENT_SECRET: secret, GOOGLE_CALENDAR_BASE_URL: baseUrl },
    ...{ MICROSOFT_CLIENT_ID: id, MICROSOFT_CLIENT_SECRET: secret, MICROSOFT_CALENDAR_BASE_URL: baseUrl },
  }
}

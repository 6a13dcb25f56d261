import type { DatabaseHandle } from '../../db/client.ts'
import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Config } from '../config.ts'
import type { CalendarDeps } from '../domain/calendars/index.ts'
import { hmacSha256 } from '../lib/ids.ts'
import { createSafeFetch } from '../lib/safe-fetch.ts'
import { createSecretBox, deriveKey } from '../lib/secret-box.ts'
import { createCalDav } from '../providers/calendars/caldav.ts'
import { createIcsFeed } from '../providers/calendars/feed.ts'
import { createGoogle } from '../providers/calendars/google.ts'
import { createMicrosoft } from '../providers/calendars/microsoft.ts'

/** What reads and writes calendars outside: vendors by the settings, and servers that users name by the one safe client. */
export function createCalendars(config: Config, database: DatabaseHandle): CalendarDeps {
  const { google, microsoft } = config.calendars
  const safeFetch = createSafeFetch({ allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] })
  const paths = { google: WEBHOOKS.googleCalendar, microsoft: WEBHOOKS.microsoftCalendar }
  // Vendors send notices to https alone; the sandbox is a vendor on this machine.
  const reachable = config.publicBaseUrl.startsWith('https:') || config.sandbox
  return {
    vendors: {
      google: google.kind === 'configured' ? createGoogle(google) : null,
      microsoft: microsoft.kind === 'configured' ? createMicrosoft(microsoft) : null,
    },
    caldav: (access) => createCalDav(access, safeFetch),
    feed: (access) => createIcsFeed(access, safeFetch),
    box: createSecretBox(deriveKey(config.sessionSecret, 'calendar connections')),
    pool: database.sql,
    channelSecret: (id) => hmacSha256(config.sessionSecret, `calendar channel:${id}`).slice(0, 43),
    noticeUrl: (kind) => (reachable ? publicUrl(config.publicBaseUrl, paths[kind]) : null),
    now: () => new Date(),
  }
}

import type { DatabaseHandle } from '../../../db/client.ts'
import type { CALENDAR_KINDS } from '../../../db/schema/index.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import type { CalDavAccess, CalendarAccount, IcsAccess, OAuthVendor } from '../../providers/calendars/port.ts'

export type CalendarKind = (typeof CALENDAR_KINDS)[number]
export type OAuthKind = Extract<CalendarKind, 'google' | 'microsoft'>

/** What reads and writes calendars outside. */
export type CalendarDeps = {
  /** Null where the installation has no client at a vendor. */
  vendors: Record<OAuthKind, OAuthVendor | null>
  caldav(access: CalDavAccess): CalendarAccount
  feed(access: IcsAccess): CalendarAccount
  /** Closes what connections hold. */
  box: SecretBox
  pool: DatabaseHandle['sql']
  /** What a vendor says with the notices of a channel. */
  channelSecret(channelId: string): string
  /** Where a vendor sends notices; null where it cannot reach this installation: it is polled more often. */
  noticeUrl(kind: OAuthKind): string | null
  now(): Date
}

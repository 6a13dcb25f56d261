import { and, eq } from 'drizzle-orm'
import { outsideCalendars } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { type CalendarAccount, CalendarError } from '../../providers/calendars/port.ts'
import type { BusinessContext } from '../context.ts'
import type { Connection } from './access.ts'
import type { Calendar } from './apply-sync.ts'
import type { CalendarDeps } from './deps.ts'

/** A channel is renewed when it is over within this time. */
const RENEW_MS = 24 * 3_600_000

/**
 * Keeps the channel of push notices open, where the vendor has them and reaches this installation. Without one the calendar is
 * polled, so that a refusal fails nothing. @returns whether there is one
 */
export async function renewChannel(
  ctx: BusinessContext,
  { kind }: Connection,
  calendar: Calendar,
  account: CalendarAccount,
  deps: CalendarDeps,
): Promise<boolean> {
  if (!account.watch || (kind !== 'google' && kind !== 'microsoft')) return false
  const url = deps.noticeUrl(kind)
  if (!url) return false
  const { channelId, channelResource, channelExpiresAt } = calendar
  const known =
    channelId && channelResource && channelExpiresAt
      ? { id: channelId, resource: channelResource, expiresAt: channelExpiresAt }
      : null
  if (known && known.expiresAt.getTime() - deps.now().getTime() > RENEW_MS) return true
  const id = newId()
  try {
    // Microsoft chooses the id of a subscription itself: its secret is that of the calendar.
    const secret = deps.channelSecret(kind === 'microsoft' ? calendar.id : id)
    const address = kind === 'microsoft' ? `${url}?calendar=${calendar.id}` : url
    const made = await account.watch.open(calendar.remoteId, { id, secret, address }, known)
    await ctx.db
      .update(outsideCalendars)
      .set({ channelId: made.id, channelResource: made.resource, channelExpiresAt: made.expiresAt })
      .where(and(eq(outsideCalendars.id, calendar.id), eq(outsideCalendars.businessId, ctx.businessId)))
    if (known && known.id !== made.id) await account.watch.close(known)
    return true
  } catch (error) {
    if (!(error instanceof CalendarError) || error.problem === 'reconnect' || error.problem === 'unauthorized')
      throw error
    ctx.log.warn({ calendarId: calendar.id, problem: error.problem }, 'no channel for push notices of a calendar')
    return known !== null && known.expiresAt > deps.now()
  }
}

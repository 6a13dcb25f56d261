import { and, asc, eq, gt, inArray } from 'drizzle-orm'
import { z } from 'zod'
import { appointments, businesses, calendarFeeds, contacts, services, staff } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { hmacSha256, newId, secretsEqual } from '../../lib/ids.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { eventOf } from './push.ts'

const DAY_MS = 86_400_000
const PAST_DAYS = 30
const MOST_EVENTS = 5_000
const MOST_FEEDS = 50

export type FeedLinks = { urlOf(feedId: string): string; verify(feedId: string, token: string): boolean }

/** The address of a feed is its secret; a removed feed has none. @param baseUrl of `/calendars/feed` */
export function createFeedLinks(secret: string, baseUrl: string): FeedLinks {
  const tokenOf = (id: string) => hmacSha256(secret, `calendar feed:${id}`).slice(0, 40)
  return {
    urlOf: (id) => `${baseUrl}/${id}/${tokenOf(id)}.ics`,
    verify: (id, token) => secretsEqual(tokenOf(id), token),
  }
}

export const feedView = z.object({ id: z.uuid(), staffId: z.uuid().nullable(), url: z.string(), createdAt: z.date() })

export async function listFeeds(ctx: BusinessContext, links: FeedLinks): Promise<z.output<typeof feedView>[]> {
  const rows = await ctx.db
    .select()
    .from(calendarFeeds)
    .where(eq(calendarFeeds.businessId, ctx.businessId))
    .orderBy(asc(calendarFeeds.id))
  return rows.map(({ id, staffId, createdAt }) => ({ id, staffId, createdAt, url: links.urlOf(id) }))
}

/** @throws AppError `staff_not_found`, `calendars_full` */
export async function addFeed(ctx: BusinessContext, staffId: string | null): Promise<string> {
  return await ctx.db.transaction(async (tx) => {
    if (staffId) {
      const [row] = await tx
        .select({ id: staff.id })
        .from(staff)
        .where(and(eq(staff.id, staffId), eq(staff.businessId, ctx.businessId)))
      if (!row) throw new AppError('not_found', 'staff_not_found', 'There is no such person.', { field: 'staffId' })
    }
    const known = await tx
      .select({ id: calendarFeeds.id })
      .from(calendarFeeds)
      .where(eq(calendarFeeds.businessId, ctx.businessId))
    if (known.length >= MOST_FEEDS)
      throw new AppError('conflict', 'calendars_full', `A business has at most ${MOST_FEEDS} feeds.`)
    const id = newId()
    await tx.insert(calendarFeeds).values({ id, businessId: ctx.businessId, staffId })
    await audit(tx, ctx, { action: 'calendar.feed_add', entity: 'calendar_feed', entityId: id })
    return id
  })
}

/** Its address answers 404 from then on. @throws AppError `calendar_feed_not_found` */
export async function removeFeed(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .delete(calendarFeeds)
      .where(and(eq(calendarFeeds.id, id), eq(calendarFeeds.businessId, ctx.businessId)))
      .returning({ id: calendarFeeds.id })
    if (gone.length === 0)
      throw new AppError('not_found', 'calendar_feed_not_found', 'There is no such calendar address.')
    await audit(tx, ctx, { action: 'calendar.feed_remove', entity: 'calendar_feed', entityId: id })
  })
}

/** The appointments of a feed, by its id alone: the caller verified its link. Null for one that was removed. */
export async function readFeed(ctx: DomainContext, id: string, now = new Date()) {
  const [feed] = await ctx.db
    .select({ businessId: calendarFeeds.businessId, staffId: calendarFeeds.staffId, name: businesses.name })
    .from(calendarFeeds)
    .innerJoin(businesses, eq(businesses.id, calendarFeeds.businessId))
    .where(eq(calendarFeeds.id, id))
  if (!feed) return null
  const rows = await ctx.db
    .select({
      appointment: appointments,
      contact: contacts.name,
      phone: contacts.phone,
      serviceHe: services.nameHe,
      serviceEn: services.nameEn,
      language: businesses.language,
    })
    .from(appointments)
    .innerJoin(businesses, eq(businesses.id, appointments.businessId))
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .leftJoin(services, eq(services.id, appointments.serviceId))
    .where(
      and(
        eq(appointments.businessId, feed.businessId),
        inArray(appointments.state, ['booked', 'no_show']),
        gt(appointments.endsAt, new Date(now.getTime() - PAST_DAYS * DAY_MS)),
        feed.staffId ? eq(appointments.staffId, feed.staffId) : undefined,
      ),
    )
    .orderBy(asc(appointments.startsAt))
    .limit(MOST_EVENTS)
  return { name: feed.name, events: rows.map(eventOf) }
}

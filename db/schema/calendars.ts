import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { appointments, staff } from './appointments.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const CALENDAR_KINDS = ['google', 'microsoft', 'caldav', 'ics'] as const
export const CONNECTION_STATES = ['connected', 'needs_reconnect', 'failing'] as const
/** What happens when one of our appointments is moved or deleted in a calendar outside. */
export const OUTSIDE_CHANGE_RULES = ['ask', 'apply'] as const

/** An account outside whose calendars are read and written: of one person of the staff, or of the whole business. */
export const calendarConnections = pgTable(
  'calendar_connections',
  {
    id: id(),
    businessId: businessId(),
    /** Null is the whole business. */
    staffId: uuid('staff_id'),
    kind: text({ enum: CALENDAR_KINDS }).notNull(),
    /** What its owner recognizes it by: an address or a host. */
    name: text().notNull(),
    /** Tokens, password or address as JSON, sealed for this connection. */
    sealed: text().notNull(),
    state: text({ enum: CONNECTION_STATES }).notNull().default('connected'),
    /** A code of why it does not work. */
    reason: text(),
    /** Failed rounds in a row. */
    failures: integer().notNull().default(0),
    onChange: text('on_change', { enum: OUTSIDE_CHANGE_RULES }).notNull().default('ask'),
    /** Whether customers are notified of what was changed outside. */
    notifyCustomer: boolean('notify_customer').notNull().default(true),
    /** Whether the titles of events outside are kept. */
    showTitles: boolean('show_titles').notNull().default(false),
    syncedAt: at('synced_at'),
    nextSyncAt: at('next_sync_at').notNull().defaultNow(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('calendar_connections_tenant').on(t.businessId, t.id),
    index('calendar_connections_staff').on(t.businessId, t.staffId),
    index('calendar_connections_due').on(t.nextSyncAt).where(sql`${t.state} <> 'needs_reconnect'`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.staffId, staff, staff.id, 'cascade'),
  ],
)

/** A calendar of a connection. */
export const outsideCalendars = pgTable(
  'outside_calendars',
  {
    id: id(),
    businessId: businessId(),
    connectionId: uuid('connection_id').notNull(),
    /** Its id or address at the vendor. */
    remoteId: text('remote_id').notNull(),
    name: text().notNull(),
    writable: boolean().notNull(),
    /** Busy there is busy here. */
    reads: boolean().notNull().default(false),
    /** Our appointments appear there. */
    writes: boolean().notNull().default(false),
    /** Google's sync token, Graph's delta link, WebDAV's sync token, a feed's ETag; null reads everything. */
    syncState: text('sync_state'),
    /** When everything was read; the window of what is read moves with it. */
    readAt: at('read_at'),
    syncedAt: at('synced_at'),
    /** Of push notices. */
    channelId: text('channel_id'),
    channelResource: text('channel_resource'),
    channelExpiresAt: at('channel_expires_at'),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('outside_calendars_tenant').on(t.businessId, t.id),
    uniqueIndex('outside_calendars_remote').on(t.connectionId, t.remoteId),
    index('outside_calendars_connection').on(t.businessId, t.connectionId),
    uniqueIndex('outside_calendars_channel').on(t.channelId),
    check('outside_calendars_writes', sql`not ${t.writes} or ${t.writable}`),
    sameBusiness(t.businessId, t.connectionId, calendarConnections, calendarConnections.id, 'cascade'),
  ],
)

/** A copy of what is in calendars outside, without what we wrote there. */
export const outsideEvents = pgTable(
  'outside_events',
  {
    id: id(),
    businessId: businessId(),
    calendarId: uuid('calendar_id').notNull(),
    /** What changes as one there: the event, or the resource that holds a series. */
    objectId: text('object_id').notNull(),
    /** One occurrence. */
    eventId: text('event_id').notNull(),
    startsAt: at('starts_at').notNull(),
    endsAt: at('ends_at').notNull(),
    busy: boolean().notNull(),
    allDay: boolean('all_day').notNull(),
    etag: text(),
    /** Only where the business keeps titles. */
    title: text(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('outside_events_event').on(t.calendarId, t.eventId),
    index('outside_events_calendar').on(t.businessId, t.calendarId, t.objectId),
    index('outside_events_busy').on(t.businessId, t.endsAt).where(sql`${t.busy}`),
    check('outside_events_order', sql`${t.endsAt} > ${t.startsAt}`),
    sameBusiness(t.businessId, t.calendarId, outsideCalendars, outsideCalendars.id, 'cascade'),
  ],
)

/** An appointment of ours as an event outside. */
export const calendarPushes = pgTable(
  'calendar_pushes',
  {
    id: id(),
    businessId: businessId(),
    appointmentId: uuid('appointment_id').notNull(),
    calendarId: uuid('calendar_id').notNull(),
    /** Chosen before the event is written: written twice it is the same; null where the vendor chooses. */
    eventId: text('event_id'),
    /** `pending` was never confirmed by the vendor; `removing` is about to be deleted there. */
    state: text({ enum: ['pending', 'pushed', 'removing'] })
      .notNull()
      .default('pending'),
    /** Of the content that was written last. */
    content: text(),
    revision: integer().notNull().default(0),
    etag: text(),
    /** The times that were written: others there were set by a person. */
    startsAt: at('starts_at'),
    endsAt: at('ends_at'),
    attempts: integer().notNull().default(0),
    nextAt: at('next_at').notNull().defaultNow(),
    error: text(),
    /** What a person did with it outside, until someone decides. */
    change: text({ enum: ['moved', 'deleted'] }),
    changedStartsAt: at('changed_starts_at'),
    changedEndsAt: at('changed_ends_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('calendar_pushes_once').on(t.calendarId, t.appointmentId),
    uniqueIndex('calendar_pushes_event').on(t.calendarId, t.eventId),
    index('calendar_pushes_appointment').on(t.businessId, t.appointmentId),
    index('calendar_pushes_calendar').on(t.businessId, t.calendarId),
    index('calendar_pushes_change').on(t.businessId).where(sql`${t.change} is not null`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.appointmentId, appointments, appointments.id, 'cascade'),
    sameBusiness(t.businessId, t.calendarId, outsideCalendars, outsideCalendars.id, 'cascade'),
  ],
)

/** A secret address under which calendar programs read our appointments. */
export const calendarFeeds = pgTable(
  'calendar_feeds',
  {
    id: id(),
    businessId: businessId(),
    /** Null is everybody. */
    staffId: uuid('staff_id'),
    createdAt: createdAt(),
  },
  (t) => [
    index('calendar_feeds_business').on(t.businessId),
    index('calendar_feeds_staff').on(t.businessId, t.staffId),
    sameBusiness(t.businessId, t.staffId, staff, staff.id, 'cascade'),
  ],
)

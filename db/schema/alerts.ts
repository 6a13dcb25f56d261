import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { events } from './events.ts'
import { pushDevices } from './push.ts'
import { businessId, sameBusiness } from './tenant.ts'

/** By which a member is notified. */
export const MEMBER_WAYS = ['push', 'email', 'whatsapp', 'sms', 'call'] as const
/** By which a chat or a program outside is notified. */
export const CHANNEL_WAYS = ['slack', 'telegram', 'webhook'] as const
export const ALERT_WAYS = [...MEMBER_WAYS, ...CHANNEL_WAYS] as const

/** Which ways a member wants for a kind of alert; a kind that is missing has the defaults. */
export type AlertRules = Record<string, (typeof MEMBER_WAYS)[number][]>

/** Events of which members may have to be notified; gone as soon as it is decided whom. Named by its first use. */
export const alertNotices = pgTable(
  'push_notices',
  {
    eventSeq: bigint('event_seq', { mode: 'bigint' }).primaryKey(),
    businessId: businessId(),
  },
  (t) => [
    index('push_notices_business').on(t.businessId, t.eventSeq),
    sameBusiness(t.businessId, t.eventSeq, events, events.seq, 'cascade'),
  ],
)

/** How a member is notified. */
export const alertMembers = pgTable(
  'alert_members',
  {
    id: id(),
    businessId: businessId(),
    /** Null for the machine of the sandbox, which has no login. */
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    language: text({ enum: ['he', 'en'] }).notNull(),
    /** E.164: the member's own number. */
    phone: text(),
    /** When the member proved that the number is theirs; until then no alert goes there. */
    phoneVerifiedAt: at('phone_verified_at'),
    /** Fingerprint of the code that was sent to the number, with the number in it. */
    phoneCode: text('phone_code'),
    phoneCodeAt: at('phone_code_at'),
    /** Wrong answers to it. */
    phoneCodeTries: integer('phone_code_tries').notNull().default(0),
    rules: jsonb().$type<AlertRules>().notNull().default({}),
    /** Local times `HH:MM` between which only critical alerts come; both or neither. */
    quietFrom: text('quiet_from'),
    quietTo: text('quiet_to'),
    /** Whether it is quiet on the rest days of the Hebrew calendar too: from the evening before to the evening. */
    quietRestDays: boolean('quiet_rest_days').notNull().default(false),
    /** Local time of the summary of a day; null is none. */
    dailyAt: text('daily_at'),
    /** Weekday of the summary of a week, 0 = Sunday; null is none. */
    weeklyOn: integer('weekly_on'),
    nextDailyAt: at('next_daily_at'),
    nextWeeklyAt: at('next_weekly_at'),
    /** When the member unsubscribed from mail; null: gets mail. */
    mailOffAt: at('mail_off_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('alert_members_user').on(t.businessId, t.userId).where(sql`${t.userId} is not null`),
    uniqueIndex('alert_members_machine').on(t.businessId).where(sql`${t.userId} is null`),
    index('alert_members_business').on(t.businessId),
    index('alert_members_login').on(t.userId),
    index('alert_members_daily').on(t.nextDailyAt).where(sql`${t.nextDailyAt} is not null`),
    index('alert_members_weekly').on(t.nextWeeklyAt).where(sql`${t.nextWeeklyAt} is not null`),
    check('alert_members_quiet', sql`(${t.quietFrom} is null) = (${t.quietTo} is null)`),
    check('alert_members_phone_form', sql`${t.phone} ~ '^\\+[0-9]{6,15}$'`),
    ...enumChecks(t),
  ],
)

/** A chat or a program outside that is notified: Slack, Telegram or any URL. */
export const alertChannels = pgTable(
  'alert_channels',
  {
    id: id(),
    businessId: businessId(),
    way: text({ enum: CHANNEL_WAYS }).notNull(),
    label: text().notNull(),
    language: text({ enum: ['he', 'en'] }).notNull(),
    /** Address and secrets, sealed for this row. */
    sealed: text().notNull(),
    /** Kinds of alerts; null is every kind that is important or critical. */
    kinds: text().array(),
    enabled: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('alert_channels_tenant').on(t.businessId, t.id), ...enumChecks(t)],
)

/** Who is notified next when no one reacts. */
export const alertLadder = pgTable(
  'alert_ladder',
  {
    id: id(),
    businessId: businessId(),
    position: integer().notNull(),
    /** Null for the machine of the sandbox. */
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    ways: text().array().$type<(typeof MEMBER_WAYS)[number][]>().notNull(),
    /** After the alert, in minutes. */
    afterMinutes: integer('after_minutes').notNull(),
  },
  (t) => [
    uniqueIndex('alert_ladder_position').on(t.businessId, t.position),
    index('alert_ladder_user').on(t.userId),
    check('alert_ladder_after', sql`${t.afterMinutes} between 1 and 1440`),
  ],
)

export const alertSettings = pgTable('alert_settings', {
  businessId: businessId().primaryKey(),
  /** Kinds that are escalated; null is the critical ones. */
  escalated: text().array(),
  /** A WhatsApp template for members who have not written for a day: its variables are 1 title, 2 text, 3 link. */
  whatsappTemplate: text('whatsapp_template'),
  updatedAt: updatedAt(),
})

/** What happened, or is wrong, once for each kind and subject. */
export const alertIncidents = pgTable(
  'alert_incidents',
  {
    id: id(),
    businessId: businessId(),
    kind: text().notNull(),
    /** What it is about: the id of a row, or the name of a part. */
    subject: text().notNull(),
    /** `watched`: seen too seldom or too shortly to tell of it. */
    state: text({ enum: ['watched', 'open', 'over'] }).notNull(),
    /** The one member whom it concerns; null is everybody by their rules. */
    memberId: text('member_id').references(() => users.id, { onDelete: 'set null' }),
    /** Facts of a condition: names and numbers, never what customers wrote. */
    facts: jsonb().$type<Record<string, string | number>>(),
    /** How often it was found since it began. */
    strikes: integer().notNull().default(1),
    /** How often it seemed over and came back. */
    flaps: integer().notNull().default(0),
    firstAt: at('first_at').notNull(),
    lastAt: at('last_at').notNull(),
    /** Since when it is found without a pause; null while it is not found. */
    badSince: at('bad_since'),
    /** Since when it is not found any more. */
    goodSince: at('good_since'),
    /** When members were notified. */
    openedAt: at('opened_at'),
    /** When a member first looked at it. */
    seenAt: at('seen_at'),
    seenBy: text('seen_by').references(() => users.id, { onDelete: 'set null' }),
    takenAt: at('taken_at'),
    takenBy: text('taken_by').references(() => users.id, { onDelete: 'set null' }),
    takenHow: text('taken_how', { enum: ['console', 'whatsapp', 'sms', 'call', 'telegram'] }),
    answer: text({ enum: ['done', 'call_back'] }),
    overAt: at('over_at'),
    /** From then on nothing is sent of it. */
    expiresAt: at('expires_at').notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('alert_incidents_tenant').on(t.businessId, t.id),
    uniqueIndex('alert_incidents_current').on(t.businessId, t.kind, t.subject).where(sql`${t.state} <> 'over'`),
    index('alert_incidents_subject').on(t.businessId, t.kind, t.subject, t.id),
    index('alert_incidents_expiry').on(t.expiresAt).where(sql`${t.state} <> 'over'`),
    index('alert_incidents_age').on(t.createdAt),
    index('alert_incidents_member').on(t.memberId),
    index('alert_incidents_seen_by').on(t.seenBy),
    index('alert_incidents_taken_by').on(t.takenBy),
    ...enumChecks(t),
  ],
)

/** A step of an escalation, done when it is due and no one has reacted. */
export const alertSteps = pgTable(
  'alert_steps',
  {
    id: id(),
    businessId: businessId(),
    incidentId: uuid('incident_id').notNull(),
    position: integer().notNull(),
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    ways: text().array().$type<(typeof MEMBER_WAYS)[number][]>().notNull(),
    dueAt: at('due_at').notNull(),
    state: text({ enum: ['pending', 'done', 'skipped'] })
      .notNull()
      .default('pending'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('alert_steps_position').on(t.incidentId, t.position),
    index('alert_steps_business').on(t.businessId, t.incidentId),
    index('alert_steps_due').on(t.dueAt).where(sql`${t.state} = 'pending'`),
    index('alert_steps_user').on(t.userId),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.incidentId, alertIncidents, alertIncidents.id, 'cascade'),
  ],
)

/** One alert on its way to one member or channel by one way. */
export const alertDeliveries = pgTable(
  'alert_deliveries',
  {
    id: id(),
    businessId: businessId(),
    /** Null for a summary and for a test. */
    incidentId: uuid('incident_id'),
    kind: text().notNull(),
    purpose: text({ enum: ['alert', 'escalation', 'taken', 'all_clear', 'summary', 'test'] }).notNull(),
    way: text({ enum: ALERT_WAYS }).notNull(),
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    deviceId: uuid('device_id'),
    channelId: uuid('channel_id'),
    /** Written once: what is decided twice is notified once. */
    key: text().notNull(),
    /** `held`: until a quiet time or a limit is over, then notified with others in one summary (`summarized`). */
    state: text({
      enum: ['pending', 'held', 'sending', 'sent', 'summarized', 'dropped', 'failed', 'unknown'],
    }).notNull(),
    /** The number that was notified, by which an answer is recognized. */
    address: text(),
    /** Of a summary: what it covers. */
    covers: jsonb().$type<{ from: string; to: string; incidentIds?: string[] }>(),
    notBefore: at('not_before').notNull(),
    expiresAt: at('expires_at').notNull(),
    queuedAt: at('queued_at'),
    claimedAt: at('claimed_at'),
    attempts: integer().notNull().default(0),
    /** The provider's id of what was sent. */
    providerRef: text('provider_ref'),
    error: text(),
    sentAt: at('sent_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('alert_deliveries_once').on(t.businessId, t.key),
    index('alert_deliveries_list').on(t.businessId, t.id),
    index('alert_deliveries_incident').on(t.businessId, t.incidentId),
    index('alert_deliveries_waiting').on(t.notBefore).where(sql`${t.state} in ('pending', 'held', 'sending')`),
    index('alert_deliveries_address').on(t.businessId, t.address, t.sentAt).where(sql`${t.address} is not null`),
    index('alert_deliveries_device').on(t.businessId, t.deviceId),
    index('alert_deliveries_channel').on(t.businessId, t.channelId),
    index('alert_deliveries_user').on(t.userId),
    index('alert_deliveries_age').on(t.createdAt),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.incidentId, alertIncidents, alertIncidents.id, 'cascade'),
    sameBusiness(t.businessId, t.deviceId, pushDevices, pushDevices.id, 'cascade'),
    sameBusiness(t.businessId, t.channelId, alertChannels, alertChannels.id, 'cascade'),
  ],
)

/** What the watch over the installation remembers between its rounds. */
export const alertWatch = pgTable('alert_watch', {
  name: text().primaryKey(),
  at: at().notNull(),
})

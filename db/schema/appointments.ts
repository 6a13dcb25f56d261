import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { WeekHours } from './businesses.ts'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { memberships } from './members.ts'
import { payments } from './payments.ts'
import { businessId, sameBusiness } from './tenant.ts'

/** The colours that distinguish the people of the staff in a calendar. */
export const STAFF_COLORS = ['blue', 'green', 'purple', 'orange', 'pink', 'teal', 'red', 'gray'] as const
/** In which languages the booking page is. */
export const PAGE_LANGUAGES = ['both', 'he', 'en'] as const
/** Whether the booking page asks for a note. */
export const PAGE_NOTES = ['off', 'optional', 'required'] as const

/** Where a service is given. */
export const SERVICE_PLACES = ['phone', 'customer', 'business'] as const
/** Who or what asked for an appointment. */
export const BOOKING_SOURCES = ['voice', 'whatsapp', 'console', 'page', 'calendar'] as const
/** Of who waits; those of `waiting` and `offered` are open. */
export const WAITING_STATES = ['waiting', 'offered', 'booked', 'expired', 'cancelled'] as const
export const APPOINTMENT_STATES = ['held', 'booked', 'cancelled', 'expired', 'no_show'] as const
/** The states that take up time. */
export const TAKING_STATES = ['held', 'booked', 'no_show'] as const

/** What a holiday of a kind does to the opening hours; `half` closes at 13:00. */
export const HOLIDAY_RULES = ['open', 'half', 'closed'] as const
export type HolidayRule = (typeof HOLIDAY_RULES)[number]
export type HolidayRules = Partial<
  Record<'rest' | 'independence' | 'eve' | 'cholHamoed' | 'purim' | 'fast', HolidayRule>
>

/** Minutes between two areas, in both directions. */
export type TravelTimes = { from: string; to: string; minutes: number }[]

/** By which a customer is notified. */
export const NOTICE_WAYS = ['whatsapp', 'sms', 'voice'] as const
export type NoticeWay = (typeof NOTICE_WAYS)[number]
/** What a customer is notified of in words that the business may write itself. */
export const NOTICE_TEXTS = [
  'booked',
  'moved',
  'cancelled',
  'reminder',
  'follow_up',
  'no_show',
  'deposit',
  'released',
  'refund_due',
] as const
export type NoticeTextKind = (typeof NOTICE_TEXTS)[number]
/** By language and kind. */
export type NoticeTexts = Partial<Record<'he' | 'en', Partial<Record<NoticeTextKind, string>>>>

export type ReminderRules = {
  /** How long before the start; each is sent once. */
  before: number[]
  /** Hours of the day, local, in which reminders go out. */
  from: string
  to: string
  /** Minutes after the end; null sends none. */
  followUpAfter: number | null
  /** In this order, each when the one before it failed; WhatsApp alone where none is named. Only reminders are read out. */
  ways?: NoticeWay[] | undefined
  /** Whether a customer who did not come is written to. */
  noShow?: boolean | undefined
  /** The business's own words; the usual ones where it has none. */
  texts?: NoticeTexts | undefined
  /** WhatsApp templates for customers who have not written for a day; their variables are 1 business, 2 time, 3 link. */
  templates?: NoticeTexts | undefined
}

/** How a business takes appointments. A business without a row has the defaults. */
export const bookingSettings = pgTable(
  'booking_settings',
  {
    businessId: businessId().primaryKey(),
    /** Of the booking page's address. */
    slug: text(),
    pageEnabled: boolean('page_enabled').notNull().default(false),
    pageLanguage: text('page_language', { enum: PAGE_LANGUAGES }).notNull().default('both'),
    pageNote: text('page_note', { enum: PAGE_NOTES }).notNull().default('optional'),
    /** How many appointments ahead a customer may have by their own hand. */
    openPerCustomer: integer('open_per_customer').notNull().default(5),
    /** Starts are offered in steps of so many minutes from the opening on. */
    stepMinutes: integer('step_minutes').notNull().default(30),
    /** How soon a customer may come. */
    noticeMinutes: integer('notice_minutes').notNull().default(60),
    aheadDays: integer('ahead_days').notNull().default(60),
    holdMinutes: integer('hold_minutes').notNull().default(10),
    /** How long a deposit is waited for. */
    depositMinutes: integer('deposit_minutes').notNull().default(60),
    /** How long a time that became free is held for who waits for it. */
    offerMinutes: integer('offer_minutes').notNull().default(30),
    /** Until how long before the start a customer moves or cancels without the business. */
    changeMinutes: integer('change_minutes').notNull().default(120),
    holidays: jsonb().$type<HolidayRules>(),
    travel: jsonb().$type<TravelTimes>().notNull().default([]),
    reminders: jsonb().$type<ReminderRules>(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('booking_settings_slug').on(t.slug),
    check(
      'booking_settings_slug_form',
      sql`${t.slug} ~ '^[a-z0-9](-?[a-z0-9])*$' and length(${t.slug}) between 3 and 60`,
    ),
    check(
      'booking_settings_bounds',
      sql`${t.stepMinutes} between 5 and 240 and ${t.noticeMinutes} between 0 and 43200 and ${t.aheadDays} between 1 and 366
        and ${t.holdMinutes} between 1 and 120 and ${t.depositMinutes} between 5 and 2880 and ${t.changeMinutes} between 0 and 43200`,
    ),
    check('booking_settings_offer', sql`${t.offerMinutes} between 5 and 1440`),
    check('booking_settings_open', sql`${t.openPerCustomer} between 1 and 50`),
    ...enumChecks(t),
  ],
)

/** Who gives services. Each business has a default row, for appointments that name no one. */
export const staff = pgTable(
  'staff',
  {
    id: id(),
    businessId: businessId(),
    name: text().notNull(),
    /** The member that this is, if any. */
    memberId: uuid('member_id').references(() => memberships.id, { onDelete: 'set null' }),
    isDefault: boolean('is_default').notNull().default(false),
    /** Null has the business's hours. */
    hours: jsonb().$type<WeekHours>(),
    breaks: jsonb().$type<WeekHours>().notNull().default({}),
    color: text({ enum: STAFF_COLORS }).notNull().default('blue'),
    /** How many customers at the same time. */
    capacity: integer().notNull().default(1),
    archivedAt: at('archived_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('staff_tenant').on(t.businessId, t.id),
    uniqueIndex('staff_default').on(t.businessId).where(sql`${t.isDefault}`),
    index('staff_member').on(t.memberId),
    check('staff_capacity', sql`${t.capacity} between 1 and 100`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.memberId, memberships, memberships.id, 'no action'),
  ],
)

/** When staff is away. */
export const staffAbsences = pgTable(
  'staff_absences',
  {
    id: id(),
    businessId: businessId(),
    staffId: uuid('staff_id').notNull(),
    startsAt: at('starts_at').notNull(),
    endsAt: at('ends_at').notNull(),
    reason: text(),
    createdAt: createdAt(),
  },
  (t) => [
    index('staff_absences_staff').on(t.businessId, t.staffId, t.endsAt),
    check('staff_absences_order', sql`${t.endsAt} > ${t.startsAt}`),
    sameBusiness(t.businessId, t.staffId, staff, staff.id, 'cascade'),
  ],
)

export const services = pgTable(
  'services',
  {
    id: id(),
    businessId: businessId(),
    nameHe: text('name_he').notNull(),
    nameEn: text('name_en').notNull(),
    minutes: integer().notNull(),
    /** Minutes that are kept free around it. */
    bufferBefore: integer('buffer_before').notNull().default(0),
    bufferAfter: integer('buffer_after').notNull().default(0),
    /** Agorot; null is not shown. */
    price: integer(),
    /** Agorot that are paid before the appointment counts; null asks for none. */
    deposit: integer(),
    place: text({ enum: SERVICE_PLACES }).notNull().default('business'),
    /** Whether customers book it by themselves. */
    online: boolean().notNull().default(true),
    /** In lists, from 0. */
    position: integer().notNull().default(0),
    archivedAt: at('archived_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('services_tenant').on(t.businessId, t.id),
    check(
      'services_bounds',
      sql`${t.minutes} between 5 and 1440 and ${t.bufferBefore} between 0 and 480 and ${t.bufferAfter} between 0 and 480
        and ${t.price} between 0 and 100000000 and ${t.deposit} between 100 and 100000000`,
    ),
    ...enumChecks(t),
  ],
)

/** Who gives a service; all staff where no row names one. */
export const serviceStaff = pgTable(
  'service_staff',
  {
    businessId: businessId(),
    serviceId: uuid('service_id').notNull(),
    staffId: uuid('staff_id').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.serviceId, t.staffId] }),
    index('service_staff_service').on(t.businessId, t.serviceId),
    index('service_staff_staff').on(t.businessId, t.staffId),
    sameBusiness(t.businessId, t.serviceId, services, services.id, 'cascade'),
    sameBusiness(t.businessId, t.staffId, staff, staff.id, 'cascade'),
  ],
)

/**
 * No two of the same seat of the same staff overlap (`appointments_no_overlap`, an exclusion constraint, in the migration:
 * Drizzle has none). A trigger of the migration fills what a writer of an earlier version leaves out.
 */
export const appointments = pgTable(
  'appointments',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'set null' }),
    callId: uuid('call_id').references(() => calls.id, { onDelete: 'set null' }),
    staffId: uuid('staff_id').notNull(),
    serviceId: uuid('service_id').references(() => services.id, { onDelete: 'set null' }),
    /** Of the staff's capacity, from 0. */
    seat: integer().notNull().default(0),
    startsAt: at('starts_at').notNull(),
    endsAt: at('ends_at').notNull(),
    /** With the service's buffers. */
    busyFrom: at('busy_from').notNull(),
    busyTo: at('busy_to').notNull(),
    /** What was agreed on: the instants follow it when the rules of the zone change. */
    zone: text().notNull(),
    localDate: date('local_date').notNull(),
    localTime: text('local_time').notNull(),
    state: text({ enum: APPOINTMENT_STATES }).notNull().default('booked'),
    /** When a held one is given up. */
    heldUntil: at('held_until'),
    /** When a member confirmed it; until then the caller can book no other. */
    confirmedAt: at('confirmed_at'),
    /** When the customer said that they come. */
    customerConfirmedAt: at('customer_confirmed_at'),
    source: text({ enum: BOOKING_SOURCES }).notNull().default('console'),
    /** What makes a repeated request the same one. */
    requestKey: text('request_key'),
    depositPaymentId: uuid('deposit_payment_id').references(() => payments.id, { onDelete: 'set null' }),
    /** When its deposit was paid in time, or for a time that was still free. */
    depositPaidAt: at('deposit_paid_at'),
    /** Since when a deposit is to be given back that was paid too late. */
    refundDueAt: at('refund_due_at'),
    /** Between areas it takes time to travel. */
    area: text(),
    language: text({ enum: ['he', 'en'] }),
    name: text(),
    note: text(),
    /** Counts the changes of its time. */
    revision: integer().notNull().default(1),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('appointments_tenant').on(t.businessId, t.id),
    uniqueIndex('appointments_request').on(t.businessId, t.requestKey).where(sql`${t.requestKey} is not null`),
    index('appointments_business').on(t.businessId, t.startsAt),
    index('appointments_staff').on(t.businessId, t.staffId, t.startsAt),
    index('appointments_service').on(t.serviceId),
    index('appointments_deposit').on(t.depositPaymentId),
    index('appointments_held').on(t.heldUntil).where(sql`${t.state} = 'held'`),
    index('appointments_timeline').on(t.contactId, t.createdAt, t.id),
    index('appointments_call').on(t.callId),
    check('appointments_order', sql`${t.endsAt} > ${t.startsAt}`),
    check('appointments_busy', sql`${t.busyFrom} <= ${t.startsAt} and ${t.busyTo} >= ${t.endsAt}`),
    check('appointments_held_until', sql`${t.state} <> 'held' or ${t.heldUntil} is not null`),
    check('appointments_seat', sql`${t.seat} >= 0`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'no action'),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'no action'),
    sameBusiness(t.businessId, t.staffId, staff, staff.id, 'no action'),
    sameBusiness(t.businessId, t.serviceId, services, services.id, 'no action'),
    sameBusiness(t.businessId, t.depositPaymentId, payments, payments.id, 'no action'),
  ],
)

/** Customers who want a time that is taken; notified when one gets free, which is held for them for a while. */
export const waitingList = pgTable(
  'waiting_list',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').notNull(),
    serviceId: uuid('service_id'),
    /** Null is anybody. */
    staffId: uuid('staff_id'),
    minutes: integer().notNull(),
    /** A start between these suits. */
    fromAt: at('from_at').notNull(),
    toAt: at('to_at').notNull(),
    language: text({ enum: ['he', 'en'] }).notNull(),
    state: text({ enum: WAITING_STATES }).notNull().default('waiting'),
    /** What is held for them. */
    appointmentId: uuid('appointment_id'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('waiting_list_waiting').on(t.businessId, t.createdAt).where(sql`${t.state} in ('waiting', 'offered')`),
    index('waiting_list_contact').on(t.businessId, t.contactId),
    index('waiting_list_service').on(t.businessId, t.serviceId),
    index('waiting_list_staff').on(t.businessId, t.staffId),
    index('waiting_list_appointment').on(t.businessId, t.appointmentId),
    check('waiting_list_order', sql`${t.toAt} > ${t.fromAt}`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
    sameBusiness(t.businessId, t.serviceId, services, services.id, 'cascade'),
    sameBusiness(t.businessId, t.staffId, staff, staff.id, 'cascade'),
    sameBusiness(t.businessId, t.appointmentId, appointments, appointments.id, 'cascade'),
  ],
)

/** What a customer is notified about an appointment, each once. */
export const appointmentNotices = pgTable(
  'appointment_notices',
  {
    id: id(),
    businessId: businessId(),
    appointmentId: uuid('appointment_id').notNull(),
    kind: text({ enum: [...NOTICE_TEXTS, 'offer', 'confirmed', 'move', 'too_late', 'unclear'] }).notNull(),
    /** Of the appointment: one of an earlier time is not sent. */
    revision: integer().notNull(),
    /** Minutes before the start, of a reminder. */
    before: integer().notNull().default(0),
    /** Of an answer: what it answers. */
    key: text().notNull().default(''),
    dueAt: at('due_at').notNull(),
    /** `sending`: an attempt by SMS or telephone has begun. `unknown`: it may have arrived, and is not repeated. */
    state: text({ enum: ['pending', 'sending', 'sent', 'dropped', 'failed', 'unknown'] })
      .notNull()
      .default('pending'),
    /** The ways of this one where they are not those of the business. */
    ways: text().array().$type<NoticeWay[]>(),
    /** The ways that failed. */
    tried: text().array().$type<NoticeWay[]>().notNull().default([]),
    way: text({ enum: NOTICE_WAYS }),
    attempts: integer().notNull().default(0),
    claimedAt: at('claimed_at'),
    /** The number that an SMS or a call went to, by which an answer is recognized. */
    address: text(),
    /** The carrier's id of the SMS or call. */
    providerRef: text('provider_ref'),
    /** Of the message that was sent, or why none was. */
    detail: text(),
    sentAt: at('sent_at'),
    /** The last answer of the customer that was read. */
    replyMessageId: uuid('reply_message_id'),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('appointment_notices_each').on(t.appointmentId, t.kind, t.revision, t.before, t.key),
    index('appointment_notices_appointment').on(t.businessId, t.appointmentId),
    index('appointment_notices_due').on(t.dueAt).where(sql`${t.state} = 'pending'`),
    index('appointment_notices_sending').on(t.claimedAt).where(sql`${t.state} = 'sending'`),
    index('appointment_notices_sent').on(t.businessId, t.sentAt).where(sql`${t.state} = 'sent'`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.appointmentId, appointments, appointments.id, 'cascade'),
  ],
)

import { and, asc, desc, eq, gt, inArray, isNull, lt, ne } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import {
  appointments,
  bookingSettings,
  businesses,
  receptionistProfiles,
  serviceStaff,
  services,
  staff,
  staffAbsences,
  TAKING_STATES,
  type WeekHours,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { BusinessContext } from '../context.ts'
import type { AvailabilityQuery, StaffTimes } from './availability.ts'
import { busyTimes } from './busy-times.ts'
import { HALF_DAY_ENDS, ruleOn } from './holidays.ts'
import { type BusinessHours, hoursOf, weekOf } from './hours.ts'

export type BookingSettings = Omit<typeof bookingSettings.$inferSelect, 'businessId' | 'updatedAt'>
export type Service = typeof services.$inferSelect

export const DEFAULT_SETTINGS: BookingSettings = {
  slug: null,
  pageEnabled: false,
  pageLanguage: 'both',
  pageNote: 'optional',
  openPerCustomer: 5,
  stepMinutes: 30,
  noticeMinutes: 60,
  aheadDays: 60,
  holdMinutes: 10,
  depositMinutes: 60,
  offerMinutes: 30,
  changeMinutes: 120,
  holidays: null,
  travel: [],
  reminders: null,
}

export type BusinessCalendar = {
  name: string
  language: 'he' | 'en'
  timeZone: string
  hours: WeekHours
  /** Dates on which the business is closed by its own choice. */
  closed: ReadonlySet<string>
  settings: BookingSettings
}

const profileHolidays = z.object({ hours: z.object({ holidays: z.array(z.string()).default([]) }).optional() })

/** How a business is open, and how it takes appointments. @throws AppError `business_not_found` */
export async function readCalendar(tx: Executor, ctx: BusinessContext): Promise<BusinessCalendar> {
  const [row] = await tx
    .select({ business: businesses, settings: bookingSettings, profile: receptionistProfiles.settings })
    .from(businesses)
    .leftJoin(bookingSettings, eq(bookingSettings.businessId, businesses.id))
    .leftJoin(receptionistProfiles, eq(receptionistProfiles.businessId, businesses.id))
    .where(eq(businesses.id, ctx.businessId))
    .orderBy(desc(receptionistProfiles.version))
    .limit(1)
  if (!row) throw new AppError('not_found', 'business_not_found', 'There is no such business.')
  const {
    businessId: _,
    updatedAt: __,
    ...settings
  } = row.settings ?? { ...DEFAULT_SETTINGS, businessId: '', updatedAt: null }
  const { name, language, timezone } = row.business
  const holidays = profileHolidays.safeParse(row.profile ?? {}).data?.hours?.holidays ?? []
  return {
    name,
    language,
    timeZone: timezone,
    hours: hoursOf(weekOf(row.business.hours)),
    closed: new Set(holidays),
    settings,
  }
}

/** The same, with the hours that a caller has in memory. */
export function withHoursOf(calendar: BusinessCalendar, hours: BusinessHours, timeZone: string): BusinessCalendar {
  return { ...calendar, timeZone, hours: hoursOf(hours.week), closed: new Set(hours.holidays) }
}

/** What the holidays and the business's own closed days leave of a date. */
export function dateRuleOf(calendar: BusinessCalendar): AvailabilityQuery['dateRule'] {
  // Who works elsewhere keeps these days only by choice.
  const keeps = calendar.settings.holidays ?? (calendar.timeZone === 'Asia/Jerusalem' ? {} : null)
  return (date) => {
    if (calendar.closed.has(date)) return 'closed'
    const rule = keeps ? ruleOn(date, keeps) : 'open'
    return rule === 'half' ? { until: HALF_DAY_ENDS } : rule
  }
}

export function travelFrom(calendar: BusinessCalendar, area: string | null): (other: string) => number {
  return (other) => {
    if (!area || area === other) return 0
    const found = calendar.settings.travel.find(
      ({ from, to }) => (from === area && to === other) || (from === other && to === area),
    )
    return found?.minutes ?? 0
  }
}

/** @throws AppError `service_not_found` */
export async function readService(tx: Executor, ctx: BusinessContext, id: string): Promise<Service> {
  const [row] = await tx
    .select()
    .from(services)
    .where(and(eq(services.id, id), eq(services.businessId, ctx.businessId), isNull(services.archivedAt)))
  if (!row) throw new AppError('not_found', 'service_not_found', 'There is no such service.', { field: 'serviceId' })
  return row
}

/** The row of appointments that name no one; made where a business has none yet. */
export async function defaultStaffId(tx: Executor, ctx: BusinessContext): Promise<string> {
  const find = () =>
    tx
      .select({ id: staff.id })
      .from(staff)
      .where(and(eq(staff.businessId, ctx.businessId), eq(staff.isDefault, true)))
  const [known] = await find()
  if (known) return known.id
  const [business] = await tx
    .select({ name: businesses.name })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
  if (!business) throw new AppError('not_found', 'business_not_found', 'There is no such business.')
  await tx
    .insert(staff)
    .values({ id: newId(), businessId: ctx.businessId, name: business.name.slice(0, 200), isDefault: true })
    .onConflictDoNothing()
  const [made] = await find()
  if (!made) throw new Error('The default staff was not made.')
  return made.id
}

export type Wanted = {
  /** Null is anybody who gives the service. */
  staffId?: string | null
  serviceId?: string | null
  /** The appointment that is moved: its own time is free for it. */
  except?: string
}

/**
 * Who may give an appointment, with all that takes their time between two moments.
 * @throws AppError `staff_not_found`
 */
export async function readStaffTimes(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  wanted: Wanted,
  span: { from: Date; to: Date },
): Promise<StaffTimes[]> {
  await defaultStaffId(tx, ctx)
  const all = await tx
    .select()
    .from(staff)
    .where(and(eq(staff.businessId, ctx.businessId), isNull(staff.archivedAt)))
    .orderBy(asc(staff.createdAt), asc(staff.id))
  const givers = wanted.serviceId
    ? await tx
        .select({ id: serviceStaff.staffId })
        .from(serviceStaff)
        .where(and(eq(serviceStaff.businessId, ctx.businessId), eq(serviceStaff.serviceId, wanted.serviceId)))
    : []
  const may = all.filter(
    ({ id }) =>
      (!wanted.staffId || id === wanted.staffId) && (givers.length === 0 || givers.some((each) => each.id === id)),
  )
  if (wanted.staffId && may.length === 0)
    throw new AppError('not_found', 'staff_not_found', 'There is no such person for this service.', {
      field: 'staffId',
    })
  const ids = may.map(({ id }) => id)
  if (ids.length === 0) return []
  const taken = await tx
    .select()
    .from(appointments)
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        inArray(appointments.staffId, ids),
        inArray(appointments.state, [...TAKING_STATES]),
        lt(appointments.busyFrom, span.to),
        gt(appointments.busyTo, span.from),
        wanted.except ? ne(appointments.id, wanted.except) : undefined,
      ),
    )
  const away = await tx
    .select()
    .from(staffAbsences)
    .where(
      and(
        eq(staffAbsences.businessId, ctx.businessId),
        inArray(staffAbsences.staffId, ids),
        lt(staffAbsences.startsAt, span.to),
        gt(staffAbsences.endsAt, span.from),
      ),
    )
  const outside = await busyTimes(tx, ctx, span.from, span.to)
  return may.map((each): StaffTimes => {
    const mine = <T extends { staffId: string | null }>(rows: T[]) =>
      rows.filter(({ staffId }) => staffId === each.id || staffId === null)
    return {
      id: each.id,
      capacity: each.capacity,
      hours: each.hours ?? calendar.hours,
      breaks: each.breaks,
      absences: mine(away).map((row) => ({ from: row.startsAt.getTime(), to: row.endsAt.getTime() })),
      busy: [
        ...mine(taken).map((row) => ({
          from: row.busyFrom.getTime(),
          to: row.busyTo.getTime(),
          seat: row.seat,
          area: row.area,
        })),
        ...mine(outside).map(({ from, to }) => ({ from: from.getTime(), to: to.getTime(), seat: null })),
      ],
    }
  })
}

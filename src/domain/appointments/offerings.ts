import { and, asc, eq, gt, inArray, isNull, lt, ne } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import {
  appointments,
  bookingSettings,
  businesses,
  HOLIDAY_RULES,
  memberships,
  NOTICE_TEXTS,
  NOTICE_WAYS,
  PAGE_LANGUAGES,
  PAGE_NOTES,
  SERVICE_PLACES,
  STAFF_COLORS,
  serviceStaff,
  services,
  staff,
  staffAbsences,
  type WeekHours,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { nameText, requiredText } from '../../lib/text.ts'
import { WEEKDAYS } from '../../lib/weekdays.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type BookingSettings, defaultStaffId, readCalendar } from './business-calendar.ts'
import { HOLIDAY_KINDS } from './holidays.ts'
import { lockCalendar } from './lock-calendar.ts'
import { unknownPlaceholders } from './notice-texts.ts'

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'a time such as 09:30')
const spans = z
  .array(z.tuple([clockTime, clockTime]).refine(([from, to]) => from < to, 'A span ends after it begins.'))
  .max(6)
const weekHours: z.ZodType<WeekHours, WeekHours> = z.partialRecord(z.enum(WEEKDAYS), spans)

const MAX_ROWS = 200

export const serviceInput = z
  .object({
    id: z.uuid().optional(),
    nameHe: nameText(120),
    nameEn: nameText(120),
    minutes: z.int().min(5).max(1_440),
    bufferBefore: z.int().min(0).max(480).default(0),
    bufferAfter: z.int().min(0).max(480).default(0),
    /** Agorot. */
    price: z.int().min(0).max(100_000_000).nullable().default(null),
    /** Agorot that are paid before the appointment counts. */
    deposit: z.int().min(100).max(100_000_000).nullable().default(null),
    place: z.enum(SERVICE_PLACES).default('business'),
    online: z.boolean().default(true),
    /** Who gives it; all staff when empty. */
    staffIds: z.array(z.uuid()).max(MAX_ROWS).default([]),
  })
  .refine(({ price, deposit }) => !price || !deposit || deposit <= price, {
    path: ['deposit'],
    error: 'A deposit is at most the price.',
  })

export const serviceView = z.object({
  id: z.uuid(),
  nameHe: z.string(),
  nameEn: z.string(),
  minutes: z.number(),
  bufferBefore: z.number(),
  bufferAfter: z.number(),
  price: z.number().nullable(),
  deposit: z.number().nullable(),
  place: z.enum(SERVICE_PLACES),
  online: z.boolean(),
  staffIds: z.array(z.uuid()),
})

export const staffInput = z.object({
  id: z.uuid().optional(),
  name: nameText(120),
  /** The membership that this is. */
  memberId: z.uuid().nullable().default(null),
  /** Null has the business's hours. */
  hours: weekHours.nullable().default(null),
  breaks: weekHours.default({}),
  capacity: z.int().min(1).max(100).default(1),
  /** Left out, it stays as it is; that of a new person is one that few have. */
  color: z.enum(STAFF_COLORS).optional(),
  /** The services that this person gives; left out, they stay as they are. */
  serviceIds: z.array(z.uuid()).max(MAX_ROWS).optional(),
})

export const staffView = z.object({
  id: z.uuid(),
  name: z.string(),
  memberId: z.uuid().nullable(),
  isDefault: z.boolean(),
  hours: weekHours.nullable(),
  breaks: weekHours,
  capacity: z.number(),
  color: z.enum(STAFF_COLORS),
})

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text))
export const absenceInput = z
  .object({ staffId: z.uuid(), startsAt: instant, endsAt: instant, reason: requiredText(200).nullish() })
  .refine(({ startsAt, endsAt }) => startsAt < endsAt, { path: ['endsAt'], error: 'It ends after it begins.' })

export const absenceView = z.object({
  id: z.uuid(),
  staffId: z.uuid(),
  startsAt: z.date(),
  endsAt: z.date(),
  reason: z.string().nullable(),
  /** Appointments that are booked in that time: a person decides about them. */
  affected: z.number(),
})

const ownText = requiredText(500).refine(
  (text) => unknownPlaceholders(text).length === 0,
  'It may hold {business}, {when}, {link}, {service}, {amount} and {until}.',
)
const byLanguage = <T extends z.ZodType<string>>(text: T) =>
  z.partialRecord(z.enum(['he', 'en']), z.partialRecord(z.enum(NOTICE_TEXTS), text))

export const bookingSettingsInput = z.object({
  slug: z
    .string()
    .regex(/^[a-z0-9](-?[a-z0-9])*$/, 'small letters, digits and single hyphens')
    .min(3)
    .max(60)
    .nullable(),
  pageEnabled: z.boolean(),
  pageLanguage: z.enum(PAGE_LANGUAGES),
  pageNote: z.enum(PAGE_NOTES),
  /** Appointments ahead that a customer may have by their own hand. */
  openPerCustomer: z.int().min(1).max(50),
  stepMinutes: z.int().min(5).max(240),
  noticeMinutes: z.int().min(0).max(43_200),
  aheadDays: z.int().min(1).max(366),
  holdMinutes: z.int().min(1).max(120),
  depositMinutes: z.int().min(5).max(2_880),
  /** How long a time that became free is held for who waits for it. */
  offerMinutes: z.int().min(5).max(1_440),
  changeMinutes: z.int().min(0).max(43_200),
  /** Null keeps the usual ones: closed on the days of rest and on Independence Day, in Israel. */
  holidays: z.partialRecord(z.enum(HOLIDAY_KINDS), z.enum(HOLIDAY_RULES)).nullable(),
  travel: z
    .array(z.object({ from: requiredText(100), to: requiredText(100), minutes: z.int().min(0).max(600) }))
    .max(200),
  /** Null tells customers nothing. */
  reminders: z
    .object({
      before: z.array(z.int().min(15).max(20_160)).max(4),
      from: clockTime,
      to: clockTime,
      followUpAfter: z.int().min(0).max(10_080).nullable(),
      /** By these, each when the one before it failed; WhatsApp alone where none is named. Only reminders are read out. */
      ways: z
        .array(z.enum(NOTICE_WAYS))
        .min(1)
        .max(NOTICE_WAYS.length)
        .refine((ways) => new Set(ways).size === ways.length, 'Each way once.')
        .optional(),
      noShow: z.boolean().optional(),
      /** With `{business}`, `{when}`, `{link}`, `{service}` and, of a deposit, `{amount}` and `{until}`; the usual words where there are none. */
      texts: byLanguage(ownText).optional(),
      /** WhatsApp templates by kind: variables 1 business, 2 time, 3 link. */
      templates: byLanguage(z.string().regex(/^HX[0-9a-f]{32}$/i, 'HX followed by 32 hex digits')).optional(),
    })
    .refine(({ from, to }) => from < to, { path: ['to'], error: 'It ends after it begins.' })
    .nullable(),
})

/** The services that can be booked, in the order that the business gave them. */
export async function listServices(ctx: BusinessContext, tx: Executor = ctx.db) {
  const rows = await tx
    .select()
    .from(services)
    .where(and(eq(services.businessId, ctx.businessId), isNull(services.archivedAt)))
    .orderBy(asc(services.position), asc(services.nameHe), asc(services.id))
    .limit(MAX_ROWS)
  const givers = await tx.select().from(serviceStaff).where(eq(serviceStaff.businessId, ctx.businessId))
  return rows.map((row) => ({
    ...row,
    staffIds: givers.filter(({ serviceId }) => serviceId === row.id).map(({ staffId }) => staffId),
  }))
}

/** Makes a service, or changes the one of this id. @throws AppError `service_not_found`, `staff_not_found`, `too_many` */
export async function saveService(ctx: BusinessContext, input: z.input<typeof serviceInput>): Promise<string> {
  const { id: known, staffIds, ...values } = serviceInput.parse(input)
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, new Date())
    const id = known ?? newId()
    await requireStaff(tx, ctx, staffIds)
    if (known) {
      const changed = await tx
        .update(services)
        .set(values)
        .where(and(eq(services.id, known), eq(services.businessId, ctx.businessId), isNull(services.archivedAt)))
        .returning({ id: services.id })
      if (changed.length === 0) throw serviceNotFound()
    } else {
      const others = await listServices(ctx, tx)
      if (others.length >= MAX_ROWS) throw tooMany()
      const position = Math.max(-1, ...others.map((each) => each.position)) + 1
      await tx.insert(services).values({ ...values, id, position, businessId: ctx.businessId })
    }
    await tx
      .delete(serviceStaff)
      .where(and(eq(serviceStaff.serviceId, id), eq(serviceStaff.businessId, ctx.businessId)))
    const rows = [...new Set(staffIds)].map((staffId) => ({ businessId: ctx.businessId, serviceId: id, staffId }))
    if (rows.length > 0) await tx.insert(serviceStaff).values(rows)
    await audit(tx, ctx, { action: 'service.save', entity: 'service', entityId: id })
    return id
  })
}

export const serviceOrder = z.object({ ids: z.array(z.uuid()).min(1).max(MAX_ROWS) })

/** Lists the services in this order; those that are left out follow in theirs. @throws AppError `service_not_found` */
export async function orderServices(ctx: BusinessContext, input: z.input<typeof serviceOrder>): Promise<void> {
  const wanted = [...new Set(serviceOrder.parse(input).ids)]
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, new Date())
    const before = (await listServices(ctx, tx)).map(({ id }) => id)
    if (wanted.some((id) => !before.includes(id))) throw serviceNotFound()
    const order = [...wanted, ...before.filter((id) => !wanted.includes(id))]
    if (order.every((id, index) => id === before[index])) return
    for (const [position, id] of order.entries())
      await tx
        .update(services)
        .set({ position })
        .where(and(eq(services.id, id), eq(services.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'service.order', entity: 'business', entityId: ctx.businessId })
  })
}

/** Appointments of it stay. @throws AppError `service_not_found` */
export async function archiveService(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const mine = and(eq(services.id, id), eq(services.businessId, ctx.businessId))
    const [row] = await tx.select().from(services).where(mine).for('update')
    if (!row) throw serviceNotFound()
    if (row.archivedAt) return
    await tx.update(services).set({ archivedAt: new Date() }).where(mine)
    await audit(tx, ctx, { action: 'service.archive', entity: 'service', entityId: id })
  })
}

/** Everybody who gives services; a business has one at least. */
export async function listStaff(ctx: BusinessContext, tx: Executor = ctx.db) {
  await defaultStaffId(tx, ctx)
  return await tx
    .select()
    .from(staff)
    .where(and(eq(staff.businessId, ctx.businessId), isNull(staff.archivedAt)))
    .orderBy(asc(staff.createdAt), asc(staff.id))
    .limit(MAX_ROWS)
}

/** Makes a person, or changes the one of this id. @throws AppError `staff_not_found`, `member_not_found`, `service_not_found`, `service_without_staff`, `too_many` */
export async function saveStaff(ctx: BusinessContext, input: z.input<typeof staffInput>): Promise<string> {
  const { id: known, serviceIds, ...values } = staffInput.parse(input)
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, new Date())
    const id = known ?? newId()
    if (values.memberId) {
      const [member] = await tx
        .select({ id: memberships.id })
        .from(memberships)
        .where(and(eq(memberships.id, values.memberId), eq(memberships.businessId, ctx.businessId)))
      if (!member)
        throw new AppError('not_found', 'member_not_found', 'There is no such member.', { field: 'memberId' })
    }
    if (known) {
      const changed = await tx
        .update(staff)
        .set(values)
        .where(and(eq(staff.id, known), eq(staff.businessId, ctx.businessId), isNull(staff.archivedAt)))
        .returning({ id: staff.id })
      if (changed.length === 0) throw staffNotFound()
    } else {
      const others = await listStaff(ctx, tx)
      if (others.length >= MAX_ROWS) throw tooMany()
      const uses = (color: string) => others.filter((each) => each.color === color).length
      const [color] = STAFF_COLORS.toSorted((a, b) => uses(a) - uses(b))
      await tx.insert(staff).values({ color, ...values, id, businessId: ctx.businessId })
    }
    if (serviceIds) await giveServices(tx, ctx, id, new Set(serviceIds))
    await audit(tx, ctx, { action: 'staff.save', entity: 'staff', entityId: id })
    return id
  })
}

/** A service that names no one is given by all: it names the others once one of them no longer gives it. */
async function giveServices(tx: Executor, ctx: BusinessContext, staffId: string, wanted: Set<string>): Promise<void> {
  const all = await listServices(ctx, tx)
  const others = (await listStaff(ctx, tx)).map(({ id }) => id).filter((id) => id !== staffId)
  if ([...wanted].some((id) => !all.some((service) => service.id === id))) throw serviceNotFound()
  for (const { id: serviceId, staffIds } of all) {
    const gives = staffIds.length === 0 || staffIds.includes(staffId)
    if (gives === wanted.has(serviceId)) continue
    const row = { businessId: ctx.businessId, serviceId }
    if (!gives) {
      await tx.insert(serviceStaff).values({ ...row, staffId })
      continue
    }
    const left = staffIds.length === 0 ? others : others.filter((id) => staffIds.includes(id))
    if (left.length === 0)
      throw new AppError('conflict', 'service_without_staff', 'A person has to be left who gives this service.', {
        field: 'serviceIds',
      })
    if (staffIds.length === 0) await tx.insert(serviceStaff).values(left.map((id) => ({ ...row, staffId: id })))
    else
      await tx
        .delete(serviceStaff)
        .where(
          and(
            eq(serviceStaff.businessId, ctx.businessId),
            eq(serviceStaff.serviceId, serviceId),
            eq(serviceStaff.staffId, staffId),
          ),
        )
  }
}

/**
 * Nothing more is booked for this person; what is booked stays.
 * @throws AppError `staff_not_found`, `staff_last` for the only one, `staff_booked` while appointments are ahead
 */
export async function archiveStaff(ctx: BusinessContext, id: string, now = new Date()): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const all = await listStaff(ctx, tx)
    const [row] = await tx
      .select()
      .from(staff)
      .where(and(eq(staff.id, id), eq(staff.businessId, ctx.businessId)))
    if (!row) throw staffNotFound()
    if (row.archivedAt) return
    if (all.length === 1)
      throw new AppError('conflict', 'staff_last', 'A person has to be left who gives appointments.')
    const ahead = await countAhead(tx, ctx, id, now, null)
    if (ahead > 0)
      throw new AppError('conflict', 'staff_booked', `Move or cancel the ${ahead} appointments ahead first.`)
    await tx.update(staff).set({ archivedAt: now }).where(eq(staff.id, id))
    await audit(tx, ctx, { action: 'staff.archive', entity: 'staff', entityId: id })
  })
}

/** When staff is away from now on, soonest first. */
export async function listAbsences(ctx: BusinessContext, now = new Date()) {
  const rows = await ctx.db
    .select()
    .from(staffAbsences)
    .where(and(eq(staffAbsences.businessId, ctx.businessId), gt(staffAbsences.endsAt, now)))
    .orderBy(asc(staffAbsences.startsAt), asc(staffAbsences.id))
    .limit(MAX_ROWS)
  return await Promise.all(
    rows.map(async (row) => ({
      ...row,
      affected: await countAhead(ctx.db, ctx, row.staffId, row.startsAt, row.endsAt),
    })),
  )
}

/** @throws AppError `staff_not_found`, `too_many` */
export async function addAbsence(ctx: BusinessContext, input: z.input<typeof absenceInput>): Promise<string> {
  const { reason = null, ...values } = absenceInput.parse(input)
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, new Date())
    await requireStaff(tx, ctx, [values.staffId])
    if ((await listAbsences(ctx)).length >= MAX_ROWS) throw tooMany()
    const id = newId()
    await tx.insert(staffAbsences).values({ ...values, reason, id, businessId: ctx.businessId })
    await audit(tx, ctx, { action: 'staff.away', entity: 'staff', entityId: values.staffId })
    return id
  })
}

/** Removed already, it stays so. */
export async function removeAbsence(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .delete(staffAbsences)
      .where(and(eq(staffAbsences.id, id), eq(staffAbsences.businessId, ctx.businessId)))
      .returning({ staffId: staffAbsences.staffId })
    for (const { staffId } of gone) await audit(tx, ctx, { action: 'staff.back', entity: 'staff', entityId: staffId })
  })
}

export async function getBookingSettings(ctx: BusinessContext): Promise<BookingSettings> {
  return (await readCalendar(ctx.db, ctx)).settings
}

/** Changes what is given; the rest stays. @throws AppError `slug_taken`, `slug_missing` */
export async function saveBookingSettings(
  ctx: BusinessContext,
  input: Partial<z.input<typeof bookingSettingsInput>>,
): Promise<void> {
  const changes = bookingSettingsInput.partial().parse(input)
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, new Date())
    const next = { ...(await readCalendar(tx, ctx)).settings, ...changes }
    if (next.pageEnabled && !next.slug)
      throw new AppError('invalid', 'slug_missing', 'Choose an address for the booking page first.', { field: 'slug' })
    if (next.slug) {
      const [other] = await tx
        .select({ businessId: bookingSettings.businessId })
        .from(bookingSettings)
        .where(and(eq(bookingSettings.slug, next.slug), ne(bookingSettings.businessId, ctx.businessId)))
      if (other)
        throw new AppError('conflict', 'slug_taken', 'This address is taken. Choose another.', { field: 'slug' })
    }
    await tx
      .insert(bookingSettings)
      .values({ ...next, businessId: ctx.businessId })
      .onConflictDoUpdate({ target: bookingSettings.businessId, set: next })
    await audit(tx, ctx, { action: 'booking.settings', entity: 'business', entityId: ctx.businessId })
  })
}

/** The business whose booking page this is; null where there is none that is open. */
export async function findBookingPage(tx: Executor, slug: string): Promise<{ businessId: string } | null> {
  const [row] = await tx
    .select({ businessId: bookingSettings.businessId })
    .from(bookingSettings)
    .innerJoin(businesses, eq(businesses.id, bookingSettings.businessId))
    .where(and(eq(bookingSettings.slug, slug), eq(bookingSettings.pageEnabled, true), isNull(businesses.blockedAt)))
  return row ?? null
}

async function countAhead(tx: Executor, ctx: BusinessContext, staffId: string, from: Date, to: Date | null) {
  const rows = await tx
    .select({ id: appointments.id })
    .from(appointments)
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.staffId, staffId),
        inArray(appointments.state, ['held', 'booked']),
        gt(appointments.endsAt, from),
        to ? lt(appointments.startsAt, to) : undefined,
      ),
    )
    .limit(1_000)
  return rows.length
}

async function requireStaff(tx: Executor, ctx: BusinessContext, ids: string[]): Promise<void> {
  const known = new Set((await listStaff(ctx, tx)).map(({ id }) => id))
  if (ids.some((id) => !known.has(id))) throw staffNotFound()
}

const serviceNotFound = () => new AppError('not_found', 'service_not_found', 'There is no such service.')
const staffNotFound = () => new AppError('not_found', 'staff_not_found', 'There is no such person among the staff.')
const tooMany = () => new AppError('conflict', 'too_many', `There can be ${MAX_ROWS} of these. Remove one first.`)

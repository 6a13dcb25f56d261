import { and, asc, eq } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businesses, phoneNumbers, SPEECH_ENGINES } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { networkPhone, parsePhone } from '../../lib/phone.ts'
import { cleanName, typedText } from '../../lib/text.ts'
import { WEEKDAYS } from '../../lib/weekdays.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { grantMembership } from '../members/index.ts'
import { OLDEST_FIRST } from './oldest-first.ts'

export type NewBusiness = { name: string; language: 'he' | 'en'; greeting?: string | null }

const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'a time as HH:MM')
const day = z
  .array(z.tuple([time, time]))
  .max(6)
  .refine(
    (spans) => spans.every(([from, to], index) => from < to && (spans[index - 1]?.[1] ?? '') <= from),
    'spans in order, each ending after it begins, none inside another',
  )

export const weekHours = z.partialRecord(z.enum(WEEKDAYS), day)

const timezone = z.string().refine((zone) => Intl.supportedValuesOf('timeZone').includes(zone) || zone === 'UTC', {
  error: 'an IANA time zone such as Asia/Jerusalem',
})

export const businessSettings = z.object({
  name: typedText().overwrite(cleanName).trim().min(1).max(120),
  language: z.enum(businesses.language.enumValues),
  timezone,
  /** Spoken instead of the built-in greeting; null is the built-in one. */
  greeting: typedText().trim().min(1).max(500).nullable(),
  defaultWhatsappProvider: z.enum(businesses.defaultWhatsappProvider.enumValues),
  fallbackWhatsappProvider: z.enum(businesses.fallbackWhatsappProvider.enumValues).nullable(),
  /** A text longer than its provider takes: sent in parts, or refused. */
  longText: z.enum(businesses.longText.enumValues),
  paymentProvider: z.enum(businesses.paymentProvider.enumValues).nullable(),
  speechEngine: z.enum(SPEECH_ENGINES),
  deleteRemoteRecordings: z.boolean(),
  hours: weekHours.nullable(),
})

export const businessView = z.object({
  id: z.uuid(),
  name: z.string(),
  language: z.enum(businesses.language.enumValues),
  timezone: z.string(),
  greeting: z.string().nullable(),
  defaultWhatsappProvider: z.enum(businesses.defaultWhatsappProvider.enumValues),
  fallbackWhatsappProvider: z.enum(businesses.fallbackWhatsappProvider.enumValues).nullable(),
  longText: z.enum(businesses.longText.enumValues),
  paymentProvider: z.enum(businesses.paymentProvider.enumValues).nullable(),
  speechEngine: z.enum(SPEECH_ENGINES),
  deleteRemoteRecordings: z.boolean(),
  hours: weekHours.nullable(),
  ownersNeedSecondFactor: z.boolean(),
  /** Whether a new version of the receptionist waits until its scenarios have passed. */
  scenariosRequired: z.boolean(),
  blockedAt: z.date().nullable(),
  blockedReason: z.string().nullable(),
  createdAt: z.date(),
})

export const phoneNumberView = z.object({
  id: z.uuid(),
  e164: z.string(),
  label: z.string().nullable(),
  language: z.enum(phoneNumbers.language.enumValues).nullable(),
  createdAt: z.date(),
})

/** Creates a business; answers its id. Asked again with the same id, there is one. */
export async function createBusiness(ctx: DomainContext, input: NewBusiness & { id?: string }): Promise<string> {
  const id = input.id ?? newId()
  await ctx.db.transaction(async (tx) => {
    const made = await tx
      .insert(businesses)
      .values({ ...input, id })
      .onConflictDoNothing()
      .returning({ id: businesses.id })
    if (made.length === 0) return
    const bound = within(ctx, id)
    await audit(tx, bound, { action: 'business.create', entity: 'business', entityId: id })
    if (ctx.actor.kind === 'user') await grantMembership(tx, bound, ctx.actor.id, 'owner')
  })
  return id
}

/** @throws AppError `business_not_found` */
export async function getBusiness(ctx: BusinessContext) {
  const [row] = await ctx.db.select().from(businesses).where(eq(businesses.id, ctx.businessId))
  if (!row) throw new AppError('not_found', 'business_not_found', 'There is no such business.')
  return row
}

export async function setBusiness(
  tx: Executor,
  ctx: BusinessContext,
  changes: Partial<Pick<typeof businesses.$inferInsert, 'hours' | 'scenariosRequired'>>,
): Promise<void> {
  await tx.update(businesses).set(changes).where(eq(businesses.id, ctx.businessId))
}

/** Settings that are not given stay. */
export async function updateBusiness(ctx: BusinessContext, input: Partial<z.input<typeof businessSettings>>) {
  const changes = businessSettings.partial().parse(input)
  if (Object.keys(changes).length > 0)
    await ctx.db.transaction(async (tx) => {
      await tx.update(businesses).set(changes).where(eq(businesses.id, ctx.businessId))
      await audit(tx, ctx, {
        action: 'business.update',
        entity: 'business',
        entityId: ctx.businessId,
        data: { fields: Object.keys(changes) },
      })
    })
  return await getBusiness(ctx)
}

/** Every business of the installation, oldest first: for the installation's own tools, never for a tenant. */
export function listBusinesses(ctx: DomainContext) {
  return ctx.db
    .select()
    .from(businesses)
    .orderBy(...OLDEST_FIRST)
}

export function listPhoneNumbers(ctx: BusinessContext) {
  return ctx.db
    .select()
    .from(phoneNumbers)
    .where(eq(phoneNumbers.businessId, ctx.businessId))
    .orderBy(asc(phoneNumbers.id))
}

/** Lets a business answer a number. @throws AppError `invalid_number`, `number_taken` */
export async function addPhoneNumber(
  ctx: BusinessContext,
  input: { number: string; label?: string; language?: 'he' | 'en' },
) {
  // A carrier's list names it as well as a person: one that the metadata do not know yet may ring.
  const e164 = parsePhone(input.number) ?? networkPhone(input.number)
  if (!e164)
    throw new AppError('invalid', 'invalid_number', 'This is no phone number; write it as +972…', { field: 'number' })
  return await ctx.db.transaction(async (tx) => {
    const [made] = await tx
      .insert(phoneNumbers)
      .values({ businessId: ctx.businessId, e164, label: input.label ?? null, language: input.language ?? null })
      .onConflictDoNothing()
      .returning()
    if (made) {
      await audit(tx, ctx, { action: 'number.add', entity: 'phone_number', entityId: made.id })
      return made
    }
    const [taken] = await tx.select().from(phoneNumbers).where(eq(phoneNumbers.e164, e164))
    if (taken?.businessId !== ctx.businessId)
      throw new AppError('conflict', 'number_taken', 'Another business answers this number.', { field: 'number' })
    return taken
  })
}

/** @throws AppError `number_not_found` */
export async function removePhoneNumber(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .delete(phoneNumbers)
      .where(and(eq(phoneNumbers.id, id), eq(phoneNumbers.businessId, ctx.businessId)))
      .returning({ id: phoneNumbers.id })
    if (gone.length === 0) throw new AppError('not_found', 'number_not_found', 'The business has no such number.')
    await audit(tx, ctx, { action: 'number.remove', entity: 'phone_number', entityId: id })
  })
}

/** Stops serving a business: its calls go to voicemail, its sends are refused. */
export async function blockBusiness(ctx: BusinessContext, reason: string) {
  await setBlocked(ctx, new Date(), reason, 'business.block')
}

export async function unblockBusiness(ctx: BusinessContext) {
  await setBlocked(ctx, null, null, 'business.unblock')
}

async function setBlocked(ctx: BusinessContext, at: Date | null, reason: string | null, action: string) {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .select({ blockedAt: businesses.blockedAt })
      .from(businesses)
      .where(eq(businesses.id, ctx.businessId))
      .for('update')
    if (!row || (row.blockedAt !== null) === (at !== null)) return
    await tx.update(businesses).set({ blockedAt: at, blockedReason: reason }).where(eq(businesses.id, ctx.businessId))
    await audit(tx, ctx, { action, entity: 'business', entityId: ctx.businessId })
  })
}

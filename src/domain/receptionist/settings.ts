import { isDeepStrictEqual } from 'node:util'
import { and, desc, eq, lt } from 'drizzle-orm'
import { z } from 'zod'
import type { Database, Executor } from '../../../db/client.ts'
import { businesses, receptionistProfiles, type WeekHours } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { parsePhone } from '../../lib/phone.ts'
import { businessHours, DEFAULT_HOURS, hoursOf, weekOf } from '../appointments/index.ts'
import { setBusiness, weekHours } from '../businesses/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { createPolling, type Polling } from '../polling-cache.ts'

const words = z.string().trim().max(2_000)
const perLanguage = z.object({ he: words.optional(), en: words.optional() })

/** How a business's receptionist behaves. Everything has a default, so that an empty object is a receptionist. */
export const receptionistSettings = z.object({
  /** Added to the instructions of every receptionist. */
  instructions: z.string().max(12_000).default(''),
  /** Spoken first, by language; the business's greeting otherwise. */
  greeting: perLanguage.default({}),
  /** The engine's voice; its own choice when null. */
  voice: z.string().max(64).nullable().default(null),
  /** Spoken in front of the greeting: that the call is recorded, and that the staff may listen, for example. */
  consentNotice: perLanguage.default({}),
  /** Languages it may switch to when the caller does. */
  languages: z.array(z.enum(businesses.language.enumValues)).default([]),
  /** The week is the business's own hours, whichever endpoint sets it; the holidays are stored here. */
  hours: businessHours.default(DEFAULT_HOURS),
  appointmentMinutes: z.int().min(5).max(480).default(30),
  /** Rung when a caller wants a person; E.164 or as people write it. */
  transferNumber: z
    .string()
    .transform((value, issue) => {
      const phone = parsePhone(value)
      if (!phone) issue.addIssue({ code: 'custom', message: 'This is no phone number.' })
      return phone ?? ''
    })
    .nullable()
    .default(null),
  /** Sent to the caller by WhatsApp after a call; `{name}` and `{business}` are filled in. */
  followUp: perLanguage.default({}),
})
export type ReceptionistSettings = z.output<typeof receptionistSettings>
export type ReceptionistSettingsInput = z.input<typeof receptionistSettings>

export const DEFAULT_RECEPTIONIST: ReceptionistSettings = receptionistSettings.parse({})

export type Profile = { version: number; settings: ReceptionistSettings }

/** The settings that count now; version 0 are the defaults. */
export async function getProfile(ctx: BusinessContext): Promise<Profile> {
  const [row] = await ctx.db
    .select({
      version: receptionistProfiles.version,
      settings: receptionistProfiles.settings,
      hours: businesses.hours,
    })
    .from(businesses)
    .leftJoin(receptionistProfiles, eq(receptionistProfiles.businessId, businesses.id))
    .where(eq(businesses.id, ctx.businessId))
    .orderBy(desc(receptionistProfiles.version))
    .limit(1)
  const settings = receptionistSettings.parse(row?.settings ?? {})
  return { version: row?.version ?? 0, settings: withHours(settings, row?.hours ?? null) }
}

function withHours(settings: ReceptionistSettings, hours: WeekHours | null): ReceptionistSettings {
  return { ...settings, hours: { ...settings.hours, week: weekOf(hours) } }
}

/** @throws AppError `profile_not_found` */
export async function getProfileVersion(ctx: BusinessContext, version: number): Promise<Profile> {
  const [row] = await ctx.db
    .select({ version: receptionistProfiles.version, settings: receptionistProfiles.settings })
    .from(receptionistProfiles)
    .where(and(eq(receptionistProfiles.businessId, ctx.businessId), eq(receptionistProfiles.version, version)))
  if (!row) throw new AppError('not_found', 'profile_not_found', 'There is no such version.')
  return { version: row.version, settings: receptionistSettings.parse(row.settings) }
}

export const profilePageInput = z.object({
  /** The last version of the page before. */
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

/** The versions of the settings, newest first. */
export async function listProfiles(ctx: BusinessContext, input: z.input<typeof profilePageInput>) {
  const { cursor, limit } = profilePageInput.parse(input)
  const rows = await ctx.db
    .select({
      version: receptionistProfiles.version,
      note: receptionistProfiles.note,
      createdAt: receptionistProfiles.createdAt,
    })
    .from(receptionistProfiles)
    .where(
      and(
        eq(receptionistProfiles.businessId, ctx.businessId),
        cursor ? lt(receptionistProfiles.version, Number(cursor)) : undefined,
      ),
    )
    .orderBy(desc(receptionistProfiles.version))
    .limit(limit + 1)
  const items = rows.slice(0, limit)
  return { items, nextCursor: rows.length > limit ? String(items.at(-1)?.version) : null }
}

/**
 * Saves settings as a new version, which counts from now on.
 * @param input.settings.hours the business's hours from now on; left out, they stay
 * @param input.basedOn the version that was changed; another one since then is a conflict
 * @throws AppError `version_conflict`, `invalid_hours`
 */
export async function saveProfile(
  ctx: BusinessContext,
  input: { settings: ReceptionistSettingsInput; note?: string | null; basedOn?: number },
): Promise<number> {
  const settings = receptionistSettings.parse(input.settings)
  const hours = input.settings.hours === undefined ? null : weekHours.safeParse(hoursOf(settings.hours.week))
  if (hours?.error)
    throw new AppError('invalid', 'invalid_hours', hours.error.issues[0]?.message ?? 'These are no hours.', {
      field: 'settings.hours',
    })
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, `receptionist:${ctx.businessId}`)
    const [last] = await tx
      .select({ version: receptionistProfiles.version })
      .from(receptionistProfiles)
      .where(eq(receptionistProfiles.businessId, ctx.businessId))
      .orderBy(desc(receptionistProfiles.version))
      .limit(1)
    const current = last?.version ?? 0
    if (input.basedOn !== undefined && input.basedOn !== current)
      throw new AppError(
        'conflict',
        'version_conflict',
        `Version ${current} was saved meanwhile. Load it and try again.`,
      )
    const id = newId()
    const version = current + 1
    await tx
      .insert(receptionistProfiles)
      .values({ id, businessId: ctx.businessId, version, settings, note: input.note ?? null })
    if (hours) await saveHours(tx, ctx, hours.data)
    await audit(tx, ctx, { action: 'receptionist.save', entity: 'receptionist', entityId: id, data: { version } })
    return version
  })
}

/** Writes the business's hours when they are others than those that count. */
async function saveHours(tx: Executor, ctx: BusinessContext, hours: WeekHours): Promise<void> {
  const [business] = await tx
    .select({ hours: businesses.hours })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
    .for('update')
  if (isDeepStrictEqual(weekOf(hours), weekOf(business?.hours ?? null))) return
  await setBusiness(tx, ctx, { hours })
  await audit(tx, ctx, {
    action: 'business.update',
    entity: 'business',
    entityId: ctx.businessId,
    data: { fields: ['hours'] },
  })
}

/** Every business's settings in memory, read again every few seconds: a call is answered without a query. */
export type ProfileCache = Polling & {
  of(businessId: string): ReceptionistSettings
}

export function createProfileCache(db: Database, log: Logger, refreshMs = 3_000): ProfileCache {
  let profiles = new Map<string, ReceptionistSettings>()

  async function read() {
    const rows = await db
      .selectDistinctOn([businesses.id], {
        businessId: businesses.id,
        settings: receptionistProfiles.settings,
        hours: businesses.hours,
      })
      .from(businesses)
      .leftJoin(receptionistProfiles, eq(receptionistProfiles.businessId, businesses.id))
      .orderBy(businesses.id, desc(receptionistProfiles.version))
    const next = new Map<string, ReceptionistSettings>()
    for (const row of rows) {
      const parsed = receptionistSettings.safeParse(row.settings ?? {})
      next.set(row.businessId, withHours(parsed.data ?? DEFAULT_RECEPTIONIST, row.hours))
      if (!parsed.success) log.error({ businessId: row.businessId }, 'receptionist settings not valid, defaults used')
    }
    profiles = next
  }

  return {
    ...createPolling('receptionist settings', read, log, refreshMs),
    of: (businessId) => profiles.get(businessId) ?? DEFAULT_RECEPTIONIST,
  }
}

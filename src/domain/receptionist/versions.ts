import { isDeepStrictEqual } from 'node:util'
import { and, desc, eq, lt, notInArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businesses, businessTexts, receptionistProfiles, type WeekHours } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { type BusinessHours, hoursOf, weekOf } from '../appointments/index.ts'
import { setBusiness, weekHours } from '../businesses/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { type BusinessText, type ReceptionistContent, readLive, readProfile, readVersion } from './content.ts'
import { areScenariosRequired } from './scenario-gate.ts'
import { type ReceptionistSettings, type ReceptionistSettingsInput, receptionistSettings } from './settings.ts'

export type VersionContent = ReceptionistContent & { version: number }

/** @throws AppError `profile_not_found` */
export async function getProfileVersion(ctx: BusinessContext, version: number): Promise<VersionContent> {
  const live = await readLive(ctx.db, ctx)
  if (live.version === version) return { version, ...live.content }
  const content = await readVersion(ctx.db, ctx, version)
  if (!content) throw noVersion()
  return { version, ...content }
}

const noVersion = () => new AppError('not_found', 'profile_not_found', 'There is no such version.')

export const profilePageInput = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

/** The versions of the settings and texts, newest first. */
export async function listProfiles(ctx: BusinessContext, input: z.input<typeof profilePageInput>) {
  const { cursor, limit } = profilePageInput.parse(input)
  const rows = await ctx.db
    .select({
      version: receptionistProfiles.version,
      note: receptionistProfiles.note,
      actorKind: receptionistProfiles.actorKind,
      actorId: receptionistProfiles.actorId,
      restoredFrom: receptionistProfiles.restoredFrom,
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

/** Changes of a business's receptionist come one after the other. */
export function lockReceptionist(tx: Executor, ctx: BusinessContext): Promise<void> {
  return lock(tx, `receptionist:${ctx.businessId}`)
}

/** @throws AppError `version_conflict` when another version is in force than the one that was changed */
export function requireVersion(current: number, basedOn: number | undefined): void {
  if (basedOn !== undefined && basedOn !== current)
    throw new AppError('conflict', 'version_conflict', `Version ${current} was saved meanwhile. Load it and try again.`)
}

/**
 * Saves a new version, based on `basedOn`; absent `hours` stay.
 * @throws AppError `version_conflict`, `invalid_hours`, `scenarios_not_run`
 */
export async function saveProfile(
  ctx: BusinessContext,
  input: { settings: ReceptionistSettingsInput; note?: string | null; basedOn?: number },
): Promise<number> {
  const settings = receptionistSettings.parse(input.settings)
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    if (await areScenariosRequired(tx, ctx))
      throw new AppError(
        'conflict',
        'scenarios_not_run',
        'The scenarios were not played with these settings. Save them as a draft, play the scenarios, then publish.',
      )
    const present = await readProfile(tx, ctx)
    requireVersion(present.version, input.basedOn)
    if (input.settings.hours === undefined) settings.hours = present.settings.hours
    else await saveHours(tx, ctx, settings)
    const { id, version } = await addVersion(tx, ctx, { settings, note: input.note ?? null })
    await audit(tx, ctx, { action: 'receptionist.save', entity: 'receptionist', entityId: id, data: { version } })
    return version
  })
}

/** Makes an earlier version's content the newest. @throws AppError `profile_not_found`, `version_conflict` */
export async function restoreVersion(
  ctx: BusinessContext,
  input: { version: number; basedOn?: number | undefined },
): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const live = await readLive(tx, ctx)
    requireVersion(live.version, input.basedOn)
    const content = input.version === live.version ? live.content : await readVersion(tx, ctx, input.version)
    if (!content) throw noVersion()
    const { id, version } = await putContent(tx, ctx, live.content, content, { restoredFrom: input.version })
    await audit(tx, ctx, {
      action: 'receptionist.restore',
      entity: 'receptionist',
      entityId: id,
      data: { version, from: input.version },
    })
    return version
  })
}

/** Publishes content under the receptionist's lock. @throws AppError `invalid_hours` */
export async function putContent(
  tx: Executor,
  ctx: BusinessContext,
  live: ReceptionistContent,
  { settings, texts }: ReceptionistContent,
  made: { note?: string | null; restoredFrom?: number },
): Promise<{ id: string; version: number }> {
  await saveHours(tx, ctx, settings)
  await replaceTexts(tx, ctx, live.texts, texts)
  return await addVersion(tx, ctx, { settings, ...made })
}

/**
 * Puts settings in force without a version's lock, in a transaction that is rolled back. Texts are given to the search instead,
 * which holds those in force in memory.
 */
export async function putSettingsForTrial(ctx: BusinessContext, settings: ReceptionistSettings): Promise<void> {
  const live = await readProfile(ctx.db, ctx)
  const hours = checkedHours(settings.hours)
  if (!isDeepStrictEqual(weekOf(hours), weekOf(checkedHours(live.settings.hours))))
    await setBusiness(ctx.db, ctx, { hours })
  await ctx.db
    .insert(receptionistProfiles)
    .values({ id: newId(), businessId: ctx.businessId, version: live.version + 1, settings })
}

async function replaceTexts(
  tx: Executor,
  ctx: BusinessContext,
  present: BusinessText[],
  wanted: BusinessText[],
): Promise<void> {
  const bodies = new Map(present.map(({ title, body }) => [title, body]))
  const changed = wanted.filter(({ title, body }) => bodies.get(title) !== body)
  const titles = wanted.map(({ title }) => title)
  await tx
    .delete(businessTexts)
    .where(
      and(
        eq(businessTexts.businessId, ctx.businessId),
        titles.length > 0 ? notInArray(businessTexts.title, titles) : undefined,
      ),
    )
  if (changed.length > 0)
    await tx
      .insert(businessTexts)
      .values(changed.map((text) => ({ businessId: ctx.businessId, ...text })))
      .onConflictDoUpdate({
        target: [businessTexts.businessId, businessTexts.title],
        set: { body: sql`excluded.body`, updatedAt: new Date() },
      })
}

/** Adds the next version, with the texts as they are now. Under the receptionist's lock. */
export async function addVersion(
  tx: Executor,
  ctx: BusinessContext,
  {
    settings,
    note = null,
    restoredFrom,
  }: { settings: ReceptionistSettings; note?: string | null; restoredFrom?: number },
): Promise<{ id: string; version: number }> {
  const { businessId, actor } = ctx
  const version = (await readProfile(tx, ctx)).version + 1
  const id = newId()
  const by = { actorKind: actor.kind, actorId: actor.id, restoredFrom: restoredFrom ?? null }
  await tx.insert(receptionistProfiles).values({ id, businessId, version, settings, note, ...by })
  // By comparison: texts that a server of the version before changed belong to the next version too.
  await tx.execute(sql`
    update business_text_versions past set until_version = ${version}
    where business_id = ${businessId} and until_version is null and not exists (
      select from business_texts t
      where t.business_id = past.business_id and t.title = past.title and t.body = past.body)`)
  await tx.execute(sql`
    insert into business_text_versions (id, business_id, title, body, from_version)
    select gen_random_uuid(), business_id, title, body, ${version} from business_texts t
    where business_id = ${businessId} and not exists (
      select from business_text_versions past
      where past.business_id = t.business_id and past.title = t.title and past.until_version is null)`)
  return { id, version }
}

/** Writes the business's hours when they differ. @throws AppError `invalid_hours` */
async function saveHours(tx: Executor, ctx: BusinessContext, settings: ReceptionistSettings): Promise<void> {
  const hours = checkedHours(settings.hours)
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

/** @throws AppError `invalid_hours` */
export function checkedHours({ week }: BusinessHours): WeekHours {
  const hours = weekHours.safeParse(hoursOf(week))
  if (hours.success) return hours.data
  const message = hours.error.issues[0]?.message ?? 'These are no hours.'
  throw new AppError('invalid', 'invalid_hours', message, { field: 'settings.hours' })
}

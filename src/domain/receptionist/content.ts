import { and, asc, desc, eq, gt, isNull, lte, or } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businesses, businessTexts, businessTextVersions, receptionistProfiles } from '../../../db/schema/index.ts'
import { typedText } from '../../lib/text.ts'
import type { BusinessContext } from '../context.ts'
import {
  DEFAULT_RECEPTIONIST,
  type Profile,
  type ReceptionistSettings,
  receptionistSettings,
  withHours,
} from './settings.ts'

export const businessText = z.object({
  title: typedText().trim().min(1).max(200),
  body: typedText().trim().min(1).max(8_000),
})
export type BusinessText = z.output<typeof businessText>

export type ReceptionistContent = { settings: ReceptionistSettings; texts: BusinessText[] }

export const receptionistContent = z.object({ settings: receptionistSettings, texts: z.array(businessText) })

/** The settings that count now; version 0 are the defaults. */
export function getProfile(ctx: BusinessContext): Promise<Profile> {
  return readProfile(ctx.db, ctx)
}

export async function readProfile(db: Executor, ctx: BusinessContext): Promise<Profile> {
  const [row] = await db
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

/** The version in force with all of its content. */
export async function readLive(
  db: Executor,
  ctx: BusinessContext,
): Promise<{ version: number; content: ReceptionistContent }> {
  const { version, settings } = await readProfile(db, ctx)
  const texts = await db
    .select({ title: businessTexts.title, body: businessTexts.body })
    .from(businessTexts)
    .where(eq(businessTexts.businessId, ctx.businessId))
    .orderBy(asc(businessTexts.title))
  return { version, content: { settings, texts } }
}

/** The content of an earlier version; null when there is none. Version 0 is what a business begins with. */
export async function readVersion(
  db: Executor,
  ctx: BusinessContext,
  version: number,
): Promise<ReceptionistContent | null> {
  const [row] = await db
    .select({ settings: receptionistProfiles.settings })
    .from(receptionistProfiles)
    .where(and(eq(receptionistProfiles.businessId, ctx.businessId), eq(receptionistProfiles.version, version)))
  if (!row && version !== 0) return null
  const texts = await db
    .select({ title: businessTextVersions.title, body: businessTextVersions.body })
    .from(businessTextVersions)
    .where(
      and(
        eq(businessTextVersions.businessId, ctx.businessId),
        lte(businessTextVersions.fromVersion, version),
        or(isNull(businessTextVersions.untilVersion), gt(businessTextVersions.untilVersion, version)),
      ),
    )
    .orderBy(asc(businessTextVersions.title))
  return { settings: row ? receptionistSettings.parse(row.settings) : DEFAULT_RECEPTIONIST, texts }
}

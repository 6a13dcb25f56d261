import { desc, eq } from 'drizzle-orm'
import { z } from 'zod'
import type { Database } from '../../../db/client.ts'
import { businesses, receptionistProfiles, type WeekHours } from '../../../db/schema/index.ts'
import type { Logger } from '../../lib/log.ts'
import { parsePhone } from '../../lib/phone.ts'
import { typedText } from '../../lib/text.ts'
import { businessHours, DEFAULT_HOURS, weekOf } from '../appointments/index.ts'
import { createPolling, type Polling } from '../polling-cache.ts'

const words = typedText().trim().max(2_000)
const perLanguage = z.object({ he: words.optional(), en: words.optional() })

/** How a business's receptionist behaves. Everything has a default, so that an empty object is a receptionist. */
export const receptionistSettings = z.object({
  instructions: typedText().max(12_000).default(''),
  greeting: perLanguage.default({}),
  /** The engine's voice; its own choice when null. */
  voice: z.string().max(64).nullable().default(null),
  consentNotice: perLanguage.default({}),
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
  voicemail: perLanguage.default({}),
})
export type ReceptionistSettings = z.output<typeof receptionistSettings>
export type ReceptionistSettingsInput = z.input<typeof receptionistSettings>

export const DEFAULT_RECEPTIONIST: ReceptionistSettings = receptionistSettings.parse({})

export type Profile = { version: number; settings: ReceptionistSettings }

/** The week is the business's own, wherever it is set. */
export function withHours(settings: ReceptionistSettings, hours: WeekHours | null): ReceptionistSettings {
  return { ...settings, hours: { ...settings.hours, week: weekOf(hours) } }
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

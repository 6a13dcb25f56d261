import { z } from 'zod'
import { businessHours } from '../domain/appointments/index.ts'
import { getBusiness } from '../domain/businesses/index.ts'
import {
  buildInstructions,
  businessText,
  getProfile,
  getProfileVersion,
  intakeScript,
  listBusinessTexts,
  listProfiles,
  openingWords,
  receptionistSettings,
  removeBusinessText,
  saveBusinessText,
  saveProfile,
} from '../domain/receptionist/index.ts'
import { businessProcedure, done, OK, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })
const language = z.enum(['he', 'en'])
const settingsView = receptionistSettings.extend({ transferNumber: z.string().nullable() })
const profileView = z.object({ version: z.number(), settings: settingsView })
const versionView = z.object({ version: z.number(), note: z.string().nullable(), createdAt: z.date() })
const textView = z.object({
  id: z.uuid(),
  title: z.string(),
  body: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
})

export const receptionistRouter = router({
  /** The settings that count now. */
  get: businessProcedure.output(profileView).query(({ ctx }) => getProfile(ctx.business)),
  version: businessProcedure
    .input(z.object({ version: z.coerce.number().int().positive().max(2_147_483_647) }))
    .output(profileView)
    .query(({ ctx, input }) => getProfileVersion(ctx.business, input.version)),
  versions: businessProcedure
    .output(z.object({ items: z.array(versionView) }))
    .query(async ({ ctx }) => ({ items: await listProfiles(ctx.business) })),
  save: businessProcedure
    .input(
      z.object({
        /** Left out, the hours stay as the business keeps them. */
        settings: receptionistSettings.extend({ hours: businessHours.optional() }),
        note: z.string().max(500).nullish(),
        basedOn: z.int().nonnegative().optional(),
      }),
    )
    .output(z.object({ version: z.number() }))
    .mutation(async ({ ctx, input }) => ({
      version: await saveProfile(ctx.business, {
        settings: input.settings,
        note: input.note ?? null,
        ...(input.basedOn === undefined ? {} : { basedOn: input.basedOn }),
      }),
    })),
  /** What a caller would hear first, and what the model would be told, under these settings or the ones that count. */
  preview: businessProcedure
    .input(z.object({ settings: receptionistSettings.optional(), language: language.optional() }).prefault({}))
    .output(z.object({ greeting: z.string(), instructions: z.string() }))
    .query(async ({ ctx, input }) => {
      const business = await getBusiness(ctx.business)
      const settings = input.settings ?? (await getProfile(ctx.business)).settings
      const spoken = input.language ?? business.language
      const words = openingWords(settings, spoken, spoken === business.language ? business.greeting : null)
      return {
        greeting: intakeScript({ language: spoken, businessName: business.name, ...words }).greeting,
        instructions: buildInstructions({
          businessName: business.name,
          language: spoken,
          timeZone: business.timezone,
          settings,
          now: new Date(),
        }),
      }
    }),
  texts: businessProcedure
    .output(z.object({ items: z.array(textView) }))
    .query(async ({ ctx }) => ({ items: await listBusinessTexts(ctx.business) })),
  saveText: businessProcedure
    .input(businessText)
    .output(id)
    .mutation(async ({ ctx, input }) => ({ id: await saveBusinessText(ctx.business, input) })),
  removeText: businessProcedure
    .input(id)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeBusinessText(ctx.business, input.id)
      return OK
    }),
})

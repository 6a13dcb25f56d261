import { z } from 'zod'
import { cancelAppointment, listAppointments } from '../domain/appointments/index.ts'
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
import { businessProcedure, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })

export const receptionistRouter = router({
  /** The settings that count now. */
  get: businessProcedure.query(({ ctx }) => getProfile(ctx.business)),
  version: businessProcedure
    .input(z.object({ version: z.int().positive() }))
    .query(({ ctx, input }) => getProfileVersion(ctx.business, input.version)),
  versions: businessProcedure.query(({ ctx }) => listProfiles(ctx.business)),
  save: businessProcedure
    .input(
      z.object({
        settings: receptionistSettings,
        note: z.string().max(500).nullish(),
        basedOn: z.int().nonnegative().optional(),
      }),
    )
    .mutation(async ({ ctx, input }) => ({
      version: await saveProfile(ctx.business, {
        settings: input.settings,
        note: input.note ?? null,
        ...(input.basedOn === undefined ? {} : { basedOn: input.basedOn }),
      }),
    })),
  /** What a caller would hear first, and what the model would be told, under these settings or the ones that count. */
  preview: businessProcedure
    .input(
      z.object({ settings: receptionistSettings.optional(), language: z.enum(['he', 'en']).optional() }).prefault({}),
    )
    .query(async ({ ctx, input }) => {
      const business = await getBusiness(ctx.business)
      const settings = input.settings ?? (await getProfile(ctx.business)).settings
      const language = input.language ?? business.language
      const words = openingWords(settings, language, language === business.language ? business.greeting : null)
      return {
        greeting: intakeScript({ language, businessName: business.name, ...words }).greeting,
        instructions: buildInstructions({
          businessName: business.name,
          language,
          timeZone: business.timezone,
          settings,
          now: new Date(),
        }),
      }
    }),
  texts: businessProcedure.query(({ ctx }) => listBusinessTexts(ctx.business)),
  saveText: businessProcedure
    .input(businessText)
    .mutation(async ({ ctx, input }) => ({ id: await saveBusinessText(ctx.business, input) })),
  removeText: businessProcedure.input(id).mutation(({ ctx, input }) => removeBusinessText(ctx.business, input.id)),
})

export const appointmentsRouter = router({
  list: businessProcedure
    .input(z.object({ from: z.coerce.date().optional(), limit: z.int().min(1).max(500).default(100) }).prefault({}))
    .query(({ ctx, input }) =>
      listAppointments(ctx.business, { limit: input.limit, ...(input.from ? { from: input.from } : {}) }),
    ),
  cancel: businessProcedure.input(id).mutation(({ ctx, input }) => cancelAppointment(ctx.business, input.id)),
})

import { z } from 'zod'
import { businessHours } from '../domain/appointments/index.ts'
import { businessSettings, getBusiness } from '../domain/businesses/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import {
  buildInstructions,
  businessText,
  getProfile,
  getProfileVersion,
  intakeScript,
  listBusinessTexts,
  listProfiles,
  openingWords,
  overnightView,
  profilePageInput,
  readOvernight,
  receptionistSettings,
  removeBusinessText,
  saveBusinessText,
  saveProfile,
} from '../domain/receptionist/index.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

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

const newProfile = z.object({
  /** Without `hours`, the business hours stay as they are. */
  settings: receptionistSettings.extend({ hours: businessHours.optional() }),
  note: z.string().max(500).nullish(),
  /** The version that was edited: the request fails when it is no longer the current one. */
  basedOn: z.int().nonnegative().optional(),
})

const previewInput = z.object({
  settings: receptionistSettings.optional(),
  language: businessSettings.shape.language.optional(),
})

const exampleSettings = { instructions: 'Ask for the delivery address.', greeting: { en: 'Dana Flowers, hello!' } }

export const receptionistRouter = router({
  overnight: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/receptionist/overnight',
        tag: 'Receptionist',
        summary: 'Count what came in since the business closed',
      },
    })
    .output(overnightView)
    .query(({ ctx }) => readOvernight(ctx.business)),
  get: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/receptionist',
        tag: 'Receptionist',
        summary: 'Get the receptionist’s current settings',
      },
    })
    .output(profileView)
    .query(({ ctx }) => getProfile(ctx.business)),
  save: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/receptionist',
        tag: 'Receptionist',
        summary: 'Save the receptionist’s settings',
        description:
          'Creates a new version, which the next call uses. With `basedOn`, the request fails when another version was saved meanwhile.',
        example: { settings: exampleSettings, note: 'New greeting' },
      },
    })
    .input(newProfile)
    .output(z.object({ version: z.number() }))
    .mutation(async ({ ctx, input: { settings, note, basedOn } }) => ({
      version: await saveProfile(ctx.business, {
        settings,
        note: note ?? null,
        ...(basedOn === undefined ? {} : { basedOn }),
      }),
    })),
  versions: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/receptionist/versions',
        tag: 'Receptionist',
        summary: 'List the versions of the receptionist’s settings',
        description: 'Newest first.',
        example: { cursor: '12' },
      },
    })
    .input(profilePageInput.prefault({}))
    .output(pageOf(versionView))
    .query(({ ctx, input }) => listProfiles(ctx.business, input)),
  version: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/receptionist/versions/{version}',
        tag: 'Receptionist',
        summary: 'Get a version of the receptionist’s settings',
      },
    })
    .input(z.object({ version: z.coerce.number().int().positive().max(2_147_483_647) }))
    .output(profileView)
    .query(({ ctx, input }) => getProfileVersion(ctx.business, input.version)),
  preview: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/preview',
        tag: 'Receptionist',
        summary: 'Preview the greeting and the instructions',
        description: 'Of the given settings, or of the current ones. Nothing is saved.',
        example: { settings: exampleSettings, language: 'en' },
      },
    })
    .input(previewInput.prefault({}))
    .output(z.object({ greeting: z.string(), instructions: z.string() }))
    .query(({ ctx, input }) => previewReceptionist(ctx.business, input)),
  texts: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/receptionist/texts',
        tag: 'Receptionist',
        summary: 'List the texts that the receptionist answers from',
      },
    })
    .output(pageOf(textView))
    .query(async ({ ctx }) => onePage(await listBusinessTexts(ctx.business))),
  saveText: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/texts',
        tag: 'Receptionist',
        summary: 'Save a text that the receptionist answers from',
        description: 'Replaces the text with the same title.',
        example: { title: 'Delivery', body: 'We deliver in Haifa on weekdays between 9:00 and 17:00.' },
        status: 201,
      },
    })
    .input(businessText)
    .output(byId)
    .mutation(async ({ ctx, input }) => ({ id: await saveBusinessText(ctx.business, input) })),
  removeText: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/receptionist/texts/{id}',
        tag: 'Receptionist',
        summary: 'Delete a text',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeBusinessText(ctx.business, input.id)
      return OK
    }),
})

async function previewReceptionist(ctx: BusinessContext, input: z.output<typeof previewInput>) {
  const business = await getBusiness(ctx)
  const settings = input.settings ?? (await getProfile(ctx)).settings
  const language = input.language ?? business.language
  const opening = openingWords(settings, language, language === business.language ? business.greeting : null)
  return {
    greeting: intakeScript({ language, businessName: business.name, ...opening }).greeting,
    instructions: buildInstructions({
      businessName: business.name,
      language,
      timeZone: business.timezone,
      settings,
      now: new Date(),
    }),
  }
}

import { z } from 'zod'
import { sayInTestChat, testChatInput, testChatView } from '../domain/agent/index.ts'
import { businessHours } from '../domain/appointments/index.ts'
import { businessSettings, getBusiness } from '../domain/businesses/index.ts'
import { actorName, beginTestCall } from '../domain/calls/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import {
  buildInstructions,
  businessText,
  type Draft,
  discardDraft,
  draftChanges,
  getDraft,
  getProfile,
  getProfileVersion,
  intakeScript,
  listBusinessTexts,
  listProfiles,
  openingWords,
  overnightView,
  profilePageInput,
  publishDraft,
  readOvernight,
  rebaseDraft,
  receptionistSettings,
  removeBusinessText,
  restoreVersion,
  saveBusinessText,
  saveDraft,
  saveProfile,
  voicemailPrompt,
} from '../domain/receptionist/index.ts'
import { AppError } from '../lib/errors.ts'
import {
  type ApiServices,
  businessProcedure,
  byId,
  done,
  OK,
  onePage,
  pageOf,
  router,
  type VoiceServices,
} from './trpc.ts'

const settingsView = receptionistSettings.extend({ transferNumber: z.string().nullable() })
const profileView = z.object({ version: z.number(), settings: settingsView })
const contentView = z.object({ settings: settingsView, texts: z.array(businessText) })
const versionView = z.object({
  version: z.number(),
  note: z.string().nullable(),
  actorKind: z.string().nullable(),
  actorId: z.string().nullable(),
  restoredFrom: z.number().nullable(),
  createdAt: z.date(),
})
const draftView = z.object({
  /** Name it when you change the draft: a draft that is another by now is not written over. */
  revision: z.number(),
  /** Without a draft, the content is that of the version in force. */
  exists: z.boolean(),
  /** Whether another version came into force since the draft was begun. */
  outdated: z.boolean(),
  settings: settingsView,
  texts: z.array(businessText),
  live: contentView.extend({ version: z.number() }),
  by: z.object({ kind: z.string(), id: z.string() }).nullable(),
  updatedAt: z.date().nullable(),
})
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

const versionNumber = z.coerce.number().int().nonnegative().max(2_147_483_647)
const revision = z.object({ revision: draftChanges.shape.revision })

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
        summary: 'Get a version of the receptionist’s settings and texts',
        description: 'Version 0 is what a business begins with.',
      },
    })
    .input(z.object({ version: versionNumber }))
    .output(profileView.extend({ texts: z.array(businessText) }))
    .query(({ ctx, input }) => getProfileVersion(ctx.business, input.version)),
  restore: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/versions/{version}/restore',
        tag: 'Receptionist',
        summary: 'Restore a version of the receptionist’s settings and texts',
        description: 'Creates a new version with the same content, which the next call uses.',
        example: { version: 1, basedOn: 3 },
      },
    })
    .input(z.object({ version: versionNumber, basedOn: z.int().nonnegative().optional() }))
    .output(z.object({ version: z.number() }))
    .mutation(async ({ ctx, input }) => ({ version: await restoreVersion(ctx.business, input) })),
  draft: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/receptionist/draft',
        tag: 'Receptionist',
        summary: 'Get the draft of the receptionist’s settings and texts',
        description: 'Beside the version in force. A business has one draft, which its members share.',
      },
    })
    .output(draftView)
    .query(async ({ ctx }) => toDraftView(await getDraft(ctx.business))),
  saveDraft: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/receptionist/draft',
        tag: 'Receptionist',
        summary: 'Change the draft, or begin one',
        description:
          'Calls go on using the version in force. The request fails when the draft was changed since the named revision.',
        example: { revision: 0, settings: exampleSettings },
      },
    })
    .input(draftChanges)
    .output(draftView)
    .mutation(async ({ ctx, input }) => toDraftView(await saveDraft(ctx.business, input))),
  discardDraft: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/draft/discard',
        tag: 'Receptionist',
        summary: 'Discard the draft',
        example: { revision: 1 },
      },
    })
    .input(revision)
    .output(draftView)
    .mutation(async ({ ctx, input }) => toDraftView(await discardDraft(ctx.business, input.revision))),
  rebaseDraft: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/draft/rebase',
        tag: 'Receptionist',
        summary: 'Take the changes of the version in force into the draft',
        description: 'Fields that both changed keep the value of the draft; `overlaps` names them.',
        example: { revision: 1 },
      },
    })
    .input(revision)
    .output(draftView.extend({ overlaps: z.array(z.string()) }))
    .mutation(async ({ ctx, input }) => {
      const { draft, overlaps } = await rebaseDraft(ctx.business, input.revision)
      return { ...toDraftView(draft), overlaps }
    }),
  publishDraft: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/draft/publish',
        tag: 'Receptionist',
        summary: 'Publish the draft',
        description:
          'Creates a new version, which the next call uses. Fails when another version came into force meanwhile.',
        example: { revision: 1, note: 'New greeting' },
      },
    })
    .input(revision.extend({ note: z.string().trim().max(500).nullish() }))
    .output(z.object({ version: z.number() }))
    .mutation(async ({ ctx, input }) => ({ version: await publishDraft(ctx.business, input) })),
  forcePublish: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/draft/force-publish',
        tag: 'Receptionist',
        summary: 'Publish the draft whatever came of its scenarios',
        description: 'For a business whose new versions wait for their scenarios.',
        example: { revision: 1, note: 'New greeting' },
      },
    })
    .input(revision.extend({ note: z.string().trim().max(500).nullish() }))
    .output(z.object({ version: z.number() }))
    .mutation(async ({ ctx, input }) => ({ version: await publishDraft(ctx.business, { ...input, force: true }) })),
  testChat: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/test-chats',
        tag: 'Receptionist',
        summary: 'Write to the receptionist as a customer would',
        description:
          'Answers with every step: tools with their arguments and results, where facts come from, and what was not sent. Tools do what they do, and nothing of it is kept. `history` has the turns before, as they were answered.',
        example: { texts: ['When are you open?'] },
      },
    })
    .input(testChatInput)
    .output(testChatView)
    .mutation(({ ctx, input, signal }) =>
      sayInTestChat(ctx.business, input, { respond: ctx.services.respond, signal }),
    ),
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
    .output(z.object({ greeting: z.string(), voicemail: z.string(), instructions: z.string() }))
    .query(({ ctx, input }) => previewReceptionist(ctx.business, input)),
  previewAudio: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/preview/audio',
        tag: 'Receptionist',
        summary: 'Hear the greeting or the voicemail prompt',
        description:
          'Of the given settings, or of the current ones, in the voice that callers hear. `audio` is a WAV file in base64.',
        example: { settings: exampleSettings, language: 'en' },
      },
    })
    .input(previewInput.extend({ kind: z.enum(['greeting', 'voicemail']).default('greeting') }))
    .output(z.object({ text: z.string(), audio: z.string() }))
    .mutation(async ({ ctx, input }) => {
      const { greeting, voicemail, language } = await previewReceptionist(ctx.business, input)
      const text = input.kind === 'voicemail' ? voicemail : greeting
      const wav = await voiceOf(ctx.services).speak(text, language)
      return { text, audio: Buffer.from(wav).toString('base64') }
    }),
  testCall: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/receptionist/test-calls',
        tag: 'Receptionist',
        summary: 'Begin a test call',
        description:
          'Answers the token of a call to the draft, or to the version in force. Open `/ws/test-call?business=<id>` within a minute with the same credentials, and speak Twilio’s Media Streams frames: `start` with this call SID and the token as the parameter `token`. A test call saves no lead, books nothing, sends nothing and is in no figure.',
        example: { draft: true, language: 'en' },
        status: 201,
      },
    })
    .input(
      z
        .object({
          draft: z.boolean().default(true),
          language: businessSettings.shape.language.optional(),
        })
        .prefault({}),
    )
    .output(z.object({ callSid: z.string(), token: z.string() }))
    .mutation(async ({ ctx, input }) => beginCall(ctx.business, voiceOf(ctx.services), input)),
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

function toDraftView({ content, live, ...draft }: Draft) {
  return { ...draft, ...content, live: { version: live.version, ...live.content } }
}

/** @throws AppError `no_voice` */
function voiceOf({ voice }: ApiServices): VoiceServices {
  if (voice) return voice
  throw new AppError('not_implemented', 'no_voice', 'This process serves no calls. Ask the running server.')
}

/** @throws AppError `business_blocked`, `too_many_test_calls`, `no_capacity` */
async function beginCall(
  ctx: BusinessContext,
  voice: VoiceServices,
  { draft, language }: { draft: boolean; language?: 'he' | 'en' | undefined },
) {
  const business = await getBusiness(ctx)
  if (business.blockedAt)
    throw new AppError(
      'forbidden',
      'business_blocked',
      'The business is blocked. Ask the operator of the installation.',
    )
  const test = { member: actorName(ctx.actor), draft, language: language ?? business.language }
  const callSid = await beginTestCall(ctx, { draft, language: test.language })
  const { content, live } = await getDraft(ctx)
  const { settings } = draft ? content : live.content
  const token = await voice.admitTestCall({ callSid, businessId: ctx.businessId, test }, settings)
  if (token) return { callSid, token }
  throw new AppError('unavailable', 'no_capacity', 'The server serves as many calls as it can. Try again in a minute.')
}

async function previewReceptionist(ctx: BusinessContext, input: z.output<typeof previewInput>) {
  const business = await getBusiness(ctx)
  const settings = input.settings ?? (await getProfile(ctx)).settings
  const language = input.language ?? business.language
  const opening = openingWords(settings, language, language === business.language ? business.greeting : null)
  return {
    language,
    greeting: intakeScript({ language, businessName: business.name, ...opening }).greeting,
    voicemail: voicemailPrompt({ language, businessName: business.name, voicemail: settings.voicemail[language] }),
    instructions: buildInstructions({
      businessName: business.name,
      language,
      timeZone: business.timezone,
      settings,
      now: new Date(),
    }),
  }
}

import { z } from 'zod'
import {
  addPhoneNumber,
  blockBusiness,
  businessSettings,
  businessView,
  createBusiness,
  getBusiness,
  listAccounts,
  listBusinesses,
  listPhoneNumbers,
  phoneNumberView,
  removePhoneNumber,
  unblockBusiness,
  updateBusiness,
} from '../domain/businesses/index.ts'
import { within } from '../domain/context.ts'
import { businessProcedure, done, OK, router } from './trpc.ts'

const business = z.object({ businessId: z.uuid() })

export const businessesRouter = router({
  /** The business that the request speaks for. */
  get: businessProcedure.output(businessView).query(({ ctx }) => getBusiness(ctx.business)),
  /** Settings that are not given stay as they are. */
  update: businessProcedure
    .input(businessSettings.partial())
    .output(businessView)
    .mutation(({ ctx, input }) => updateBusiness(ctx.business, input)),
  numbers: businessProcedure
    .output(z.object({ items: z.array(phoneNumberView) }))
    .query(async ({ ctx }) => ({ items: await listPhoneNumbers(ctx.business) })),
  addNumber: businessProcedure
    .input(
      z.object({
        number: z.string().max(64),
        label: z.string().trim().min(1).max(80).optional(),
        language: z.enum(['he', 'en']).optional(),
      }),
    )
    .output(phoneNumberView)
    .mutation(({ ctx, input }) =>
      addPhoneNumber(ctx.business, {
        number: input.number,
        ...(input.label ? { label: input.label } : {}),
        ...(input.language ? { language: input.language } : {}),
      }),
    ),
  removeNumber: businessProcedure
    .input(z.object({ numberId: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removePhoneNumber(ctx.business, input.numberId)
      return OK
    }),
  /** What the business can send and answer with. */
  providers: businessProcedure
    .output(
      z.object({
        twilio: z.object({
          configured: z.boolean(),
          defaultSender: z.string().nullable(),
          /** With keys of its own, not the installation's. */
          own: z.boolean(),
        }),
        accounts: z.array(
          z.object({
            id: z.uuid(),
            provider: z.enum(['twilio', 'baileys']),
            phone: z.string().nullable(),
            state: z.string(),
            reason: z.string().nullable(),
            since: z.date(),
            linked: z.boolean(),
            confirmationNeeded: z.boolean(),
          }),
        ),
      }),
    )
    .query(async ({ ctx }) => ({
      twilio: ctx.settings.twilio(ctx.business.businessId),
      accounts: await listAccounts(ctx.business),
    })),
  /** Every business of the installation. */
  all: businessProcedure
    .output(z.object({ items: z.array(businessView) }))
    .query(async ({ ctx }) => ({ items: await listBusinesses(ctx.business) })),
  create: businessProcedure
    .input(
      z.object({
        /** Chosen by the client, so that a repeated request makes one business. */
        id: z.uuid().optional(),
        name: z.string().trim().min(1).max(120),
        language: z.enum(['he', 'en']).default('he'),
      }),
    )
    .output(z.object({ id: z.uuid() }))
    .mutation(async ({ ctx, input }) => ({
      id: await createBusiness(ctx.business, {
        name: input.name,
        language: input.language,
        ...(input.id ? { id: input.id } : {}),
      }),
    })),
  /** Calls go to voicemail and sends are refused until it is unblocked. */
  block: businessProcedure
    .input(business.extend({ reason: z.string().trim().min(1).max(500) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await blockBusiness(within(ctx.business, input.businessId, ctx.business.actor), input.reason)
      return OK
    }),
  unblock: businessProcedure
    .input(business)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await unblockBusiness(within(ctx.business, input.businessId, ctx.business.actor))
      return OK
    }),
})

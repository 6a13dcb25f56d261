import { z } from 'zod'
import type { AccessContext } from '../access/authenticate.ts'
import {
  addPhoneNumber,
  blockBusiness,
  businessSettings,
  businessView,
  carrierNumberView,
  connectNumber,
  createBusiness,
  getBusiness,
  listAccounts,
  listBusinesses,
  listCarrierNumbers,
  listPhoneNumbers,
  phoneNumberView,
  removePhoneNumber,
  unblockBusiness,
  updateBusiness,
} from '../domain/businesses/index.ts'
import { type BusinessContext, within } from '../domain/context.ts'
import { AppError } from '../lib/errors.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

const { language, defaultWhatsappProvider: whatsappProvider } = businessSettings.shape

const businessId = z.object({ id: z.uuid().optional() })

const newBusiness = z.object({
  id: z.uuid().optional(),
  name: z.string().trim().min(1).max(120),
  language: language.default('he'),
})

const newNumber = businessId.extend({
  number: z.string().max(64),
  label: z.string().trim().min(1).max(80).optional(),
  language: language.optional(),
})

const providersView = z.object({
  twilio: z.object({
    configured: z.boolean(),
    defaultSender: z.string().nullable(),
    own: z.boolean(),
  }),
  accounts: z.array(
    z.object({
      id: z.uuid(),
      provider: whatsappProvider,
      phone: z.string().nullable(),
      state: z.string(),
      reason: z.string().nullable(),
      since: z.date(),
      linked: z.boolean(),
      confirmationNeeded: z.boolean(),
    }),
  ),
})

export const businessesRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/businesses', tag: 'Businesses', summary: 'List all businesses' } })
    .output(pageOf(businessView))
    .query(async ({ ctx }) => onePage(await listBusinesses(ctx.business))),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/businesses',
        tag: 'Businesses',
        summary: 'Create a business',
        description: 'With an `id` chosen by the client, a repeated request creates one business.',
        example: { name: 'Dana Flowers', language: 'en' },
        status: 201,
      },
    })
    .input(newBusiness)
    .output(byId)
    .mutation(async ({ ctx, input: { id, ...rest } }) => ({
      id: await createBusiness(ctx.business, { ...rest, ...(id ? { id } : {}) }),
    })),
  get: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/businesses/{id}', tag: 'Businesses', summary: 'Get a business' } })
    .input(businessId.prefault({}))
    .output(businessView)
    .query(async ({ ctx, input }) => getBusiness(await ownOrOperated(ctx.business, input.id))),
  update: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/businesses/{id}',
        tag: 'Businesses',
        summary: 'Change a business’s settings',
        description: 'Settings that are left out stay as they are.',
        example: { timezone: 'Asia/Jerusalem', hours: { sun: [['09:00', '17:00']] } },
      },
    })
    .input(businessSettings.partial().extend(businessId.shape))
    .output(businessView)
    .mutation(({ ctx, input: { id, ...changes } }) => updateBusiness(own(ctx.business, id), changes)),
  block: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/businesses/{id}/block',
        tag: 'Businesses',
        summary: 'Block a business',
        description: 'Calls go to voicemail and messages are not sent until the business is unblocked.',
        example: { reason: 'The invoice is overdue.' },
      },
    })
    .input(byId.extend({ reason: z.string().trim().min(1).max(500) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await blockBusiness(await ownOrOperated(ctx.business, input.id), input.reason)
      return OK
    }),
  unblock: businessProcedure
    .meta({
      openapi: { method: 'POST', path: '/businesses/{id}/unblock', tag: 'Businesses', summary: 'Unblock a business' },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await unblockBusiness(await ownOrOperated(ctx.business, input.id))
      return OK
    }),
  numbers: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/businesses/{id}/numbers',
        tag: 'Businesses',
        summary: 'List a business’s phone numbers',
      },
    })
    .input(businessId.prefault({}))
    .output(pageOf(phoneNumberView))
    .query(async ({ ctx, input }) => onePage(await listPhoneNumbers(await ownOrOperated(ctx.business, input.id)))),
  addNumber: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/businesses/{id}/numbers',
        tag: 'Businesses',
        summary: 'Add a phone number to a business',
        description: 'Calls to this number reach the business.',
        example: { number: '+97233330000', label: 'Main line' },
        status: 201,
      },
    })
    .input(newNumber)
    .output(phoneNumberView)
    .mutation(async ({ ctx, input: { id, number, label, language } }) =>
      addPhoneNumber(await ownOrOperated(ctx.business, id), {
        number,
        ...(label ? { label } : {}),
        ...(language ? { language } : {}),
      }),
    ),
  carrierNumbers: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/businesses/{id}/carrier-numbers',
        tag: 'Businesses',
        summary: 'List the numbers of a business’s carrier account',
        description: 'With where their calls go now. Empty when no carrier is configured.',
      },
    })
    .input(businessId.prefault({}))
    .output(pageOf(carrierNumberView))
    .query(async ({ ctx, input }) => {
      const business = await ownOrOperated(ctx.business, input.id)
      const { telephonyOf, webhooks } = ctx.services.numbers
      const telephony = telephonyOf(business.businessId)
      return onePage(telephony ? await listCarrierNumbers(business, telephony, webhooks) : [])
    }),
  connectNumber: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/businesses/{id}/carrier-numbers/{carrierId}/connect',
        tag: 'Businesses',
        summary: 'Connect a number of the carrier account',
        description: 'The business answers it from now on, and its webhooks are set to this installation.',
      },
    })
    .input(businessId.extend({ carrierId: z.string().min(1).max(64) }))
    .output(carrierNumberView)
    .mutation(async ({ ctx, input }) => {
      const business = await ownOrOperated(ctx.business, input.id)
      const { telephonyOf, webhooks } = ctx.services.numbers
      const telephony = telephonyOf(business.businessId)
      if (!telephony)
        throw new AppError(
          'conflict',
          'carrier_not_configured',
          'No carrier is configured. Set the business’s own Twilio keys, or the installation’s.',
        )
      return await connectNumber(business, telephony, input.carrierId, webhooks)
    }),
  removeNumber: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/businesses/{id}/numbers/{numberId}',
        tag: 'Businesses',
        summary: 'Remove a phone number from a business',
      },
    })
    .input(businessId.extend({ numberId: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removePhoneNumber(await ownOrOperated(ctx.business, input.id), input.numberId)
      return OK
    }),
  providers: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/businesses/{id}/providers',
        tag: 'Businesses',
        summary: 'Get a business’s messaging providers',
        description: 'Whether Twilio is configured, and the WhatsApp accounts with their state.',
      },
    })
    .input(businessId.prefault({}))
    .output(providersView)
    .query(async ({ ctx, input }) => {
      const business = own(ctx.business, input.id)
      return { twilio: ctx.settings.twilio(business.businessId), accounts: await listAccounts(business) }
    }),
})

/** @throws AppError `business_not_found` for another business than the one of the request */
function own(business: AccessContext, id: string | undefined): BusinessContext {
  if (id === undefined || id === business.businessId) return business
  throw new AppError('not_found', 'business_not_found', 'There is no such business.')
}

/** Operators may name any business. @throws AppError `business_not_found` */
async function ownOrOperated(business: AccessContext, id: string | undefined): Promise<BusinessContext> {
  if (id === undefined || id === business.businessId || !business.access.operator) return own(business, id)
  const named = within(business, id, business.actor)
  await getBusiness(named)
  return named
}

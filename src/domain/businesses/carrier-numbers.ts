import { inArray } from 'drizzle-orm'
import { z } from 'zod'
import { phoneNumbers } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { CarrierNumber, Telephony } from '../../providers/telephony/port.ts'
import type { BusinessContext } from '../context.ts'
import { addPhoneNumber } from './businesses.ts'

export type NumberWebhooks = { voiceUrl: string; statusCallback: string; smsUrl: string }

export const carrierNumberView = z.object({
  id: z.string(),
  e164: z.string(),
  assigned: z.enum(['here', 'elsewhere', 'nowhere']),
  connected: z.boolean(),
  /** Where its calls go now, as the carrier has it; null for nowhere. */
  goesTo: z.string().nullable(),
})

/** Which of the webhooks of a number do not lead where they should. */
export function wrongWebhooks(number: CarrierNumber, wanted: NumberWebhooks): ('voice' | 'status' | 'sms')[] {
  const voice = number.answeredBy === null && number.voiceUrl === wanted.voiceUrl && number.voiceMethod === 'POST'
  const status = number.statusCallback === wanted.statusCallback && number.statusMethod === 'POST'
  const sms = !number.sms || (number.smsUrl === wanted.smsUrl && number.smsMethod === 'POST')
  return [
    ...(voice ? [] : ['voice' as const]),
    ...(status ? [] : ['status' as const]),
    ...(sms ? [] : ['sms' as const]),
  ]
}

/** The numbers of the carrier account that the business uses. @throws AppError `carrier_unreachable`, `carrier_refused` */
export async function listCarrierNumbers(ctx: BusinessContext, telephony: Telephony, wanted: NumberWebhooks) {
  const owned = await telephony.listNumbers()
  return await viewsOf(ctx, owned, wanted)
}

/**
 * Connects a number, by the carrier's `id`, to the business and this installation's webhooks. @throws AppError
 * `number_not_found`, `number_taken`, `carrier_refused`, `carrier_unreachable`
 */
export async function connectNumber(ctx: BusinessContext, telephony: Telephony, id: string, wanted: NumberWebhooks) {
  const found = (await telephony.listNumbers()).find((number) => number.id === id)
  if (!found)
    throw new AppError(
      'not_found',
      'number_not_found',
      'The carrier’s account has no such number. Load the list again.',
    )
  await addPhoneNumber(ctx, { number: found.number })
  const set = await telephony.configureNumber(id, wanted)
  const [view] = await viewsOf(ctx, [set], wanted)
  if (!view?.connected)
    throw new AppError(
      'unavailable',
      'carrier_refused',
      'The carrier accepted the change but does not show it. Set the webhooks in its own console.',
    )
  return view
}

async function viewsOf(ctx: BusinessContext, owned: CarrierNumber[], wanted: NumberWebhooks) {
  const assigned = await ctx.db
    .select({ e164: phoneNumbers.e164, businessId: phoneNumbers.businessId })
    .from(phoneNumbers)
    .where(
      inArray(
        phoneNumbers.e164,
        owned.map(({ number }) => number),
      ),
    )
  return owned.map((number): z.infer<typeof carrierNumberView> => {
    const owner = assigned.find(({ e164 }) => e164 === number.number)?.businessId
    return {
      id: number.id,
      e164: number.number,
      assigned: owner === undefined ? 'nowhere' : owner === ctx.businessId ? 'here' : 'elsewhere',
      // Its calls arrive; that SMS do not is a warning of `doctor`.
      connected: wrongWebhooks(number, wanted).every((webhook) => webhook === 'sms'),
      goesTo: number.answeredBy ?? (number.voiceUrl || null),
    }
  })
}

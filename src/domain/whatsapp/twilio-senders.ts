import { whatsappAccounts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { parsePhone } from '../../lib/phone.ts'
import { audit, type BusinessContext } from '../context.ts'

/** Lists a sender of the Twilio account for a business: what is written to it is the business's. @returns its id */
export async function addTwilioSender(ctx: BusinessContext, number: string): Promise<string> {
  const phone = parsePhone(number)
  if (!phone)
    throw new AppError('invalid', 'invalid_number', 'This is no phone number; write it as +972…', { field: 'number' })
  const id = newId()
  await ctx.db.transaction(async (tx) => {
    await tx
      .insert(whatsappAccounts)
      .values({ id, businessId: ctx.businessId, provider: 'twilio', phone, state: 'working', linkedAt: new Date() })
    await audit(tx, ctx, { action: 'whatsapp.sender', entity: 'whatsapp_account', entityId: id })
  })
  return id
}

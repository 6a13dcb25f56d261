import { and, eq } from 'drizzle-orm'
import { contacts, payments } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { getBusiness } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { requestMessage } from '../messages/index.ts'
import { receiptText } from './messages.ts'
import type { PaymentDeps } from './payment-deps.ts'
import { recordEvent } from './states.ts'

/** Sends the receipt of a paid payment by WhatsApp, once. @throws AppError `unavailable` when it cannot be sent now */
export async function sendReceipt(ctx: BusinessContext, paymentId: string, deps: PaymentDeps): Promise<void> {
  const [row] = await ctx.db
    .select({ payment: payments, phone: contacts.phone })
    .from(payments)
    .leftJoin(contacts, eq(contacts.id, payments.contactId))
    .where(and(eq(payments.id, paymentId), eq(payments.businessId, ctx.businessId)))
  if (row?.payment.receipt !== 'due') return
  const { payment, phone } = row
  const conclude = async (receipt: 'sent' | 'failed', messageId: string | null, data: Record<string, unknown>) =>
    await ctx.db.transaction(async (tx) => {
      const changed = await tx
        .update(payments)
        .set({ receipt, receiptMessageId: messageId })
        .where(and(eq(payments.id, paymentId), eq(payments.businessId, ctx.businessId), eq(payments.receipt, 'due')))
        .returning({ id: payments.id })
      if (changed.length > 0) await recordEvent(tx, ctx, paymentId, { kind: `receipt.${receipt}`, data })
    })
  if (!phone) {
    await conclude('failed', null, { reason: 'no_phone' })
    return
  }
  try {
    const business = await getBusiness(ctx)
    const message = await requestMessage(
      ctx,
      {
        to: phone,
        text: receiptText(business.language, { ...payment, businessName: business.name }),
        idempotencyKey: `payment-receipt-${paymentId}`,
      },
      deps.messages,
    )
    await conclude('sent', message.id, { messageId: message.id })
  } catch (error) {
    // A provider that is not set up or an account never linked does not come by waiting; a database does.
    const final = error instanceof AppError && (error.kind !== 'unavailable' || error.code === 'not_configured')
    if (!final) throw error
    await conclude('failed', null, { reason: error.code })
  }
}

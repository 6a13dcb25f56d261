import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { payments } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { parsePhone } from '../../lib/phone.ts'
import { getBusiness } from '../businesses/index.ts'
import { getContact, identitiesOf, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { refuseErased } from '../erasures/index.ts'
import { lastWrittenTo, requestMessage } from '../messages/index.ts'
import { linkText } from './messages.ts'
import { chooseProvider, type PaymentDeps } from './payment-deps.ts'
import { recordEvent } from './states.ts'

/** A million shekels: more is a slip of the keyboard. */
const MAX_AMOUNT = 100_000_000
const DEFAULT_HOURS = 7 * 24

export const paymentRequest = z.object({
  contact: z.string().min(1).max(64),
  /** In agorot (cents): 7900 is 79.00. */
  amount: z.int('a whole number of agorot').min(1).max(MAX_AMOUNT),
  currency: z.enum(payments.currency.enumValues).default('ILS'),
  description: z.string().trim().min(1).max(127),
  /** `paypal` or `tranzila`; the installation's own choice when absent. */
  provider: z.string().max(32).optional(),
  idempotencyKey: z.string().min(1).max(128).optional(),
  expiresInHours: z
    .number()
    .positive()
    .max(90 * 24)
    .default(DEFAULT_HOURS),
  send: z.boolean().default(false),
})
export type PaymentRequest = z.input<typeof paymentRequest>

export type RequestedPayment = {
  id: string
  url: string
  state: (typeof payments.$inferSelect)['state']
  provider: 'paypal' | 'tranzila'
  messageId: string | null
}

/**
 * Whether this business can ask for a payment through this provider: looked at before anything else of a request is.
 * @throws AppError `business_blocked` (403) first, then `unknown_provider`, `payments_not_configured` (501)
 */
export async function checkPayments(ctx: BusinessContext, deps: PaymentDeps, provider?: string, currency?: string) {
  const business = await requireUnblocked(ctx)
  const providers = deps.providersOf(ctx.businessId)
  return { business, provider: chooseProvider(providers, provider, currency, business.paymentProvider) }
}

/** @throws AppError `business_blocked` */
export async function requireUnblocked(ctx: BusinessContext) {
  const business = await getBusiness(ctx)
  if (business.blockedAt)
    throw new AppError('forbidden', 'business_blocked', 'This business is blocked; it cannot take payments.')
  return business
}

/**
 * Makes a payment and its link, once per idempotency key; the provider is called when the customer presses the button.
 * `askedAt`: nothing is asked of a person erased since. @throws AppError `business_blocked`, `payments_not_configured`,
 * `unknown_provider`, `currency_not_supported`, `invalid_number`, `contact_not_found`, `idempotency_conflict`,
 * `person_erased`: nothing is written; sending's errors leave the payment
 */
export async function requestPayment(
  ctx: BusinessContext,
  input: PaymentRequest,
  deps: PaymentDeps,
  askedAt: Date | null = null,
): Promise<RequestedPayment> {
  const request = paymentRequest.parse(input)
  const { business, provider } = await checkPayments(ctx, deps, request.provider, request.currency)
  if (!provider.currencies.includes(request.currency))
    throw new AppError(
      'invalid',
      'currency_not_supported',
      `${provider.name} takes ${provider.currencies.join(', ')} here.`,
      { field: 'currency' },
    )
  const byId = z.uuid().safeParse(request.contact).success
  if (byId && askedAt) await refuseErased(ctx.db, ctx, [{ kind: 'contact', value: request.contact }], askedAt)
  const known = byId ? (await getContact(ctx, request.contact)).id : { phone: phoneOf(request.contact) }
  const { contact: _, idempotencyKey, ...rest } = request
  const requestHash = sha256Hex(JSON.stringify([known, { ...rest, provider: provider.name }]))

  const payment = await insertPayment(ctx, { ...request, provider: provider.name, requestHash }, known, askedAt)
  if (payment.requestHash !== requestHash)
    throw new AppError('conflict', 'idempotency_conflict', 'This idempotency key was used for another payment.', {
      field: 'idempotencyKey',
    })

  const url = deps.urls.page(payment.id)
  const text = linkText(business.language, { ...payment, businessName: business.name, url })
  const messageId = request.send ? await sendLink(ctx, payment, known, text, deps) : null
  return { id: payment.id, url, state: payment.state, provider: payment.provider, messageId }
}

type Payer = string | { phone: string }

/** Writes the payment, or finds the earlier one of the same idempotency key. @throws AppError `person_erased` */
async function insertPayment(
  ctx: BusinessContext,
  request: Omit<z.output<typeof paymentRequest>, 'provider'> & { provider: 'paypal' | 'tranzila'; requestHash: string },
  payer: Payer,
  askedAt: Date | null,
) {
  const { amount, currency, description, provider, requestHash, idempotencyKey = null } = request
  return await ctx.db.transaction(async (tx) => {
    const found = await findByKey(tx, ctx, idempotencyKey)
    if (found) return found
    const contactId = typeof payer === 'string' ? payer : await resolveContact(tx, ctx, payer)
    if (typeof payer !== 'string' && askedAt) await refuseErased(tx, ctx, identitiesOf(payer), askedAt)
    const expiresAt = new Date(Date.now() + request.expiresInHours * 3_600_000)
    const [made] = await tx
      .insert(payments)
      .values({
        ...{ id: newId(), businessId: ctx.businessId, contactId, amount, currency, description, provider },
        ...{ idempotencyKey, requestHash, expiresAt, nextCheckAt: expiresAt },
      })
      .onConflictDoNothing()
      .returning()
    if (made) {
      const data = { amount, currency, provider }
      await recordEvent(tx, ctx, made.id, { kind: 'payment.requested', to: 'created', data })
      await audit(tx, ctx, { action: 'payment.request', entity: 'payment', entityId: made.id, data })
      return made
    }
    // Another request used the same key between the look-up and the insert.
    const winner = await findByKey(tx, ctx, idempotencyKey)
    if (!winner) throw new Error('The payment was neither written nor found.')
    return winner
  })
}

async function findByKey(tx: Executor, ctx: BusinessContext, key: string | null) {
  if (key === null) return undefined
  const [row] = await tx
    .select()
    .from(payments)
    .where(and(eq(payments.businessId, ctx.businessId), eq(payments.idempotencyKey, key)))
  return row
}

/** Sends from the account that the payer wrote to. @returns the message's id @throws AppError `no_phone`, and those of `requestMessage` */
async function sendLink(
  ctx: BusinessContext,
  { id, contactId }: Pick<typeof payments.$inferSelect, 'id' | 'contactId'>,
  payer: Payer,
  text: string,
  deps: PaymentDeps,
) {
  const phone = typeof payer === 'string' ? (await getContact(ctx, payer)).phone : payer.phone
  if (!phone) throw new AppError('invalid', 'no_phone', 'The contact has no phone number to send the link to.')
  const request = { to: phone, text, idempotencyKey: `payment-link-${id}` }
  const writtenTo = contactId ? await lastWrittenTo(ctx, contactId) : null
  return (await requestMessage(ctx, request, deps.messages, null, undefined, writtenTo)).id
}

function phoneOf(input: string): string {
  const phone = parsePhone(input)
  if (phone) return phone
  throw new AppError('invalid', 'invalid_number', 'Name the contact by its id or by a phone number: +972… or 05x-….', {
    field: 'contact',
  })
}

import { and, desc, eq, inArray, max, type SQL } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { ProbeMedia } from '../../providers/whatsapp/port.ts'
import { type getBusiness, type SenderChoice, senderFor } from '../businesses/index.ts'
import { contactsWithPhone } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import type { UploadLinks } from './uploads.ts'

export const WHATSAPP_PROVIDERS = messages.provider.enumValues
export type ProviderName = (typeof WHATSAPP_PROVIDERS)[number]

export type TwilioSending = {
  configured: boolean
  /** E.164; what is sent from where none of its senders is listed here. */
  defaultSender: string | null
  /** It sends with its own account: the default sender is its own, and goes before those listed. */
  own: boolean
}

export type SendSettings = {
  twilio(businessId: string): TwilioSending
  /** Looks at files that are to be sent before they are accepted; unset: only sending tells. */
  probeMedia?: ProbeMedia
  /** Recognizes files that were uploaded here; unset: every address is another server's. */
  uploads?: UploadLinks
}

export type ChosenSender = { provider: ProviderName; accountId: string | null }

/** WhatsApp's customer-care window: free text may be sent over the business platform this long after the person wrote. */
const WINDOW_MS = 24 * 3_600_000

type Assessment =
  | { verdict: 'takes'; sender: ChosenSender }
  /** It may take the message some day; another provider takes it now, if there is one. */
  | { verdict: 'waits'; sender: ChosenSender }
  | { verdict: 'cannot'; error: AppError; final: boolean }

/**
 * The account `preferred` where it surely takes the message now; else the provider asked for, or the second when the first surely cannot take it (not linked, not confirmed, restricted, down).
 * @throws AppError `not_configured`, `account_not_linked`, `template_required`, `template_not_supported`
 */
export async function chooseSender(
  ctx: BusinessContext,
  asked: ProviderName | null,
  what: { to: string; free: boolean },
  settings: SendSettings,
  business: Pick<Awaited<ReturnType<typeof getBusiness>>, 'defaultWhatsappProvider' | 'fallbackWhatsappProvider'>,
  preferred: ChosenSender | null = null,
): Promise<ChosenSender> {
  if (preferred && (!asked || asked === preferred.provider)) {
    const { provider, accountId } = preferred
    const assessed = await assess(ctx, provider, { ...what, accountId }, settings)
    if (assessed.verdict === 'takes') return assessed.sender
  }
  const first = asked ?? business.defaultWhatsappProvider
  const assessed = await assess(ctx, first, what, settings)
  if (assessed.verdict === 'takes') return assessed.sender
  const second = business.fallbackWhatsappProvider
  const final = assessed.verdict === 'cannot' && assessed.final
  if (second && second !== first && !final) {
    const other = await assess(ctx, second, what, settings)
    if (other.verdict === 'takes') return other.sender
  }
  if (assessed.verdict === 'cannot') throw assessed.error
  return assessed.sender
}

/** How a provider stands to a message, as far as it is known before sending. */
export async function assess(
  ctx: BusinessContext,
  provider: ProviderName,
  what: { to: string; free: boolean; accountId?: string | null },
  settings: SendSettings,
): Promise<Assessment> {
  const cannot = (kind: 'unavailable' | 'conflict', code: string, message: string, field: string, final = false) =>
    ({ verdict: 'cannot', error: new AppError(kind, code, message, { field }), final }) as const
  const twilio = settings.twilio(ctx.businessId)
  if (provider === 'twilio' && !twilio.configured)
    return cannot(
      'unavailable',
      'not_configured',
      'Twilio is not configured: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or keys of the business’s own.',
      'provider',
    )
  const choice = await senderFor(ctx, provider, twilio, what.accountId)
  if (choice.kind === 'none')
    return cannot('unavailable', 'not_configured', 'The business has no Twilio WhatsApp sender.', 'provider')
  if (choice.kind === 'never_linked')
    return cannot('conflict', 'account_not_linked', 'No WhatsApp account was ever linked; link one first.', 'provider')
  const sender = { provider, accountId: choice.accountId }
  if (provider === 'twilio') {
    if (!what.free || (await windowMayBeOpen(ctx, what.to, choice))) return { verdict: 'takes', sender }
    return cannot(
      'conflict',
      'template_required',
      'This person has not written for 24 hours: WhatsApp takes only a template (template.contentSid) now.',
      'template',
      true,
    )
  }
  if (!what.free)
    return {
      verdict: 'cannot',
      error: new AppError('invalid', 'template_not_supported', 'A linked account sends no templates; send a text.', {
        field: 'template',
      }),
      final: false,
    }
  if (choice.down || choice.unconfirmed) return { verdict: 'waits', sender }
  if (choice.restricted && !(await lastInbound(ctx, 'baileys', what.to))) return { verdict: 'waits', sender }
  return { verdict: 'takes', sender }
}

/** Whether the window may be open. What people wrote to a sender before this product knew it, only WhatsApp knows. */
async function windowMayBeOpen(
  ctx: BusinessContext,
  to: string,
  sender: SenderChoice & { kind: 'ready' },
): Promise<boolean> {
  const last = await lastInbound(ctx, 'twilio', to)
  return Date.now() - (last ?? sender.since).getTime() < WINDOW_MS
}

/** The account that a person wrote to last: where they expect an answer from. Null when they never wrote. */
export async function lastWrittenTo(ctx: BusinessContext, contactId: string): Promise<ChosenSender | null> {
  const [row] = await ctx.db
    .select({ provider: messages.provider, accountId: messages.accountId })
    .from(messages)
    .where(
      and(eq(messages.businessId, ctx.businessId), eq(messages.contactId, contactId), eq(messages.direction, 'in')),
    )
    .orderBy(desc(messages.occurredAt), desc(messages.id))
    .limit(1)
  return row ?? null
}

async function lastInbound(ctx: BusinessContext, provider: ProviderName, phone: string): Promise<Date | null> {
  const where: SQL | undefined = and(
    eq(messages.businessId, ctx.businessId),
    inArray(messages.contactId, contactsWithPhone(ctx, phone)),
    eq(messages.direction, 'in'),
    eq(messages.provider, provider),
  )
  const [row] = await ctx.db
    .select({ at: max(messages.occurredAt) })
    .from(messages)
    .where(where)
  return row?.at ?? null
}

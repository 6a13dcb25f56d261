import type { Context } from 'hono'
import { z } from 'zod'
import { describeContent } from '../../../domain/messages/index.ts'
import { cutText } from '../../../lib/text.ts'
import { invalidSignature, requireCarrierForm, scopeOf } from '../verify-signature.ts'
import { enqueueMessage, findAddressee, type WhatsAppWebhookDeps } from './context.ts'
import { readTwilioMessage } from './twilio-message.ts'

const statusForm = z.object({
  MessageSid: z.string().min(1).max(64),
  MessageStatus: z.string().min(1).max(32),
  ErrorCode: z
    .string()
    .transform((code) => cutText(code, 16))
    .optional(),
})

/** `POST /webhook/whatsapp/twilio`: an inbound message. */
export async function twilioMessage(
  c: Context,
  deps: WhatsAppWebhookDeps,
  onUnknownFields: (names: string[]) => void,
): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, deps.carriers)
  const message = readTwilioMessage(params)
  onUnknownFields(message.unknown)
  const { account, businessId } = findAddressee(deps, message.to, signer)
  const { target, ...content } = describeContent(message.content, message.extras)
  // Files are fetched later with the keys of their account: one business must not point into the account of another.
  const foreign = ({ url }: { url: string | null }) => url !== null && !isInAccount(url, signer.telephony.accountSid)
  if (signer.only && content.media.some(foreign)) throw invalidSignature()
  await enqueueMessage(deps, {
    provider: 'twilio',
    businessId,
    ...(account ? { accountId: account.id } : {}),
    dedupeKey: `twilio:${message.id}`,
    providerMessageId: message.id,
    from: message.from,
    ...content,
    replyTo: target ?? message.replyTo,
    at: new Date().toISOString(),
  })
  return c.body(null, 204)
}

/** `POST /webhook/whatsapp/status`: the status of a sent message. */
export async function twilioStatus(c: Context, deps: WhatsAppWebhookDeps): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, deps.carriers)
  const form = statusForm.parse(params)
  const messageId = z.uuid().safeParse(c.req.query('message')).data
  await deps.inbox.accept(
    'message.status',
    {
      provider: 'twilio',
      messageId: messageId ?? null,
      providerMessageId: form.MessageSid,
      status: form.MessageStatus,
      errorCode: form.ErrorCode ?? null,
      ...scopeOf(signer),
      at: new Date().toISOString(),
    },
    // The account is part of the key: another account's event with the same id must not suppress this one.
    { key: `${signer.telephony.accountSid}:${form.MessageSid}:${form.MessageStatus}` },
  )
  return c.body(null, 204)
}

/** Whether a file belongs to the account (Twilio: `/2010-04-01/Accounts/{AccountSid}/Messages/…/Media/…`). */
function isInAccount(url: string, accountSid: string): boolean {
  const { pathname } = URL.parse(url) ?? { pathname: '' }
  return pathname.toLowerCase().startsWith(`/2010-04-01/accounts/${accountSid.toLowerCase()}/`)
}

import { Hono } from 'hono'
import { z } from 'zod'
import type { AccountEntry, BusinessDirectory } from '../../domain/businesses/index.ts'
import type { SendSettings } from '../../domain/messages/index.ts'
import type { Inbox } from '../../jobs/inbox.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { AppError } from '../../lib/errors.ts'
import { secretsEqual } from '../../lib/ids.ts'
import { networkPhone } from '../../lib/phone.ts'
import { type Carriers, type Signer, speaksFor } from '../../providers/telephony/port.ts'
import { parseJson } from '../errors.ts'
import { readText } from '../form.ts'
import { WEBHOOKS } from '../urls.ts'
import { type BaileysEvent, baileysEvents } from './baileys-event.ts'
import { notSigned, requireCarrierForm, scopeOf } from './signed.ts'

export type WhatsAppWebhookDeps = {
  carriers: Carriers
  settings: SendSettings
  directory: BusinessDirectory
  inbox: Pick<Inbox, 'accept'>
  baileysSecret: string | null
}

const MAX_BAILEYS_BYTES = 1024 * 1024

const inboundForm = z.looseObject({
  MessageSid: z.string().min(1).max(64),
  From: z.string().min(1).max(128),
  To: z.string().min(1).max(128),
  Body: z.string().max(65_536).default(''),
  NumMedia: z.coerce.number().int().min(0).max(20).default(0),
  ProfileName: z.string().max(256).optional(),
  WaId: z.string().max(64).optional(),
  ExternalUserId: z.string().max(256).optional(),
  MessageType: z.string().max(32).optional(),
  OriginalRepliedMessageSid: z.string().max(64).optional(),
  ButtonText: z.string().max(256).optional(),
  ButtonPayload: z.string().max(1_024).optional(),
  Latitude: z.coerce.number().optional(),
  Longitude: z.coerce.number().optional(),
  Address: z.string().max(1_024).optional(),
  Label: z.string().max(256).optional(),
})

const statusForm = z.object({
  MessageSid: z.string().min(1).max(64),
  MessageStatus: z.string().min(1).max(32),
  ErrorCode: z.string().max(16).optional(),
})

/** WhatsApp's webhooks: 204 once the event is stored, 503 when it cannot be, so that it is sent again. */
export function createWhatsAppWebhooks(deps: WhatsAppWebhookDeps): Hono {
  const { carriers, directory, inbox } = deps
  const app = new Hono()

  app.post(WEBHOOKS.whatsappTwilio, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const form = inboundForm.parse(params)
    const { account, businessId } = addressee(form.To, signer)
    const media = Array.from({ length: form.NumMedia }, (_, index) => ({
      url: params[`MediaUrl${index}`] ?? '',
      contentType: params[`MediaContentType${index}`] ?? 'application/octet-stream',
    })).filter((item) => item.url !== '')
    // Fetched later with the keys of the account it lies in: a business's account cannot point into another one.
    if (signer.only && media.some(({ url }) => !liesIn(url, signer.telephony.accountSid))) throw notSigned()
    const phone = networkPhone(form.From) ?? (form.WaId ? networkPhone(`+${form.WaId}`) : null)
    const externalId = form.ExternalUserId ?? (phone ? null : form.From)
    await enqueueMessage({
      provider: 'twilio',
      businessId,
      ...(account ? { accountId: account.id } : {}),
      dedupeKey: `twilio:${form.MessageSid}`,
      providerMessageId: form.MessageSid,
      kind: form.MessageType ?? (media.length > 0 ? 'media' : 'text'),
      from: { phone, externalId, name: form.ProfileName ?? null },
      body: form.Body || form.ButtonText || '',
      media,
      replyTo: form.OriginalRepliedMessageSid ?? null,
      data: {
        ...(form.ButtonPayload ? { buttonPayload: form.ButtonPayload } : {}),
        ...(form.Latitude !== undefined && form.Longitude !== undefined
          ? { latitude: form.Latitude, longitude: form.Longitude, address: form.Address, label: form.Label }
          : {}),
      },
      at: new Date().toISOString(),
    })
    return c.body(null, 204)
  })

  app.post(WEBHOOKS.whatsappStatus, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const form = statusForm.parse(params)
    const messageId = z.uuid().safeParse(c.req.query('message')).data
    await inbox.accept(
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
      // Of its sender: another account's news of the same id must not stand in the way.
      { key: `${signer.telephony.accountSid}:${form.MessageSid}:${form.MessageStatus}` },
    )
    return c.body(null, 204)
  })

  app.post(WEBHOOKS.whatsappBaileys, async (c) => {
    const secret = deps.baileysSecret
    if (!secret)
      throw new AppError('unavailable', 'baileys_not_configured', 'BAILEYS_SECRET is not set on this installation.')
    if (!secretsEqual(c.req.header('x-baileys-secret') ?? '', secret))
      throw new AppError('unauthenticated', 'invalid_secret', 'The X-BAILEYS-SECRET header is missing or wrong.')
    for (const event of parseJson(baileysEvents, await readText(c.req.raw, MAX_BAILEYS_BYTES)))
      if (!event.fromMe) await enqueueMessage(fromBaileys(event))
    return c.body(null, 204)
  })

  async function enqueueMessage(message: InboundMessage) {
    await inbox.accept('message.receive', message, { key: `${message.businessId}:${message.dedupeKey}` })
  }

  function fromBaileys(event: BaileysEvent): InboundMessage {
    const account = event.accountId ? directory.account('baileys', event.accountId) : null
    if (event.accountId && !account)
      throw new AppError('not_found', 'account_not_found', 'There is no such WhatsApp account.', { field: 'accountId' })
    if (event.businessId && !directory.business(event.businessId))
      throw new AppError('not_found', 'business_not_found', 'There is no such business.', { field: 'businessId' })
    const businessId = account?.businessId ?? event.businessId ?? onlyBusiness(event.to ?? '', 'baileys')
    return {
      provider: 'baileys',
      businessId,
      ...(account ? { accountId: account.id } : {}),
      dedupeKey: `baileys:${account?.id ?? businessId}:${event.chat}:in:${event.id}`,
      providerMessageId: event.id,
      kind: event.kind,
      from: { phone: event.phone, lid: event.lid, name: event.name },
      body: event.text,
      media: event.media,
      replyTo: event.replyTo,
      at: event.at,
    }
  }

  /** Whose sender was written to, as far as the signer may say. @throws AppError `account_not_found`, `invalid_signature` */
  function addressee(to: string, signer: Signer): { account: AccountEntry | null; businessId: string } {
    const phone = networkPhone(to) ?? ''
    const account = directory.account('twilio', phone)
    if (account && speaksFor(signer, account.businessId)) return { account, businessId: account.businessId }
    if (!signer.only) return { account: null, businessId: onlyBusiness(to) }
    // A sender of its own account that is not listed here; where several share the account, their settings tell.
    const [first, ...more] = signer.only
    const found = more.length === 0 ? first : signer.only.find((id) => deps.settings.twilio(id).defaultSender === phone)
    if (found && directory.business(found)) return { account: null, businessId: found }
    throw new AppError('not_found', 'account_not_found', 'No business has this WhatsApp sender.', { field: 'To' })
  }

  /** Whom a sender nobody claims belongs to: the only business, or nobody. */
  function onlyBusiness(to: string, provider: 'twilio' | 'baileys' = 'twilio'): string {
    const account = directory.account(provider, networkPhone(to) ?? '')
    if (account) return account.businessId
    const all = directory.entries()
    if (all.length === 0)
      throw new AppError('unavailable', 'directory_unavailable', 'The businesses are not known yet; send it again.')
    const [only] = all
    if (all.length === 1 && only) return only.id
    throw new AppError('not_found', 'account_not_found', 'No business has this WhatsApp sender.', { field: 'To' })
  }

  return app
}

/** Whether a file of a message lies in this account (Twilio: `/2010-04-01/Accounts/{AccountSid}/Messages/…/Media/…`). */
function liesIn(url: string, accountSid: string): boolean {
  const { pathname } = URL.parse(url) ?? { pathname: '' }
  return pathname.toLowerCase().startsWith(`/2010-04-01/accounts/${accountSid.toLowerCase()}/`)
}

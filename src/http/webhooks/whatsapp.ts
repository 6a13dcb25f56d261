import { Hono } from 'hono'
import { z } from 'zod'
import { WEBHOOKS } from '../../access/urls.ts'
import type { AccountEntry, BusinessDirectory } from '../../domain/businesses/index.ts'
import { describeContent, type SendSettings } from '../../domain/messages/index.ts'
import type { Inbox } from '../../jobs/inbox.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { AppError, type ErrorBody } from '../../lib/errors.ts'
import { secretsEqual } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { networkPhone } from '../../lib/phone.ts'
import { cutText } from '../../lib/text.ts'
import { type Carriers, type Signer, speaksFor } from '../../providers/telephony/port.ts'
import type { ReadBridgeMessage } from '../../providers/whatsapp/port.ts'
import { parseJson } from '../errors.ts'
import { readText } from '../form-body.ts'
import { type BaileysEvent, readBaileysEvent, splitBatch } from './baileys-event.ts'
import { readTwilioMessage } from './twilio-message.ts'
import { invalidSignature, requireCarrierForm, scopeOf } from './verify-signature.ts'

export type WhatsAppWebhookDeps = {
  carriers: Carriers
  settings: SendSettings
  directory: BusinessDirectory
  inbox: Pick<Inbox, 'accept'>
  baileysSecret: string | null
  readBridgeMessage: ReadBridgeMessage
  log: Logger
  /** Counts something odd of a webhook. */
  count(event: string): void
}

const MAX_BAILEYS_BYTES = 1024 * 1024

const statusForm = z.object({
  MessageSid: z.string().min(1).max(64),
  MessageStatus: z.string().min(1).max(32),
  ErrorCode: z
    .string()
    .transform((code) => cutText(code, 16))
    .optional(),
})

/** What became of one event of a bridge's request. */
type EventResult =
  | { id: string | null; result: 'accepted' }
  | { id: string | null; result: 'ignored'; code: string }
  | ({ id: string | null; result: 'refused'; status: AppError['status'] } & ErrorBody)

const toPublic = (result: EventResult) => {
  const { status: _, ...told } = { status: null, ...result }
  return told
}

/** So many names of unknown fields are logged, each once a process. */
const MAX_NOTED = 100

/** WhatsApp's webhooks: 204 once the event is stored, 503 when it cannot be, so that it is sent again. */
export function createWhatsAppWebhooks(deps: WhatsAppWebhookDeps): Hono {
  const { carriers, directory, inbox } = deps
  const app = new Hono()

  app.post(WEBHOOKS.whatsappTwilio, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const message = readTwilioMessage(params)
    noteUnknown(message.unknown)
    const { account, businessId } = addressee(message.to, signer)
    const { target, ...content } = describeContent(message.content, message.extras)
    // Fetched later with the keys of the account it lies in: a business's account cannot point into another one.
    const foreign = ({ url }: { url: string | null }) => url !== null && !liesIn(url, signer.telephony.accountSid)
    if (signer.only && content.media.some(foreign)) throw invalidSignature()
    await enqueueMessage({
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
    const items = splitBatch(parseJson(z.unknown(), await readText(c.req.raw, MAX_BAILEYS_BYTES)))
    const results: EventResult[] = []
    for (const item of items) {
      const result = await takeBaileysEvent(item)
      if (result.result !== 'accepted') deps.count(`bridge_${result.result}`)
      results.push(result)
    }
    // What the business wrote itself is part of every bridge's stream.
    if (results.every((each) => each.result === 'accepted' || ('code' in each && each.code === 'own_message')))
      return c.body(null, 204)
    const refusal = results.find((result) => result.result === 'refused')
    // Nothing of it was right: the sender hears it as an error.
    if (refusal && results.every(({ result }) => result === 'refused')) {
      const { status, id: _, result: __, ...error } = refusal
      return c.json({ success: false, error, results: results.map(toPublic) }, status)
    }
    return c.json({ success: true, results: results.map(toPublic) })
  })

  /** Queues one event of a batch, or says why it is not. Throws only when nothing can be queued now. */
  async function takeBaileysEvent(item: unknown): Promise<EventResult> {
    const reading = await readBaileysEvent(item, deps.readBridgeMessage)
    if (reading.result === 'refused') return { ...reading, status: 400 }
    if (reading.result === 'ignored') return reading
    let message: InboundMessage
    try {
      message = fromBaileys(reading.event)
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      return { id: reading.id, result: 'refused', ...error.toBody(), status: error.status }
    }
    await enqueueMessage(message)
    return { id: reading.id, result: 'accepted' }
  }

  const noted = new Set<string>()
  /** The provider adds fields without notice: what is new is kept with its message, and shows here. */
  function noteUnknown(fields: string[]) {
    for (const field of fields) {
      deps.count('unknown_field')
      if (noted.has(field) || noted.size >= MAX_NOTED) continue
      noted.add(field)
      deps.log.info({ field }, 'a field of an inbound message is not known; it is kept with the message')
    }
  }

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
    const { target: _, ...content } = event.content
    return {
      provider: 'baileys',
      businessId,
      ...(account ? { accountId: account.id } : {}),
      dedupeKey: `baileys:${account?.id ?? businessId}:${event.chat}:in:${event.id}`,
      providerMessageId: event.id,
      from: { phone: event.phone, lid: event.lid, name: event.name },
      ...content,
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

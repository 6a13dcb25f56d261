import type { Context } from 'hono'
import { z } from 'zod'
import type { InboundMessage } from '../../../jobs/registry.ts'
import { AppError, type ErrorBody } from '../../../lib/errors.ts'
import { secretsEqual } from '../../../lib/ids.ts'
import { parseJson } from '../../errors.ts'
import { readText } from '../../form-body.ts'
import { type BaileysEvent, readBaileysEvent, splitBatch } from './baileys-event.ts'
import { enqueueMessage, findOnlyBusiness, type WhatsAppWebhookDeps } from './context.ts'

const MAX_BYTES = 1024 * 1024

type EventResult =
  | { id: string | null; result: 'accepted' }
  | { id: string | null; result: 'ignored'; code: string }
  | ({ id: string | null; result: 'refused'; status: AppError['status'] } & ErrorBody)

const toPublic = (result: EventResult) => {
  const { status: _, ...rest } = { status: null, ...result }
  return rest
}

/** `POST /webhook/whatsapp/baileys`: the events of a bridge, one or many, each with its own result. */
export async function baileysEvents(c: Context, deps: WhatsAppWebhookDeps): Promise<Response> {
  requireSecret(c, deps.baileysSecret)
  const items = splitBatch(parseJson(z.unknown(), await readText(c.req.raw, MAX_BYTES)))
  const results: EventResult[] = []
  for (const item of items) {
    const result = await takeEvent(deps, item)
    if (result.result !== 'accepted') deps.count(`bridge_${result.result}`)
    results.push(result)
  }
  // Every bridge also sends the messages that the business wrote itself.
  if (results.every((each) => each.result === 'accepted' || ('code' in each && each.code === 'own_message')))
    return c.body(null, 204)
  const refusal = results.find((result) => result.result === 'refused')
  if (refusal && results.every(({ result }) => result === 'refused')) {
    const { status, id: _, result: __, ...error } = refusal
    return c.json({ success: false, error, results: results.map(toPublic) }, status)
  }
  return c.json({ success: true, results: results.map(toPublic) })
}

function requireSecret(c: Context, secret: string | null): void {
  if (!secret)
    throw new AppError(
      'unavailable',
      'baileys_not_configured',
      'The bridge is not configured on this installation. Set BAILEYS_SECRET.',
    )
  if (!secretsEqual(c.req.header('x-baileys-secret') ?? '', secret))
    throw new AppError(
      'unauthenticated',
      'invalid_secret',
      'The X-BAILEYS-SECRET header is missing or wrong. Send the value of BAILEYS_SECRET.',
    )
}

/** Queues one event, or returns why it is not queued. Throws only when nothing can be queued now. */
async function takeEvent(deps: WhatsAppWebhookDeps, item: unknown): Promise<EventResult> {
  const reading = await readBaileysEvent(item, deps.readBridgeMessage)
  if (reading.result === 'refused') return { ...reading, status: 400 }
  if (reading.result === 'ignored') return reading
  let message: InboundMessage
  try {
    message = toInboundMessage(deps, reading.event)
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
    return { id: reading.id, result: 'refused', ...error.toBody(), status: error.status }
  }
  await enqueueMessage(deps, message)
  return { id: reading.id, result: 'accepted' }
}

function toInboundMessage(deps: WhatsAppWebhookDeps, event: BaileysEvent): InboundMessage {
  const { directory } = deps
  const account = event.accountId ? directory.account('baileys', event.accountId) : null
  if (event.accountId && !account)
    throw new AppError('not_found', 'account_not_found', 'There is no WhatsApp account with this id. Correct it.', {
      field: 'accountId',
    })
  if (event.businessId && !directory.business(event.businessId))
    throw new AppError('not_found', 'business_not_found', 'There is no business with this id. Correct it.', {
      field: 'businessId',
    })
  const businessId = account?.businessId ?? event.businessId ?? findOnlyBusiness(deps, event.to ?? '', 'baileys')
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

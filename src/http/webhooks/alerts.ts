import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { publicUrl, WEBHOOKS } from '../../access/urls.ts'
import {
  type AlertDeps,
  endAlertCall,
  type Spoken,
  speakAlert,
  takeKey,
  takeTelegramUpdate,
} from '../../domain/alerts/index.ts'
import type { BusinessDirectory } from '../../domain/businesses/index.ts'
import { type DomainContext, within } from '../../domain/context.ts'
import type { Inbox } from '../../jobs/inbox.ts'
import { AppError } from '../../lib/errors.ts'
import { networkPhone } from '../../lib/phone.ts'
import { cutText } from '../../lib/text.ts'
import { type Carriers, type Signer, speaksFor } from '../../providers/telephony/port.ts'
import { readText } from '../form-body.ts'
import { invalidSignature, requireCarrierForm } from './verify-signature.ts'
import { twiml } from './voice/context.ts'

export type AlertWebhookDeps = {
  ctx: DomainContext
  carriers: Carriers
  directory: BusinessDirectory
  inbox: Pick<Inbox, 'accept'>
  publicBaseUrl: string
  alerts: Pick<AlertDeps, 'box' | 'post' | 'telegramApi' | 'now'>
}

const named = z.object({ business: z.uuid(), delivery: z.uuid() })
const aboutSms = z.object({ business: z.uuid(), delivery: z.uuid().optional(), notice: z.uuid().optional() })
/** Twilio, "Track the status of outbound messages". */
const statusForm = z.object({
  MessageSid: z.string().regex(/^(SM|MM)[0-9a-zA-Z]{1,62}$/),
  MessageStatus: z.string().regex(/^[a-z_]{1,32}$/),
  ErrorCode: z
    .string()
    .regex(/^\d{1,6}$/)
    .optional()
    .catch(undefined),
})
const smsForm = z.object({
  MessageSid: z.string().regex(/^(SM|MM)[0-9a-zA-Z]{1,62}$/),
  From: z.string().trim().min(1).max(256),
  To: z.string().trim().min(1).max(256),
  Body: z.string().max(10_000).default(''),
})

/** The calls that read an alert out, the SMS by which members and customers answer, and what became of ours. */
export function createAlertWebhooks(deps: AlertWebhookDeps): Hono {
  const app = new Hono()
  app.post(WEBHOOKS.alertCall, (c) => answerCall(c, deps))
  app.post(WEBHOOKS.alertKey, (c) => answerKey(c, deps))
  app.post(WEBHOOKS.alertCallEnded, (c) => callEnded(c, deps))
  app.post(WEBHOOKS.sms, (c) => receiveSms(c, deps))
  app.post(WEBHOOKS.smsStatus, (c) => receiveSmsStatus(c, deps))
  app.post(`${WEBHOOKS.telegram}/:channel`, (c) => receiveTelegram(c, deps))
  return app
}

/** The delivery that a signed request is about. @throws AppError `invalid_signature` when another account signed it */
async function readCall(c: Context, { ctx, carriers }: AlertWebhookDeps) {
  const { params, signer } = await requireCarrierForm(c, carriers)
  const { business, delivery } = named.parse(c.req.query())
  if (!speaksFor(signer, business)) throw invalidSignature()
  return { params, signer, business: within(ctx, business), delivery }
}

/** `POST /webhook/alert_call`: the document for a member who answers. */
async function answerCall(c: Context, deps: AlertWebhookDeps): Promise<Response> {
  const { signer, business, delivery } = await readCall(c, deps)
  return toDocument(
    signer,
    await speakAlert(business, delivery, deps.alerts.now()),
    business.businessId,
    delivery,
    deps,
  )
}

/** `POST /webhook/alert_key`: a key was pressed while it was read out. */
async function answerKey(c: Context, deps: AlertWebhookDeps): Promise<Response> {
  const { params, signer, business, delivery } = await readCall(c, deps)
  const now = deps.alerts.now()
  const spoken =
    (await takeKey(business, delivery, (params.Digits ?? '').trim(), now)) ??
    (await speakAlert(business, delivery, now))
  return toDocument(signer, spoken, business.businessId, delivery, deps)
}

/** `POST /webhook/alert_call_ended`: how the call ended. */
async function callEnded(c: Context, deps: AlertWebhookDeps): Promise<Response> {
  const { params, business, delivery } = await readCall(c, deps)
  await endAlertCall(business, delivery, cutText((params.CallStatus ?? '').trim(), 32))
  return c.body(null, 204)
}

function toDocument(
  { telephony }: Signer,
  { text, ask, language }: Spoken,
  businessId: string,
  delivery: string,
  { publicBaseUrl }: AlertWebhookDeps,
): Response {
  if (ask === null) return twiml(telephony.sayText({ text, language }))
  const actionUrl = publicUrl(publicBaseUrl, `${WEBHOOKS.alertKey}?business=${businessId}&delivery=${delivery}`)
  return twiml(telephony.askForKey({ text, ask, language, actionUrl }))
}

/** `POST /webhook/sms`: stored before the answer; the answers of members to alerts and of customers to reminders have an effect. */
async function receiveSms(c: Context, { carriers, directory, inbox, alerts }: AlertWebhookDeps): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, carriers)
  const form = smsForm.safeParse(params)
  if (!form.success) return c.body(null, 204)
  const { MessageSid, From, To, Body } = form.data
  const called = directory.lookup(networkPhone(To))
  const from = networkPhone(From)
  if (called.found !== 'business' || !speaksFor(signer, called.business.id) || !from) return c.body(null, 204)
  const businessId = called.business.id
  const reply = { businessId, id: MessageSid, from, text: cutText(Body, 500), at: alerts.now().toISOString() }
  await inbox.accept('alert.reply', reply, { key: `${signer.telephony.accountSid}:${MessageSid}` })
  return c.body(null, 204)
}

/** `POST /webhook/sms_status`: stored before the answer. */
async function receiveSmsStatus(c: Context, { carriers, inbox }: AlertWebhookDeps): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, carriers)
  const about = aboutSms.parse(c.req.query())
  if (!speaksFor(signer, about.business)) throw invalidSignature()
  const id = about.delivery ?? about.notice
  const form = statusForm.safeParse(params)
  if (!id || !form.success) return c.body(null, 204)
  const { MessageSid, MessageStatus: status, ErrorCode: code = null } = form.data
  const of = about.delivery ? ('alert' as const) : ('notice' as const)
  const key = `${signer.telephony.accountSid}:${MessageSid}:${status}`
  await inbox.accept('sms.status', { businessId: about.business, of, id, status, code }, { key })
  return c.body(null, 204)
}

const MAX_UPDATE_BYTES = 256 * 1024

/** `POST /webhook/telegram/:channel`: a button under an alert was pressed. */
async function receiveTelegram(c: Context, { ctx, alerts }: AlertWebhookDeps): Promise<Response> {
  const channel = z.uuid().safeParse(c.req.param('channel')).data
  const secret = c.req.header('x-telegram-bot-api-secret-token') ?? ''
  const body = readJson(await readText(c.req.raw, MAX_UPDATE_BYTES))
  const answer = channel ? await takeTelegramUpdate(ctx, channel, secret, body, alerts) : 'forbidden'
  if (answer === 'forbidden')
    throw new AppError('forbidden', 'invalid_signature', 'The update has not the secret of its channel.')
  return answer ? c.json(answer) : c.body(null, 200)
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { WEBHOOKS } from '../../access/urls.ts'
import {
  endNoticeCall,
  type NoticeLinks,
  type SpokenNotice,
  speakNotice,
  takeNoticeKey,
} from '../../domain/appointments/index.ts'
import { type DomainContext, within } from '../../domain/context.ts'
import { cutText } from '../../lib/text.ts'
import { type Carriers, type Signer, speaksFor } from '../../providers/telephony/port.ts'
import { invalidSignature, requireCarrierForm } from './verify-signature.ts'
import { twiml } from './voice/context.ts'

export type NoticeWebhookDeps = {
  ctx: DomainContext
  carriers: Carriers
  links: Pick<NoticeLinks, 'key'>
  now(): Date
}

const named = z.object({ business: z.uuid(), notice: z.uuid() })

/** The calls that read a reminder out to a customer. */
export function createNoticeWebhooks(deps: NoticeWebhookDeps): Hono {
  const app = new Hono()
  app.post(WEBHOOKS.noticeCall, async (c) => {
    const { signer, business, notice } = await readCall(c, deps)
    return toDocument(
      signer,
      await speakNotice(business, notice, deps.now()),
      deps.links.key(business.businessId, notice),
    )
  })
  app.post(WEBHOOKS.noticeKey, async (c) => {
    const { params, signer, business, notice } = await readCall(c, deps)
    const spoken =
      (await takeNoticeKey(business, notice, (params.Digits ?? '').trim(), deps.now())) ??
      (await speakNotice(business, notice, deps.now()))
    return toDocument(signer, spoken, deps.links.key(business.businessId, notice))
  })
  app.post(WEBHOOKS.noticeCallEnded, async (c) => {
    const { params, business, notice } = await readCall(c, deps)
    await endNoticeCall(business, notice, cutText((params.CallStatus ?? '').trim(), 32))
    return c.body(null, 204)
  })
  return app
}

/** The notice that a signed request is about. @throws AppError `invalid_signature` when another account signed it */
async function readCall(c: Context, { ctx, carriers }: NoticeWebhookDeps) {
  const { params, signer } = await requireCarrierForm(c, carriers)
  const { business, notice } = named.parse(c.req.query())
  if (!speaksFor(signer, business)) throw invalidSignature()
  return { params, signer, business: within(ctx, business), notice }
}

function toDocument({ telephony }: Signer, { text, ask, language }: SpokenNotice, actionUrl: string): Response {
  return twiml(
    ask === null ? telephony.sayText({ text, language }) : telephony.askForKey({ text, ask, language, actionUrl }),
  )
}

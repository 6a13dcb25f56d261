import { Hono } from 'hono'
import { z } from 'zod'
import { WEBHOOKS } from '../../access/urls.ts'
import { type CalendarDeps, forgetChannel, takeNotice } from '../../domain/calendars/index.ts'
import type { DomainContext } from '../../domain/context.ts'
import { AppError } from '../../lib/errors.ts'
import { secretsEqual } from '../../lib/ids.ts'
import { createAddressLimit } from '../address-limit.ts'
import { readText } from '../form-body.ts'

const MAX_BYTES = 256 * 1024
/** Useless requests of an address in a minute. */
const MAX_USELESS = 120

export type CalendarWebhookDeps = {
  ctx: DomainContext
  calendars: Pick<CalendarDeps, 'channelSecret'>
  addressOf(request: Request): string
}

const channelId = z.string().min(1).max(128)
const notices = z.object({
  value: z
    .array(
      z.object({
        subscriptionId: channelId,
        clientState: z.string().max(128).nullish(),
        lifecycleEvent: z.string().max(64).nullish(),
      }),
    )
    .max(1_000),
})

/**
 * The notices of Google and Microsoft that a calendar changed. They hold nothing of it: the connection is noted as due and queued
 * before the answer, and read later. Source: Google's guide "Push notifications", Microsoft's "Receive change notifications".
 */
export function createCalendarWebhooks({ ctx, calendars, addressOf }: CalendarWebhookDeps): Hono {
  const app = new Hono()
  const limit = createAddressLimit(MAX_USELESS)
  const refused = (request: Request) => {
    limit.note(addressOf(request))
    return new AppError('forbidden', 'invalid_signature', 'The notice has not the secret of its channel.')
  }

  app.post(WEBHOOKS.googleCalendar, async (c) => {
    limit.check(addressOf(c.req.raw))
    const id = channelId.safeParse(c.req.header('x-goog-channel-id')).data
    const token = c.req.header('x-goog-channel-token') ?? ''
    if (!id || !secretsEqual(calendars.channelSecret(id), token)) throw refused(c.req.raw)
    // The first notice of a channel says only that it is open.
    if (c.req.header('x-goog-resource-state') !== 'sync') await takeNotice(ctx, id)
    return c.body(null, 200)
  })

  app.post(WEBHOOKS.microsoftCalendar, async (c) => {
    limit.check(addressOf(c.req.raw))
    // When a subscription is made, Graph asks whether this address is ours: it wants its text back.
    const validation = c.req.query('validationToken')
    if (validation !== undefined) {
      limit.note(addressOf(c.req.raw))
      return c.text(validation.slice(0, 2_048), 200, { 'x-content-type-options': 'nosniff' })
    }
    const calendarId = z.uuid().safeParse(c.req.query('calendar')).data
    const body = notices.safeParse(readJson(await readText(c.req.raw, MAX_BYTES)))
    if (!calendarId || !body.success)
      throw new AppError('invalid', 'invalid_notice', 'The notice is not one of Microsoft Graph.')
    const secret = calendars.channelSecret(calendarId)
    for (const { subscriptionId, clientState, lifecycleEvent } of body.data.value) {
      if (!secretsEqual(secret, clientState ?? '')) throw refused(c.req.raw)
      await takeNotice(ctx, subscriptionId, { calendarId })
      // A new one is opened by the round that was queued.
      if (lifecycleEvent === 'subscriptionRemoved' || lifecycleEvent === 'reauthorizationRequired')
        await forgetChannel(ctx, subscriptionId)
    }
    return c.body(null, 202)
  })
  return app
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

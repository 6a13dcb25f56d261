import { Hono } from 'hono'
import { WEBHOOKS } from '../../../access/urls.ts'
import { baileysEvents } from './baileys.ts'
import type { WhatsAppWebhookDeps } from './context.ts'
import { twilioMessage, twilioStatus } from './twilio.ts'

const MAX_LOGGED_FIELDS = 100

/** The WhatsApp webhooks: 204 once the event is stored, 503 when it cannot be stored, so that it is sent again. */
export function createWhatsAppWebhooks(deps: WhatsAppWebhookDeps): Hono {
  const logged = new Set<string>()
  const onUnknownFields = (names: string[]) => {
    for (const field of names) {
      deps.count('unknown_field')
      if (logged.has(field) || logged.size >= MAX_LOGGED_FIELDS) continue
      logged.add(field)
      deps.log.info({ field }, 'unknown field of an inbound message stored with it')
    }
  }
  const app = new Hono()
  app.post(WEBHOOKS.whatsappTwilio, (c) => twilioMessage(c, deps, onUnknownFields))
  app.post(WEBHOOKS.whatsappStatus, (c) => twilioStatus(c, deps))
  app.post(WEBHOOKS.whatsappBaileys, (c) => baileysEvents(c, deps))
  return app
}

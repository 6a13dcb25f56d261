import { z } from 'zod'
import { publicUrl, UNSUBSCRIBE, WEBHOOKS } from '../access/urls.ts'
import type { Config } from '../config.ts'
import { type AlertDeps, type AlertLinks, placeIn } from '../domain/alerts/index.ts'
import { createSecretBox, deriveKey, type SecretBox } from '../lib/secret-box.ts'
import type { Carriers } from '../providers/telephony/port.ts'

/** What members are notified with, of what this installation has. */
export function createAlerts(
  config: Config,
  parts: Pick<AlertDeps, 'push' | 'mailer' | 'post' | 'settings'> & { carriers: Carriers },
): AlertDeps {
  const { carriers, ...rest } = parts
  return {
    ...rest,
    carrierOf: carriers.of,
    box: createSecretBox(deriveKey(config.sessionSecret, 'alert channels')),
    links: createLinks(config),
    telegramApi: config.telegramApi,
    now: () => new Date(),
  }
}

function createLinks({ publicBaseUrl, sessionSecret }: Config): AlertLinks {
  const url = (path: string) => publicUrl(publicBaseUrl, path)
  const box = linkBox(sessionSecret)
  const ofCall = (path: string, businessId: string, deliveryId: string) =>
    url(`${path}?business=${businessId}&delivery=${deliveryId}`)
  return {
    console: (businessId, place, incidentId) => url(`/console/${placeIn(businessId, place, incidentId)}`),
    unsubscribe: (businessId, userId) =>
      url(`${UNSUBSCRIBE}/${box.seal(JSON.stringify({ businessId, userId }), UNSUBSCRIBE)}`),
    call: (businessId, deliveryId) => ofCall(WEBHOOKS.alertCall, businessId, deliveryId),
    callEnded: (businessId, deliveryId) => ofCall(WEBHOOKS.alertCallEnded, businessId, deliveryId),
    telegram: (channelId) => url(`${WEBHOOKS.telegram}/${channelId}`),
    textStatus: (businessId, deliveryId) => ofCall(WEBHOOKS.smsStatus, businessId, deliveryId),
  }
}

const unsubscription = z.object({ businessId: z.uuid(), userId: z.string() })

/** Reads the token of a link to stop alerts by mail; null when it is none of this installation. */
export function readUnsubscription(sessionSecret: string, token: string): z.infer<typeof unsubscription> | null {
  try {
    return unsubscription.parse(JSON.parse(linkBox(sessionSecret).open(token, UNSUBSCRIBE)))
  } catch {
    return null
  }
}

function linkBox(sessionSecret: string): SecretBox {
  return createSecretBox(deriveKey(sessionSecret, 'alert links'))
}

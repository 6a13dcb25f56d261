import webPush from 'web-push'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { createSafeFetch, isAllowedUrl, SafeFetchError, type SafeFetchSettings } from '../../lib/safe-fetch.ts'
import type { PushSender } from './port.ts'

const TIMEOUT_MS = 10_000
const LOOKUP_MS = 5_000
/** How long a push service keeps a message for a phone that is off: what is older says nothing new. */
const TTL_SECONDS = 6 * 3_600

/**
 * Web Push (RFC 8030). Endpoints are addresses that users name: they are reached by the client for those.
 * @param options.subject whom a push service may ask about what it gets: an https or mailto address (RFC 8292, section 2.1)
 */
export function createWebPush(options: { subject: string } & SafeFetchSettings): PushSender {
  const { subject, ...settings } = options
  const fetchSafely = createSafeFetch(settings)
  return {
    makeKeys: () => webPush.generateVAPIDKeys(),
    isAllowed: (endpoint) => isAllowedUrl(endpoint, settings, LOOKUP_MS),
    async send(target, payload, keys) {
      const { endpoint, headers, body } = webPush.generateRequestDetails(target, payload, {
        vapidDetails: { subject, ...keys },
        TTL: TTL_SECONDS,
        urgency: 'high',
      })
      const status = await fetchSafely(endpoint, {
        method: 'POST',
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        body: body ?? Buffer.alloc(0),
        maxBytes: null,
        timeoutMs: TIMEOUT_MS,
      }).then((answer) => answer.status, unreachable)
      if (status >= 200 && status <= 299) return 'sent'
      if (status === 404 || status === 410) return 'gone'
      const retry = status === 429 || status >= 500
      throw new AppError(
        retry ? 'unavailable' : 'forbidden',
        retry ? 'push_refused' : 'push_forbidden',
        `The push service answered ${status}.`,
      )
    },
  }
}

function unreachable(error: unknown): never {
  if (!(error instanceof SafeFetchError)) throw error
  if (error.problem === 'not_allowed')
    throw new AppError('forbidden', 'push_forbidden', 'The address of the push service is not a public one.', {
      cause: error,
    })
  throw new AppError('unavailable', 'push_unreachable', errorMessage(error), { cause: error })
}

import type { AlertDeps, Reach } from '../../src/domain/alerts/index.ts'
import { createPublicPost } from '../../src/providers/webhooks/public-post.ts'
import { alertLinks } from './alert-links.ts'
import type { TestApi } from './api.ts'

/** Nothing beside web push and channels. */
export const REACH: Reach = { mail: false, carrier: () => false }

/** What members are notified with in a test; a way without its adapter is none. */
export function alertDeps(api: TestApi, more: Partial<AlertDeps> = {}): AlertDeps {
  return {
    push: api.services.api.push,
    mailer: null,
    post: createPublicPost(true),
    box: api.services.api.alerts.box,
    carrierOf: () => null,
    settings: { twilio: () => ({ configured: false, defaultSender: null, own: false }) },
    links: alertLinks,
    telegramApi: 'http://127.0.0.1:9',
    now: () => new Date(),
    ...more,
  }
}

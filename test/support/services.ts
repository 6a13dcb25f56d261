import type { DatabaseHandle } from '../../db/client.ts'
import { respondByRules } from '../../src/domain/agent/index.ts'
import { createListenToken } from '../../src/domain/calls/index.ts'
import type { DomainContext } from '../../src/domain/context.ts'
import { createKeyring } from '../../src/domain/credentials/index.ts'
import { createEventHub } from '../../src/domain/events/index.ts'
import { insertEvents } from '../../src/domain/inbox/index.ts'
import type { PaymentDeps } from '../../src/domain/payments/index.ts'
import { createProcessMessages } from '../../src/domain/system/index.ts'
import { createQueueBackend } from '../../src/jobs/backend.ts'
import { createInbox, type Inbox } from '../../src/jobs/inbox.ts'
import { createProducer, type Producer } from '../../src/jobs/producer.ts'
import { AppError } from '../../src/lib/errors.ts'
import { createSecretBox, deriveKey } from '../../src/lib/secret-box.ts'
import { createShortCache } from '../../src/lib/short-cache.ts'
import { readMoments } from '../../src/media/call-moments.ts'
import { createLiveControl } from '../../src/media/live-control.ts'
import { replayStored } from '../../src/media/replay.ts'
import { createPayPal } from '../../src/providers/payments/paypal.ts'
import { createWebPush } from '../../src/providers/push/web-push.ts'
import { createFileStorage } from '../../src/providers/storage/file.ts'
import type { ObjectStorage } from '../../src/providers/storage/port.ts'
import { createPublicPost } from '../../src/providers/webhooks/public-post.ts'
import type { ApiServices } from '../../src/trpc/trpc.ts'
import { alertLinks } from './alert-links.ts'

import { createTestCalendarServices } from './calendars.ts'
import { temporaryDirectory } from './cleanup.ts'

/** The server that the rows of live calls name: it has none of their sockets. */
export const SERVER_ID = 'web:test:1'

export type TestServices = {
  api: ApiServices
  /** Where call records are replayed from. */
  storage: ObjectStorage
  payments: PaymentDeps
  producer: Producer
  inbox: Inbox
  close(): Promise<void>
}

/** The services behind the router, on a test's own database: queues in it, events listened to. */
export async function createTestServices(
  url: string,
  database: DatabaseHandle,
  ctx: DomainContext,
  options: { paypal?: boolean } = {},
): Promise<TestServices> {
  const paypal = options.paypal
    ? createPayPal({ clientId: 'id', clientSecret: 'secret', webhookId: null, apiBaseUrl: 'http://127.0.0.1:9' })
    : null
  const backend = await createQueueBackend({ kind: 'postgres', databaseUrl: url }, { logger: ctx.log, poolSize: 4 })
  const producer = createProducer(backend, ctx.log)
  const inbox = createInbox({ insert: (rows) => insertEvents(ctx, rows), producer, log: ctx.log })
  const events = createEventHub({ ctx, sql: database.sql })
  await events.start()
  const payments: PaymentDeps = {
    providersOf: () => ({ paypal, tranzila: null }),
    accountOf: async () => null,
    installation: { paypal: null, tranzila: null },
    ownAccounts: () => [],
    urls: {
      page: (id: string) => `http://localhost:5000/pay/${id}`,
      returned: (id: string) => `http://localhost:5000/pay/${id}/return`,
      canceled: (id: string) => `http://localhost:5000/pay/${id}/cancel`,
      notify: (provider: string) => `http://localhost:5000/webhook/payments/${provider}`,
    },
    messages: { twilio: () => ({ configured: false, defaultSender: null, own: false }) },
    pool: database.sql,
  }
  const liveCalls = createLiveControl({
    messages: createProcessMessages({ ctx, sql: database.sql, processId: SERVER_ID }),
    sessionOf: () => null,
    log: ctx.log,
  })
  const storage = createFileStorage(temporaryDirectory('services'))
  return {
    producer,
    inbox,
    storage,
    payments,
    api: {
      links: { url: (page, token) => `http://localhost:5000/admin/${page}/${token}`, mailBox: null },
      webhookBox: createSecretBox(deriveKey('a secret of the tests', 'webhook secrets')),
      queues: () => producer.queues,
      events,
      keyring: createKeyring(
        database.db,
        createSecretBox(deriveKey('a secret of the tests', 'business credentials')),
        ctx.log,
      ),
      push: {
        sender: createWebPush({ subject: 'mailto:push@example.com', allowPrivate: true }),
        box: createSecretBox(deriveKey('a secret of the tests', 'push')),
      },
      alerts: {
        reach: { mail: true, carrier: () => true },
        carrierOf: () => null,
        settings: { twilio: () => ({ configured: false, defaultSender: null, own: false }) },
        post: createPublicPost(true),
        telegramApi: 'http://127.0.0.1:9',
        links: alertLinks,
        box: createSecretBox(deriveKey('a secret of the tests', 'alert channels')),
      },
      liveCalls,
      listenToken: (grant) => createListenToken('a secret of the tests', grant),
      numbers: {
        telephonyOf: () => null,
        webhooks: {
          voiceUrl: 'http://localhost:5000/webhook/incoming_call',
          statusCallback: 'http://localhost:5000/webhook/call_status',
          smsUrl: 'http://localhost:5000/webhook/sms',
        },
      },
      examine: async () => [],
      cache: createShortCache(0),
      storage,
      readMoments: (key) => readMoments(storage, key),
      replayTrace: (key) => replayStored(storage, key),
      templatesOf: () => null,
      calendars: createTestCalendarServices(database),
      voice: null,
      respond: (ctx, situation, _, now) => respondByRules(ctx, situation, now),
      models: {
        overview: async () => ({
          inUse: [],
          installation: { model: null, fallback: null },
          keys: { openai: 'none', anthropic: 'none', google: 'none', compatible: 'none' },
        }),
        check: async () => {
          throw new AppError('not_implemented', 'model_not_set', 'There is no key for this provider.')
        },
      },
    },
    async close() {
      liveCalls.stop()
      await events.stop()
      await inbox.close(100)
      await producer.close(100)
      await backend.close()
    },
  }
}

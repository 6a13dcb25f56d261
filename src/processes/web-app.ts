import type { Server } from 'bun'
import type { RouterRoute } from 'hono/types'
import { TEST_CALL_SOCKET, WEBHOOKS } from '../access/urls.ts'
import type { Deps } from '../composition/deps.ts'
import { createRespond } from '../domain/agent/index.ts'
import { reachOf } from '../domain/alerts/index.ts'
import { createDirectory } from '../domain/businesses/index.ts'
import { createListenToken } from '../domain/calls/index.ts'
import { createEventHub } from '../domain/events/index.ts'
import { BasePath } from '../http/base-path.ts'
import { checkAddress } from '../http/request-address.ts'
import { BodyBudget, bindBody, dropUnreadBody } from '../http/request-body.ts'
import { createSecurityHeaders } from '../http/security-headers.ts'
import type { VoiceWebhookDeps } from '../http/webhooks/voice/context.ts'
import { createStreamStatusHandler } from '../http/webhooks/voice/stream-status.ts'
import { createShortCache } from '../lib/short-cache.ts'
import { readMoments } from '../media/call-moments.ts'
import type { SessionLimits } from '../media/media-session-ports.ts'
import { replayStored } from '../media/replay.ts'
import { type MediaSocket, type MediaSocketData, pathOf } from '../media/socket.ts'
import type { ApiServices } from '../trpc/trpc.ts'
import { findingsOf } from './doctor/findings.ts'
import { numberWebhooks } from './number-webhooks.ts'
import { ClientAddresses } from './web/client-addresses.ts'
import { startEventRecovery } from './web/event-recovery.ts'
import { createLiveCalls, type LiveCalls } from './web/live-calls.ts'
import { createLoginService } from './web/login-service.ts'
import { mountRoutes, principalDeps } from './web/routes.ts'
import { createTestCallSocket } from './web/test-call-socket.ts'

const STATS_MS = 20_000

type Fetch = (request: Request, server: Server<MediaSocketData>) => Promise<Response | undefined> | Response | undefined

export type App = {
  /** Every route that is registered, for the check that each has a rule. */
  routes: readonly RouterRoute[]
  fetch: Fetch
  websocket: MediaSocket['handlers']
  start(): Promise<void>
  liveCalls(): number
  sockets(): number
  /** From now on new calls go to voicemail and readiness says so. */
  beginDrain(): void
  endCalls(): Promise<void>
  stop(): Promise<void>
}

/** The web server's parts, mounted: webhooks, media socket, APIs, board, health. */
export function createApp(deps: Deps, options: { limits?: Partial<SessionLimits> } = {}): App {
  const { config, ctx, log, metrics } = deps
  const directory = createDirectory(ctx.db, log)
  const addresses = new ClientAddresses(config.trustedProxies)
  const login = createLoginService(deps, addresses)
  const calls = createLiveCalls(deps, directory, options.limits)
  const hub = createEventHub({ ctx, sql: deps.database.sql })
  metrics.gauge('event_subscribers', 'Open event streams of this process', () => hub.subscribers)

  const services: ApiServices = {
    links: deps.links,
    webhookBox: deps.webhookBox,
    queues: () => deps.producer.queues,
    events: hub,
    keyring: deps.keyring,
    models: deps.modelAdmin,
    respond: createRespond({ models: deps.models, readFile: async () => null }),
    push: deps.push,
    alerts: { ...deps.alerts, reach: reachOf(deps.alerts) },
    calendars: { deps: deps.calendars, feedLinks: deps.calendarFeeds.links },
    liveCalls: calls.control,
    listenToken: (grant) => createListenToken(config.sessionSecret, grant),
    numbers: { telephonyOf: deps.carriers.of, webhooks: numberWebhooks(config) },
    examine: () => findingsOf(deps),
    cache: createShortCache(STATS_MS),
    storage: deps.storage,
    readMoments: (key) => readMoments(deps.storage, key),
    replayTrace: (key) => replayStored(deps.storage, key),
    templatesOf: deps.twilioWhatsApp,
    voice: calls.voice,
  }
  const voice: VoiceWebhookDeps = {
    ...deps,
    ...calls.webhooks,
    directory,
    prompts: calls.receptionist,
    publicBaseUrl: config.publicBaseUrl,
    defaultLanguage: config.business.language,
    streamSecret: config.sessionSecret,
    count: (event) => metrics.webhookEvents.inc({ event }),
  }
  const principal = principalDeps(deps, directory, addresses, login)
  const routes = mountRoutes({ deps, directory, addresses, login, principal, calls, voice, services })
  const streamStatus = createStreamStatusHandler(voice)
  let recovery: { stop(): void } | undefined

  return {
    routes: routes.routes,
    fetch: createFetch({
      publicBaseUrl: config.publicBaseUrl,
      addresses,
      media: calls.media,
      upgradeListener: calls.upgradeListener,
      testCalls: createTestCallSocket({ principal, media: calls.media, log }),
      // Answers 204 whatever comes: no middleware may refuse it first.
      answer: (request, path) => (path === WEBHOOKS.streamStatus ? streamStatus(request) : routes.fetch(request)),
    }),
    websocket: calls.media.handlers,
    async start() {
      await directory.start()
      await hub.start()
      await calls.start()
      recovery = startEventRecovery(deps)
    },
    liveCalls: calls.media.liveCalls,
    sockets: calls.media.sockets,
    beginDrain: calls.beginDrain,
    endCalls: calls.media.drain,
    async stop() {
      recovery?.stop()
      await calls.stop()
      directory.stop()
      await hub.stop()
    },
  }
}

function createFetch(deps: {
  publicBaseUrl: string
  addresses: ClientAddresses
  media: MediaSocket
  upgradeListener: LiveCalls['upgradeListener']
  testCalls: ReturnType<typeof createTestCallSocket>
  answer(request: Request, path: string): Response | Promise<Response>
}): Fetch {
  const { addresses, media } = deps
  const secure = createSecurityHeaders(deps.publicBaseUrl)
  const basePath = new BasePath(deps.publicBaseUrl)
  const budget = new BodyBudget()
  return async (received, server) => {
    const refused = checkAddress(received)
    if (refused) return secure('/', refused)
    const request = basePath.enter(received)
    const path = pathOf(request.url)
    if (path.startsWith('/ws/')) {
      const upgraded = media.upgrade(received, server, path)
      const answered = upgraded === null ? deps.upgradeListener(received, server, path) : upgraded
      if (answered !== null) return answered && secure(path, answered)
    }
    if (path.replace(/\/+$/, '') === TEST_CALL_SOCKET) {
      addresses.setPeer(received, server.requestIP(received)?.address ?? '')
      const answer = await deps.testCalls(received, server)
      return answer && secure(path, answer)
    }
    addresses.setPeer(request, server.requestIP(received)?.address ?? '')
    bindBody(request, budget, addresses.limitKeyOf(request))
    const response = await deps.answer(request, path)
    dropUnreadBody(request, response)
    return secure(path, basePath.leave(response))
  }
}

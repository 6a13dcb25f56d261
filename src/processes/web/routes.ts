import { join } from 'node:path'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { type AccessContext, businessOf, businessParameter, type PrincipalDeps } from '../../access/authenticate.ts'
import { createKeyLimit } from '../../access/key-limit.ts'
import { createOperatorCheck } from '../../access/operators.ts'
import { checkNewPassword, hashPassword } from '../../access/passwords.ts'
import { StreamGate } from '../../access/streams.ts'
import { CALENDARS, UNSUBSCRIBE, UPLOADED_FILES } from '../../access/urls.ts'
import { readUnsubscription } from '../../composition/alerts.ts'
import type { Deps } from '../../composition/deps.ts'
import type { BusinessDirectory } from '../../domain/businesses/index.ts'
import type { Actor } from '../../domain/context.ts'
import { membershipsOf } from '../../domain/members/index.ts'
import { createAdmin } from '../../http/account/admin.ts'
import { createAccountPages } from '../../http/account/routes.ts'
import { createFilesApi, createUploadedFiles } from '../../http/api/files.ts'
import { restRules } from '../../http/api/operations.ts'
import { createPaymentsApi } from '../../http/api/payments.ts'
import { createRestApi } from '../../http/api/rest.ts'
import { createTrpcEndpoint } from '../../http/api/trpc.ts'
import { createWhatsAppApi } from '../../http/api/whatsapp.ts'
import { createBoard } from '../../http/board.ts'
import { createBookPages } from '../../http/book/routes.ts'
import { createCalendarRoutes } from '../../http/calendars/routes.ts'
import { createConsole } from '../../http/console.ts'
import { handleError } from '../../http/errors.ts'
import { calledProcedures, createGuard, type GuardEnv } from '../../http/guard.ts'
import { createHealth } from '../../http/health.ts'
import { createLoginRoutes } from '../../http/login.ts'
import { createPayPages } from '../../http/pay/routes.ts'
import { createPrompts } from '../../http/prompts.ts'
import { createRemovedRoutes } from '../../http/removed-routes.ts'
import { BODY_LIMITS } from '../../http/request-body.ts'
import { refuseUnstorableAddress, refuseUnstorableBody } from '../../http/storable.ts'
import { createUnsubscribe } from '../../http/unsubscribe.tsx'
import { createAlertWebhooks } from '../../http/webhooks/alerts.ts'
import { createCalendarWebhooks } from '../../http/webhooks/calendars.ts'
import { createNoticeWebhooks } from '../../http/webhooks/notices.ts'
import { createPaymentWebhooks } from '../../http/webhooks/payments.ts'
import type { VoiceWebhookDeps } from '../../http/webhooks/voice/context.ts'
import { createVoiceWebhooks } from '../../http/webhooks/voice/routes.ts'
import { createWhatsAppWebhooks } from '../../http/webhooks/whatsapp/routes.ts'
import { AppError, toAppError } from '../../lib/errors.ts'
import { type ApiServices, rejectCalls } from '../../trpc/trpc.ts'
import type { ClientAddresses } from './client-addresses.ts'
import type { LiveCalls } from './live-calls.ts'
import type { LoginService } from './login-service.ts'

const CONSOLE_FOLDER = join(import.meta.dir, '../../../dist/console')

export type RouteDeps = {
  deps: Deps
  directory: BusinessDirectory
  addresses: ClientAddresses
  login: LoginService
  principal: PrincipalDeps
  calls: LiveCalls
  voice: VoiceWebhookDeps
  services: ApiServices
}

/** Pages that customers open without an account, and what comes from calendars outside. */
function mountCustomerPages(app: Hono<GuardEnv>, parts: RouteDeps): void {
  const { deps, addresses } = parts
  const { ctx, payments, inbox, bookingLinks: links } = deps
  app.route(
    '/',
    createNoticeWebhooks({ ctx, carriers: deps.carriers, links: deps.notices.links, now: deps.alerts.now }),
  )
  app.route('/pay', createPayPages({ ctx, payments, inbox, appointments: links }))
  app.route('/book', createBookPages({ ctx, payments, links, addressOf: addresses.limitKeyOf }))
  mountCalendars(app, parts)
}

function mountCalendars(app: Hono<GuardEnv>, { deps, addresses, principal }: RouteDeps): void {
  const { ctx, calendars, calendarFeeds: feeds, config } = deps
  const addressOf = addresses.limitKeyOf
  app.route('/', createCalendarWebhooks({ ctx, calendars, addressOf }))
  const { publicBaseUrl } = config
  const routes = { ctx, calendars, feedLinks: feeds.links, writeFeed: feeds.write, principal, publicBaseUrl, addressOf }
  app.route(CALENDARS, createCalendarRoutes(routes))
}

/** Every route of the web server, in the order in which they are tried. */
export function mountRoutes(parts: RouteDeps): Hono<GuardEnv> {
  const { deps, directory, addresses, login, principal, calls, voice, services } = parts
  const { config, ctx, log, inbox, metrics, carriers, payments, sendSettings: settings } = deps
  const mayOperate = createOperatorCheck({ principal, metricsToken: config.metricsToken })
  const streams = new StreamGate()
  const createContext = createContexts(deps, principal, addresses, services, streams)
  const ask = login.callAuth

  const app = new Hono<GuardEnv>()
  app.onError(answerErrors(deps))
  app.use(async (c, next) => {
    await next()
    metrics.httpRequests.inc({ method: c.req.method, route: c.get('route'), status: c.res.status })
  })
  app.use(
    createGuard({
      app,
      principal,
      keyLimit: createKeyLimit(config.apiRateLimit),
      rules: restRules('/api/v1'),
      isOperator: (userId) => ownsFirstBusiness(deps, directory, userId),
      mayOperate,
    }),
  )
  app.use(refuseUnstorableAddress)
  app.route('/', createVoiceWebhooks(voice))
  app.route(
    '/',
    createWhatsAppWebhooks({
      carriers,
      settings,
      directory,
      inbox,
      baileysSecret: config.baileys.secret,
      readBridgeMessage: deps.readBridgeMessage,
      log,
      count: (event) => metrics.webhookEvents.inc({ event: `whatsapp_${event}` }),
    }),
  )
  app.route('/', createPaymentWebhooks({ ctx, payments, inbox, addressOf: addresses.limitKeyOf, log }))
  app.route(
    '/',
    createAlertWebhooks({ ctx, carriers, directory, inbox, publicBaseUrl: config.publicBaseUrl, alerts: deps.alerts }),
  )
  app.route(
    UNSUBSCRIBE,
    createUnsubscribe({ ctx, directory, read: (token) => readUnsubscription(config.sessionSecret, token) }),
  )
  app.route('/', createRemovedRoutes())
  mountCustomerPages(app, parts)
  app.route('/prompts', createPrompts(calls.receptionist))
  app.route(
    '/',
    createHealth({
      ctx,
      mayOperate,
      version: deps.version,
      pingQueue: () => deps.backend.ping(),
      draining: calls.draining,
      metrics,
    }),
  )
  for (const path of ['/api/auth/*', '/admin/*']) app.use(path, refuseUnstorableBody(BODY_LIMITS.form))
  app.get('/favicon.ico', (c) => c.body(null, 204))
  app.route('/', createLoginRoutes(login))
  app.route('/api/whatsapp', createWhatsAppApi({ settings, baileysConfigured: config.baileys.secret !== null }))
  app.route('/api/payments', createPaymentsApi({ payments }))
  app.route(
    '/api/v1',
    createFilesApi({
      storage: deps.storage,
      uploads: deps.uploads,
      authenticateAgain: (request) => businessOf(request, principal, businessParameter(request)),
    }),
  )
  app.route(UPLOADED_FILES, createUploadedFiles(deps))
  app.route(
    '/trpc',
    createTrpcEndpoint({
      createContext,
      requireStream: (request, actor) => streams.requireRoom(actor, addresses.limitKeyOf(request)),
      log,
    }),
  )
  const { publicBaseUrl } = config
  app.route('/api', createRestApi({ createContext, version: deps.version.version, publicBaseUrl }))
  app.use('/admin/queues/*', bodyLimit({ maxSize: BODY_LIMITS.form, onError: refuseBody }))
  app.route(
    '/admin',
    createAccountPages({
      ctx,
      links: deps.links,
      passwords: { check: checkNewPassword, hash: hashPassword },
      publicBaseUrl,
      ask,
      sessionOf: login.sessionOf,
      clientOf: addresses.limitKeyOf,
    }),
  )
  app.route(
    '/console',
    createConsole({
      folder: CONSOLE_FOLDER,
      base: new URL(publicBaseUrl).pathname.replace(/\/+$/, ''),
      defaults: () => ({ ...config.business, ...directory.business(directory.first() ?? '') }),
    }),
  )
  app.route('/admin', createAdmin({ publicBaseUrl, board: createBoard(deps.producer.queues), ask }))
  return app
}

export function principalDeps(
  { config, ctx }: Deps,
  directory: BusinessDirectory,
  addresses: ClientAddresses,
  login: LoginService,
): PrincipalDeps {
  return {
    ctx,
    sandbox: config.sandbox,
    publicBaseUrl: config.publicBaseUrl,
    addressOf: addresses.peerOf,
    sessionOf: login.sessionOf,
    firstBusiness: directory.first,
    businessExists: (id) => directory.business(id) !== null,
  }
}

function createContexts(
  deps: Deps,
  principal: PrincipalDeps,
  addresses: ClientAddresses,
  services: ApiServices,
  streams: StreamGate,
) {
  return (request: Request, business: AccessContext, chosen: string | null = null) => ({
    authenticate: () => Promise.resolve(business),
    authenticateAgain: () => businessOf(request, principal, chosen),
    enterStream: (actor: Actor) => streams.enter(actor, addresses.limitKeyOf(request)),
    settings: deps.sendSettings,
    services,
    payments: deps.payments,
  })
}

/** Errors as JSON; those of a tRPC call in tRPC's form, one for each call of a batch. */
function answerErrors({ log }: Deps): Parameters<Hono<GuardEnv>['onError']>[0] {
  const handle = handleError(log)
  return (error, c) => {
    const answered = handle(error, c)
    if (!c.req.path.startsWith('/trpc/')) return answered
    const rejected = rejectCalls(toAppError(error), calledProcedures(c.req.path), c.req.query('batch') === '1')
    // With the headers that were set before.
    return c.newResponse(rejected.body, rejected)
  }
}

/** The owners of the first business run the installation. */
async function ownsFirstBusiness({ ctx }: Deps, directory: BusinessDirectory, userId: string): Promise<boolean> {
  const first = directory.first()
  return (await membershipsOf(ctx, userId)).some((m) => m.role === 'owner' && m.businessId === first)
}

function refuseBody(): never {
  throw new AppError('too_large', 'body_too_large', `The body is larger than ${BODY_LIMITS.form} bytes.`)
}

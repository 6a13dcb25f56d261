import { join } from 'node:path'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import type { Server } from 'bun'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { RouterRoute } from 'hono/types'
import { type AccessContext, businessOf, type PrincipalDeps } from '../access/authenticate.ts'
import { type Auth, CLIENT_ADDRESS_HEADER, createAuth, sessionOf as readSession } from '../access/login.ts'
import { createOperatorCheck } from '../access/operators.ts'
import { isOwnOrigin } from '../access/origins.ts'
import { checkNewPassword, hashPassword } from '../access/passwords.ts'
import { ROUTES } from '../access/permissions.ts'
import { clientAddress, limitKey } from '../access/proxies.ts'
import { StreamGate } from '../access/streams.ts'
import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Deps } from '../composition/deps.ts'
import { createDirectory } from '../domain/businesses/index.ts'
import { verifyStreamToken } from '../domain/calls/index.ts'
import type { Actor } from '../domain/context.ts'
import { createEventHub } from '../domain/events/index.ts'
import { membershipsOf } from '../domain/members/index.ts'
import { createProfileCache } from '../domain/receptionist/index.ts'
import { createAccountPages } from '../http/account-pages.ts'
import { createAdmin } from '../http/admin.ts'
import { createFilesApi } from '../http/api/files.ts'
import { restRules } from '../http/api/openapi.ts'
import { createPaymentsApi } from '../http/api/payments.ts'
import { createRestApi } from '../http/api/rest.ts'
import { createWhatsAppApi } from '../http/api/whatsapp.ts'
import { BasePath } from '../http/base-path.ts'
import { createBoard } from '../http/board.ts'
import { createConsole } from '../http/console.ts'
import { handleError } from '../http/errors.ts'
import { calledProcedures, chosenBusiness, createGuard, type GuardEnv } from '../http/guard.ts'
import { createHealth } from '../http/health.ts'
import { readLargeText } from '../http/large-json.ts'
import { createPayPages } from '../http/pay/routes.ts'
import { createPrompts } from '../http/prompts.ts'
import { createRemovedRoutes } from '../http/removed-routes.ts'
import { checkAddress } from '../http/request-address.ts'
import {
  BODY_LIMITS,
  BodyBudget,
  bindBody,
  dropUnreadBody,
  readBytes,
  requireJson,
  withBody,
} from '../http/request-body.ts'
import { createSecurityHeaders } from '../http/security-headers.ts'
import { refuseUnstorableAddress, refuseUnstorableBody } from '../http/storable.ts'
import { createPaymentWebhooks } from '../http/webhooks/payments.ts'
import { createStreamStatusHandler, createVoiceWebhooks } from '../http/webhooks/voice.ts'
import { createWhatsAppWebhooks } from '../http/webhooks/whatsapp.ts'
import { AppError, errorMessage, toAppError } from '../lib/errors.ts'
import { networkPhone } from '../lib/phone.ts'
import { Admission } from '../media/admission.ts'
import { createCallEvents } from '../media/call-events.ts'
import { createCallTools } from '../media/call-tools.ts'
import { createCallTraceStore } from '../media/call-trace-store.ts'
import { createFileTraceWriters } from '../media/call-trace-writer.ts'
import { systemClock } from '../media/clock.ts'
import { DEFAULT_LIMITS, type SessionLimits } from '../media/media-session-ports.ts'
import { PrewarmedSessions } from '../media/prewarmed-sessions.ts'
import { createReceptionist } from '../media/reception.ts'
import { createStreamRejections } from '../media/reject-stream.ts'
import { replayStored } from '../media/replay.ts'
import { createMediaSocket, type MediaSocketData, pathOf } from '../media/socket.ts'
import { appRouter } from '../trpc/router.ts'
import { type ApiServices, refusedCalls } from '../trpc/trpc.ts'

export type App = {
  /** Every route that is registered, for the check that each has a rule. */
  routes: readonly RouterRoute[]
  /** Bun.serve's handlers. */
  fetch(request: Request, server: Server<MediaSocketData>): Promise<Response | undefined> | Response | undefined
  websocket: ReturnType<typeof createMediaSocket>['handlers']
  /** Reads the directory and renders the first prompts. */
  start(): Promise<void>
  liveCalls(): number
  sockets(): number
  /** From now on new calls go to voicemail and readiness says so. */
  beginDrain(): void
  /** Ends the calls that are left, each with its reason written. */
  endCalls(): Promise<void>
  stop(): Promise<void>
}

const RECOVER_EVERY_MS = 30_000

function refuseBody(): never {
  throw new AppError('too_large', 'body_too_large', 'The body is larger than what is read here.')
}

/** The web server's parts, mounted: webhooks, media socket, APIs, board, health. */
export function createApp(deps: Deps, options: { limits?: Partial<SessionLimits> } = {}): App {
  const { config, ctx, log, producer, inbox, metrics, carriers } = deps
  const directory = createDirectory(ctx.db, log)
  const speech = deps.openSpeech()
  const profiles = createProfileCache(ctx.db, log)
  const receptionist = createReceptionist({
    directory,
    prompts: speech.prompts,
    defaults: config.business,
    log,
    profiles,
    engines: (business) => speech.enginesOf(business.id, business.speechEngine),
  })
  const sink = createCallEvents({ ctx, producer, inbox, storage: deps.storage, log, serverId: deps.processId, metrics })
  const basePath = new BasePath(config.publicBaseUrl)
  const addresses = new WeakMap<Request, string>()
  const addressOf = (request: Request) => addresses.get(request) ?? null
  const clientOf = (request: Request) => clientAddress(request, addressOf, config.trustedProxies)
  const limitKeyOf = (request: Request) => limitKey(clientOf(request))
  let draining = false

  const admission = new Admission({
    limit: config.maxConcurrentCalls,
    live: () => media.liveCalls(),
    draining: () => draining,
  })
  const recordsDir = join(config.dataDir, 'call-records')
  const recorders = createFileTraceWriters({
    dir: recordsDir,
    log,
    onClosed: (path, unwritten) => keeper.keep(path, unwritten),
    onWriteFailed: () => metrics.recordTrouble.inc({ what: 'write_failed' }),
  })
  const keeper = createCallTraceStore({
    dir: recordsDir,
    storage: deps.storage,
    ctx,
    writes: recorders.writes,
    onTrouble: (what) => metrics.recordTrouble.inc({ what }),
  })
  const early = new PrewarmedSessions(speech.engine)
  const tools = createCallTools({
    ctx,
    profiles,
    sink,
    settings: deps.sendSettings,
    carriers,
    installation: deps.telephony,
    timeZone: (businessId) => directory.business(businessId)?.timezone ?? 'Asia/Jerusalem',
    transferDocument: (call, number) =>
      carriers.any()?.dialPerson({
        number,
        callerId: networkPhone(call.to),
        whisperUrl: publicUrl(config.publicBaseUrl, `${WEBHOOKS.whisper}?business=${call.businessId}`),
        actionUrl: publicUrl(config.publicBaseUrl, `${WEBHOOKS.dialEnded}?business=${call.businessId}`),
      }) ?? '',
  })
  const media = createMediaSocket({
    log,
    verifyUpgrade: (path, signature) => carriers.verifyUpgrade(path, signature),
    session: {
      engine: speech.engine,
      standby: speech.standby,
      adopt: (callSid) => early.adopt(callSid),
      tools,
      record: (callSid) => recorders.open(callSid),
      sink: { ...sink, refuse: createStreamRejections({ ctx, inbox, metrics }) },
      log,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      clock: systemClock,
      reception: (call) => receptionist.receptionOf(call.businessId, call.to),
      verifyToken(token, callSid) {
        const call = verifyStreamToken(config.sessionSecret, token, callSid)
        return call && admission.useToken(call.nonce, callSid) ? call : null
      },
    },
  })
  metrics.gauge('calls_live', 'Calls being served by this process', media.liveCalls)
  metrics.gauge('media_sockets', 'Open media sockets', media.sockets)
  metrics.gauge('call_records_waiting', 'Records of calls here that are to be stored', () => keeper.waiting)

  const authOptions = {
    db: ctx.db,
    secret: config.sessionSecret,
    publicBaseUrl: config.publicBaseUrl,
    log,
    isOwnOrigin: (origin: string, request: Request) => isOwnOrigin(origin, request, config.publicBaseUrl),
  }
  const auth: Auth = createAuth(authOptions)
  /** What goes through here is rate limited by the client's address. */
  const authenticate = (request: Request, from: Request) => {
    const headers = new Headers(request.headers)
    headers.set(CLIENT_ADDRESS_HEADER, clientOf(from))
    return auth.handler(new Request(request, { headers }))
  }
  const sessionOf = (headers: Headers) => readSession(auth, headers)

  const principal: PrincipalDeps = {
    ctx,
    sandbox: config.sandbox,
    publicBaseUrl: config.publicBaseUrl,
    addressOf,
    sessionOf,
    firstBusiness: directory.first,
    businessExists: (id) => directory.business(id) !== null,
  }
  const settings = deps.sendSettings
  const voice = {
    ctx,
    log,
    carriers,
    directory,
    inbox,
    publicBaseUrl: config.publicBaseUrl,
    defaultLanguage: config.business.language,
    streamSecret: config.sessionSecret,
    expectCall(call: { callSid: string; businessId: string; from: string; to: string }) {
      const reception = receptionist.receptionOf(call.businessId, call.to)
      if (!reception) return
      const options = {
        callId: call.callSid,
        language: reception.script.language,
        script: reception.script,
        ...(reception.instructions ? { instructions: reception.instructions } : {}),
        ...(reception.voice ? { voice: reception.voice } : {}),
        tools: tools.list({ ...call, expiresAt: 0, nonce: '' }),
      }
      early.open(call.callSid, options, reception.engines?.engine)
    },
    admitCall: (callSid: string) => admission.admit(callSid),
    knownEnd: (callSid: string) => sink.reasonOf(callSid),
    count: (event: string) => metrics.webhookEvents.inc({ event }),
  }
  const streamStatus = createStreamStatusHandler(voice)

  const isOperator = async (userId: string) => {
    const first = directory.first()
    return (await membershipsOf(ctx, userId)).some((m) => m.role === 'owner' && m.businessId === first)
  }
  const mayOperate = createOperatorCheck({ principal, metricsToken: config.metricsToken })
  const app = new Hono<GuardEnv>()
  const handle = handleError(log)
  app.onError((error, c) => {
    const answered = handle(error, c)
    if (!c.req.path.startsWith('/trpc/')) return answered
    return refusedCalls(toAppError(error), calledProcedures(c.req.path), c.req.query('batch') === '1')
  })
  app.use(async (c, next) => {
    await next()
    metrics.httpRequests.inc({ method: c.req.method, route: c.get('route'), status: c.res.status })
  })
  app.use(createGuard({ app, principal, rules: restRules('/api/v1'), isOperator, mayOperate }))
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
  app.route(
    '/',
    createPaymentWebhooks({
      ctx,
      means: deps.payments,
      inbox,
      addressOf: limitKeyOf,
      log,
    }),
  )
  app.route('/', createRemovedRoutes())
  app.route('/pay', createPayPages({ ctx, means: deps.payments, inbox }))
  app.route('/prompts', createPrompts(receptionist))
  app.route(
    '/',
    createHealth({
      ctx,
      mayOperate,
      version: deps.version,
      pingQueue: () => deps.backend.ping(),
      draining: () => draining,
      metrics,
    }),
  )
  for (const path of ['/api/auth/*', '/admin/*']) app.use(path, refuseUnstorableBody(BODY_LIMITS.form))
  app.get('/favicon.ico', (c) => c.body(null, 204))
  // Of the login service only the addresses of the table are served.
  for (const [method = '', path = ''] of Object.keys(ROUTES).map((key) => key.split(' ')))
    if (path.startsWith('/api/auth/'))
      app.on(method, path, async (c) => {
        requireJson(c.req.raw)
        return authenticate(await readWhole(c.req.raw, BODY_LIMITS.form), c.req.raw)
      })
  app.route('/api/whatsapp', createWhatsAppApi({ settings, baileysConfigured: config.baileys.secret !== null }))
  app.route('/api/payments', createPaymentsApi({ means: deps.payments }))
  app.route('/api', createFilesApi({ storage: deps.storage }))
  const hub = createEventHub({ ctx, sql: deps.database.sql })
  metrics.gauge('event_subscribers', 'Open event streams of this process', () => hub.subscribers)
  const services: ApiServices = {
    links: deps.links,
    webhookBox: deps.webhookBox,
    queues: () => producer.queues,
    events: hub,
    keyring: deps.keyring,
    replayRecord: (key) => replayStored(deps.storage, key),
  }
  const streams = new StreamGate()
  const createApiContext = (request: Request, business: AccessContext, chosen: string | null = null) => ({
    authenticate: () => Promise.resolve(business),
    authenticateAgain: () => businessOf(request, principal, chosen),
    enterStream: (actor: Actor) => streams.enter(actor, limitKeyOf(request)),
    settings,
    services,
    payments: deps.payments,
  })
  app.all('/trpc/*', async (c) => {
    const business = c.get('business')
    if (!business) throw new AppError('unauthenticated', 'api_key_required', 'Send an API key.')
    const chosen = chosenBusiness(c)
    return fetchRequestHandler({
      router: appRouter,
      endpoint: '/trpc',
      req: await readCalls(c),
      createContext: () => createApiContext(c.req.raw, business, chosen),
      onError({ error, path }) {
        if (error.code === 'INTERNAL_SERVER_ERROR') log.error({ path, err: error }, 'a procedure failed')
      },
    })
  })
  app.route(
    '/api',
    createRestApi({
      createContext: createApiContext,
      version: deps.version.version,
      publicBaseUrl: config.publicBaseUrl,
    }),
  )
  app.use('/admin/queues/*', bodyLimit({ maxSize: BODY_LIMITS.form, onError: refuseBody }))
  /** Puts a question to the login service as the browser behind `from`. */
  const ask = (path: string, body: Record<string, unknown>, from: Request) =>
    authenticate(
      new Request(new URL(`/api/auth${path}`, config.publicBaseUrl), {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Origin: new URL(config.publicBaseUrl).origin,
          Cookie: from.headers.get('cookie') ?? '',
          'User-Agent': from.headers.get('user-agent') ?? '',
        },
        body: JSON.stringify(body),
      }),
      from,
    )
  app.route(
    '/admin',
    createAccountPages({
      ctx,
      links: deps.links,
      passwords: { check: checkNewPassword, hash: hashPassword },
      publicBaseUrl: config.publicBaseUrl,
      ask,
      sessionOf,
      clientOf: limitKeyOf,
    }),
  )
  app.route(
    '/admin',
    createAdmin({
      publicBaseUrl: config.publicBaseUrl,
      board: createBoard(producer.queues),
      ask,
    }),
  )
  app.route(
    '/console',
    createConsole({
      folder: join(import.meta.dir, '../../dist/console'),
      base: basePath.path,
      defaults: () => ({ language: config.business.language, timeZone: 'Asia/Jerusalem' }),
    }),
  )
  const secure = createSecurityHeaders(config.publicBaseUrl)
  const budget = new BodyBudget()

  async function answer(received: Request, server: Server<MediaSocketData>): Promise<Response | undefined> {
    const refused = checkAddress(received)
    if (refused) return secure('/', refused)
    const request = basePath.enter(received)
    const path = pathOf(request.url)
    if (path.startsWith('/ws/')) {
      const upgraded = media.upgrade(received, server, path)
      if (upgraded !== null) return upgraded && secure(path, upgraded)
    }
    addresses.set(request, server.requestIP(received)?.address ?? '')
    bindBody(request, budget, limitKeyOf(request))
    const response = await (path === WEBHOOKS.streamStatus ? streamStatus(request) : app.fetch(request))
    dropUnreadBody(request, response)
    return secure(path, basePath.leave(response))
  }

  let recovery: Timer | undefined
  /** What web servers of this machine left behind is taken over, now and whenever another has gone. */
  function recoverEvents(): Timer {
    const look = () =>
      inbox.recover().catch((error: unknown) => {
        log.warn({ error: errorMessage(error) }, 'events that were left behind could not be taken over yet')
      })
    void look()
    return setInterval(look, RECOVER_EVERY_MS)
  }

  return {
    routes: app.routes,
    fetch: answer,
    websocket: media.handlers,
    async start() {
      await directory.start()
      await profiles.start()
      await hub.start()
      await receptionist.warm()
      keeper.start()
      recovery = recoverEvents()
    },
    liveCalls: media.liveCalls,
    sockets: media.sockets,
    beginDrain() {
      draining = true
    },
    endCalls: media.drain,
    async stop() {
      clearInterval(recovery)
      await sink.settled()
      directory.stop()
      profiles.stop()
      early.close()
      await recorders.flush()
      await keeper.stop()
      await hub.stop()
      await speech.close()
    },
  }
}

/** A request with its whole body, for code of others that would read it without a limit. */
async function readWhole(request: Request, maxBytes: number): Promise<Request> {
  return withBody(request, await readBytes(request, maxBytes))
}

/** A tRPC request with its whole body. */
async function readCalls(c: Context): Promise<Request> {
  requireJson(c.req.raw)
  const imports = calledProcedures(c.req.path).every((call) => call.startsWith('imports.'))
  if (!imports || c.req.method !== 'POST') return await readWhole(c.req.raw, BODY_LIMITS.api)
  const text = await readLargeText(c.req.raw)
  const request = withBody(c.req.raw, Buffer.from('{}'))
  // tRPC asks a request for its text; the one that was decoded already is not encoded again.
  Object.defineProperty(request, 'text', { value: () => Promise.resolve(text) })
  return request
}

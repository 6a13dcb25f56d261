import { join } from 'node:path'
import { trpcServer } from '@hono/trpc-server'
import type { Server } from 'bun'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { type Auth, CLIENT_ADDRESS_HEADER, createAuth, createLogin } from './auth.ts'
import type { Deps } from './deps.ts'
import { createDirectory } from './domain/businesses/index.ts'
import { verifyStreamToken } from './domain/calls/index.ts'
import { createEventHub } from './domain/events/index.ts'
import { membershipsOf } from './domain/members/index.ts'
import { createProfileCache } from './domain/receptionist/index.ts'
import { createAdmin } from './http/admin.ts'
import { createFilesApi } from './http/api/files.ts'
import { createPaymentsApi } from './http/api/payments.ts'
import { createRestApi } from './http/api/rest.ts'
import { createWhatsAppApi } from './http/api/whatsapp.ts'
import { createBoard } from './http/board.ts'
import { handleError } from './http/errors.ts'
import { createGone } from './http/gone.ts'
import { createHealth } from './http/health.ts'
import { isOwnOrigin } from './http/origin.ts'
import { createPayPages } from './http/pay/routes.ts'
import { businessOf, clientAddress, type PrincipalDeps } from './http/principal.ts'
import { createPrompts } from './http/prompts.ts'
import { publicUrl, WEBHOOKS } from './http/urls.ts'
import { createPaymentWebhooks } from './http/webhooks/payments.ts'
import { createStreamStatusHandler, createVoiceWebhooks } from './http/webhooks/voice.ts'
import { createWhatsAppWebhooks } from './http/webhooks/whatsapp.ts'
import { AppError } from './lib/errors.ts'
import { parsePhone } from './lib/phone.ts'
import { Admission } from './media/admission.ts'
import { createCallSink } from './media/call-sink.ts'
import { createCallTools } from './media/call-tools.ts'
import { systemClock } from './media/clock.ts'
import { EarlyEngines } from './media/early-engines.ts'
import { createReceptionist } from './media/reception.ts'
import { createRecordKeeper } from './media/record-keeper.ts'
import { createFileRecorders } from './media/recorder.ts'
import { createRefusals } from './media/refusals.ts'
import { replayStored } from './media/replay.ts'
import { DEFAULT_LIMITS, type SessionLimits } from './media/session-ports.ts'
import { createMediaSocket, type MediaSocketData, pathOf } from './media/socket.ts'
import { appRouter } from './trpc/router.ts'
import type { ApiServices } from './trpc/trpc.ts'

export type App = {
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

const MAX_BODY_BYTES = 1024 * 1024

function refuseBody(): never {
  throw new AppError('too_large', 'body_too_large', `The body is larger than ${MAX_BODY_BYTES} bytes.`)
}

/** The web server's parts, mounted: webhooks, media socket, APIs, board, health. */
export function createApp(deps: Deps, options: { limits?: Partial<SessionLimits> } = {}): App {
  const { config, ctx, log, producer, metrics, carriers } = deps
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
  const sink = createCallSink({ ctx, producer, storage: deps.storage, log, serverId: deps.processId, metrics })
  const addresses = new WeakMap<Request, string>()
  const addressOf = (request: Request) => addresses.get(request) ?? null
  let draining = false

  const admission = new Admission({
    limit: config.maxConcurrentCalls,
    live: () => media.liveCalls(),
    draining: () => draining,
  })
  const recordsDir = join(config.dataDir, 'call-records')
  const recorders = createFileRecorders({
    dir: recordsDir,
    log,
    onClosed: (path, unwritten) => keeper.keep(path, unwritten),
    onWriteFailed: () => metrics.recordTrouble.inc({ what: 'write_failed' }),
  })
  const keeper = createRecordKeeper({
    dir: recordsDir,
    storage: deps.storage,
    ctx,
    writes: recorders.writes,
    onTrouble: (what) => metrics.recordTrouble.inc({ what }),
  })
  const early = new EarlyEngines(speech.engine)
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
        callerId: parsePhone(call.to),
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
      sink: { ...sink, refuse: createRefusals({ ctx, producer, metrics }) },
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
    isOwnOrigin: (origin: string, request: Request) => isOwnOrigin(origin, request, config.publicBaseUrl),
  }
  const auth: Auth = createAuth({ ...authOptions, signUp: false })
  /** What goes through here is rate limited by the client's address. */
  const authenticate = (request: Request, from: Request) => {
    const headers = new Headers(request.headers)
    headers.set(CLIENT_ADDRESS_HEADER, clientAddress(from, addressOf))
    return auth.handler(new Request(request, { headers }))
  }
  const sessionOf = async (headers: Headers) => {
    if (!headers.get('cookie')?.includes('agentlocator.')) return null
    const session = await auth.api.getSession({ headers })
    return session ? { userId: session.user.id } : null
  }

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
    producer,
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

  const app = new Hono()
  app.onError(handleError(log))
  app.notFound((c) =>
    c.json({ success: false, error: { code: 'not_found', message: `There is nothing at ${c.req.path}.` } }, 404),
  )
  app.use(async (c, next) => {
    await next()
    metrics.httpRequests.inc({ method: c.req.method, route: routeOf(c.req.path), status: String(c.res.status) })
  })
  app.route('/', createVoiceWebhooks(voice))
  app.route(
    '/',
    createWhatsAppWebhooks({
      carriers,
      settings,
      directory,
      producer,
      baileysSecret: config.baileys.secret,
      readBridgeMessage: deps.readBridgeMessage,
      log,
      count: (event) => metrics.webhookEvents.inc({ event: `whatsapp_${event}` }),
    }),
  )
  app.route('/', createPaymentWebhooks({ ctx, means: deps.payments, producer, log }))
  app.route('/', createGone())
  app.route('/pay', createPayPages({ ctx, means: deps.payments, producer }))
  app.route('/prompts', createPrompts(receptionist))
  app.route(
    '/',
    createHealth({
      ctx,
      addressOf,
      version: deps.version,
      pingQueue: () => deps.backend.ping(),
      draining: () => draining,
      metrics,
    }),
  )
  // What is read by others' code, whole and before anybody has logged in.
  for (const path of ['/trpc/*', '/api/auth/*', '/admin/*'])
    app.use(path, bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuseBody }))
  app.get('/favicon.ico', (c) => c.body(null, 204))
  app.use('/api/*', secureHeaders())
  app.on(['GET', 'POST'], '/api/auth/*', (c) => authenticate(c.req.raw, c.req.raw))
  app.route(
    '/api/whatsapp',
    createWhatsAppApi({ ...principal, settings, baileysConfigured: config.baileys.secret !== null }),
  )
  app.route('/api/payments', createPaymentsApi({ ...principal, means: deps.payments }))
  app.route('/api', createFilesApi({ ...principal, storage: deps.storage }))
  const hub = createEventHub({ ctx, sql: deps.database.sql })
  metrics.gauge('event_subscribers', 'Open event streams of this process', () => hub.subscribers)
  const services: ApiServices = {
    createLogin: (login) => createLogin(authOptions, login),
    queues: () => producer.queues,
    events: hub,
    keyring: deps.keyring,
    replayRecord: (key) => replayStored(deps.storage, key),
  }
  const createApiContext = (request: Request, chosen: string | null = null) => {
    let access: ReturnType<typeof businessOf> | null = null
    return {
      // The calls of one batch ask once.
      authenticate() {
        access ??= businessOf(request, principal, chosen)
        return access
      },
      authenticateAgain: () => businessOf(request, principal, chosen),
      settings,
      services,
      payments: deps.payments,
    }
  }
  app.use(
    '/trpc/*',
    trpcServer({
      router: appRouter,
      endpoint: '/trpc',
      createContext: ({ info }, c) => createApiContext(c.req.raw, info.connectionParams?.businessId ?? null),
      onError({ error, path }) {
        if (error.code === 'INTERNAL_SERVER_ERROR') log.error({ path, err: error }, 'a procedure failed')
      },
    }),
  )
  app.route(
    '/api',
    createRestApi({
      createContext: (request) => createApiContext(request),
      version: deps.version.version,
      publicBaseUrl: config.publicBaseUrl,
    }),
  )
  app.route(
    '/admin',
    createAdmin({
      sessionOf,
      publicBaseUrl: config.publicBaseUrl,
      isOperator: async (userId) => {
        const first = directory.first()
        return (await membershipsOf(ctx, userId)).some((m) => m.role === 'owner' && m.businessId === first)
      },
      board: createBoard(producer.queues),
      ask: (path, body, from) =>
        authenticate(
          new Request(`${config.publicBaseUrl}/api/auth${path}`, {
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
        ),
    }),
  )
  // What a method is allowed is part of an address: a wrong one is told, not "not found".
  for (const path of Object.values(WEBHOOKS).filter((path) => path !== WEBHOOKS.incomingCallPreview))
    app.all(path, (c) =>
      c.json({ success: false, error: { code: 'method_not_allowed', message: 'This address takes POST.' } }, 405, {
        Allow: 'POST',
      }),
    )

  return {
    fetch(request, server) {
      const path = pathOf(request.url)
      if (path.startsWith('/ws/')) {
        const answer = media.upgrade(request, server)
        if (answer !== null) return answer
      }
      if (path === WEBHOOKS.streamStatus) return streamStatus(request)
      addresses.set(request, server.requestIP(request)?.address ?? '')
      return app.fetch(request)
    },
    websocket: media.handlers,
    async start() {
      await directory.start()
      await profiles.start()
      await hub.start()
      await receptionist.warm()
      keeper.start()
    },
    liveCalls: media.liveCalls,
    sockets: media.sockets,
    beginDrain() {
      draining = true
    },
    endCalls: media.drain,
    async stop() {
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

/** A path without its ids, so that the metrics' labels stay few. */
function routeOf(path: string): string {
  const [, first = '', second = '', third] = path.split('/')
  if (first === 'api' || first === 'webhook')
    return `/${[first, second, third].filter((part) => part && !/\d/.test(part)).join('/')}`
  return `/${first}`
}

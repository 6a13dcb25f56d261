import { createTRPCClient, TRPCClientError, type TRPCLink } from '@trpc/client'
import { getTRPCErrorFromUnknown, getTRPCErrorShape } from '@trpc/server'
import { observable } from '@trpc/server/observable'
import type { AccessContext } from '../access/authenticate.ts'
import type { Deps } from '../composition/deps.ts'
import { createRespond } from '../domain/agent/index.ts'
import { reachOf } from '../domain/alerts/index.ts'
import { listBusinesses } from '../domain/businesses/index.ts'
import { createListenToken } from '../domain/calls/index.ts'
import { within } from '../domain/context.ts'
import { createEventHub } from '../domain/events/index.ts'
import { AppError } from '../lib/errors.ts'
import { createShortCache } from '../lib/short-cache.ts'
import { readMoments } from '../media/call-moments.ts'
import { replayStored } from '../media/replay.ts'
import { findingsOf } from '../processes/doctor/findings.ts'
import { numberWebhooks } from '../processes/number-webhooks.ts'
import type { Client } from '../trpc/client.ts'
import { type AppRouter, appRouter } from '../trpc/router.ts'
import { createCallerFactory } from '../trpc/trpc.ts'

/**
 * Calls the router in this process as the owner of `businessId` (else the oldest business); answers pass through JSON as
 * over HTTP.
 */
export async function createLocalClient(deps: Deps, businessId: string | undefined): Promise<Client> {
  await deps.keyring.refresh()
  const all = await listBusinesses(deps.ctx)
  const business = businessId ? all.find((row) => row.id === businessId) : all[0]
  if (!business)
    throw new AppError(
      'not_found',
      'business_not_found',
      'There is no business with this id. `business list` shows the ids.',
    )
  const access: AccessContext = {
    ...within(deps.ctx, business.id, { kind: 'system', id: 'cli' }),
    access: { role: 'owner', scope: null, operator: true },
  }
  const caller = createCallerFactory(appRouter)({
    authenticate: async () => access,
    authenticateAgain: async () => access,
    settings: deps.sendSettings,
    payments: deps.payments,
    services: {
      links: deps.links,
      webhookBox: deps.webhookBox,
      queues: () => deps.producer.queues,
      keyring: deps.keyring,
      models: deps.modelAdmin,
      respond: createRespond({ models: deps.models, readFile: async () => null }),
      push: deps.push,
      alerts: { ...deps.alerts, reach: reachOf(deps.alerts) },
      liveCalls: { command: () => Promise.reject(needsServer()) },
      listenToken: (grant) => createListenToken(deps.config.sessionSecret, grant),
      numbers: { telephonyOf: deps.carriers.of, webhooks: numberWebhooks(deps.config) },
      examine: () => findingsOf(deps),
      cache: createShortCache(0),
      events: createEventHub({ ctx: deps.ctx, sql: deps.database.sql }),
      storage: deps.storage,
      readMoments: (key) => readMoments(deps.storage, key),
      replayTrace: (key) => replayStored(deps.storage, key),
      templatesOf: deps.twilioWhatsApp,
      calendars: { deps: deps.calendars, feedLinks: deps.calendarFeeds.links },
      voice: null,
    },
  })
  const link: TRPCLink<AppRouter> = () => (options) =>
    observable((observer) => {
      const { path, input } = options.op
      const procedure = path.split('.').reduce<unknown>((node, name) => Reflect.get(Object(node), name), caller)
      if (typeof procedure !== 'function') throw new Error(`There is no procedure ${path}.`)
      procedure(input)
        .then((data: unknown) => {
          observer.next({ result: { type: 'data', data: JSON.parse(JSON.stringify(data ?? null)) } })
          observer.complete()
        })
        .catch((thrown: unknown) => {
          const error = getTRPCErrorFromUnknown(thrown)
          const shape = getTRPCErrorShape({
            config: appRouter._def._config,
            error,
            type: options.op.type,
            path,
            input,
            ctx: undefined,
          })
          observer.error(TRPCClientError.from({ error: shape }))
        })
    })
  return createTRPCClient<AppRouter>({ links: [link] })
}

function needsServer(): AppError {
  return new AppError('unavailable', 'server_needed', 'A live call is reached through its server. Leave out --local.')
}

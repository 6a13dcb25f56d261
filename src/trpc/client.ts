import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from '@trpc/client'
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import { EventSource } from 'eventsource'
import type { AppRouter } from './router.ts'

export type { AppRouter } from './router.ts'
/** What procedures take: `Inputs['contacts']['create']`. */
export type Inputs = inferRouterInputs<AppRouter>
/** What procedures answer: `Outputs['contacts']['get']`. */
export type Outputs = inferRouterOutputs<AppRouter>
export type Client = ReturnType<typeof createClient>

export type ClientOptions = {
  /** Base address of the installation, without `/trpc`. */
  url: string
  /** A key of the business to speak for; not needed on the sandbox's own machine, nor by a page of the console. */
  apiKey?: string | null
  /** Which business, for who may speak for several. */
  businessId?: string | null
}

/**
 * A typed client of an installation: queries and mutations in batches, subscriptions over server-sent events, which come
 * back by themselves after the last event that was seen.
 */
export function createClient(options: ClientOptions) {
  const headers = {
    ...(options.apiKey ? { Authorization: `Bearer ${options.apiKey}` } : {}),
    ...(options.businessId ? { 'x-business-id': options.businessId } : {}),
  }
  const url = `${options.url.replace(/\/+$/, '')}/trpc`
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: httpSubscriptionLink({
          url,
          EventSource,
          eventSourceOptions: () => ({
            withCredentials: true,
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
          }),
        }),
        false: httpBatchLink({ url, headers, maxURLLength: 2_000 }),
      }),
    ],
  })
}

import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from '@trpc/client'
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import { EventSource } from 'eventsource'
import type { AppRouter } from './router.ts'

export type { AppRouter } from './router.ts'
export type Inputs = inferRouterInputs<AppRouter>
export type Outputs = inferRouterOutputs<AppRouter>
export type Client = ReturnType<typeof createClient>

export type ClientOptions = {
  url: string
  /** An API key of the business. A sandbox needs none on its own machine, nor does a page of the console. */
  apiKey?: string | null
  businessId?: string | null
}

/** A typed client: batched queries and mutations; subscriptions by server-sent events resume after the last event. */
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

import { createTRPCClient, httpBatchLink } from '@trpc/client'
import type { AppRouter } from './router.ts'

/**
 * A typed client of an installation.
 * @param options.url base address, without `/trpc`
 * @param options.apiKey a key of the business to speak for; not needed on the sandbox's own machine
 */
export function createClient(options: { url: string; apiKey?: string | null }) {
  return createTRPCClient<AppRouter>({
    links: [
      httpBatchLink({
        url: `${options.url.replace(/\/+$/, '')}/trpc`,
        headers: options.apiKey ? { Authorization: `Bearer ${options.apiKey}` } : {},
      }),
    ],
  })
}

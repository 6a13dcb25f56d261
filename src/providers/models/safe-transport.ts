import type { SafeFetch } from '../../lib/safe-fetch.ts'

const MAX_BYTES = 4 * 1024 * 1024
const TIMEOUT_MS = 60_000

/**
 * The client for a server that a business named, in the shape that adapters take. Bodies are read as a whole, and redirects are
 * not followed: they would carry the key elsewhere.
 */
export function createSafeTransport(request: SafeFetch): typeof fetch {
  const ask = async (input: string | URL | Request, init?: RequestInit | BunFetchRequestInit): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input)
    const { status, contentType, data } = await request(url, {
      method: init?.method === 'GET' ? 'GET' : 'POST',
      headers: Object.fromEntries(new Headers(init?.headers as HeadersInit | undefined)),
      ...(typeof init?.body === 'string' ? { body: init.body } : {}),
      maxBytes: MAX_BYTES,
      timeoutMs: TIMEOUT_MS,
    })
    return new Response(new Uint8Array(data), {
      status,
      ...(contentType ? { headers: { 'content-type': contentType } } : {}),
    })
  }
  return Object.assign(ask, { preconnect: () => undefined })
}

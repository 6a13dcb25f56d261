import { lookup } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { isBadPort, isOwnAddress, type Reach, reachOf } from './public-address.ts'
import { withTimeout } from './timeout.ts'

export type SafeFetchSettings = {
  /** Allows addresses of this machine and its network, as the sandbox needs. Metadata services stay forbidden. */
  allowPrivate: boolean
  /** Ports of this product: forbidden on this machine, even when private addresses are allowed. */
  ownPorts?: readonly number[]
  resolve?: (host: string) => Promise<string[]>
  reach?: (address: string) => Reach
  /** PEM of an additional certificate authority. */
  ca?: string
}

export type SafeRequest = {
  /** Any that HTTP and WebDAV have: capital letters. */
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
  /** Limit of the body, before and after decompression; null: the body is not read. */
  maxBytes: number | null
  timeoutMs: number
  /** 0: a redirect is returned as the response. */
  maxRedirects?: number
}

/** `length` is the Content-Length in bytes; null when the server sends none. */
export type SafeResponse = {
  status: number
  contentType: string | null
  length: number | null
  headers: Readonly<Record<string, string | string[] | undefined>>
  data: Buffer
}

export type FetchProblem =
  /** The URL, or one that it redirects to: its scheme, port, credentials or address. */
  | 'not_allowed'
  /** No connection, a connection cut off, too many redirects, or a wrong certificate. */
  | 'unreachable'
  | 'too_slow'
  | 'too_large'

/** Why a URL was not fetched. The message is for the log: clients get one sentence for all cases. */
export class SafeFetchError extends Error {
  constructor(
    readonly problem: FetchProblem,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause })
    this.name = 'SafeFetchError'
  }
}

export type SafeFetch = (url: string, request: SafeRequest) => Promise<SafeResponse>

const MAX_ADDRESSES = 4
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ConnectionRefused',
])
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const CREDENTIALS = /^(authorization|cookie|proxy-authorization)$/i

/**
 * The client for URLs from outside (SSRF): every resolved address must be allowed, and is the one connected to, against DNS
 * rebinding; redirects too. @throws SafeFetchError from the returned function
 */
export function createSafeFetch(settings: SafeFetchSettings): SafeFetch {
  return async (url, request) => {
    const deadline = Date.now() + request.timeoutMs
    let target = checkedUrl(url)
    let headers = { ...request.headers }
    for (let hops = 0; ; hops += 1) {
      const addresses = await withTimeout(addressesOf(target, settings), Math.max(0, deadline - Date.now()), tooSlow)
      const answer = await connect(target, addresses, { ...request, headers }, settings, deadline)
      if (answer.location === null || (request.maxRedirects ?? 0) === 0) return answer
      if (hops >= (request.maxRedirects ?? 0)) throw new SafeFetchError('unreachable', 'There were too many redirects.')
      const next = checkedUrl(answer.location, target)
      if (target.protocol === 'https:' && next.protocol === 'http:')
        throw new SafeFetchError('not_allowed', 'A redirect leads from https to http.')
      if (next.origin !== target.origin)
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.test(name)))
      target = next
    }
  }
}

/** Whether a request to the URL would be made: its scheme, port and every address of its name are allowed. */
export async function isAllowedUrl(text: string, settings: SafeFetchSettings, timeoutMs: number): Promise<boolean> {
  try {
    await withTimeout(addressesOf(checkedUrl(text), settings), timeoutMs, tooSlow)
    return true
  } catch (error) {
    if (error instanceof SafeFetchError) return false
    throw error
  }
}

function checkedUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new SafeFetchError('not_allowed', 'The URL is not http or https.')
  if (url.username || url.password) throw new SafeFetchError('not_allowed', 'The URL contains credentials.')
  if (isBadPort(portOf(url))) throw new SafeFetchError('not_allowed', 'The port belongs to another protocol.')
  return url
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}

const hostOf = (url: URL) => url.hostname.replace(/^\[|\]$/g, '')

async function addressesOf(url: URL, settings: SafeFetchSettings): Promise<string[]> {
  const host = hostOf(url)
  const resolve = settings.resolve ?? lookupAll
  const addresses = isIP(host)
    ? [host]
    : await resolve(host).catch((cause: unknown) => {
        // The same error as for a private address: it must not show which names exist in the network.
        throw new SafeFetchError('not_allowed', 'The name has no address.', cause)
      })
  if (addresses.length === 0) throw new SafeFetchError('not_allowed', 'The name has no address.')
  for (const address of addresses) {
    const reach = (settings.reach ?? reachOf)(address)
    if (reach === 'never' || (reach === 'private' && !settings.allowPrivate))
      throw new SafeFetchError('not_allowed', 'The address is not public.')
    if (settings.ownPorts?.includes(portOf(url)) && isOwnAddress(address))
      throw new SafeFetchError('not_allowed', 'The address belongs to this product.')
  }
  return addresses.slice(0, MAX_ADDRESSES)
}

async function lookupAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map((entry) => entry.address)
}

type Answer = SafeResponse & { location: string | null }

async function connect(
  url: URL,
  addresses: string[],
  request: SafeRequest,
  settings: SafeFetchSettings,
  deadline: number,
): Promise<Answer> {
  let failure: unknown
  for (const address of addresses) {
    try {
      return await ask(url, address, request, settings, deadline)
    } catch (error) {
      failure = error
      // Nothing was sent yet: the next address of the name may answer.
      const code = error instanceof SafeFetchError && error.cause instanceof Error ? codeOf(error.cause) : ''
      if (!NOT_CONNECTED.has(code)) throw error
    }
  }
  throw failure
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function ask(
  url: URL,
  address: string,
  request: SafeRequest,
  settings: SafeFetchSettings,
  deadline: number,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const secure = url.protocol === 'https:'
  const host = hostOf(url)
  const { body } = request
  const options = {
    method: request.method ?? 'GET',
    host: address,
    port: portOf(url),
    path: `${url.pathname}${url.search}`,
    headers: {
      'Accept-Encoding': 'identity',
      ...request.headers,
      Host: url.host,
      ...(body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
    },
    agent: false as const,
    // The certificate is checked against the name, although the connection goes to the address.
    ...(secure && !isIP(host) ? { servername: host } : {}),
    ...(secure && settings.ca ? { ca: settings.ca } : {}),
  }
  const outgoing = (secure ? httpsRequest : httpRequest)(options, (response) => {
    const status = response.statusCode ?? 0
    const length = /^\d{1,15}$/.exec(response.headers['content-length'] ?? '')?.[0]
    const answer = {
      status,
      contentType: response.headers['content-type'] ?? null,
      length: length === undefined ? null : Number(length),
      headers: response.headers,
    }
    const location = REDIRECTS.has(status) ? (response.headers.location ?? null) : null
    const unread = request.maxBytes === null || (location !== null && (request.maxRedirects ?? 0) > 0)
    const data = unread ? Promise.resolve(Buffer.alloc(0)) : readBody(response, request.maxBytes ?? 0)
    data.then((bytes) => resolve({ ...answer, location, data: bytes }), reject).finally(() => outgoing.destroy())
  })
  const timer = setTimeout(() => fail(tooSlow()), Math.max(0, deadline - Date.now()))
  const fail = (error: unknown) => {
    reject(
      error instanceof SafeFetchError
        ? error
        : new SafeFetchError('unreachable', 'The server could not be reached.', error),
    )
    outgoing.destroy()
  }
  outgoing.on('error', fail)
  outgoing.end(body)
  return promise.finally(() => clearTimeout(timer))
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new SafeFetchError('too_large', `The body is larger than ${maxBytes} bytes.`)
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const decoder = decoderOf(response.headers['content-encoding'])
  const source = decoder ? response.pipe(decoder) : response
  if (decoder) response.on('error', (error) => decoder.destroy(error))
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of source) {
      const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)
      size += bytes.length
      if (size > maxBytes) throw tooLarge()
      chunks.push(bytes)
    }
  } catch (error) {
    if (error instanceof SafeFetchError) throw error
    throw new SafeFetchError('unreachable', 'The connection was cut off.', error)
  } finally {
    decoder?.destroy()
  }
  if (!response.complete) throw new SafeFetchError('unreachable', 'The connection was cut off.')
  return Buffer.concat(chunks)
}

function decoderOf(encoding: string | undefined) {
  switch (encoding?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return null
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      throw new SafeFetchError('unreachable', 'The content encoding is unknown.')
  }
}

function tooSlow(): SafeFetchError {
  return new SafeFetchError('too_slow', 'The request was not complete in time.')
}

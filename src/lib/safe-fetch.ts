import { lookup } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { isBadPort, isOwnAddress, type Reach, reachOf } from './public-address.ts'

export type SafeFetchSettings = {
  /** Addresses of this machine and its network may be asked, as the sandbox's are. Metadata services never. */
  allowPrivate: boolean
  /** Ports of this product: never asked on this machine, even where private addresses are allowed. */
  ownPorts?: readonly number[]
  /** All addresses of a name; the system's resolver when unset. */
  resolve?: (host: string) => Promise<string[]>
  /** Who can reach an address; by IANA's registries when unset. */
  reach?: (address: string) => Reach
  /** PEM of an authority that is trusted besides the public ones. */
  ca?: string
}

export type SafeRequest = {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string
  /** Of the body, before and after decompression; null: the body is not read. */
  maxBytes: number | null
  /** For everything: names, connections, redirects, the whole body. */
  timeoutMs: number
  /** 0: a redirect is an answer like another. */
  maxRedirects?: number
}

/** `length` is what the server says of the body, in bytes; null where it says nothing. */
export type SafeResponse = { status: number; contentType: string | null; length: number | null; data: Buffer }

export type FetchProblem =
  /** The address or one that it redirects to: scheme, port, credentials in it, or where it leads. */
  | 'not_allowed'
  /** No such name, nobody there, cut off, too many redirects, a certificate of somebody else. */
  | 'unreachable'
  | 'too_slow'
  | 'too_large'

/** Why something was not fetched. The message is for the log; a client is told one sentence whatever it was. */
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

/** How many addresses of a name are tried. */
const MAX_ADDRESSES = 4
const NOBODY_THERE = new Set([
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
 * Makes the one client for addresses that users or senders name. A name is resolved once for each request, every address of
 * it must be allowed, and the connection goes to that very address, so that a name that changes its answer cannot lead
 * inside. The certificate is checked against the name. Each redirect is checked the same way.
 * @throws SafeFetchError from the function it makes
 */
export function createSafeFetch(settings: SafeFetchSettings): SafeFetch {
  return async (url, request) => {
    const deadline = Date.now() + request.timeoutMs
    let target = checkedUrl(url)
    let headers = { ...request.headers }
    for (let hops = 0; ; hops += 1) {
      const addresses = await within(deadline, addressesOf(target, settings))
      const answer = await connect(target, addresses, { ...request, headers }, settings, deadline)
      if (answer.location === null || (request.maxRedirects ?? 0) === 0) return answer
      if (hops >= (request.maxRedirects ?? 0)) throw new SafeFetchError('unreachable', 'too many redirects')
      const next = checkedUrl(answer.location, target)
      if (target.protocol === 'https:' && next.protocol === 'http:')
        throw new SafeFetchError('not_allowed', 'a redirect from https to http')
      if (next.origin !== target.origin)
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.test(name)))
      target = next
    }
  }
}

function checkedUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new SafeFetchError('not_allowed', 'no http or https address')
  if (url.username || url.password) throw new SafeFetchError('not_allowed', 'an address with credentials in it')
  if (isBadPort(portOf(url))) throw new SafeFetchError('not_allowed', 'a port of another protocol')
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
        // Not told from a name that leads inside: or it would tell which names exist inside.
        throw new SafeFetchError('not_allowed', 'a name without an address', cause)
      })
  if (addresses.length === 0) throw new SafeFetchError('not_allowed', 'a name without an address')
  for (const address of addresses) {
    const reach = (settings.reach ?? reachOf)(address)
    if (reach === 'never' || (reach === 'private' && !settings.allowPrivate))
      throw new SafeFetchError('not_allowed', 'an address that is not public')
    if (settings.ownPorts?.includes(portOf(url)) && isOwnAddress(address))
      throw new SafeFetchError('not_allowed', 'an address of this product')
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
      // Nothing was sent yet: the name's next address may have somebody.
      const code = error instanceof SafeFetchError && error.cause instanceof Error ? codeOf(error.cause) : ''
      if (!NOBODY_THERE.has(code)) throw error
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
    // The certificate must be for the name, although the connection goes to the address.
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
    }
    const location = REDIRECTS.has(status) ? (response.headers.location ?? null) : null
    const unread = request.maxBytes === null || (location !== null && (request.maxRedirects ?? 0) > 0)
    const data = unread ? Promise.resolve(Buffer.alloc(0)) : readBody(response, request.maxBytes ?? 0)
    data.then((bytes) => resolve({ ...answer, location, data: bytes }), reject).finally(() => outgoing.destroy())
  })
  const timer = setTimeout(
    () => fail(new SafeFetchError('too_slow', 'not complete in time')),
    Math.max(0, deadline - Date.now()),
  )
  const fail = (error: unknown) => {
    reject(error instanceof SafeFetchError ? error : new SafeFetchError('unreachable', 'not reached', error))
    outgoing.destroy()
  }
  outgoing.on('error', fail)
  outgoing.end(body)
  return promise.finally(() => clearTimeout(timer))
}

/** Reads a body within its limit, whatever its header said, and whatever it becomes when it is decompressed. */
async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new SafeFetchError('too_large', `larger than ${maxBytes} bytes`)
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
    throw new SafeFetchError('unreachable', 'cut off', error)
  } finally {
    decoder?.destroy()
  }
  if (!response.complete) throw new SafeFetchError('unreachable', 'cut off')
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
      throw new SafeFetchError('unreachable', 'an encoding that is not known')
  }
}

async function within<T>(deadline: number, promise: Promise<T>): Promise<T> {
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SafeFetchError('too_slow', 'not complete in time')),
      Math.max(0, deadline - Date.now()),
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

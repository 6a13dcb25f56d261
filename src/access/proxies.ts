import ipaddr from 'ipaddr.js'

export type RequestAddress = (request: Request) => string | null

export type TrustedProxies = {
  trusts(address: string): boolean
}

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number]

/** The networks of the names, by RFC 1918, 3927, 4193 and 4291. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'],
  none: [],
}

/** Parses TRUSTED_PROXIES: `loopback`, `private`, `none`, addresses, CIDR networks; null when a part is invalid. */
export function parseTrustedProxies(setting: string): TrustedProxies | null {
  const networks: Network[] = []
  for (const part of setting.split(/[\s,]+/).filter((text) => text !== '')) {
    for (const text of NAMED[part.toLowerCase()] ?? [part]) {
      const network = parseNetwork(text)
      if (!network) return null
      networks.push(network)
    }
  }
  return {
    trusts(address) {
      const parsed = parseAddress(address)
      return (
        parsed !== null &&
        networks.some(([base, bits]) =>
          parsed.kind() === 'ipv4' && base.kind() === 'ipv4'
            ? (parsed as ipaddr.IPv4).match(base as ipaddr.IPv4, bits)
            : parsed.kind() === 'ipv6' && base.kind() === 'ipv6'
              ? (parsed as ipaddr.IPv6).match(base as ipaddr.IPv6, bits)
              : false,
        )
      )
    },
  }
}

export const NO_PROXIES: TrustedProxies = { trusts: () => false }

function parseNetwork(text: string): Network | null {
  if (ipaddr.isValidCIDR(text) && parseAddress(text.split('/')[0] ?? '')) {
    const [base, bits] = ipaddr.parseCIDR(text)
    if (base.kind() === 'ipv6' && (base as ipaddr.IPv6).isIPv4MappedAddress())
      return bits >= 96 ? [(base as ipaddr.IPv6).toIPv4Address(), bits - 96] : null
    return [base, bits]
  }
  const address = parseAddress(text)
  return address ? [address, address.kind() === 'ipv4' ? 32 : 128] : null
}

/** Parses an IP address; an IPv4 address inside IPv6 (`::ffff:127.0.0.1`) becomes IPv4. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const bare = text.replace(/%.*$/, '')
  // `ipaddr.js` also accepts `127.1` and octal parts, which proxies read differently.
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return null
  return ipaddr.process(bare)
}

/** The address of `198.51.100.7`, `198.51.100.7:5000`, `2001:db8::1` or `[2001:db8::1]:5000`; null when invalid. */
function hopAddress(text: string): string | null {
  const bracketed = /^\[([0-9a-f:.%\w]+)\](?::\d{1,5})?$/i.exec(text)
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)
  return parseAddress(bracketed?.[1] ?? withPort?.[1] ?? text)?.toString() ?? null
}

function hopsOfForwardedFor(header: string): (string | null)[] {
  return header.split(',').map((part) => hopAddress(part.trim()))
}

/** The hops of Forwarded (RFC 7239): one element for each hop, with at most one `for`. */
function hopsOfForwarded(header: string): (string | null)[] {
  return header.split(',').map((element) => {
    const value = element
      .split(';')
      .map((pair) => /^\s*for\s*=\s*(?:"([^"]*)"|([^\s"]*))\s*$/i.exec(pair))
      .find((match) => match !== null)
    return value ? hopAddress((value[1] ?? value[2] ?? '').trim()) : null
  })
}

/** The right-most hop that is no trusted proxy; the peer's address when headers are missing, invalid or contradictory. */
export function clientAddress(request: Request, addressOf: RequestAddress, proxies: TrustedProxies): string {
  const peer = parseAddress(addressOf(request) ?? '')?.toString() ?? ''
  if (!proxies.trusts(peer)) return peer
  const forwardedFor = request.headers.get('x-forwarded-for')
  const forwarded = request.headers.get('forwarded')
  const claimed = [
    ...(forwardedFor === null ? [] : [clientOf(hopsOfForwardedFor(forwardedFor), proxies)]),
    ...(forwarded === null ? [] : [clientOf(hopsOfForwarded(forwarded), proxies)]),
  ]
  const [first] = claimed
  return first && claimed.every((address) => address === first) ? first : peer
}

/** The key that limits count: for IPv6 the /64 network, since one client has all of it. */
export function limitKey(address: string): string {
  const parsed = parseAddress(address)
  if (parsed?.kind() !== 'ipv6') return address
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`)}/64`
}

function clientOf(hops: (string | null)[], proxies: TrustedProxies): string | null {
  for (const hop of hops.toReversed()) if (hop === null || !proxies.trusts(hop)) return hop
  return hops[0] ?? null
}

/** Headers that clients send. Any other one means a proxy or tunnel, whose headers are too many to list. */
const CLIENT_HEADERS = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-language',
  'content-length',
  'content-type',
  'cookie',
  'date',
  'dnt',
  'expect',
  'host',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'last-event-id',
  'origin',
  'pragma',
  'prefer',
  'priority',
  'purpose',
  'range',
  'referer',
  'save-data',
  'te',
  'trailer',
  'transfer-encoding',
  'trpc-accept',
  'upgrade',
  'upgrade-insecure-requests',
  'user-agent',
  'x-baileys-secret',
  'x-business-id',
  'x-requested-with',
  'x-trpc-source',
  'x-twilio-signature',
])

/** Whether a request comes from this machine, without a visible proxy in between. */
export function isDirectLoopback(request: Request, addressOf: RequestAddress): boolean {
  const address = parseAddress(addressOf(request) ?? '')
  if (address?.range() !== 'loopback') return false
  // nginx sends `close` to its upstreams by default; browsers and HTTP clients keep connections open.
  if (/(^|,)\s*close\s*(,|$)/i.test(request.headers.get('connection') ?? '')) return false
  for (const name of request.headers.keys())
    if (!CLIENT_HEADERS.has(name) && !/^sec-(ch|fetch|websocket|gpc|purpose)/.test(name)) return false
  return true
}

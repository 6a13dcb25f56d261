import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

/** Who can reach an address; `never` for multicast, documentation, tunnels and cloud metadata services. */
export type Reach = 'public' | 'private' | 'never'

const PRIVATE = new Set(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'])

/** Cloud metadata services, which give out credentials, at ordinary-looking addresses. */
const METADATA = new Set(['100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'])

/** Classifies an IP address by IANA's special-purpose registries; `never` for any other text. */
export function reachOf(address: string): Reach {
  // Normalised: `::127.0.0.1` and `::ffff:127.0.0.1` are different addresses, which not every parser distinguishes.
  const plain = isIP(address) === 6 ? (URL.parse(`http://[${address}]`)?.hostname.slice(1, -1) ?? '') : address
  if (isIP(plain) === 0) return 'never'
  const parsed = ipaddr.process(plain)
  if (METADATA.has(parsed.toString())) return 'never'
  const range = parsed.range()
  if (PRIVATE.has(range)) return 'private'
  if (range !== 'unicast') return 'never'
  // Only 2000::/3 of IPv6 is assigned to the internet.
  const global = parsed.kind() === 'ipv4' || parsed.match(ipaddr.IPv6.parseCIDR('2000::/3'))
  return global ? 'public' : 'never'
}

export function isPublicAddress(address: string): boolean {
  return reachOf(address) === 'public'
}

export function isOwnAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  if (parsed.range() === 'loopback' || parsed.range() === 'unspecified') return true
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return own.some(
    (entry) => ipaddr.isValid(entry.address) && ipaddr.process(entry.address).toString() === parsed.toString(),
  )
}

/** Ports of other protocols, which could read a request as a command (WHATWG Fetch, "port blocking"). */
const BAD_PORTS = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

export function isBadPort(port: number): boolean {
  return BAD_PORTS.has(port)
}

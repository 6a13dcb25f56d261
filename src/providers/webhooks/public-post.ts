import { lookup } from 'node:dns/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP } from 'node:net'
import { AppError } from '../../lib/errors.ts'

/** Addresses that are not on the public internet (IANA special-purpose registries). */
const PRIVATE = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  PRIVATE.addSubnet(network, prefix, 'ipv4')
// Of IPv6 only global unicast (2000::/3) is public, less its documentation, tunnel and translation parts.
const PUBLIC_V6 = new BlockList()
PUBLIC_V6.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  PRIVATE.addSubnet(network, prefix, 'ipv6')

/** Whether an address is one that anybody on the internet could reach. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !PRIVATE.check(address, 'ipv4')
  if (isIP(address) !== 6) return false
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped) return isPublicAddress(mapped)
  return PUBLIC_V6.check(address, 'ipv6') && !PRIVATE.check(address, 'ipv6')
}

const TIMEOUT_MS = 10_000

/**
 * Makes a function that posts to addresses which tenants chose. The name is resolved once and the connection goes to that
 * very address, so that a name which changes its mind cannot lead inside; redirects are not followed.
 * @param allowPrivate for receivers on this machine or in its network, as the sandbox's are
 */
export function createPublicPost(allowPrivate: boolean) {
  return async (url: string, body: string, headers: Record<string, string>): Promise<number> => {
    const target = new URL(url)
    const host = target.hostname.replace(/^\[|\]$/g, '')
    const addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map((entry) => entry.address)
    const address = addresses[0]
    if (!address) throw new Error(`${host} has no address`)
    if (!allowPrivate && !addresses.every(isPublicAddress))
      throw new AppError(
        'forbidden',
        'private_address',
        'A webhook may only go to a public address; WEBHOOKS_ALLOW_PRIVATE=1 lets it go inside.',
      )
    return await post(target, address, body, headers)
  }
}

function post(target: URL, address: string, body: string, headers: Record<string, string>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const secure = target.protocol === 'https:'
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const options = {
    method: 'POST',
    host: address,
    port: target.port || (secure ? 443 : 80),
    path: `${target.pathname}${target.search}`,
    headers: { ...headers, Host: target.host, 'Content-Length': String(Buffer.byteLength(body)) },
    // The certificate must be for the name, although the connection goes to the address.
    ...(secure && !isIP(host) ? { servername: host } : {}),
  }
  const request = (secure ? httpsRequest : httpRequest)(options, (response) => {
    // Nothing of the answer is wanted, and nothing of it is kept.
    response.resume()
    resolve(response.statusCode ?? 0)
  })
  const timer = setTimeout(() => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  request.on('error', reject)
  request.on('close', () => clearTimeout(timer))
  request.end(body)
  return promise
}

import { createHash, timingSafeEqual } from 'node:crypto'
import { validateRequest } from 'twilio/lib/webhooks/webhooks'
import type { SignedRequest } from './port.ts'

/**
 * Characters of a query that every URL parser, Bun's included, percent-encodes (WHATWG URL, special-query set) while Twilio
 * signs the URL as it was configured. Which of the two was sent is unknown afterwards.
 */
const REENCODED = /%2[27]|%3[CcEe]/g
/** Unsigned requests must stay cheap: at most two to the power of this many spellings are tried. */
const MAX_MIXED = 5
/** Base64 of an HMAC-SHA1. */
const SIGNATURE = /^[A-Za-z0-9+/]{27}=$/

/**
 * Whether Twilio signed a request: over the public URL as it may have been written, then every form field, repeated ones
 * included, or for a body that is no form over the URL with the body's hash in it. Source: Twilio, Webhooks security.
 * @param publicBaseUrl no trailing slash; never the request's Host header
 */
export function isSignedByTwilio(authToken: string, request: SignedRequest, publicBaseUrl: string): boolean {
  const { signature, params, rawBody } = request
  if (signature === null || !SIGNATURE.test(signature)) return false
  const fields = rawBody === undefined ? { ...params } : {}
  if (rawBody !== undefined && !isHashOf(rawBody, request.pathAndQuery)) return false
  return spellingsOf(request.pathAndQuery).some((target) =>
    basesOf(publicBaseUrl).some((base) => validateRequest(authToken, signature, base + target, fields)),
  )
}

/** Twilio never signs a user and password that stand in a configured URL. */
function basesOf(publicBaseUrl: string): string[] {
  const bare = publicBaseUrl.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1')
  return bare === publicBaseUrl ? [publicBaseUrl] : [bare, publicBaseUrl]
}

/** A path and query as they may have been sent: each re-encoded character encoded or plain. */
export function spellingsOf(pathAndQuery: string): string[] {
  const at = pathAndQuery.indexOf('?')
  if (at < 0) return [pathAndQuery]
  const path = pathAndQuery.slice(0, at)
  const spellings = new Set<string>()
  for (const query of new Set([pathAndQuery.slice(at), decodeNonAscii(pathAndQuery.slice(at))])) {
    const places = [...query.matchAll(REENCODED)].map(({ index }) => index)
    // With many of them, all of one character are assumed to be written alike.
    const groups =
      places.length <= MAX_MIXED
        ? places.map((place) => [place])
        : ['%22', '%27', '%3C', '%3E']
            .map((code) => places.filter((place) => query.slice(place, place + 3).toUpperCase() === code))
            .filter((group) => group.length > 0)
    for (let choice = 0; choice < 2 ** groups.length; choice++) {
      const plain = new Set(groups.flatMap((group, index) => ((choice >> index) & 1 ? group : [])))
      spellings.add(path + query.replace(REENCODED, (code, place: number) => (plain.has(place) ? decode(code) : code)))
    }
  }
  return [...spellings]
}

function decode(code: string): string {
  return String.fromCharCode(Number.parseInt(code.slice(1), 16))
}

/** Letters outside ASCII that a URL was configured with are sent encoded. */
function decodeNonAscii(text: string): string {
  return text.replace(/(?:%[89A-Fa-f][0-9A-Fa-f])+/g, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run
    }
  })
}

function isHashOf(rawBody: Uint8Array, pathAndQuery: string): boolean {
  const sent = new URLSearchParams(pathAndQuery.replace(/^[^?]*/, '')).get('bodySHA256') ?? ''
  const hash = createHash('sha256').update(rawBody).digest('hex')
  return sent.length === hash.length && timingSafeEqual(Buffer.from(sent.toLowerCase()), Buffer.from(hash))
}

import { z } from 'zod'
import { hmacSha256, newId, secretsEqual } from '../../lib/ids.ts'

export type StreamToken = {
  callSid: string
  businessId: string
  from: string
  to: string
  expiresAt: number
  /** Used once: the second socket that shows it is refused. */
  nonce: string
  /** It came in over the installation's carrier account although the business has its own: there it can be changed. */
  viaInstallation?: true
  /** The caller's carrier claims a number that was found not to be theirs (STIR/SHAKEN). */
  unverified?: true
  /** The carrier names the line that forwarded the call in the caller's place: who calls is not known. */
  diverted?: true
  /** A member tries the receptionist out: only their own connection may use the token. */
  test?: TestCall
}

export type TestCall = {
  member: string
  /** What answers: the draft, or the version in force. */
  draft: boolean
  language: 'he' | 'en'
}

const VALID_SECONDS = 60

const claims = z.object({
  c: z.string(),
  b: z.string(),
  f: z.string(),
  t: z.string(),
  e: z.number(),
  n: z.string(),
  i: z.literal(1).optional(),
  u: z.literal(1).optional(),
  d: z.literal(1).optional(),
  m: z.object({ m: z.string(), d: z.boolean(), l: z.enum(['he', 'en']) }).optional(),
})

/**
 * A signed one-time token, checked without a query, valid a minute; under the 500 characters of a TwiML <Stream> parameter.
 */
export function createStreamToken(
  secret: string,
  call: Omit<StreamToken, 'expiresAt' | 'nonce'>,
  now = Date.now(),
): string {
  const body = Buffer.from(
    JSON.stringify({
      c: call.callSid.slice(0, 64),
      b: call.businessId,
      f: plain(call.from),
      t: plain(call.to),
      e: Math.floor(now / 1000) + VALID_SECONDS,
      n: newId(),
      ...(call.viaInstallation ? { i: 1 } : {}),
      ...(call.unverified ? { u: 1 } : {}),
      ...(call.diverted ? { d: 1 } : {}),
      ...(call.test ? { m: { m: call.test.member, d: call.test.draft, l: call.test.language } } : {}),
    }),
  ).toString('base64url')
  return `${body}.${sign(secret, body)}`
}

/** The token's contents, or null when it is forged, expired, or of another call. */
export function verifyStreamToken(
  secret: string,
  token: string,
  callSid: string,
  now = Date.now(),
): StreamToken | null {
  const [body, signature, rest] = token.split('.')
  if (!body || !signature || rest !== undefined) return null
  if (!secretsEqual(sign(secret, body), signature)) return null
  const parsed = claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()))
  if (!parsed.success) return null
  const { c, b, f, t, e, n, i, u, d, m } = parsed.data
  if (c !== callSid || e * 1000 < now) return null
  return {
    ...{ callSid: c, businessId: b, from: f, to: t, expiresAt: e, nonce: n },
    ...(i ? { viaInstallation: true } : {}),
    ...(u ? { unverified: true } : {}),
    ...(d ? { diverted: true } : {}),
    ...(m ? { test: { member: m.m, draft: m.d, language: m.l } } : {}),
  }
}

/** As many bytes as characters, in JSON too: an address of another alphabet must not make the token longer. */
function plain(number: string): string {
  return number.replace(/[^ !#-[\]-~]/g, '_').slice(0, 40)
}

function sign(secret: string, body: string): string {
  return hmacSha256(secret, `stream-token:${body}`)
}

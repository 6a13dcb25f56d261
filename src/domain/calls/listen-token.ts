import { z } from 'zod'
import { hmacSha256, newId, secretsEqual } from '../../lib/ids.ts'
import type { Actor } from '../context.ts'

/** Lets its bearer hear one live call, once. */
export type ListenToken = { callId: string; businessId: string; actor: Actor; expiresAt: Date; nonce: string }

const VALID_MS = 30_000

const claims = z.object({
  c: z.uuid(),
  b: z.uuid(),
  k: z.enum(['user', 'api_key', 'webhook', 'system']),
  a: z.string(),
  e: z.number(),
  n: z.string(),
})

/** A browser cannot authenticate a WebSocket by a header: it sends this in the first message, which no proxy logs. */
export function createListenToken(
  secret: string,
  grant: Pick<ListenToken, 'callId' | 'businessId' | 'actor'>,
  now = Date.now(),
): { token: string; expiresAt: Date } {
  const expiresAt = now + VALID_MS
  const { callId, businessId, actor } = grant
  const body = Buffer.from(
    JSON.stringify({ c: callId, b: businessId, k: actor.kind, a: actor.id, e: expiresAt, n: newId() }),
  ).toString('base64url')
  return { token: `${body}.${sign(secret, body)}`, expiresAt: new Date(expiresAt) }
}

/** The token's contents; null when it is forged or expired. */
export function verifyListenToken(secret: string, token: string, now = Date.now()): ListenToken | null {
  const [body, signature, rest] = token.split('.')
  if (!body || !signature || rest !== undefined || !secretsEqual(sign(secret, body), signature)) return null
  const read = claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()))
  if (!read.success || read.data.e < now) return null
  const { c, b, k, a, e, n } = read.data
  return { callId: c, businessId: b, actor: { kind: k, id: a }, expiresAt: new Date(e), nonce: n }
}

function sign(secret: string, body: string): string {
  return hmacSha256(secret, `listen-token:${body}`)
}

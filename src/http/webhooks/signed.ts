import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import type { Carriers, Signer } from '../../providers/telephony/port.ts'
import { cleanForm, parseForm, readText } from '../form.ts'

/** Path and query as the client sent them. */
function pathAndQuery(c: Context): string {
  const url = new URL(c.req.url)
  return url.pathname + url.search
}

/** The form of a request and who signed it; null is nobody that counts here. */
export async function readCarrierForm(
  c: Context,
  carriers: Carriers,
): Promise<{ params: Record<string, string>; signer: Signer | null }> {
  const params = parseForm(await readText(c.req.raw))
  const signature = c.req.header('x-twilio-signature') ?? null
  return { params: cleanForm(params), signer: carriers.verify({ pathAndQuery: pathAndQuery(c), signature, params }) }
}

/**
 * The form of a request that only the carrier may send, and who signed it.
 * @throws AppError `telephony_not_configured`, `invalid_signature`
 */
export async function requireCarrierForm(
  c: Context,
  carriers: Carriers,
): Promise<{ params: Record<string, string>; signer: Signer }> {
  if (!carriers.any())
    throw new AppError('unavailable', 'telephony_not_configured', 'Twilio is not configured on this installation.')
  const { params, signer } = await readCarrierForm(c, carriers)
  if (!signer) throw notSigned()
  return { params, signer }
}

/** Also where the signature is somebody's, but not of the business that the request is about. */
export function notSigned(): AppError {
  return new AppError('forbidden', 'invalid_signature', 'The X-Twilio-Signature is missing or does not match.')
}

/** For a job about something that is known by its id alone: whose it may be. */
export function scopeOf({ only }: Signer): { onlyFor?: string[] } {
  return only ? { onlyFor: [...only] } : {}
}

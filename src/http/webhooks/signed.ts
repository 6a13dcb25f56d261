import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import type { Telephony } from '../../providers/telephony/port.ts'
import { parseForm, readText } from '../form.ts'

/** Path and query as the client sent them. */
function pathAndQuery(c: Context): string {
  const url = new URL(c.req.url)
  return url.pathname + url.search
}

/** The form of a request and whether the carrier signed it. */
export async function readCarrierForm(
  c: Context,
  telephony: Telephony | null,
): Promise<{ params: Record<string, string>; signed: boolean }> {
  const params = parseForm(await readText(c.req.raw))
  const signature = c.req.header('x-twilio-signature') ?? null
  const signed = telephony?.verifyWebhook({ pathAndQuery: pathAndQuery(c), signature, params }) ?? false
  return { params, signed }
}

/**
 * The form of a request that only the carrier may send.
 * @throws AppError `telephony_not_configured`, `invalid_signature`
 */
export async function requireCarrierForm(c: Context, telephony: Telephony | null): Promise<Record<string, string>> {
  if (!telephony)
    throw new AppError('unavailable', 'telephony_not_configured', 'Twilio is not configured on this installation.')
  const { params, signed } = await readCarrierForm(c, telephony)
  if (!signed)
    throw new AppError('forbidden', 'invalid_signature', 'The X-Twilio-Signature is missing or does not match.')
  return params
}

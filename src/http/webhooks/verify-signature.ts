import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import type { Carriers, Signer } from '../../providers/telephony/port.ts'
import { cleanForm, firstOf, MAX_WEBHOOK_BYTES, parseFormFields } from '../form-body.ts'
import { readBytes } from '../request-body.ts'

/** Path and query as the server read them: parsing them again would encode more. */
function pathAndQueryOf(request: Request): string {
  return request.url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/#.*$/s, '')
}

/** The fields of a carrier's request, and who signed it: a form, or JSON whose hash stands in the signed URL. */
export async function readSigned(
  request: Request,
  carriers: Carriers,
): Promise<{ params: Record<string, string>; signer: Signer | null }> {
  const body = await readBytes(request, MAX_WEBHOOK_BYTES)
  const pathAndQuery = pathAndQueryOf(request)
  const signature = request.headers.get('x-twilio-signature')
  const text = new TextDecoder().decode(body)
  if (/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) {
    const params = fieldsOfJson(text)
    return { params: cleanForm(params), signer: carriers.verify({ pathAndQuery, signature, params, rawBody: body }) }
  }
  const fields = parseFormFields(text)
  return { params: cleanForm(firstOf(fields)), signer: carriers.verify({ pathAndQuery, signature, params: fields }) }
}

/** The plain fields of a JSON object, as a form would have them. */
function fieldsOfJson(text: string): Record<string, string> {
  let json: unknown = null
  try {
    json = JSON.parse(text)
  } catch {
    return {}
  }
  if (typeof json !== 'object' || json === null) return {}
  return Object.fromEntries(
    Object.entries(json).flatMap(([name, value]: [string, unknown]) =>
      ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [],
    ),
  )
}

/** The form of a request and who signed it; null is nobody that counts here. */
export function readCarrierForm(
  c: Context,
  carriers: Carriers,
): Promise<{ params: Record<string, string>; signer: Signer | null }> {
  return readSigned(c.req.raw, carriers)
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

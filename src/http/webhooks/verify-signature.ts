import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import type { Carriers, Signer } from '../../providers/telephony/port.ts'
import { cleanForm, firstOf, MAX_WEBHOOK_BYTES, parseFormFields } from '../form-body.ts'
import { readBytes } from '../request-body.ts'

/** Path and query as they arrived: a parsed URL would encode more than the signature covers. */
function pathAndQueryOf(request: Request): string {
  return request.url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/#.*$/s, '')
}

/** The fields of a carrier's request and its signer: of a form, or of JSON whose hash is in the signed URL. */
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

/** The fields of a request and its signer; null when no account of this installation signed it. */
export function readCarrierForm(
  c: Context,
  carriers: Carriers,
): Promise<{ params: Record<string, string>; signer: Signer | null }> {
  return readSigned(c.req.raw, carriers)
}

/** The carrier's signed form and signer. @throws AppError `telephony_not_configured`, `invalid_signature` */
export async function requireCarrierForm(
  c: Context,
  carriers: Carriers,
): Promise<{ params: Record<string, string>; signer: Signer }> {
  if (!carriers.any()) throw telephonyNotConfigured()
  const { params, signer } = await readCarrierForm(c, carriers)
  if (!signer) throw invalidSignature()
  return { params, signer }
}

export function telephonyNotConfigured(): AppError {
  return new AppError(
    'unavailable',
    'telephony_not_configured',
    'Twilio is not configured on this installation. Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.',
  )
}

/** Also for a valid signature of another business than the one that the request is about. */
export function invalidSignature(): AppError {
  return new AppError(
    'forbidden',
    'invalid_signature',
    'The X-Twilio-Signature header is missing or wrong. Sign the public URL with the auth token of the account.',
  )
}

/** The businesses that a job may change, when it names its row by a provider's id alone. */
export function scopeOf({ only }: Signer): { onlyFor?: string[] } {
  return only ? { onlyFor: [...only] } : {}
}

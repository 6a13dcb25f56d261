import { z } from 'zod'
import { CalendarError } from './port.ts'

const TIMEOUT_MS = 15_000
const MAX_RETRY_AFTER_MS = 3_600_000

export type VendorAnswer = { status: number; json: unknown; retryAfterMs: number | null }

/**
 * One request to Google or Microsoft, at an address of the settings.
 * @returns any answer below 500, with its JSON (null for none)
 * @throws CalendarError `unavailable` when it was not reached or failed: its effect is unknown
 */
export async function callVendor(
  vendor: string,
  url: string,
  init: { method: string; headers?: Record<string, string>; body?: string },
): Promise<VendorAnswer> {
  let response: Response
  let text: string
  try {
    response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
    text = await response.text()
  } catch (cause) {
    throw new CalendarError('unavailable', `${vendor} could not be reached.`, { cause })
  }
  const { status } = response
  const retryAfterMs = retryAfter(response.headers.get('retry-after'))
  if (status >= 500)
    throw new CalendarError(
      'unavailable',
      `${vendor} answered ${status}.`,
      retryAfterMs === null ? {} : { retryAfterMs },
    )
  try {
    return { status, json: text === '' ? null : JSON.parse(text), retryAfterMs }
  } catch (cause) {
    throw new CalendarError('unavailable', `${vendor} did not answer with JSON.`, { cause })
  }
}

function retryAfter(header: string | null): number | null {
  if (!header) return null
  const ms = /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms))
}

/** Reads an answer by its schema. @throws CalendarError `unavailable` for one that does not fit */
export function readAnswer<Schema extends z.ZodType>(vendor: string, schema: Schema, json: unknown): z.output<Schema> {
  const read = schema.safeParse(json)
  if (read.success) return read.data
  // Without the answer: it holds what people have in their calendars.
  const where = read.error.issues[0]?.path.join('.') ?? ''
  throw new CalendarError('unavailable', `${vendor} answered in another form than it says (${where}).`)
}

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  expires_in: z.number().positive().default(3_600),
})
const tokenError = z.object({ error: z.string(), error_description: z.string().optional() })

/** RFC 6749, section 5: a token, or an error by its code. @throws CalendarError `reconnect` for `invalid_grant` */
export async function askForToken(vendor: string, url: string, form: Record<string, string>) {
  const { status, json, retryAfterMs } = await callVendor(vendor, url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams(form).toString(),
  })
  if (status === 429)
    throw new CalendarError(
      'limited',
      `${vendor} gives no more tokens now.`,
      retryAfterMs === null ? {} : { retryAfterMs },
    )
  if (status >= 400) {
    const code = tokenError.safeParse(json).data?.error ?? String(status)
    if (code === 'invalid_grant' || code === 'interaction_required')
      throw new CalendarError('reconnect', `${vendor} withdrew the access.`)
    throw new CalendarError('refused', `${vendor} gave no token: ${code}. Check the client id and secret.`)
  }
  const answer = readAnswer(vendor, tokenAnswer, json)
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? null,
    expiresAt: new Date(Date.now() + answer.expires_in * 1_000),
  }
}

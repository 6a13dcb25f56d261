import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { readAnswer } from '../answers.ts'
import type { RecordingDownload } from './port.ts'

const TWILIO_API = 'https://api.twilio.com'
const DOWNLOAD_TIMEOUT_MS = 30_000
const NUMBERS_TIMEOUT_MS = 10_000
/** A 2xx answer that is not the carrier's own. */
export const GARBLED = 'carrier_garbled'

export const carrierError = z.object({ code: z.number().optional(), message: z.string().optional() })

/** Requests to Twilio's REST API with an account's credentials. */
export class TwilioClient {
  readonly api: string
  readonly #accountUrl: string
  readonly #authorization: string

  /** @param options.apiBaseUrl REST root; null is Twilio's own */
  constructor(options: { accountSid: string; authToken: string; apiBaseUrl: string | null }) {
    const { accountSid, authToken } = options
    this.api = options.apiBaseUrl ?? TWILIO_API
    this.#accountUrl = `/2010-04-01/Accounts/${accountSid}`
    this.#authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`
  }

  pathOf(...parts: string[]): string {
    return [this.#accountUrl, ...parts].join('/')
  }

  urlOf(...parts: string[]): string {
    return this.api + this.pathOf(...parts)
  }

  /** @throws AppError `carrier_unreachable`, or with another code */
  async fetch(
    url: string,
    init: RequestInit,
    timeoutMs = DOWNLOAD_TIMEOUT_MS,
    code = 'carrier_unreachable',
  ): Promise<Response> {
    const headers = { authorization: this.#authorization }
    try {
      return await fetch(url, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) })
    } catch (cause) {
      throw new AppError('unavailable', code, 'The carrier could not be reached. Try again later.', { cause })
    }
  }

  /** @throws AppError `file_too_large` when the carrier announces more than `maxBytes` */
  async download(url: string, maxBytes: number): Promise<Response> {
    const response = await this.fetch(url, {})
    if (Number(response.headers.get('content-length') ?? 0) <= maxBytes) return response
    await response.body?.cancel()
    throw tooLarge(maxBytes)
  }

  /** Reads a resource, or with `changes` writes it. @throws AppError `carrier_refused` */
  async request<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    changes?: Record<string, string>,
  ): Promise<z.output<Schema>> {
    const init = changes ? { method: 'POST', body: new URLSearchParams(changes) } : {}
    const response = await this.fetch(this.api + path, init, NUMBERS_TIMEOUT_MS)
    if (response.ok) return await readAnswer(response, schema, 'The carrier', GARBLED)
    const { code, message } = carrierError.safeParse(await response.json().catch(() => null)).data ?? {}
    throw new AppError(
      'unavailable',
      'carrier_refused',
      `The carrier answered ${response.status}${code ? ` (${code}: ${message ?? ''})` : ''} for its numbers.`,
    )
  }
}

/** @throws AppError `file_too_large` */
export async function bytesOf(response: Response, maxBytes: number): Promise<RecordingDownload> {
  const data = new Uint8Array(await response.arrayBuffer())
  if (data.byteLength > maxBytes) throw tooLarge(maxBytes)
  return { data, contentType: response.headers.get('content-type') ?? 'application/octet-stream' }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('too_large', 'file_too_large', `The file is larger than ${maxBytes} bytes.`)
}

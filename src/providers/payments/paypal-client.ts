import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { callProvider } from './call.ts'

/** The token is renewed this long before it expires. */
const TOKEN_MARGIN_MS = 60_000

const tokenBody = z.looseObject({ access_token: z.string(), expires_in: z.number() })

type PayPalClientOptions = { clientId: string; clientSecret: string; apiBaseUrl: string; now: () => number }

export class PayPalClient {
  private readonly options: PayPalClientOptions
  private readonly api: string
  private token: Promise<{ value: string; until: number }> | null = null

  constructor(options: PayPalClientOptions) {
    this.options = options
    this.api = options.apiBaseUrl.replace(/\/+$/, '')
  }

  async fetchToken(): Promise<{ value: string; until: number }> {
    const { clientId, clientSecret, now } = this.options
    const { status, json } = await callProvider('PayPal', `${this.api}/v1/oauth2/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials',
    })
    const parsed = tokenBody.safeParse(json)
    if (status !== 200 || !parsed.success)
      throw new AppError('unavailable', 'payment_provider_login', `PayPal refused our credentials (${status}).`)
    return { value: parsed.data.access_token, until: now() + parsed.data.expires_in * 1_000 - TOKEN_MARGIN_MS }
  }

  async call(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
    const send = async () =>
      callProvider('PayPal', this.api + path, {
        method,
        headers: {
          authorization: `Bearer ${await this.accessToken()}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          prefer: 'return=representation',
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
      })
    const first = await send()
    if (first.status !== 401) return first
    // Revoked early: one more attempt with a new one.
    this.token = null
    return send()
  }

  /** One token for all requests; concurrent callers share one request for it. */
  private async accessToken(): Promise<string> {
    if (this.token) {
      const current = await this.token
      if (current.until > this.options.now()) return current.value
    }
    const fresh = this.fetchToken()
    this.token = fresh
    fresh.catch(() => {
      if (this.token === fresh) this.token = null
    })
    return (await fresh).value
  }
}

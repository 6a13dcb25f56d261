import { errorMessage } from '../../lib/errors.ts'
import { signableUrl, signTwilioRequest } from './signature.ts'

/** Sends a request for `publicBaseUrl` to `connectBaseUrl` instead; its signature covers the public URL. */
export type ConnectRule = { publicBaseUrl: string; connectBaseUrl: string }

export type WebhookAnswer = {
  status: number | null
  contentType: string | null
  body: Uint8Array
  error: string | null
  attempts: number
  latencyMs: number
}

/** Connection overrides of a webhook URL's fragment, times in ms. */
export type ConnectionOverrides = {
  connectMs: number
  readMs: number
  totalMs: number
  retries: number
  policy: ReadonlySet<string>
}

/** Reads `#ct=…&rt=…&tt=…&rc=…&rp=…` of a webhook URL; absent or out of range = Twilio's default. */
export function parseConnectionOverrides(url: string): ConnectionOverrides {
  const hash = url.indexOf('#')
  const fragment = new URLSearchParams(hash < 0 ? '' : url.slice(hash + 1))
  const read = (name: string, min: number, max: number, fallback: number): number => {
    const value = Number(fragment.get(name) ?? Number.NaN)
    return Number.isInteger(value) && value >= min && value <= max ? value : fallback
  }
  return {
    connectMs: read('ct', 100, 10_000, 5000),
    readMs: read('rt', 100, 15_000, 15_000),
    totalMs: read('tt', 100, 15_000, 15_000),
    retries: read('rc', 0, 5, 1),
    policy: new Set((fragment.get('rp') ?? 'ct').split(',')),
  }
}

/**
 * The URL to dial. A rule matches host and port under any scheme, since the TwiML of an `http` base says `wss`; the target's
 * own TLS decides between http and https, ws and wss.
 */
export function resolveTarget(url: string, rules: readonly ConnectRule[]): string {
  const asked = new URL(url)
  const socket = asked.protocol === 'ws:' || asked.protocol === 'wss:'
  for (const rule of rules) {
    if (new URL(rule.publicBaseUrl).host !== asked.host) continue
    const target = new URL(rule.connectBaseUrl)
    const secure = target.protocol === 'https:' || target.protocol === 'wss:'
    const scheme = socket ? (secure ? 'wss:' : 'ws:') : secure ? 'https:' : 'http:'
    return `${scheme}//${target.host}${asked.pathname}${asked.search}`
  }
  asked.hash = ''
  return asked.toString()
}

export function toForm(params: Readonly<Record<string, string>>): string {
  return new URLSearchParams(params).toString()
}

export type SendWebhook = {
  authToken: string
  url: string
  params: Readonly<Record<string, string>>
  method?: 'GET' | 'POST'
  kind?: 'voice' | 'messaging'
  rules?: readonly ConnectRule[]
  /** Repetitions of one event carry the same token; a new one is made when absent. */
  idempotencyToken?: string
  /** Replaces the correct signature: a string to send instead, or null to send none. */
  signature?: string | null
}

const ROUND_TRIP_MS = 100

/**
 * A signed request as Twilio makes it: form-encoded, 15 s at most with all retries, one retry on a failed connection unless
 * the URL's fragment says otherwise, every attempt with the same `I-Twilio-Idempotency-Token`. Never throws: the answer holds
 * the error.
 */
export async function sendWebhook(request: SendWebhook): Promise<WebhookAnswer> {
  const overrides = parseConnectionOverrides(request.url)
  const token = request.idempotencyToken ?? crypto.randomUUID()
  const started = performance.now()
  let last: WebhookAnswer | null = null
  for (let attempt = 1; attempt <= overrides.retries + 1; attempt += 1) {
    const left = overrides.totalMs - (performance.now() - started)
    if (left <= 0) break
    // At least a round trip lies between two of Twilio's attempts.
    if (attempt > 1) await Bun.sleep(ROUND_TRIP_MS)
    last = await tryOnce(request, token, Math.min(left, overrides.readMs), attempt, started)
    if (!deservesRetry(last, overrides.policy)) break
  }
  return (
    last ?? { status: null, contentType: null, body: new Uint8Array(), error: 'no time', attempts: 0, latencyMs: 0 }
  )
}

async function tryOnce(
  request: SendWebhook,
  token: string,
  timeoutMs: number,
  attempt: number,
  started: number,
): Promise<WebhookAnswer> {
  const isGet = request.method === 'GET'
  let url = signableUrl(request.url, request.kind ?? 'voice')
  let query = ''
  if (isGet && Object.keys(request.params).length > 0) {
    query = toForm(request.params)
    url += (url.includes('?') ? '&' : '?') + query
  }
  const headers = new Headers({ 'User-Agent': 'TwilioProxy/1.1', Accept: '*/*', 'I-Twilio-Idempotency-Token': token })
  const signature =
    request.signature === undefined
      ? signTwilioRequest(request.authToken, url, isGet ? {} : request.params)
      : request.signature
  if (signature !== null) headers.set('X-Twilio-Signature', signature)
  if (!isGet) headers.set('Content-Type', 'application/x-www-form-urlencoded; charset=UTF-8')
  const answer: WebhookAnswer = {
    status: null,
    contentType: null,
    body: new Uint8Array(),
    error: null,
    attempts: attempt,
    latencyMs: 0,
  }
  try {
    const dial = resolveTarget(request.url, request.rules ?? [])
    const target = query === '' ? dial : dial + (dial.includes('?') ? '&' : '?') + query
    const response = await fetch(target, {
      method: isGet ? 'GET' : 'POST',
      headers,
      ...(isGet ? {} : { body: toForm(request.params) }),
      signal: AbortSignal.timeout(Math.max(1, timeoutMs)),
    })
    answer.body = await response.bytes()
    answer.status = response.status
    answer.contentType = response.headers.get('content-type')
  } catch (error) {
    answer.error = errorMessage(error)
  }
  answer.latencyMs = performance.now() - started
  return answer
}

function deservesRetry(answer: WebhookAnswer, policy: ReadonlySet<string>): boolean {
  const wants = (name: string): boolean => policy.has(name) || policy.has('all')
  if (answer.status === null) return /timed out|timeout/i.test(answer.error ?? '') ? wants('rt') : wants('ct')
  if (answer.status >= 500) return wants('5xx')
  return answer.status >= 400 && wants('4xx')
}

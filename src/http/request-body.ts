import { AppError } from '../lib/errors.ts'
import { refuseComplexJson } from './json-complexity.ts'

const KIB = 1024

export const BODY_LIMITS = {
  form: 64 * KIB,
  api: 1024 * KIB,
  upload: 16 * 1024 * KIB,
  import: 10 * 1024 * KIB,
} as const

/** Smaller JSON is parsed quickly, whatever it contains. */
const SMALL_BYTES = 32 * KIB

const DEADLINE_MS = 15_000
const LARGE_DEADLINE_MS = 120_000
/** Bodies that are being received at one time: of one address, and of all. */
const ADDRESS_BYTES = 24 * 1024 * KIB
const PROCESS_BYTES = 96 * 1024 * KIB

export class BodyBudget {
  #total = 0
  readonly #byAddress = new Map<string, number>()

  constructor(
    readonly perAddress: number = ADDRESS_BYTES,
    readonly perProcess: number = PROCESS_BYTES,
  ) {}

  /** Counts more bytes; false when they exceed the budget. */
  take(address: string, bytes: number): boolean {
    const mine = (this.#byAddress.get(address) ?? 0) + bytes
    if (mine > this.perAddress || this.#total + bytes > this.perProcess) return false
    this.#total += bytes
    this.#byAddress.set(address, mine)
    return true
  }

  release(address: string, bytes: number): void {
    this.#total -= bytes
    const left = (this.#byAddress.get(address) ?? 0) - bytes
    if (left > 0) this.#byAddress.set(address, left)
    else this.#byAddress.delete(address)
  }

  get total(): number {
    return this.#total
  }
}

/** The budget of a request's body; a request without one uses the shared budget. */
const bindings = new WeakMap<Request, { budget: BodyBudget; address: string; deadlineMs: number | null }>()
const shared = new BodyBudget(Number.POSITIVE_INFINITY)

/** @param deadlineMs for tests; depends on the size when null */
export function bindBody(
  request: Request,
  budget: BodyBudget,
  address: string,
  deadlineMs: number | null = null,
): void {
  bindings.set(request, { budget, address, deadlineMs })
}

/**
 * The whole body of a request, within its size, its time and the budget of its sender.
 * @throws AppError `body_too_large`, `body_too_slow`, `too_many_bodies`, `body_cut_off`, `json_too_complex`
 */
export async function readBytes(request: Request, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const body = await readUncheckedBytes(request, maxBytes)
  if (body.length > SMALL_BYTES && isJson(request.headers.get('content-type') ?? 'application/json'))
    refuseComplexJson(body)
  return body
}

/** The same, for a caller that checks the JSON itself. @throws AppError as `readBytes`, without `json_too_complex` */
export async function readUncheckedBytes(request: Request, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  if (!request.body) return Buffer.alloc(0)
  const { budget, address, deadlineMs } = bindings.get(request) ?? { budget: shared, address: '', deadlineMs: null }
  const reader = request.body.getReader()
  const limitMs = deadlineMs ?? (maxBytes > BODY_LIMITS.api ? LARGE_DEADLINE_MS : DEADLINE_MS)
  const { promise: late, resolve: expire } = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => expire('late'), limitMs)
  const chunks: Uint8Array[] = []
  let size = 0
  let whole = false
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), late]).catch((cause: unknown) => {
        throw new AppError('invalid', 'body_cut_off', 'The body ended early. Send it again.', { cause })
      })
      if (next === 'late') throw tooSlow(limitMs)
      if (next.done) break
      if (size + next.value.byteLength > maxBytes) throw tooLarge(maxBytes)
      if (!budget.take(address, next.value.byteLength)) throw tooManyBodies()
      size += next.value.byteLength
      chunks.push(next.value)
    }
    whole = true
    return Buffer.concat(chunks)
  } finally {
    clearTimeout(timer)
    budget.release(address, size)
    if (!whole) reader.cancel().catch(() => {})
  }
}

function tooLarge(maxBytes: number) {
  return new AppError('too_large', 'body_too_large', `The body is larger than ${maxBytes} bytes. Send a smaller one.`)
}

function tooSlow(limitMs: number) {
  return new AppError(
    'timed_out',
    'body_too_slow',
    `The body was not complete after ${limitMs / 1_000} seconds. Send it again over a faster connection.`,
  )
}

export function tooManyBodies(): AppError {
  return new AppError(
    'unavailable',
    'too_many_bodies',
    'Too many large requests are being received. Try again in a moment.',
    { retryAfterSeconds: 5 },
  )
}

/** Closes the connection of a refused request whose body is still arriving: a slow sender would keep it open. */
export function dropUnreadBody(request: Request, response: Response): void {
  const { headers } = request
  const announced = headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0
  const cut = response.status === 408 || response.status === 413 || response.status === 503
  if (response.status >= 400 && announced && (cut || !request.bodyUsed)) response.headers.set('Connection', 'close')
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** A copy of a request whose body has been read, for a library that reads it again. */
export function withBody(request: Request, body: Buffer<ArrayBuffer>): Request {
  const sent = body.subarray(0, 3).equals(BYTE_ORDER_MARK) ? body.subarray(3) : body
  const headers = new Headers(request.headers)
  headers.delete('content-length')
  return new Request(request.url, {
    method: request.method,
    headers,
    signal: request.signal,
    ...(request.method === 'GET' || request.method === 'HEAD' ? {} : { body: sent }),
  })
}

/** A request with its whole body, for a library that would read it without a limit. @throws AppError as `readBytes` */
export async function readWhole(request: Request, maxBytes: number): Promise<Request> {
  return withBody(request, await readBytes(request, maxBytes))
}

/** A body without a content type is taken for JSON. @throws AppError `not_json` */
export function requireJson(request: Request): void {
  const type = request.headers.get('content-type')
  const empty = request.headers.get('content-length') === '0' || !request.body
  if (type === null || empty || isJson(type)) return
  throw new AppError(
    'unsupported_media',
    'not_json',
    'The body is not JSON. Send JSON with Content-Type: application/json.',
    {
      field: 'Content-Type',
    },
  )
}

function isJson(type: string): boolean {
  return /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type.trim())
}

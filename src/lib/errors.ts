/** `kind` decides how edges answer (HTTP, tRPC); `code` is the stable name that clients may switch on. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'timed_out'
  | 'conflict'
  | 'gone'
  | 'too_large'
  | 'unsupported_media'
  | 'rate_limited'
  | 'not_implemented'
  | 'unavailable'
  | 'internal'

const HTTP_STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timed_out: 408,
  conflict: 409,
  gone: 410,
  too_large: 413,
  unsupported_media: 415,
  rate_limited: 429,
  internal: 500,
  not_implemented: 501,
  unavailable: 503,
} as const satisfies Record<ErrorKind, number>

export function isErrorKind(kind: unknown): kind is ErrorKind {
  return typeof kind === 'string' && Object.hasOwn(HTTP_STATUS, kind)
}

export type ErrorBody = { code: string; message: string; field?: string; nextTimes?: string[] }

export class AppError extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly field: string | undefined
  /** When a retry can help; the edge sends it as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined
  /** Of a time that cannot be had: the next that can, soonest first. */
  readonly nextTimes: readonly Date[] | undefined

  constructor(
    kind: ErrorKind,
    code: string,
    message: string,
    options: { field?: string; cause?: unknown; retryAfterSeconds?: number; nextTimes?: readonly Date[] } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'AppError'
    this.kind = kind
    this.code = code
    this.field = options.field
    this.retryAfterSeconds = options.retryAfterSeconds
    this.nextTimes = options.nextTimes
  }

  get status(): (typeof HTTP_STATUS)[ErrorKind] {
    return HTTP_STATUS[this.kind]
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.nextTimes === undefined ? {} : { nextTimes: this.nextTimes.map((at) => at.toISOString()) }),
    }
  }
}

export const PERSON_ERASED = 'person_erased'

/** Whether a write was refused because the data of its person was erased: there is nothing left to do. */
export function isErased(error: unknown): boolean {
  return error instanceof AppError && error.code === PERSON_ERASED
}

/** Codes of the database driver and server while the database is down, starting, stopping or full. */
const DATABASE_DOWN = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  '57P01',
  '57P02',
  '57P03',
  '53300',
])

const OVERTAKEN = new Set(['23505', '23503'])

/** SQLSTATE classes of refused data: 22 (data exception) and 23 (constraint), except for lost races. */
const DATA_REFUSED = /^(22|23)[0-9A-Z]{3}$/
/** SQLSTATE classes and socket codes of temporary failures: connection, resources, locks, shutdown, system, timeouts. */
const TEMPORARY = /^(08|40|53|55|57|58)[0-9A-Z]{3}$|^E[A-Z]+$|^CONNECT/

/** Whether a retry can help: `transient` (down or busy), `permanent` (refused again), `unknown` (worth a few attempts). */
export type FailureKind = 'transient' | 'permanent' | 'unknown'

const RETRYABLE: readonly ErrorKind[] = ['unavailable', 'rate_limited']

export function failureKind(error: unknown): FailureKind {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause instanceof AppError && cause.kind !== 'internal')
      return RETRYABLE.includes(cause.kind) ? 'transient' : 'permanent'
    if (cause.name === 'ZodError' || cause.name === '$ZodError') return 'permanent'
    if (cause.name === 'TimeoutError' || cause.name === 'AbortError') return 'transient'
    const code = 'code' in cause ? String(cause.code) : ''
    // A statement timeout may repeat every time.
    if (code === '57014') return 'unknown'
    if (DATABASE_DOWN.has(code) || OVERTAKEN.has(code) || TEMPORARY.test(code)) return 'transient'
    if (DATA_REFUSED.test(code)) return 'permanent'
  }
  return 'unknown'
}

/** Whether Postgres refused a value (SQLSTATE class 22): an invalid date, a number out of range, a text with a NUL. */
function refusesValue(error: unknown): boolean {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
    if ('code' in cause && /^22[0-9A-Z]{3}$/.test(String(cause.code))) return true
  return false
}

/** Any error as AppError: `unavailable` (database down), `invalid` (refused value), else `internal` without its text. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (hasCode(error, DATABASE_DOWN))
    return new AppError(
      'unavailable',
      'database_unavailable',
      'The database is not reachable. Try again in a moment.',
      {
        cause: error,
      },
    )
  if (refusesValue(error))
    return new AppError(
      'invalid',
      'invalid_input',
      'A value in the request cannot be stored or compared. Correct it and send it again.',
      {
        cause: error,
      },
    )
  return new AppError('internal', 'internal', 'An internal error occurred. The log of the server has the details.', {
    cause: error,
  })
}

/** Postgres refused a row because of a concurrent write: an equal row exists, or a referenced row was deleted. */
export function isOvertaken(error: unknown): boolean {
  return hasCode(error, OVERTAKEN)
}

function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
    if ('code' in cause && codes.has(String(cause.code))) return true
  return false
}

/** An error's text for logs: only the database's own message, as the query builder's contains personal parameters. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('query' in error && 'params' in error) {
    const { cause } = error
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    return `A query failed${code}: ${cause instanceof Error ? withoutValue(cause.message) : 'no reason given'}`
  }
  return 'severity' in error && 'routine' in error ? withoutValue(error.message) : error.message
}

/** Postgres quotes a value that it could not read at the end of its message. */
function withoutValue(message: string): string {
  return message.replace(/: "[\s\S]*"/, ': "…"')
}

export function stackFrames(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}

/** The SQLSTATE with which Postgres refused a statement, if it did. */
export function sqlStateOf(error: unknown): string | null {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
    if ('code' in cause && /^[0-9A-Z]{5}$/.test(String(cause.code))) return String(cause.code)
  return null
}

import { errorMessage, stackFrames } from './errors.ts'

const REDACTED = '[redacted]'
const MAX_DEPTH = 6
const MAX_TEXT = 8_000

const SECRET_FIELD =
  /^(authorization|proxy-?authorization|cookie|set-?cookie|otp|params|body|html|qr|hash)$|(password|passwd|secret|token|token_?hash|api_?key|auth_?key|private_?key|signature|credentials|pairing_?code|session_?id|backup_?codes)$/i

type Rule = [pattern: RegExp, replacement: string | ((...found: string[]) => string)]

/** Redacted in any text: the rest is enough to distinguish two values, and not enough to use one. */
const RULES: Rule[] = [
  // Drizzle puts a statement and its parameters into an error's message.
  [/Failed query:[\s\S]*/g, 'A query failed'],
  [/\bparams: [\s\S]*/g, `params: ${REDACTED}`],
  [/\$argon2\S+/g, REDACTED],
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  [/\b(al_|sk-|whsec_|eyJ)[\w+/=.-]{8,}/g, `$1${REDACTED}`],
  [/((?:__Secure-|__Host-)?agentlocator\.[\w.-]+=)[^;\s"']+/g, `$1${REDACTED}`],
  [/\/\/[^\s/@:"']*:[^\s/@"']+@/g, `//${REDACTED}@`],
  [/(\/admin\/(?:invite|reset)\/)[\w-]+/g, `$1${REDACTED}`],
  [/([?&;](?:[\w-]*(?:token|secret|password|signature|api_?key)|key|code|state|sig)=)[^&\s"'#;]+/gi, `$1${REDACTED}`],
  [
    /("?\b(?:password|newPassword|currentPassword|secret|token|apiKey|authToken)"?\s*[:=]\s*"?)[^\s",;&}]+/gi,
    `$1${REDACTED}`,
  ],
  [
    /[^\s@<>"'(),;:=/[\]]{1,64}@([\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)/gu,
    (found, domain) => `…${/\d{4}(?=(:\d+)?@)/.exec(found)?.[0] ?? ''}@${domain}`,
  ],
  // International, as people and carriers write it; then standalone digits of a number's length; then national.
  [/\+\d[\d\s().\u2010-\u2015-]{5,20}\d/g, lastDigits],
  [/(?<![\w.-])\d{10,15}(?![\w-])/g, lastDigits],
  [/(?<![\w-])0\d{1,2}[-\s]?\d{3}[-\s]?\d{4}(?![\w-])/g, lastDigits],
]

export function maskText(text: string): string {
  let masked = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  for (const [pattern, replacement] of RULES)
    masked =
      typeof replacement === 'string' ? masked.replace(pattern, replacement) : masked.replace(pattern, replacement)
  return masked
}

export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return redact(error, depth)
  const more = depth < MAX_DEPTH
  return {
    type: error.name,
    message: maskText(errorMessage(error)),
    ...('code' in error && ['string', 'number'].includes(typeof error.code) ? { code: error.code } : {}),
    stack: stackFrames(error),
    ...(error.cause === undefined || !more ? {} : { cause: describeError(error.cause, depth + 1) }),
    ...(error instanceof AggregateError && more
      ? { errors: error.errors.slice(0, 5).map((each: unknown) => describeError(each, depth + 1)) }
      : {}),
  }
}

export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return describeError(value, depth)
  if (value instanceof Date) return value
  if (value instanceof URL) return maskText(value.href)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (depth >= MAX_DEPTH) return '[deeper]'
  if (Array.isArray(value)) return value.map((item: unknown) => redact(item, depth + 1))
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`
  if (value instanceof Request || value instanceof Response || value instanceof Headers)
    return `[${value.constructor.name}]`
  return redactFields(value, depth)
}

export function redactFields(value: object, depth = 0): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value))
    fields[name] =
      SECRET_FIELD.test(name) && field !== null && field !== undefined && typeof field !== 'boolean'
        ? REDACTED
        : redact(field, depth + 1)
  return fields
}

function lastDigits(found: string): string {
  return `…${found.replace(/\D/g, '').slice(-4)}`
}

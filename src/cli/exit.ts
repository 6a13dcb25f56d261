import { TRPCClientError } from '@trpc/client'
import { CommanderError } from 'commander'
import { z } from 'zod'
import { ConfigError } from '../config.ts'
import { AppError, type ErrorKind, errorMessage } from '../lib/errors.ts'

/** Exit codes. Scripts depend on them: a number never changes its meaning. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** The API key is missing, wrong, or not allowed to do this. */
  refused: 3,
  notFound: 4,
  conflict: 5,
  unavailable: 6,
  partly: 7,
  interrupted: 130,
  terminated: 143,
} as const

export const EXIT_HELP =
  'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not allowed, 4 not found, 5 conflict,\n            6 not reachable, 7 done in part, 130 interrupted.'

const BY_KIND = {
  invalid: EXIT.usage,
  too_large: EXIT.usage,
  unauthenticated: EXIT.refused,
  forbidden: EXIT.refused,
  not_found: EXIT.notFound,
  method_not_allowed: EXIT.usage,
  timed_out: EXIT.unavailable,
  unsupported_media: EXIT.usage,
  gone: EXIT.notFound,
  conflict: EXIT.conflict,
  rate_limited: EXIT.unavailable,
  unavailable: EXIT.unavailable,
  not_implemented: EXIT.failed,
  internal: EXIT.failed,
} as const satisfies Record<ErrorKind, number>

const BY_CODE: Record<string, number> = {
  BAD_REQUEST: EXIT.usage,
  PARSE_ERROR: EXIT.usage,
  PAYLOAD_TOO_LARGE: EXIT.usage,
  UNAUTHORIZED: EXIT.refused,
  FORBIDDEN: EXIT.refused,
  NOT_FOUND: EXIT.notFound,
  CONFLICT: EXIT.conflict,
  TOO_MANY_REQUESTS: EXIT.unavailable,
  SERVICE_UNAVAILABLE: EXIT.unavailable,
  TIMEOUT: EXIT.unavailable,
}

const apiError = z.object({
  code: z.string(),
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }),
})

export class UsageError extends Error {}

/** The message and the exit code of a failure. @param url where the installation was expected */
export function describeFailure(error: unknown, url: () => string): { message: string; code: number } {
  // Commander has printed its message already.
  if (error instanceof CommanderError) return { message: '', code: error.exitCode === 0 ? EXIT.ok : EXIT.usage }
  if (error instanceof UsageError || error instanceof ConfigError) return { message: error.message, code: EXIT.usage }
  if (error instanceof AppError) return { message: withField(error.message, error.field), code: BY_KIND[error.kind] }
  if (error instanceof TRPCClientError) {
    const answer = apiError.safeParse(error.data).data
    const refused = /status code \((401|403)\)/.exec(error.message)
    if (!answer && refused)
      return { message: `The installation refused the stream (${refused[1]}). Check the API key.`, code: EXIT.refused }
    if (!answer)
      return {
        message: `No installation answers at ${url()} (${error.message}). Start it with ./start_all.sh, or name its address with --url.`,
        code: EXIT.unavailable,
      }
    const hint =
      answer.error.code === 'api_key_required'
        ? ' Set API_KEY or add --key; on the machine of the installation, --local needs no key.'
        : ''
    return {
      message: withField(answer.error.message, answer.error.field) + hint,
      code: BY_CODE[answer.code] ?? EXIT.failed,
    }
  }
  const system = error instanceof Error && 'code' in error ? String(error.code) : ''
  const code = system === 'ENOENT' ? EXIT.notFound : system === 'EEXIST' ? EXIT.conflict : EXIT.failed
  return { message: errorMessage(error), code }
}

function withField(message: string, field: string | undefined): string {
  return field ? `${field}: ${message}` : message
}

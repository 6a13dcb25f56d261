import type { Context } from 'hono'
import { z } from 'zod'
import { AppError, type ErrorBody, toAppError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { cleanDeep, findUnstorable, requireStorable } from '../lib/text.ts'
import { ThrottledLog } from '../lib/throttled-log.ts'
import { errorPage } from './error-page.tsx'
import { sendPage } from './html-page.tsx'
import { languageOf } from './page-language.ts'

const MAX_LOGGED_PATH = 200

export function errorBody(error: AppError): { success: false; error: ErrorBody } {
  return { success: false, error: error.toBody() }
}

export function invalidInput(error: z.ZodError): AppError {
  const issue = error.issues[0]
  const field = issue?.path.join('.')
  return new AppError(
    'invalid',
    'invalid_input',
    issue?.message ?? 'The input is not valid. Check its fields against the API reference.',
    {
      cause: error,
      ...(field ? { field } : {}),
    },
  )
}

/** Answers every error with the error envelope: a known one with its status, any other with 500 and a log line. */
export function handleError(log: Logger) {
  const refused = new ThrottledLog(log)
  return (error: Error, c: Context): Response | Promise<Response> => {
    const known = error instanceof z.ZodError ? invalidInput(error) : toAppError(error)
    const path = c.req.path.slice(0, MAX_LOGGED_PATH)
    const line = { code: known.code, status: known.status, path, method: c.req.method, field: known.field }
    if (known.kind === 'internal') log.error({ ...line, err: error }, 'request failed')
    else refused.write('info', known.code, line, 'request refused')
    if (known.retryAfterSeconds !== undefined) c.header('Retry-After', String(known.retryAfterSeconds))
    return wantsErrorPage(c)
      ? sendPage(c, errorPage(languageOf(c), known, path), { status: known.status })
      : c.json(errorBody(known), known.status)
  }
}

/** Whether a person looks at the answer in a browser; what calls the API gets its envelope. */
function wantsErrorPage(c: Context): boolean {
  const { method, path } = c.req
  // A form that is sent is looked at as well; a browser's script sends another type.
  const isForm = (c.req.header('content-type') ?? '').startsWith('application/x-www-form-urlencoded')
  return (
    (method === 'GET' || (method === 'POST' && isForm)) &&
    !/^\/(?:api|trpc|webhook)\//.test(path) &&
    (c.req.header('accept') ?? '').includes('text/html')
  )
}

/** Parses a JSON body, with or without a byte-order mark. @throws AppError `invalid_json`, also when it nests too deep */
export function readJson(text: string): unknown {
  let json: unknown
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    throw new AppError('invalid', 'invalid_json', 'The body is not valid JSON. Correct it and send it again.', {
      field: 'body',
      cause,
    })
  }
  if (depthOf(text) > MAX_JSON_DEPTH)
    throw new AppError(
      'invalid',
      'invalid_json',
      `The JSON nests deeper than ${MAX_JSON_DEPTH} levels. Send a flatter one.`,
    )
  return json
}

/**
 * Parses the JSON body of a webhook by a schema. Characters that cannot be stored are dropped: a provider that is refused only
 * repeats the same body. @throws AppError `invalid_json`, ZodError
 */
export function parseJson<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  const json = readJson(text)
  return schema.parse(findUnstorable(json) ? cleanDeep(json) : json)
}

/** Parses the JSON body of an API request by a schema. @throws AppError `invalid_json`, `invalid_input`, ZodError */
export function parseInput<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  const json = readJson(text)
  requireStorable(json)
  return schema.parse(json)
}

/** Far above any valid body, and within the stack of a recursive walk. */
const MAX_JSON_DEPTH = 200

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (inString) {
      if (code === 92) at++
      else if (code === 34) inString = false
    } else if (code === 34) inString = true
    else if (code === 91 || code === 123) deepest = Math.max(deepest, ++depth)
    else if (code === 93 || code === 125) depth--
  }
  return deepest
}

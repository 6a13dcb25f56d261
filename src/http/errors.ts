import type { Context } from 'hono'
import { z } from 'zod'
import { AppError, type ErrorBody, toAppError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { cleanDeep, findUnstorable, requireStorable } from '../lib/text.ts'
import { ThrottledLog } from '../lib/throttled-log.ts'

const MAX_LOGGED_PATH = 200

/** The REST form of an error. */
export function errorBody(error: AppError): { success: false; error: ErrorBody } {
  return { success: false, error: error.toBody() }
}

/** A schema's refusal as the error of its first field. */
export function invalidInput(error: z.ZodError): AppError {
  const issue = error.issues[0]
  const field = issue?.path.join('.')
  return new AppError('invalid', 'invalid_input', issue?.message ?? 'The input is not valid.', {
    cause: error,
    ...(field ? { field } : {}),
  })
}

/** Hono's last word: known errors answer as what they are, unknown ones as 500, the log has the cause. */
export function handleError(log: Logger) {
  const refused = new ThrottledLog(log)
  return (error: Error, c: Context): Response => {
    const known = error instanceof z.ZodError ? invalidInput(error) : toAppError(error)
    const path = c.req.path.slice(0, MAX_LOGGED_PATH)
    const line = { code: known.code, status: known.status, path, method: c.req.method, field: known.field }
    if (known.kind === 'internal') log.error({ ...line, err: error }, 'a request failed')
    else refused.write('info', known.code, line, 'a request was refused')
    return c.json(errorBody(known), known.status)
  }
}

/**
 * A JSON body as a value; a byte-order mark before it is skipped.
 * @throws AppError `invalid_json`, also for one that nests too deep to be worked on
 */
export function readJson(text: string): unknown {
  let json: unknown
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    throw new AppError('invalid', 'invalid_json', 'The body is not JSON.', { field: 'body', cause })
  }
  if (depthOf(text) > MAX_JSON_DEPTH)
    throw new AppError('invalid', 'invalid_json', `The JSON nests deeper than ${MAX_JSON_DEPTH} levels.`)
  return json
}

/**
 * Parses the JSON body of a webhook by a schema; what cannot be stored is dropped from its texts, since a sender that is refused
 * sends the same again. @throws AppError `invalid_json`, ZodError
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

/** Far above any body of ours, and below what a recursive walk of it needs of the stack. */
const MAX_JSON_DEPTH = 200

/** How deep a JSON text nests at most; brackets within strings do not count. */
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

import type { Context } from 'hono'
import { z } from 'zod'
import { AppError, type ErrorBody, toAppError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
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

/** Parses a JSON body by a schema. @throws AppError `invalid_json`, ZodError */
export function parseJson<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid', 'invalid_json', 'The body is not JSON.', { field: 'body', cause })
  }
  return schema.parse(json)
}

import type { MiddlewareHandler } from 'hono'
import { AppError } from '../lib/errors.ts'
import { requireStorable } from '../lib/text.ts'
import { readJson } from './errors.ts'
import { parseForm, readText } from './form-body.ts'

/** Refuses an address whose path or query holds what cannot be stored, for every route. @throws AppError `invalid_input` */
export const refuseUnstorableAddress: MiddlewareHandler = async (c, next) => {
  const { url } = c.req
  // An address holds only ASCII: a NUL comes escaped.
  if (url.includes('%00')) {
    const { pathname, searchParams } = new URL(url)
    for (const [name, value] of searchParams) requireStorable({ [name]: value })
    if (pathname.includes('%00'))
      throw new AppError('invalid', 'invalid_input', 'The path holds a NUL. Leave it out.', { field: 'path' })
  }
  await next()
}

/**
 * Refuses a body with texts that cannot be stored, where code that is not ours reads it; what is no JSON is that code's to
 * refuse. @throws AppError `invalid_input`, `body_too_large`
 */
export function refuseUnstorableBody(maxBytes: number): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD' && c.req.raw.body) {
      const text = await readText(c.req.raw.clone(), maxBytes)
      if (c.req.header('content-type')?.includes('x-www-form-urlencoded')) requireStorable(parseForm(text))
      else if (/^\s*[{[]/.test(text)) requireStorable(readJson(text))
    }
    await next()
  }
}

import type { MiddlewareHandler } from 'hono'
import { AppError } from '../lib/errors.ts'
import { requireStorable } from '../lib/text.ts'
import { readJson } from './errors.ts'
import { parseForm, readText } from './form-body.ts'

/** Refuses an address whose path or query contains a NUL. @throws AppError `invalid_input` */
export const refuseUnstorableAddress: MiddlewareHandler = async (c, next) => {
  const { url } = c.req
  // An address is ASCII: a NUL in it is percent-encoded.
  if (url.includes('%00')) {
    const { pathname, searchParams } = new URL(url)
    for (const [name, value] of searchParams) requireStorable({ [name]: value })
    if (pathname.includes('%00'))
      throw new AppError('invalid', 'invalid_input', 'The path contains a NUL character. Remove it.', { field: 'path' })
  }
  await next()
}

/** Refuses unstorable characters before a library reads the body. @throws AppError `invalid_input`, `body_too_large` */
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

import { AppError } from '../lib/errors.ts'
import { errorBody } from './errors.ts'

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/

/**
 * Refuses a request whose address cannot be trusted to mean one thing: without a Host header, or with a malformed one, Bun hands
 * on a relative URL, of which parsers take the first segment for the host; a path that does not decode has no one spelling.
 * @returns the refusal, or null when the address is fine
 */
export function checkAddress(request: Request): Response | null {
  const host = HOST.exec(request.headers.get('host') ?? '')
  if (!host || Number(host[1] ?? 0) > 65_535 || !/^https?:\/\//.test(request.url))
    return refusal('bad_host', 'The Host header is missing or malformed.')
  if (request.url.includes('%') && !decodes(request.url))
    return refusal('bad_path', 'The path is not encoded properly.')
  return null
}

function decodes(url: string): boolean {
  const path = /^https?:\/\/[^/]*([^?#]*)/.exec(url)?.[1] ?? ''
  try {
    // Control characters are in no address of ours.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    return !/[\u0000-\u001f\u007f]/.test(decodeURIComponent(path))
  } catch {
    return false
  }
}

function refusal(code: string, message: string): Response {
  const error = new AppError('invalid', code, message)
  return Response.json(errorBody(error), { status: error.status })
}

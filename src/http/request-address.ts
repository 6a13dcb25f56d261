import { AppError } from '../lib/errors.ts'
import { errorBody } from './errors.ts'

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/

/** Refuses ambiguous addresses: without a Host, Bun passes a relative URL; undecodable paths have several readings. */
export function checkAddress(request: Request): Response | null {
  const host = HOST.exec(request.headers.get('host') ?? '')
  if (!host || Number(host[1] ?? 0) > 65_535 || !/^https?:\/\//.test(request.url))
    return refusal('bad_host', 'The Host header is missing or malformed. Send one Host header.')
  if (request.url.includes('%') && !decodes(request.url))
    return refusal('bad_path', 'The path is not valid. Encode it as UTF-8 with percent signs.')
  return null
}

function decodes(url: string): boolean {
  const path = /^https?:\/\/[^/]*([^?#]*)/.exec(url)?.[1] ?? ''
  try {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no address has control characters
    return !/[\u0000-\u001f\u007f]/.test(decodeURIComponent(path))
  } catch {
    return false
  }
}

function refusal(code: string, message: string): Response {
  const error = new AppError('invalid', code, message)
  return Response.json(errorBody(error), { status: error.status })
}

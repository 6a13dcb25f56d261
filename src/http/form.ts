import { AppError } from '../lib/errors.ts'
import { cleanDeep } from '../lib/text.ts'

export const MAX_WEBHOOK_BYTES = 64 * 1024

/**
 * The body of a request as text, read to a limit: a body that says or shows itself longer is refused unread.
 * @throws AppError `body_too_large`
 */
export async function readText(request: Request, maxBytes = MAX_WEBHOOK_BYTES): Promise<string> {
  const tooLarge = () => new AppError('too_large', 'body_too_large', `The body is larger than ${maxBytes} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  if (!request.body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Form fields as they were sent, which is what a signature is made over: every field, untrimmed. */
export function parseForm(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text))
}

/** The fields of a webhook's form as they can be stored, once its signature is checked. */
export function cleanForm(params: Record<string, string>): Record<string, string> {
  return cleanDeep(params)
}

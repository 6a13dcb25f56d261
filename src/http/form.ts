import { AppError } from '../lib/errors.ts'
import { cleanDeep } from '../lib/text.ts'

export const MAX_WEBHOOK_BYTES = 64 * 1024

/**
 * The body of a request as text without a byte-order mark, read to a limit.
 * @throws AppError `body_too_large`
 */
export async function readText(request: Request, maxBytes = MAX_WEBHOOK_BYTES): Promise<string> {
  return new TextDecoder().decode(await readBytes(request, maxBytes))
}

/**
 * The body of a request, read to a limit: a body that says or shows itself longer is refused unread.
 * @throws AppError `body_too_large`
 */
export async function readBytes(request: Request, maxBytes = MAX_WEBHOOK_BYTES): Promise<Uint8Array> {
  const tooLarge = () => new AppError('too_large', 'body_too_large', `The body is larger than ${maxBytes} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  if (!request.body) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Form fields, untrimmed; of a repeated one the first value. */
export function parseForm(text: string): Record<string, string> {
  return firstOf(parseFormFields(text))
}

/** Form fields as a signature wants them: every field with all its values, untrimmed. */
export function parseFormFields(text: string): Record<string, string | string[]> {
  const fields = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const values = fields.get(name)
    if (values) values.push(value)
    else fields.set(name, [value])
  }
  return Object.fromEntries([...fields].map(([name, values]) => [name, values.length > 1 ? values : (values[0] ?? '')]))
}

/** Of each field its first value. */
export function firstOf(fields: Readonly<Record<string, string | string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat()[0] ?? '']))
}

/** The fields of a webhook's form as they can be stored, once its signature is checked. */
export function cleanForm(params: Record<string, string>): Record<string, string> {
  return cleanDeep(params)
}

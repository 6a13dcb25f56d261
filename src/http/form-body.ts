import { cleanDeep } from '../lib/text.ts'
import { readBytes } from './request-body.ts'

export const MAX_WEBHOOK_BYTES = 64 * 1024

/**
 * The body of a request as text without a byte-order mark, read to a limit.
 * @throws AppError `body_too_large`, `body_too_slow`
 */
export async function readText(request: Request, maxBytes = MAX_WEBHOOK_BYTES): Promise<string> {
  return new TextDecoder().decode(await readBytes(request, maxBytes))
}

/** Form fields as they were sent, which is what a signature is made over: every field, untrimmed. */
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

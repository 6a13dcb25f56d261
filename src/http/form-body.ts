import { cleanDeep } from '../lib/text.ts'
import { readBytes } from './request-body.ts'

export const MAX_WEBHOOK_BYTES = 64 * 1024

/** The body of a request as text, without a byte-order mark. @throws AppError as `readBytes` */
export async function readText(request: Request, maxBytes = MAX_WEBHOOK_BYTES): Promise<string> {
  return new TextDecoder().decode(await readBytes(request, maxBytes))
}

export function parseForm(text: string): Record<string, string> {
  return firstOf(parseFormFields(text))
}

/** All values of each form field, untrimmed: signatures cover them. */
export function parseFormFields(text: string): Record<string, string | string[]> {
  const fields = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const values = fields.get(name)
    if (values) values.push(value)
    else fields.set(name, [value])
  }
  return Object.fromEntries([...fields].map(([name, values]) => [name, values.length > 1 ? values : (values[0] ?? '')]))
}

export function firstOf(fields: Readonly<Record<string, string | string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat()[0] ?? '']))
}

/** The fields without characters that cannot be stored; only after the signature is checked. */
export function cleanForm(params: Record<string, string>): Record<string, string> {
  return cleanDeep(params)
}

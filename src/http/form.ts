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
  return Object.fromEntries(new URLSearchParams(text))
}

/** The fields of a webhook's form as they can be stored, once its signature is checked. */
export function cleanForm(params: Record<string, string>): Record<string, string> {
  return cleanDeep(params)
}

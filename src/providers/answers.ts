import type { z } from 'zod'
import { AppError } from '../lib/errors.ts'

/**
 * The JSON that a vendor answered, as its schema has it. A status of 200 alone proves nothing: a proxy, a captive portal or a
 * half-started service says it too.
 * @param who the vendor, as the error names it
 * @throws AppError `unavailable` with `code` for anything else
 */
export async function readAnswer<Schema extends z.ZodType>(
  response: Response,
  schema: Schema,
  who: string,
  code: string,
): Promise<z.output<Schema>> {
  let json: unknown
  try {
    json = await response.json()
  } catch (cause) {
    throw new AppError('unavailable', code, `${who} answered ${response.status}, but no JSON.`, { cause })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole').slice(0, 5)
  throw new AppError(
    'unavailable',
    code,
    `${who} answered ${response.status} with something else than was asked for (${where.join(', ')}).`,
  )
}

import { and, eq, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { phoneNumbers } from '../../../db/schema/index.ts'
import { isSamePhone, isWithheld, networkPhone, phoneVariants } from '../../lib/phone.ts'
import type { BusinessContext } from '../context.ts'

/** What carriers' name services (CNAM) answer where they know no name. */
const NO_NAME =
  /^(wireless|cell(ular)?|mobile|toll[ -]?free|unknown|out of area|not available|no name|name unavailable|private|international|conference|v\d{8,})\b.*$/i

/**
 * Whose number a call comes from, E.164; null for a withheld one, for an address without a number, and where the carrier names
 * the line that forwarded the call instead of the caller: a number of the business's own is none of its customers.
 */
export async function callerPhone(
  db: Executor,
  ctx: BusinessContext,
  call: { from: string; forwardedFrom?: string | null },
): Promise<string | null> {
  const phone = networkPhone(call.from)
  if (!phone) return null
  const forwarder = call.forwardedFrom ? networkPhone(call.forwardedFrom) : null
  if (forwarder && isSamePhone(forwarder, phone)) return null
  const [own] = await db
    .select({ id: phoneNumbers.id })
    .from(phoneNumbers)
    .where(and(eq(phoneNumbers.businessId, ctx.businessId), inArray(phoneNumbers.e164, phoneVariants(phone))))
  return own ? null : phone
}

/** A caller's name as the carrier gives it; null for what stands there when it has none. */
export function callerName(name: string | null | undefined): string | null {
  const text = name?.trim() ?? ''
  return text === '' || NO_NAME.test(text) || isWithheld(text) || networkPhone(text) ? null : text
}

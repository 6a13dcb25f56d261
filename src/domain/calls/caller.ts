import { and, eq, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { phoneNumbers } from '../../../db/schema/index.ts'
import { isSamePhone, isWithheld, networkPhone, phoneVariants } from '../../lib/phone.ts'
import type { BusinessContext } from '../context.ts'

/** What carriers' name services (CNAM) answer where they know no name. */
const NO_NAME =
  /^(wireless|cell(ular)?|mobile|toll[ -]?free|unknown|out of area|not available|no name|name unavailable|private|international|conference|v\d{8,})\b.*$/i

/** Whether the carrier names the line that forwarded the call in the caller's place. */
export function isDiverted(call: { from: string; forwardedFrom?: string | null }): boolean {
  const phone = networkPhone(call.from)
  const forwarder = call.forwardedFrom ? networkPhone(call.forwardedFrom) : null
  return phone !== null && forwarder !== null && isSamePhone(forwarder, phone)
}

/** The caller's E.164; null when withheld, no number, or the business's own (the carrier names the forwarding line). */
export async function callerPhone(
  db: Executor,
  ctx: BusinessContext,
  call: { from: string; forwardedFrom?: string | null },
): Promise<string | null> {
  const phone = networkPhone(call.from)
  if (!phone || isDiverted(call)) return null
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

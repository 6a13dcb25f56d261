import { and, eq, like, sql } from 'drizzle-orm'
import { contacts, messages } from '../../../db/schema/index.ts'
import { sha256Hex } from '../../lib/ids.ts'
import type { BusinessContext } from '../context.ts'

const PREFIX = 'call-'

/** The idempotency key of a message that a call's agent sends: the same text in the same call is one message. */
export function keyOfCallMessage(callSid: string, text: string): string {
  return `${PREFIX}${callSid}-${sha256Hex(text).slice(0, 16)}`
}

/** What calls' agents sent so far, and whether the person ever wrote. @param phone E.164 */
export async function countCallMessages(
  ctx: BusinessContext,
  { callSid, phone }: { callSid: string; phone: string },
): Promise<{ keys: string[]; lastDay: number; wroteBefore: boolean }> {
  const theirs = and(eq(messages.businessId, ctx.businessId), eq(contacts.phone, phone))
  const joined = eq(contacts.id, messages.contactId)
  const [sent, [written]] = await Promise.all([
    ctx.db
      .select({
        key: messages.idempotencyKey,
        lately: sql<boolean>`${messages.createdAt} > now() - interval '24 hours'`,
      })
      .from(messages)
      .innerJoin(contacts, joined)
      .where(and(theirs, eq(messages.direction, 'out'), like(messages.idempotencyKey, `${PREFIX}%`)))
      .orderBy(sql`${messages.createdAt} desc`)
      .limit(100),
    ctx.db
      .select({ id: messages.id })
      .from(messages)
      .innerJoin(contacts, joined)
      .where(and(theirs, eq(messages.direction, 'in')))
      .limit(1),
  ])
  return {
    keys: sent.flatMap(({ key }) => (key?.startsWith(`${PREFIX}${callSid}-`) ? [key] : [])),
    lastDay: sent.filter(({ lately }) => lately).length,
    wroteBefore: written !== undefined,
  }
}

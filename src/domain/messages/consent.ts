import { eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { businesses, contacts, messages } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { furtherNumber, readConsentWord, writeOptOut } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'

const CONFIRMATIONS = {
  he: {
    stop: (business: string) => `הוסרת: ${business} לא תשלח לך עוד הודעות. כדי לקבל אותן שוב, אפשר להשיב "התחל".`,
    start: (business: string) => `חזרת לקבל הודעות מאת ${business}. כדי להפסיק, אפשר להשיב "הסר".`,
  },
  en: {
    stop: (business: string) => `${business} will send you no more messages. Reply START to get them again.`,
    start: (business: string) => `You get messages from ${business} again. Reply STOP to end them.`,
  },
} as const

/** Applies a consent word: opt-out, audit and one confirmation in the message's transaction; null when nothing changed. */
export async function applyConsentWord(
  tx: Executor,
  ctx: BusinessContext,
  inbound: {
    id: string
    contactId: string
    conversationId: string
    provider: 'twilio' | 'baileys'
    accountId: string | null
    body: string
    /** Whom it came from; null: known by another id. */
    phone: string | null
  },
): Promise<string | null> {
  const said = readConsentWord(inbound.body)
  if (!said) return null
  if (!(await writeOptOut(tx, ctx, inbound.contactId, said.optedOut, { messageId: inbound.id }))) return null
  const [business] = await tx.select().from(businesses).where(eq(businesses.id, ctx.businessId))
  if (!business || business.blockedAt) return null
  // Who is known by a LID alone has no address to confirm to.
  const [contact] = await tx.select({ phone: contacts.phone }).from(contacts).where(eq(contacts.id, inbound.contactId))
  if (!contact?.phone) return null
  const id = newId()
  await tx.insert(messages).values({
    id,
    businessId: ctx.businessId,
    conversationId: inbound.conversationId,
    contactId: inbound.contactId,
    direction: 'out',
    provider: inbound.provider,
    accountId: inbound.accountId,
    kind: 'text',
    status: 'queued',
    writtenBy: 'system',
    toPhone: furtherNumber(inbound.phone, contact.phone),
    body: CONFIRMATIONS[said.language][said.optedOut ? 'stop' : 'start'](business.name),
    occurredAt: new Date(),
  })
  await audit(tx, ctx, {
    action: 'message.request',
    entity: 'message',
    entityId: id,
    data: { provider: inbound.provider },
  })
  return id
}

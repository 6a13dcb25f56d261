import { sql } from 'drizzle-orm'
import { contacts, messages } from '../../../db/schema/index.ts'
import type { OutboundMessage } from '../../providers/whatsapp/port.ts'

/** The number that a message goes to or came from, of a query that joins the contact. */
export const partyPhone = sql<string | null>`coalesce(${messages.toPhone}, ${contacts.phone})`

export function outboundOf(
  row: typeof messages.$inferSelect,
  parties: { to: string; account: string },
): OutboundMessage {
  return {
    id: row.id,
    ...parties,
    ...(row.body ? { text: row.body } : {}),
    ...(row.template ? { template: row.template } : {}),
    ...(row.outboundMedia ? { media: row.outboundMedia } : {}),
    ...(row.replyTo ? { replyTo: row.replyTo } : {}),
    ...(row.providerMessageId ? { providerMessageId: row.providerMessageId } : {}),
  }
}

import { sql } from 'drizzle-orm'
import { contacts, messages } from '../../../db/schema/index.ts'
import type { OutboundMessage } from '../../providers/whatsapp/port.ts'

export const partyPhone = sql<string | null>`coalesce(${messages.toPhone}, ${contacts.phone})`

export function outboundOf(
  row: typeof messages.$inferSelect,
  parties: { to: string; account: string },
): OutboundMessage {
  if (row.kind === 'reaction')
    return {
      id: row.id,
      ...parties,
      reaction: { emoji: row.body, messageId: row.replyTo ?? '' },
      ...(row.providerMessageId ? { providerMessageId: row.providerMessageId } : {}),
    }
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

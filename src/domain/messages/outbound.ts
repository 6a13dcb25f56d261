import type { messages } from '../../../db/schema/index.ts'
import type { OutboundMessage } from '../../providers/whatsapp/port.ts'

/** A row as what a provider is asked to send. */
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

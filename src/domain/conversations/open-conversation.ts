import { sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { conversations } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import type { BusinessContext } from '../context.ts'

/**
 * The conversation with a contact, made or reopened. An inbound event opens the 24-hour window and counts as unread unless
 * `unread` denies it; an `old` one, from before the link, reopens nothing.
 */
export async function openConversation(
  tx: Executor,
  ctx: BusinessContext,
  contactId: string,
  event: { at: Date; inbound: boolean; old?: boolean; unread?: boolean },
): Promise<string> {
  const at = event.at.toISOString()
  const unread = event.inbound && event.unread !== false ? 1 : 0
  const [row] = await tx
    .insert(conversations)
    .values({
      id: newId(),
      businessId: ctx.businessId,
      contactId,
      lastEventAt: event.at,
      lastInboundAt: event.inbound ? event.at : null,
      unread,
    })
    .onConflictDoUpdate({
      target: [conversations.businessId, conversations.contactId],
      set: {
        ...(event.old ? {} : { status: 'open' as const, snoozedUntil: null }),
        lastEventAt: sql`greatest(${conversations.lastEventAt}, ${at}::timestamptz)`,
        updatedAt: new Date(),
        ...(event.inbound
          ? {
              unread: sql`${conversations.unread} + ${unread}`,
              lastInboundAt: sql`greatest(${conversations.lastInboundAt}, ${at}::timestamptz)`,
            }
          : {}),
      },
    })
    .returning({ id: conversations.id })
  if (!row) throw new Error('The conversation upsert answered no row.')
  return row.id
}

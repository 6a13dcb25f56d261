import { and, eq, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { messages } from '../../../db/schema/index.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import type { BusinessContext } from '../context.ts'

/**
 * Removes an unreadable message's row (`data.placeholder`) when the message comes; false when there is nothing to replace.
 */
export async function removePlaceholder(
  tx: Executor,
  ctx: BusinessContext,
  id: string,
  input: Pick<InboundMessage, 'data'>,
): Promise<boolean> {
  if (input.data?.placeholder === true) return false
  const removed = await tx
    .delete(messages)
    .where(
      and(
        eq(messages.id, id),
        eq(messages.businessId, ctx.businessId),
        sql`${messages.data} -> 'placeholder' = 'true'::jsonb`,
      ),
    )
    .returning({ id: messages.id })
  return removed.length > 0
}

import { sql } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import { cleanDeep } from '../../lib/text.ts'
import type { ReceiptEvent } from '../../providers/whatsapp/port.ts'
import { type BusinessContext, eventsOf } from '../context.ts'

/** Applies receipts in one statement; messages move forward only, in any order; messages that are not ours stay. */
export async function applyReceipts(ctx: BusinessContext, accountId: string, events: ReceiptEvent[]): Promise<void> {
  if (events.length === 0) return
  const receipts = JSON.stringify(
    cleanDeep(events).map(({ providerMessageId, status, errorCode, at }) => ({
      id: providerMessageId,
      rank: RANK[status],
      error: errorCode,
      at: at.toISOString(),
    })),
  )
  await ctx.db.execute(sql`
    with receipt as (
      select id, max(rank) as rank, min(at) as at, max(error) as error,
        min(at) filter (where rank = ${RANK.delivered}) as delivered_at,
        min(at) filter (where rank = ${RANK.read}) as read_at
      from jsonb_to_recordset(${receipts}::text::jsonb) as given(id text, rank int, error text, at timestamptz)
      group by id
    ), moved as (
      update ${messages} set
        status = case receipt.rank when ${RANK.sent} then 'sent' when ${RANK.failed} then 'failed'
          when ${RANK.delivered} then 'delivered' else 'read' end,
        failed_at = case when receipt.rank = ${RANK.failed} then receipt.at else failed_at end,
        error_code = case when receipt.rank = ${RANK.failed} then coalesce(receipt.error, 'failed') end,
        error_message = case when receipt.rank = ${RANK.failed} then 'The provider could not deliver it.' end,
        sent_at = case when receipt.rank = ${RANK.failed} then sent_at else coalesce(sent_at, receipt.at) end,
        delivered_at = coalesce(messages.delivered_at, receipt.delivered_at),
        read_at = coalesce(messages.read_at, receipt.read_at),
        updated_at = now()
      from receipt
      where ${messages.providerMessageId} = receipt.id and ${messages.provider} = 'baileys'
        and ${messages.businessId} = ${ctx.businessId} and ${messages.accountId} = ${accountId}
        and ${messages.direction} = 'out'
        -- One id is a row for each member of a broadcast list, and a receipt does not say whose it is.
        and not coalesce(${messages.data} ? 'broadcastList', false)
        and case ${messages.status} when 'sent' then ${RANK.sent} when 'failed' then ${RANK.failed}
          when 'delivered' then ${RANK.delivered} when 'read' then ${RANK.read} else 0 end < receipt.rank
      returning ${messages.businessId}, ${messages.id}, ${messages.status}
    ), ${eventsOf(
      ctx.actor,
      sql`select business_id, 'message.status' as type, 'message' as entity, id::text as entity_id,
        jsonb_build_object('status', status) as data from moved`,
    )}
    select notified from notified`)
}

/** A receipt of a higher rank outranks lower ones: what was delivered did not fail, whatever came before. */
const RANK = { sent: 1, failed: 2, delivered: 3, read: 4 } as const satisfies Record<ReceiptEvent['status'], number>

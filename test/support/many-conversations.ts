import { sql } from 'drizzle-orm'
import type { Database } from '../../db/client.ts'

/** Fills a business with that many conversations, each of one contact with one message; the first is the newest. */
export async function fillConversations(db: Database, businessId: string, count: number): Promise<void> {
  const id = (kind: number) => sql.raw(`('01900000-${kind}000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`)
  await db.execute(sql`insert into contacts (id, business_id, phone, name)
    select ${id(1)}, ${businessId}::uuid, '+97254' || lpad(n::text, 7, '0'), 'לקוח ' || n
    from generate_series(1, ${count}::int) n`)
  await db.execute(sql`insert into conversations (id, business_id, contact_id, unread, last_event_at)
    select ${id(2)}, ${businessId}::uuid, ${id(1)}, n % 7 / 6, now() - n * interval '1 minute'
    from generate_series(1, ${count}::int) n`)
  await db.execute(sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body, occurred_at)
    select ${id(3)}, ${businessId}::uuid, ${id(2)}, ${id(1)}, case when n % 2 = 0 then 'in' else 'out' end, 'twilio',
      case when n % 2 = 0 then 'received' when n = 1 then 'failed' else 'read' end, 'הודעה מספר ' || n, now() - n * interval '1 minute'
    from generate_series(1, ${count}::int) n`)
}

import { sql } from 'drizzle-orm'
import type { Database } from '../../db/client.ts'
import { newId } from '../../src/lib/ids.ts'

/** Writes an appointment without its staff and zone, which the database fills. */
export async function insertAppointment(
  db: Database,
  row: { businessId: string; startsAt: Date; endsAt: Date } & Partial<
    Record<'id' | 'contactId' | 'callId' | 'name' | 'note', string>
  >,
): Promise<string> {
  const { id = newId(), businessId, startsAt, endsAt, contactId = null, callId = null, name = null, note = null } = row
  await db.execute(sql`insert into appointments (id, business_id, contact_id, call_id, starts_at, ends_at, name, note)
    values (${id}, ${businessId}, ${contactId}, ${callId}, ${startsAt.toISOString()}, ${endsAt.toISOString()}, ${name}, ${note})`)
  return id
}

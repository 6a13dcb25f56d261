import type { TestApi } from './api.ts'

/** A million messages, most of them of one business, as in a busy installation. */
export const MESSAGES = 1_000_000
const CALLS = 100_000
const CONTACTS = 50_000
const OTHER_BUSINESSES = 20

/** Ids that grow with the rows, as UUIDv7 does. */
const ID = (kind: number, n: string) => `('01900000-${kind}000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`

/** Fills the tables with SQL; indexes and statistics are as after a long time of work. */
export async function fillBigBusiness({ database, businessId, addBusiness }: TestApi) {
  const businesses = [businessId]
  for (let index = 0; index < OTHER_BUSINESSES; index += 1) businesses.push(await addBusiness(`Other ${index}`))
  const list = `array[${businesses.map((id) => `'${id}'`).join(',')}]::uuid[]`
  // Every eleventh row is another business's.
  const owner = (n: string) => `(${list})[case when ${n} % 11 = 0 then 2 + ${n} / 11 % ${OTHER_BUSINESSES} else 1 end]`
  const contact = (n: string) => `(${n} % ${CONTACTS} + 1)`
  // One session: its settings are for all that follows.
  const session = await database.sql.reserve()
  const run = (statement: string) => session.unsafe(statement)
  await run('set session statement_timeout = 0; set session_replication_role = replica')
  // Indexes are made after the rows, as in a restore: a quarter of the time.
  const indexes = await run(`
    select indexname as name, indexdef as definition from pg_indexes
    where schemaname = 'public' and tablename in ('messages', 'calls', 'contacts', 'conversations', 'call_turns', 'notes', 'leads', 'events')
      and indexname not in (select conindid::regclass::text from pg_constraint where conindid <> 0)`)
  for (const { name } of indexes) await run(`drop index "${name}"`)
  await run(`insert into contacts (id, business_id, phone, name)
    select ${ID(1, 'n')}, ${owner('n')}, '+97250' || lpad(n::text, 7, '0'), 'Person ' || n || ' כהן'
    from generate_series(1, ${CONTACTS}) n`)
  await run(`insert into conversations (id, business_id, contact_id, status, unread, last_event_at)
    select ${ID(2, 'n')}, ${owner('n')}, ${ID(1, 'n')}, (array['open', 'closed', 'snoozed'])[1 + n % 3], n % 5 / 4,
      now() - n * interval '1 minute' from generate_series(1, ${CONTACTS}) n`)
  await run(`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body, occurred_at)
    select ${ID(3, 'n')}, ${owner(contact('n'))}, ${ID(2, contact('n'))}, ${ID(1, contact('n'))},
      case when n % 2 = 0 then 'in' else 'out' end, case when n % 3 = 0 then 'baileys' else 'twilio' end,
      case when n % 2 = 0 then 'received' when n % 100 = 1 then 'failed' else 'read' end,
      'שלום word' || n % 5000 || ' הודעה ' || case when n % 1000 = 0 then 'rareword' else 'common' end,
      now() - (${MESSAGES} - n) * interval '20 seconds'
    from generate_series(1, ${MESSAGES}) n`)
  await run(`insert into calls (id, business_id, contact_id, call_sid, from_number, to_number, state, end_reason, started_at)
    select ${ID(4, 'n')}, ${owner(contact('n'))}, ${ID(1, contact('n'))}, 'CA' || n, '+97250', '+97233', 'ended', 'caller_hung_up',
      now() - (${CALLS} - n) * interval '3 minutes' from generate_series(1, ${CALLS}) n`)
  await run(`insert into call_turns (id, business_id, call_id, index, role, text, start_ms, end_ms)
    select ${ID(5, 'n')}, ${owner(contact('n'))}, ${ID(4, 'n')}, 0, 'caller', 'תשובה word' || n % 5000, 0, 1
    from generate_series(1, ${CALLS}) n`)
  await run(`insert into leads (id, business_id, contact_id, stage, source, name, wish, position)
    select ${ID(6, 'n')}, ${owner(contact('n'))}, ${ID(1, contact('n'))}, (array['new', 'contacted', 'won'])[1 + n % 3], 'manual',
      'Lead ' || n, 'wish word' || n % 5000, n from generate_series(1, 20000) n`)
  await run(`insert into notes (id, business_id, contact_id, author_kind, author_id, body)
    select ${ID(7, 'n')}, ${owner(contact('n'))}, ${ID(1, contact('n'))}, 'user', 'u', 'note word' || n % 5000
    from generate_series(1, 20000) n`)
  await run(`insert into contact_tags (business_id, contact_id, tag)
    select ${owner('n')}, ${ID(1, 'n')}, 'tag' || n % 10 from generate_series(1, ${CONTACTS}) n`)
  await run(`insert into events (business_id, type, entity, entity_id, actor_kind)
    select ${owner('n')}, 'message.receive', 'message', n::text, 'system' from generate_series(1, 100000) n`)
  await run(`insert into audit_log (id, business_id, actor_kind, action, entity, entity_id)
    select ${ID(8, 'n')}, ${owner('n')}, 'system', 'lead.update', (array['lead', 'contact', 'message'])[1 + n % 3], n::text
    from generate_series(1, 100000) n`)
  for (const { definition } of indexes) {
    await run(definition)
  }
  await run('analyze')
  session.release()
}

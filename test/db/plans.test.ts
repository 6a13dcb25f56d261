import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { createTestApi, type TestApi } from '../support/api.ts'

/** A million messages, most of them of one business, as a busy installation has them. */
const MESSAGES = 1_000_000
const CALLS = 100_000
const CONTACTS = 50_000
const OTHER_BUSINESSES = 20

let api: TestApi
let contactId: string
let conversationId: string
let leadId: string

beforeAll(async () => {
  api = await createTestApi()
  await fill(api)
  const [row] = await api.database.sql<{ contact_id: string; id: string }[]>`
    select contact_id, id from conversations where business_id = ${api.businessId} offset 1000 limit 1`
  const [lead] = await api.database.sql<{ id: string }[]>`
    select id from leads where business_id = ${api.businessId} limit 1`
  if (!row || !lead) throw new Error('the tables are empty')
  contactId = row.contact_id
  conversationId = row.id
  leadId = lead.id
}, 240_000)

afterAll(() => api.close())

/** Ids that grow with the rows, as UUIDv7 does. */
const ID = (kind: number, n: string) => `('01900000-${kind}000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`

async function fill({ database, businessId, addBusiness }: TestApi) {
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
  // Indexes are made after the rows, as a restore would: a quarter of the time.
  const indexes = await run(`
    select indexname as name, indexdef as definition from pg_indexes
    where schemaname = 'public' and tablename in ('messages', 'calls', 'contacts', 'conversations', 'call_turns', 'notes', 'leads', 'events')
      and indexname not in (select conname from pg_constraint)`)
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
  for (const { definition } of indexes) {
    await run(definition)
  }
  await run('analyze')
  session.release()
}

type Plan = { 'Node Type': string; 'Relation Name'?: string; 'Actual Rows'?: number; Plans?: Plan[] }

/** Every statement that a procedure sends, with its plan. */
async function plansOf(run: () => Promise<unknown>): Promise<{ statement: string; plan: Plan; ms: number }[]> {
  const statements: { query: string; params: unknown[] }[] = []
  const spied = spyOnStatements(statements)
  try {
    await run()
  } finally {
    spied.stop()
  }
  const plans: { statement: string; plan: Plan; ms: number }[] = []
  for (const { query, params } of statements.filter(({ query }) => /^\s*(select|\(|with)/i.test(query))) {
    const [row] = await api.database.sql.unsafe(`explain (analyze, format json) ${query}`, params as never[])
    const [explained] = row?.['QUERY PLAN'] ?? []
    plans.push({ statement: query, plan: explained.Plan, ms: explained['Execution Time'] })
  }
  return plans
}

/** drizzle sends everything through `unsafe` of its client: there it is seen with its parameters. */
function spyOnStatements(into: { query: string; params: unknown[] }[]) {
  const client = api.database.sql
  const original = client.unsafe
  client.unsafe = ((query: string, params: unknown[] = [], ...rest: []) => {
    into.push({ query, params })
    return original.call(client, query, params as never[], ...rest)
  }) as typeof client.unsafe
  return {
    stop() {
      client.unsafe = original
    },
  }
}

const BIG = new Set([
  'messages',
  'calls',
  'contacts',
  'conversations',
  'call_turns',
  'leads',
  'notes',
  'events',
  'contact_tags',
])

function nodes(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)]
}

const CASES: [string, () => Promise<unknown>][] = [
  ['messages.list', () => api.as({}).messages.list({})],
  [
    'messages.list of a page behind',
    () => api.as({}).messages.list({ cursor: '01900000-3000-7000-8000-000000080000' }),
  ],
  ['messages.list of a contact', () => api.as({}).messages.list({ contactId })],
  ['messages.list of a conversation', () => api.as({}).messages.list({ conversationId })],
  ['messages.list of a status', () => api.as({}).messages.list({ status: 'failed' })],
  ['messages.list of a direction', () => api.as({}).messages.list({ direction: 'in' })],
  ['messages.list of a provider', () => api.as({}).messages.list({ provider: 'baileys' })],
  ['calls.list', () => api.as({}).calls.list({})],
  ['calls.list of a state', () => api.as({}).calls.list({ state: 'live' })],
  ['calls.list of a contact', () => api.as({}).calls.list({ contactId })],
  ['contacts.list', () => api.as({}).contacts.list({})],
  ['contacts.list of a tag', () => api.as({}).contacts.list({ tag: 'tag3' })],
  ['conversations.list', () => api.as({}).conversations.list({})],
  ['conversations.list of a status', () => api.as({}).conversations.list({ status: 'open' })],
  ['conversations.list of nobody', () => api.as({}).conversations.list({ assignee: 'none' })],
  ['conversations.list unread', () => api.as({}).conversations.list({ unread: true })],
  ['conversations.timeline', () => api.as({}).conversations.timeline({ contactId })],
  ['leads.list', () => api.as({}).leads.list({})],
  ['leads.list of a stage', () => api.as({}).leads.list({ stage: 'won' })],
  ['leads.column', () => api.as({}).leads.column({ stage: 'new', after: leadId })],
  ['contacts.notes', () => api.as({}).contacts.notes({ id: contactId })],
  ['events.list', () => api.as({}).events.list({})],
  ['search by a rare word', () => api.as({}).search.all({ q: 'rareword' })],
  ['search by a common word', () => api.as({}).search.all({ q: 'common' })],
  ['search by a name', () => api.as({}).search.all({ q: 'Person 4321' })],
  ['search by Hebrew', () => api.as({}).search.all({ q: 'תשובה word77' })],
  ['search by a number’s beginning', () => api.as({}).search.all({ q: '050-0001' })],
  ['search by a number’s end', () => api.as({}).search.all({ q: '12345' })],
  ['exports.csv', () => api.as({}).exports.csv({ kind: 'messages' })],
]

describe('on a million messages', () => {
  test('the tables are as big as that', async () => {
    const [row] = await api.database.db.execute<{ count: number }>(sql`select count(*)::int as count from messages`)
    expect(row?.count).toBe(MESSAGES)
  })

  test.each(CASES)('%s reads indexes, never a whole table', async (_, run) => {
    const plans = await plansOf(run)
    expect(plans.length).toBeGreaterThan(0)
    for (const { statement, plan, ms } of plans) {
      const scans = nodes(plan)
        .filter((node) => node['Node Type'].includes('Seq Scan') && BIG.has(node['Relation Name'] ?? ''))
        .map((node) => `${node['Node Type']} on ${node['Relation Name']}`)
      expect({ statement, scans }).toEqual({ statement, scans: [] })
      // Generous for a busy machine; a plan that reads everything takes seconds.
      expect(ms).toBeLessThan(400)
    }
  })
})

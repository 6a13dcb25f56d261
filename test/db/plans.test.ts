import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { createTestApi, type TestApi } from '../support/api.ts'
import { fillBigBusiness, MESSAGES } from '../support/big-business.ts'
import { recordStatements, replayStatements } from '../support/statements.ts'

let api: TestApi
let contactId: string
let conversationId: string
let leadId: string

beforeAll(async () => {
  api = await createTestApi()
  await fillBigBusiness(api)
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

type Plan = { 'Node Type': string; 'Relation Name'?: string; 'Actual Rows'?: number; Plans?: Plan[] }

/** Every statement that a procedure sends, with its plan. Settings that it makes for a transaction hold for its plans too. */
async function plansOf(run: () => Promise<unknown>): Promise<{ statement: string; plan: Plan; ms: number }[]> {
  const { sql } = api.database
  const statements = await recordStatements(sql, run)
  const plans = await replayStatements(sql, statements, async (on, { query, params }) => {
    if (query.includes('set_config')) {
      await on.unsafe(query)
      return []
    }
    const [row] = await on.unsafe(`explain (analyze, format json) ${query}`, params as never[])
    const [explained] = row?.['QUERY PLAN'] ?? []
    return [{ statement: query, plan: explained.Plan, ms: explained['Execution Time'] }]
  })
  return plans.flat()
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
  'audit_log',
])

function nodes(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)]
}

const LAST_DAY = { since: new Date(Date.now() - 86_400_000).toISOString() }

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
  ['messages.list of the other direction', () => api.as({}).messages.list({ direction: 'out' })],
  ['messages.list of a provider', () => api.as({}).messages.list({ provider: 'baileys' })],
  ['calls.list', () => api.as({}).calls.list({})],
  ['calls.list of a state', () => api.as({}).calls.list({ state: 'live' })],
  ['calls.list of a contact', () => api.as({}).calls.list({ contactId })],
  ['contacts.list', () => api.as({}).contacts.list({})],
  ['contacts.list of a tag', () => api.as({}).contacts.list({ tag: 'tag3' })],
  ['conversations.list', () => api.as({}).conversations.list({})],
  ['conversations.list of a status', () => api.as({}).conversations.list({ status: 'open' })],
  ['conversations.list without an assignee', () => api.as({}).conversations.list({ assignee: 'none' })],
  ['conversations.list unread', () => api.as({}).conversations.list({ unread: true })],
  ['conversations.timeline', () => api.as({}).conversations.timeline({ contactId })],
  ['leads.list', () => api.as({}).leads.list({})],
  ['leads.list of a stage', () => api.as({}).leads.list({ stage: 'won' })],
  ['leads.column', () => api.as({}).leads.column({ stage: 'new', cursor: leadId })],
  ['contacts.notes', () => api.as({}).contacts.notes({ id: contactId })],
  ['events.list', () => api.as({}).events.list({})],
  ['search by a rare word', () => api.as({}).search.all({ q: 'rareword' })],
  ['search by a common word', () => api.as({}).search.all({ q: 'common' })],
  ['search by a name', () => api.as({}).search.all({ q: 'Person 4321' })],
  ['search by Hebrew', () => api.as({}).search.all({ q: 'תשובה word77' })],
  ['search by a number’s beginning', () => api.as({}).search.all({ q: '050-0001' })],
  ['search by a number’s end', () => api.as({}).search.all({ q: '12345' })],
  ['calls.list of a day and an outcome', () => api.as({}).calls.list({ ...LAST_DAY, outcome: 'answered' })],
  ['stats.calls', () => api.as({}).stats.calls({})],
  ['stats.leads', () => api.as({}).stats.leads({})],
  ['stats.messages', () => api.as({}).stats.messages({})],
  ['stats.usage', () => api.as({}).stats.usage({ months: 12 })],
  ['audit.list', () => api.as({}).audit.list({ entity: 'lead' })],
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
      expect(ms).toBeLessThan(1_500)
    }
  })
})

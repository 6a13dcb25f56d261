import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Sql } from 'postgres'
import { newId } from '../../src/lib/ids.ts'
import { openDomain, type TestDomain } from '../support/domain.ts'

let domain: TestDomain
let sql: Sql

/** One row of each table that others refer to, in two businesses. */
type Tenant = Record<
  | 'business'
  | 'contact'
  | 'conversation'
  | 'call'
  | 'lead'
  | 'import'
  | 'message'
  | 'payment'
  | 'account'
  | 'endpoint'
  | 'device'
  | 'staff'
  | 'service'
  | 'visit'
  | 'connection'
  | 'outsideCalendar'
  | 'member'
  | 'incident'
  | 'run'
  | 'channel'
  | 'source'
  | 'page'
  | 'gap',
  string
> & { event: string }

async function addTenant(): Promise<Tenant> {
  const { businessId: business } = await domain.newBusiness()
  const t = { business, contact: newId(), conversation: newId(), call: newId(), lead: newId(), import: newId() }
  const more = {
    message: newId(),
    payment: newId(),
    account: newId(),
    endpoint: newId(),
    device: newId(),
    staff: newId(),
    service: newId(),
    visit: newId(),
    connection: newId(),
    outsideCalendar: newId(),
    member: newId(),
    run: newId(),
    source: newId(),
    page: newId(),
    gap: newId(),
  }
  await sql`insert into contacts (id, business_id, name) values (${t.contact}, ${business}, 'A')`
  await sql`insert into conversations (id, business_id, contact_id) values (${t.conversation}, ${business}, ${t.contact})`
  await sql`insert into calls (id, business_id, call_sid, from_number, to_number, started_at)
    values (${t.call}, ${business}, ${t.call}, '+972501234567', '+97230000000', now())`
  await sql`insert into leads (id, business_id, source) values (${t.lead}, ${business}, 'manual')`
  await sql`insert into imports (id, business_id, kind, request_hash, mapping, total)
    values (${t.import}, ${business}, 'leads', '', '{}', 0)`
  await sql`insert into whatsapp_accounts (id, business_id, provider) values (${more.account}, ${business}, 'twilio')`
  await sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status)
    values (${more.message}, ${business}, ${t.conversation}, ${t.contact}, 'in', 'twilio', 'received')`
  await sql`insert into knowledge_sources (id, business_id, kind, title) values (${more.source}, ${business}, 'file', 'A')`
  await sql`insert into knowledge_pages (id, business_id, source_id, url, title, body, hash, change, changed_at)
    values (${more.page}, ${business}, ${more.source}, 'a', 'A', 'A', 'A', 'new', now())`
  await sql`insert into knowledge_gaps (id, business_id, key) values (${more.gap}, ${business}, 'a')`
  await sql`insert into agent_runs (id, business_id, contact_id, outcome) values (${more.run}, ${business}, ${t.contact}, 'silent')`
  await sql`insert into payments (id, business_id, amount, currency, description, provider, request_hash, expires_at)
    values (${more.payment}, ${business}, 1, 'ILS', '', 'paypal', '', now())`
  await sql`insert into webhook_endpoints (id, business_id, url, secret) values (${more.endpoint}, ${business}, '', '')`
  await sql`insert into push_devices (id, business_id, endpoint_hash, sealed, label, language, kinds)
    values (${more.device}, ${business}, '', '', '', 'he', '{}')`
  const alerts = { incident: newId(), channel: newId() }
  await sql`insert into alert_incidents (id, business_id, kind, subject, state, first_at, last_at, expires_at)
    values (${alerts.incident}, ${business}, 'lead', '1', 'open', now(), now(), now())`
  await sql`insert into alert_channels (id, business_id, way, label, language, sealed)
    values (${alerts.channel}, ${business}, 'slack', '', 'he', '')`
  await sql`insert into auth_users (id, name, email) values (${more.member}, 'A', ${`${more.member}@example.com`})`
  await sql`insert into memberships (id, business_id, user_id, role)
    values (${more.member}, ${business}, ${more.member}, 'agent')`
  await sql`insert into staff (id, business_id, name) values (${more.staff}, ${business}, 'A')`
  await sql`insert into services (id, business_id, name_he, name_en, minutes) values (${more.service}, ${business}, 'A', 'A', 30)`
  await sql`insert into appointments (id, business_id, staff_id, starts_at, ends_at, state)
    values (${more.visit}, ${business}, ${more.staff}, now(), now() + interval '1 hour', 'cancelled')`
  await sql`insert into calendar_connections (id, business_id, kind, name, sealed)
    values (${more.connection}, ${business}, 'ics', 'A', '')`
  await sql`insert into outside_calendars (id, business_id, connection_id, remote_id, name, writable)
    values (${more.outsideCalendar}, ${business}, ${more.connection}, 'a', 'A', false)`
  const [event] = await sql<{ seq: string }[]>`insert into events (business_id, type, entity, entity_id, actor_kind)
    values (${business}, 'test', 'test', '1', 'system') returning seq::text`
  return { ...t, ...more, ...alerts, event: event?.seq ?? '' }
}

let ours: Tenant
let theirs: Tenant

beforeAll(async () => {
  domain = await openDomain()
  sql = domain.handle.sql
  ours = await addTenant()
  theirs = await addTenant()
}, 120_000)

afterAll(() => domain.close())

const delivery = (to: Record<string, string>) =>
  add('alert_deliveries', {
    id: newId(),
    kind: 'lead',
    purpose: 'alert',
    way: 'push',
    key: newId(),
    state: 'pending',
    not_before: '2030-01-01T10:00Z',
    expires_at: '2030-01-01T10:00Z',
    ...to,
  })

const knowledgePage = (to: Record<string, string>) =>
  add('knowledge_pages', {
    ...{ id: newId(), url: newId(), title: 'A', body: 'A', hash: 'A', change: 'new', changed_at: '2030-01-01T10:00Z' },
    ...to,
  })
const chunk = (to: Record<string, string>) =>
  add('knowledge_chunks', { id: newId(), position: 0, title: 'A', body: 'A', ...to })
const gapExample = (to: Record<string, string>) =>
  add('knowledge_gap_examples', { id: newId(), question: 'A', channel: 'call', ...to })

/** Each reference: what writes it in our business, to a row of `of`. */
const REFERENCES: [string, (of: Tenant) => Promise<unknown>][] = [
  ['agent_runs_contact_fk', (of) => add('agent_runs', { id: newId(), contact_id: of.contact, outcome: 'silent' })],
  ['knowledge_pages_source_fk', (of) => knowledgePage({ source_id: of.source })],
  ['knowledge_chunks_source_fk', (of) => chunk({ source_id: of.source })],
  ['knowledge_chunks_page_fk', (of) => chunk({ source_id: ours.source, page_id: of.page })],
  ['knowledge_gap_examples_gap_fk', (of) => gapExample({ gap_id: of.gap })],
  [
    'knowledge_gap_examples_conversation_fk',
    (of) => gapExample({ gap_id: ours.gap, conversation_id: of.conversation }),
  ],
  ['knowledge_gap_examples_call_fk', (of) => gapExample({ gap_id: ours.gap, call_id: of.call })],
  ['agent_states_conversation_fk', (of) => add('agent_states', { conversation_id: of.conversation })],
  ['agent_answers_message_fk', (of) => add('agent_answers', { message_id: of.message, run_id: ours.run })],
  [
    'agent_answers_run_fk',
    async (of) => {
      await sql`delete from agent_answers`
      await add('agent_answers', { message_id: ours.message, run_id: of.run })
    },
  ],
  ['alert_deliveries_incident_fk', (of) => delivery({ incident_id: of.incident })],
  ['alert_deliveries_device_fk', (of) => delivery({ device_id: of.device })],
  ['alert_deliveries_channel_fk', (of) => delivery({ channel_id: of.channel })],
  [
    'alert_steps_incident_fk',
    (of) =>
      add('alert_steps', {
        id: newId(),
        incident_id: of.incident,
        position: 1,
        ways: ['sms'],
        due_at: '2030-01-01T10:00Z',
      }),
  ],
  ['appointments_contact_fk', (of) => appointment({ contact_id: of.contact })],
  ['appointments_staff_fk', (of) => appointment({ staff_id: of.staff })],
  ['appointments_service_fk', (of) => appointment({ service_id: of.service })],
  ['appointments_deposit_payment_fk', (of) => appointment({ deposit_payment_id: of.payment })],
  [
    'appointment_notices_appointment_fk',
    (of) =>
      add('appointment_notices', {
        id: newId(),
        appointment_id: of.visit,
        kind: 'booked',
        revision: 1,
        due_at: '2030-01-01',
      }),
  ],
  ['service_staff_staff_fk', (of) => add('service_staff', { service_id: ours.service, staff_id: of.staff })],
  // Of the row of the one before.
  [
    'service_staff_service_fk',
    (of) => sql`update service_staff set service_id = ${of.service} where staff_id = ${ours.staff}`,
  ],
  [
    'staff_absences_staff_fk',
    (of) => add('staff_absences', { id: newId(), staff_id: of.staff, starts_at: '2030-01-01', ends_at: '2030-01-02' }),
  ],
  [
    'calendar_connections_staff_fk',
    (of) => add('calendar_connections', { id: newId(), staff_id: of.staff, kind: 'ics', name: 'B', sealed: '' }),
  ],
  ['model_subject_uses_call_fk', (of) => modelUse({ call_id: of.call })],
  ['model_subject_uses_conversation_fk', (of) => modelUse({ conversation_id: of.conversation })],
  ['model_reservations_call_fk', (of) => modelReservation({ call_id: of.call })],
  ['model_reservations_conversation_fk', (of) => modelReservation({ conversation_id: of.conversation })],
  ['calendar_feeds_staff_fk', (of) => add('calendar_feeds', { id: newId(), staff_id: of.staff })],
  ['calendar_pushes_appointment_fk', (of) => calendarPush({ appointment_id: of.visit })],
  [
    'calendar_pushes_calendar_fk',
    async (of) => {
      await sql`delete from calendar_pushes`
      await calendarPush({ calendar_id: of.outsideCalendar })
    },
  ],
  [
    'outside_calendars_connection_fk',
    (of) =>
      add('outside_calendars', {
        ...{ id: newId(), connection_id: of.connection, remote_id: 'b', name: 'B', writable: false },
      }),
  ],
  [
    'outside_events_calendar_fk',
    (of) =>
      add('outside_events', {
        ...{ id: newId(), calendar_id: of.outsideCalendar, object_id: 'a', event_id: 'a', busy: true, all_day: false },
        ...{ starts_at: '2030-01-01', ends_at: '2030-01-02' },
      }),
  ],
  ['staff_member_fk', (of) => change('staff', ours.staff, { member_id: of.member })],
  ['waiting_list_contact_fk', (of) => waiting({ contact_id: of.contact })],
  ['waiting_list_service_fk', (of) => waiting({ service_id: of.service })],
  ['waiting_list_staff_fk', (of) => waiting({ staff_id: of.staff })],
  ['waiting_list_appointment_fk', (of) => waiting({ appointment_id: of.visit })],
  ['appointments_call_fk', (of) => appointment({ call_id: of.call })],
  ['call_summaries_call_fk', (of) => add('call_summaries', { call_id: of.call, summary: '', made_by: 'rules' })],
  [
    'call_turns_call_fk',
    (of) => add('call_turns', { id: newId(), call_id: of.call, index: 1, role: 'agent', start_ms: 0, end_ms: 1 }),
  ],
  ['calls_contact_fk', (of) => change('calls', ours.call, { contact_id: of.contact })],
  ['calls_conversation_fk', (of) => change('calls', ours.call, { conversation_id: of.conversation })],
  [
    'contact_identities_contact_fk',
    (of) => add('contact_identities', { kind: 'lid', value: '1', contact_id: of.contact }),
  ],
  ['contact_tags_contact_fk', (of) => add('contact_tags', { contact_id: of.contact, tag: 'a' })],
  ['conversations_contact_fk', (of) => change('conversations', ours.conversation, { contact_id: of.contact })],
  [
    'early_deletions_account_fk',
    (of) =>
      add('early_deletions', {
        id: newId(),
        account_id: of.account,
        provider: 'twilio',
        direction: 'in',
        provider_message_id: '1',
        writers: '{}',
        deleted_at: '2030-01-01T10:00Z',
      }),
  ],
  ['import_keys_lead_fk', (of) => add('import_keys', { key: newId(), lead_id: of.lead })],
  ['import_keys_contact_fk', (of) => add('import_keys', { key: newId(), contact_id: of.contact })],
  [
    'import_rejects_import_fk',
    (of) => add('import_rejects', { import_id: of.import, row: 1, cells: '[]', reason: '' }),
  ],
  [
    'lead_history_lead_fk',
    (of) => add('lead_history', { id: newId(), lead_id: of.lead, actor_kind: 'user', field: 'stage' }),
  ],
  ['leads_contact_fk', (of) => change('leads', ours.lead, { contact_id: of.contact })],
  ['leads_call_fk', (of) => change('leads', ours.lead, { call_id: of.call })],
  [
    'message_media_message_fk',
    (of) => add('message_media', { id: newId(), message_id: of.message, index: 0, content_type: 'image/png' }),
  ],
  ['messages_conversation_fk', (of) => change('messages', ours.message, { conversation_id: of.conversation })],
  ['messages_contact_fk', (of) => change('messages', ours.message, { contact_id: of.contact })],
  ['messages_account_fk', (of) => change('messages', ours.message, { account_id: of.account })],
  [
    'notes_contact_fk',
    (of) => add('notes', { id: newId(), contact_id: of.contact, author_kind: 'user', author_id: '1', body: '' }),
  ],
  [
    'payment_checkouts_payment_fk',
    (of) =>
      add('payment_checkouts', {
        id: newId(),
        payment_id: of.payment,
        attempt: 1,
        provider: 'paypal',
        provider_ref: newId(),
        url: '',
        expires_at: '2030-01-01T10:00Z',
      }),
  ],
  ['payment_events_payment_fk', (of) => add('payment_events', { id: newId(), payment_id: of.payment, kind: 'x' })],
  [
    'payment_transactions_payment_fk',
    (of) =>
      add('payment_transactions', {
        id: newId(),
        payment_id: of.payment,
        provider: 'paypal',
        kind: 'charge',
        provider_transaction_id: newId(),
        status: 'pending',
        amount: 1,
        currency: 'ILS',
      }),
  ],
  ['payments_contact_fk', (of) => change('payments', ours.payment, { contact_id: of.contact })],
  ['payments_receipt_message_fk', (of) => change('payments', ours.payment, { receipt_message_id: of.message })],
  [
    'push_deliveries_device_fk',
    (of) => add('push_deliveries', { id: newId(), device_id: of.device, kind: 'lead', entity_id: newId() }),
  ],
  ['push_notices_event_seq_fk', (of) => add('push_notices', { event_seq: of.event })],
  [
    'recordings_call_fk',
    (of) =>
      add('recordings', { id: newId(), call_id: of.call, recording_sid: newId(), recorded_at: '2030-01-01T10:00Z' }),
  ],
  [
    'webhook_deliveries_endpoint_fk',
    (of) => add('webhook_deliveries', { endpoint_id: of.endpoint, event_seq: ours.event }),
  ],
  [
    'webhook_deliveries_event_seq_fk',
    async (of) => {
      await sql`delete from webhook_deliveries`
      await add('webhook_deliveries', { endpoint_id: ours.endpoint, event_seq: of.event })
    },
  ],
  ['whatsapp_links_account_fk', (of) => add('whatsapp_links', { account_id: of.account })],
]

const modelUse = (values: object) =>
  add('model_subject_uses', { ...{ id: newId(), model: 'compatible:x', hour: '2030-01-01' }, ...values })

const modelReservation = (values: object) =>
  add('model_reservations', {
    ...{
      id: newId(),
      purpose: 'chat',
      model: 'compatible:x',
      input: 1,
      output: 1,
      expires_at: '2030-01-01',
      ...values,
    },
  })

const calendarPush = (values: object) =>
  add('calendar_pushes', {
    ...{ id: newId(), appointment_id: ours.visit, calendar_id: ours.outsideCalendar, ...values },
  })

const waiting = (values: object) =>
  add('waiting_list', {
    ...{ id: newId(), contact_id: ours.contact, minutes: 30, language: 'he' },
    ...{ from_at: '2030-01-01', to_at: '2030-01-02', ...values },
  })

const appointment = (values: object) =>
  add('appointments', {
    id: newId(),
    starts_at: '2030-01-01T10:00Z',
    ends_at: '2030-01-01T10:30Z',
    state: 'cancelled',
    ...values,
  })

async function add(table: string, values: object): Promise<void> {
  const row = { business_id: ours.business, ...values }
  await sql.begin((tx) => tx`insert into ${tx(table)} ${tx(row)}`)
}

async function change(table: string, id: string, values: object): Promise<void> {
  await sql.begin((tx) => tx`update ${tx(table)} set ${tx(values)} where id = ${id}`)
}

test('every composite key is tried below', async () => {
  const keys = await sql<{ name: string }[]>`
    select conname as name from pg_constraint
    where contype = 'f' and cardinality(conkey) > 1 and connamespace = 'public'::regnamespace order by 1`
  expect(REFERENCES.map(([name]) => name).toSorted()).toEqual(keys.map(({ name }) => name))
})

test.each(REFERENCES)('%s refuses a row of another business and takes one of the same', async (name, write) => {
  await expect(write(theirs)).rejects.toThrow(name)
  await write(ours)
})

test('a contact that is deleted leaves what only mentions it, in its business', async () => {
  await sql`delete from leads where business_id = ${ours.business}`
  await sql`delete from messages where business_id = ${ours.business}`
  await sql`delete from contacts where id = ${ours.contact}`
  const [call] = await sql`select business_id, contact_id, conversation_id from calls where id = ${ours.call}`
  expect(call).toEqual({ business_id: ours.business, contact_id: null, conversation_id: null })
  const [payment] = await sql`select business_id, contact_id from payments where id = ${ours.payment}`
  expect(payment).toEqual({ business_id: ours.business, contact_id: null })
})

test('every other row that is deleted leaves what only mentions it, in its business', async () => {
  const t = await addTenant()
  const { business, call, message, account, lead, payment } = t
  const visit = newId()
  await sql`insert into appointments (id, business_id, call_id, starts_at, ends_at)
    values (${visit}, ${business}, ${call}, now(), now() + interval '1 hour')`
  await change('leads', lead, { call_id: call })
  await change('messages', message, { account_id: account })
  await change('payments', payment, { receipt_message_id: message })
  // In one transaction, as a merge or an erasure does it: the keys are checked when it commits.
  await sql.begin(async (tx) => {
    await tx`delete from calls where id = ${call}`
    await tx`delete from whatsapp_accounts where id = ${account}`
    const [left] = await tx`select business_id, account_id from messages where id = ${message}`
    expect(left).toEqual({ business_id: business, account_id: null })
    await tx`delete from messages where id = ${message}`
  })
  const rows = await sql`
    select 'appointment' as what, business_id, call_id as mention from appointments where id = ${visit}
    union all select 'lead', business_id, call_id from leads where id = ${lead}
    union all select 'payment', business_id, receipt_message_id from payments where id = ${payment} order by 1`
  expect([...rows]).toEqual(
    ['appointment', 'lead', 'payment'].map((what) => ({ what, business_id: business, mention: null })),
  )
  await sql`delete from businesses where id = ${business}`
  expect(await sql`select from contacts where business_id = ${business}`).toHaveLength(0)
})

test('a list of values is held to by the database', async () => {
  await expect(change('calls', ours.call, { state: 'paused' })).rejects.toThrow('calls_state')
  await expect(change('payments', ours.payment, { state: 'gifted' })).rejects.toThrow('payments_state')
})

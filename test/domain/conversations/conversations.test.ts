import { beforeAll, expect, test } from 'bun:test'
import { registerCall } from '../../../src/domain/calls/index.ts'
import { createContact } from '../../../src/domain/contacts/index.ts'
import {
  assignConversation,
  closeConversation,
  getConversation,
  listConversations,
  markConversation,
  openConversation,
  reopenConversation,
  snoozeConversation,
  wakeConversations,
} from '../../../src/domain/conversations/index.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 10, minute))

let people = 0
async function newContact() {
  return (await createContact(domain.business, { phone: `+97250${String(3_000_000 + ++people)}` })).id
}

function write(contactId: string, event: Partial<Parameters<typeof openConversation>[3]> = {}) {
  return domain.ctx.db.transaction((tx) =>
    openConversation(tx, domain.business, contactId, { at: at(0), inbound: true, ...event }),
  )
}

test('a contact has one conversation, whose clock moves forward only and whose inbound messages count as unread', async () => {
  const contact = await newContact()
  const id = await write(contact, { at: at(5) })
  expect(await write(contact, { at: at(2) })).toBe(id)
  expect(await write(contact, { at: at(9), inbound: false })).toBe(id)
  expect(await getConversation(domain.business, id)).toMatchObject({
    contactId: contact,
    status: 'open',
    unread: 2,
    lastInboundAt: at(5),
    lastEventAt: at(9),
  })
})

test('two messages at the same moment open one conversation', async () => {
  const contact = await newContact()
  const ids = await Promise.all(Array.from({ length: 6 }, () => write(contact)))
  expect(new Set(ids).size).toBe(1)
  expect((await getConversation(domain.business, ids[0] ?? '')).unread).toBe(6)
})

test('a closed conversation is opened again by an inbound message, not by history from before the link', async () => {
  const contact = await newContact()
  const id = await write(contact)
  await closeConversation(domain.business, id)
  expect(await getConversation(domain.business, id)).toMatchObject({ status: 'closed', unread: 0 })
  await write(contact, { at: at(-10), old: true })
  expect((await getConversation(domain.business, id)).status).toBe('closed')
  await write(contact, { at: at(20) })
  expect((await getConversation(domain.business, id)).status).toBe('open')
})

test('a snoozed conversation wakes when its time has come, and only then', async () => {
  const id = await write(await newContact())
  const past = new Date(Date.now() - 1_000)
  expect(() => snoozeConversation(domain.business, id, past)).toThrow('in the future')
  await snoozeConversation(domain.business, id, new Date(Date.now() + 3_600_000))
  expect(await wakeConversations(domain.ctx)).toBe(0)
  await domain.sql`update conversations set snoozed_until = now() - interval '1 second' where id = ${id}`
  expect(await wakeConversations(domain.ctx)).toBe(1)
  expect(await getConversation(domain.business, id)).toMatchObject({ status: 'open', snoozedUntil: null })
})

test('only a member is assigned; lists filter by assignee, status and unread', async () => {
  const id = await write(await newContact())
  await expect(assignConversation(domain.business, id, newId())).rejects.toMatchObject({ code: 'not_a_member' })
  const [user] = await domain.sql`insert into auth_users (id, name, email) values (${newId()}, 'Dana', 'd@example.com')
    returning id`
  await domain.sql`insert into memberships (id, business_id, user_id, role)
    values (${newId()}, ${domain.businessId}, ${user?.id}, 'agent')`
  await assignConversation(domain.business, id, user?.id)
  const idsOf = async (filters: Parameters<typeof listConversations>[1]) =>
    (await listConversations(domain.business, { limit: 200, ...filters })).items.map((each) => each.id)
  expect(await idsOf({ assignee: user?.id })).toEqual([id])
  expect(await idsOf({ assignee: 'none' })).not.toContain(id)
  await markConversation(domain.business, id, false)
  expect(await idsOf({ unread: true })).not.toContain(id)
  await closeConversation(domain.business, id)
  expect(await idsOf({ status: 'closed' })).toContain(id)
  await reopenConversation(domain.business, id)
  expect(await idsOf({ status: 'closed' })).not.toContain(id)
})

test('pages bring every conversation once, the latest event first', async () => {
  const all = await listConversations(domain.business, { limit: 200 })
  const paged: string[] = []
  let cursor: string | undefined
  do {
    const page = await listConversations(domain.business, { limit: 2, ...(cursor ? { cursor } : {}) })
    paged.push(...page.items.map((each) => each.id))
    cursor = page.nextCursor ?? undefined
  } while (cursor)
  expect(paged).toEqual(all.items.map((each) => each.id))
  const times = all.items.map((each) => each.lastEventAt.getTime())
  expect(times).toEqual(times.toSorted((a, b) => b - a))
})

test('the preview is the latest message or call, with its direction, state and first file', async () => {
  const phone = '+972503999001'
  const lastOf = async (contactId: string) => (await listConversations(domain.business, { contactId })).items[0]?.last
  const receive = (id: string, at: string, body: string, media: Parameters<typeof receiveMessage>[1]['media'] = []) =>
    receiveMessage(domain.business, {
      provider: 'twilio',
      businessId: domain.businessId,
      dedupeKey: id,
      providerMessageId: id,
      kind: 'text',
      from: { phone },
      body,
      media,
      at,
    })
  await receive('SM1', '2026-01-01T10:00:00Z', `Hello ${'x'.repeat(500)}`)
  const contact = await createContact(domain.business, { phone }).catch(() => null)
  const [found] = await domain.sql<{ id: string }[]>`select id from contacts where phone = ${phone}`
  const contactId = contact?.id ?? found?.id ?? ''
  const first = await lastOf(contactId)
  expect(first).toMatchObject({ kind: 'message', direction: 'in', status: 'received', media: null })
  expect(first?.kind === 'message' && first.text.length).toBe(160)
  const picture = {
    kind: 'image',
    url: 'https://example.com/1',
    contentType: 'image/jpeg',
    fileName: null,
    seconds: null,
  }
  await receive('SM2', '2026-01-01T10:05:00Z', '', [picture] as Parameters<typeof receiveMessage>[1]['media'])
  expect(await lastOf(contactId)).toMatchObject({ kind: 'message', text: '', media: 'image' })
  await registerCall(domain.business, {
    callSid: 'CA9',
    from: phone,
    to: '+97233760000',
    at: new Date('2026-01-01T10:09:00Z'),
  })
  expect(await lastOf(contactId)).toEqual({ kind: 'call', direction: 'inbound', state: 'ringing', answeredBy: 'agent' })
})

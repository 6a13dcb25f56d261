import { beforeAll, expect, test } from 'bun:test'
import { addNote, createContact } from '../../../src/domain/contacts/index.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import { readTimeline } from '../../../src/domain/timeline/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

const PHONE = '+972501234567'
let domain: Awaited<ReturnType<typeof startDomain>>
let contactId: string

beforeAll(async () => {
  domain = await startDomain()
  contactId = (await createContact(domain.business, { phone: PHONE, name: 'Dana' })).id
  const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 10, minute)).toISOString()
  for (const minute of [1, 3, 3, 5])
    await receiveMessage(domain.business, {
      provider: 'twilio',
      businessId: domain.businessId,
      dedupeKey: newId(),
      providerMessageId: newId(),
      kind: 'text',
      from: { phone: PHONE },
      body: `at ${minute}`,
      media: [],
      at: at(minute),
    })
  await domain.call(PHONE)
  await domain.sql`update calls set started_at = ${at(4)}, contact_id = ${contactId}`
  const note = await addNote(domain.business, { contactId, body: 'A note' })
  await domain.sql`update notes set created_at = ${at(2)} where id = ${note.id}`
  await domain.sql`insert into appointments (id, business_id, contact_id, starts_at, ends_at, name, created_at)
    values (${newId()}, ${domain.businessId}, ${contactId}, '2030-01-01T08:00Z', '2030-01-01T09:00Z', 'Dana', ${at(6)})`
  await domain.sql`insert into payments (id, business_id, contact_id, amount, currency, description, provider,
      request_hash, expires_at, created_at)
    values (${newId()}, ${domain.businessId}, ${contactId}, 100, 'ILS', 'A repair', 'paypal', '', now(), ${at(7)})`
})

test('messages, calls, payments, appointments and notes stand in one order, the newest first', async () => {
  const { items, nextCursor } = await readTimeline(domain.business, contactId, { limit: 50 })
  expect(items.map(({ kind }) => kind)).toEqual([
    'payment',
    'appointment',
    'message',
    'call',
    'message',
    'message',
    'note',
    'message',
  ])
  expect(nextCursor).toBeNull()
})

test('pages of any length bring each entry once, also where two are at the same moment', async () => {
  const whole = (await readTimeline(domain.business, contactId, { limit: 50 })).items.map(({ id }) => id)
  for (const limit of [1, 2, 3, 5]) {
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const page = await readTimeline(domain.business, contactId, { limit, ...(cursor ? { cursor } : {}) })
      expect(page.items.length).toBeLessThanOrEqual(limit)
      paged.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor ?? undefined
    } while (cursor)
    expect(paged).toEqual(whole)
  }
})

test('a contact of another business has no timeline', async () => {
  const stranger = { ...domain.business, businessId: newId() }
  await expect(readTimeline(stranger, contactId, { limit: 50 })).rejects.toMatchObject({ code: 'contact_not_found' })
})

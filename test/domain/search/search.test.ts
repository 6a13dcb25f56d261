import { beforeAll, expect, test } from 'bun:test'
import { addNote, createContact } from '../../../src/domain/contacts/index.ts'
import { createLead } from '../../../src/domain/leads/index.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import { searchEverything } from '../../../src/domain/search/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
let contact: Awaited<ReturnType<typeof createContact>>

beforeAll(async () => {
  domain = await startDomain()
  contact = await createContact(domain.business, { phone: '050-123-4567', name: 'Dana Levi' })
  await addNote(domain.business, { contactId: contact.id, body: 'Wants a balcony' })
  await createLead(domain.business, { contactId: contact.id, inquiry: 'דירה בחיפה עם מרפסת' })
  await receiveMessage(domain.business, {
    provider: 'twilio',
    businessId: domain.businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: '+972501234567' },
    body: 'Is the garage included? 100% sure_thing',
    media: [],
    at: new Date().toISOString(),
  })
})

const find = async (q: string, kinds?: Parameters<typeof searchEverything>[1]['kinds']) => {
  const found = await searchEverything(domain.business, { q, ...(kinds ? { kinds } : {}) })
  return Object.fromEntries(Object.entries(found).map(([kind, hits]) => [kind, hits.length]))
}
const none = { contacts: 0, messages: 0, calls: 0, leads: 0, notes: 0 }

test.each([
  ['a name by its beginning', 'dan', { contacts: 1 }],
  ['a number as it is written here', '050-1234567', { contacts: 1 }],
  ['a number as the carrier writes it', '+972501234567', { contacts: 1 }],
  ['a word of a message', 'garage', { messages: 1 }],
  ['a word of a note', 'balcony', { notes: 1 }],
  ['a Hebrew word behind its prefix', 'חיפה', { leads: 1 }],
  ['a word that is nowhere', 'submarine', {}],
])('%s', async (_, q, wanted) => {
  expect(await find(q)).toEqual({ ...none, ...wanted })
})

test('only the kinds that are asked for are searched', async () => {
  expect(await find('dana', ['notes'])).toEqual(none)
})

test('characters of the pattern language are text like any other', async () => {
  for (const q of ['%%', '__', "'; drop table contacts; --", '\\', '(((', ':*&|!']) await find(`${q}x`)
  expect(await find('%%')).toMatchObject({ contacts: 0, notes: 0, leads: 0 })
})

test('nothing of another business is found', async () => {
  const stranger = { ...domain.business, businessId: newId() }
  const found = await searchEverything(stranger, { q: 'dana' })
  expect(Object.values(found).flat()).toEqual([])
})

import { beforeAll, expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { createContact, tagContact } from '../../../src/domain/contacts/index.ts'
import { EXPORT_KINDS, exportCsv, streamExport } from '../../../src/domain/exports/index.ts'
import { createLead } from '../../../src/domain/leads/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

async function rowsOf(kind: (typeof EXPORT_KINDS)[number], business = domain.business) {
  let csv = ''
  for await (const part of streamExport(business, kind)) csv += part
  return { csv, rows: parse(csv, { bom: true, columns: true }) as Record<string, string>[] }
}

test('a spreadsheet reads back what was written: Hebrew, quotes, line breaks, tags, money', async () => {
  const name = 'דנה "לוי", שורה\nשנייה'
  const contact = await createContact(domain.business, { phone: '050-123-4567', name, email: 'dana@example.com' })
  await tagContact(domain.business, contact.id, { add: ['vip', 'new'], remove: [] })
  await createLead(domain.business, { contactId: contact.id, name, valueAgorot: 123_450 })
  const contacts = await rowsOf('contacts')
  expect(contacts.csv.startsWith('\ufeff')).toBe(true)
  expect(contacts.rows).toMatchObject([{ id: contact.id, phone: "'+972501234567", name, email: 'dana@example.com' }])
  expect(contacts.rows[0]?.tags?.split('|').toSorted()).toEqual(['new', 'vip'])
  expect((await rowsOf('leads')).rows).toMatchObject([{ name, value: '1234.50', stage: 'new' }])
})

test('a cell that a spreadsheet would run as a formula is written as text', async () => {
  await createContact(domain.business, { name: '=HYPERLINK("http://evil.example")' })
  const { rows } = await rowsOf('contacts')
  expect(rows.some((row) => row.name?.startsWith('='))).toBe(false)
})

test('pages bring every row once; the first alone begins with the headings', async () => {
  for (let index = 0; index < 5; index++) await createContact(domain.business, { name: `Person ${index}` })
  const whole = await rowsOf('contacts')
  const parts: string[] = []
  let cursor: string | undefined
  do {
    const page = await exportCsv(domain.business, { kind: 'contacts', limit: 2, ...(cursor ? { cursor } : {}) })
    parts.push(page.csv)
    cursor = page.nextCursor ?? undefined
  } while (cursor)
  expect(parts.length).toBeGreaterThan(2)
  expect(`\ufeff${parts.join('')}`).toBe(whole.csv)
  expect(parts.filter((part) => part.includes('opted out'))).toHaveLength(1)
})

test('nothing of another business is in any export', async () => {
  await domain.call()
  const stranger = { ...domain.business, businessId: newId() }
  for (const kind of EXPORT_KINDS) expect((await rowsOf(kind, stranger)).rows).toEqual([])
  expect((await rowsOf('calls')).rows).toHaveLength(1)
})

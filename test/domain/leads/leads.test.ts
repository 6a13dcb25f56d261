import { beforeAll, expect, test } from 'bun:test'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import {
  createLead,
  getLead,
  listLeadHistory,
  listLeads,
  listStages,
  moveLead,
  readBoard,
  readColumn,
  removeLead,
  saveLead,
  saveStages,
  updateLead,
} from '../../../src/domain/leads/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

test('a lead asked for twice under one id is one lead, with the contact of its number', async () => {
  const id = newId()
  const asked = { id, phone: '050-123-4567', name: 'Dana' }
  const first = await createLead(domain.business, asked)
  const second = await createLead(domain.business, asked)
  expect(first).toEqual(second)
  expect(first).toMatchObject({ id, stage: 'new', source: 'manual', phone: '+972501234567' })
  expect((await listLeads(domain.business, { contactId: first.contactId ?? '' })).items).toHaveLength(1)
})

test('leads that are created at once under one id are one lead, and another business is answered that the id is taken', async () => {
  const asked = { id: newId(), phone: '050-123-4568', name: 'Noa' }
  const answers = await Promise.all(Array.from({ length: 5 }, () => createLead(domain.business, asked)))
  expect(new Set(answers.map((lead) => JSON.stringify(lead))).size).toBe(1)
  const created = await domain.sql`select from audit_log where action = 'lead.create' and entity_id = ${asked.id}`
  expect(created).toHaveLength(1)

  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Other', language: 'en' }))
  const shared = { id: newId(), name: 'Noa' }
  const outcomes = await Promise.allSettled([domain.business, other].map((ctx) => createLead(ctx, shared)))
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'id_taken' } })
})

test('what is changed is kept in the history, newest first, and nothing else is', async () => {
  const { id } = await createLead(domain.business, { name: 'Dana' })
  await updateLead(domain.business, id, { name: 'Dana Levi', valueAgorot: 5_000 })
  await updateLead(domain.business, id, { name: 'Dana Levi' })
  await moveLead(domain.business, id, { stage: 'won' })
  const { items: history } = await listLeadHistory(domain.business, id, { limit: 50 })
  expect(history.map(({ field, before, after }) => [field, before, after])).toEqual([
    ['stage', 'new', 'won'],
    ['valueAgorot', null, '5000'],
    ['name', 'Dana', 'Dana Levi'],
  ])
})

test('a column keeps the order that people gave it', async () => {
  const [a, b, c] = await Promise.all(['A', 'B', 'C'].map((name) => createLead(domain.business, { name })))
  if (!a || !b || !c) throw new Error('There are no leads.')
  for (const lead of [a, b, c]) await moveLead(domain.business, lead.id, { stage: 'qualified' })
  await moveLead(domain.business, c.id, { stage: 'qualified', afterId: null })
  await moveLead(domain.business, a.id, { stage: 'qualified', afterId: b.id })
  const names = async (cursor?: string) =>
    (await readColumn(domain.business, 'qualified', { limit: 10, cursor })).items.map((each) => each.name)
  expect(await names()).toEqual(['C', 'B', 'A'])
  expect(await names(c.id)).toEqual(['B', 'A'])
  const board = await readBoard(domain.business, 'en', 2)
  expect(board.find((column) => column.stage.key === 'qualified')).toMatchObject({ count: 3 })
})

test('the lead of a call is one; later answers count in whatever order they come, and none is lost', async () => {
  const callSid = await domain.call()
  const write = (second: number, answers: { name?: string; inquiry?: string }) =>
    saveLead(domain.business, { callSid, source: 'call', at: new Date(Date.UTC(2026, 0, 1, 0, 0, second)), ...answers })
  const id = await write(2, { name: 'Dana Levi' })
  expect(await write(1, { name: 'Dan', inquiry: 'A flat' })).toBe(id)
  expect(await getLead(domain.business, id ?? '')).toMatchObject({
    name: 'Dana Levi',
    inquiry: 'A flat',
    source: 'call',
  })
  expect(await saveLead(domain.business, { callSid: 'CA-unknown', source: 'call', at: new Date() })).toBeNull()
})

test('stages are the business’s own: `new` stays, one that leads stand in stays, an unknown one is refused', async () => {
  expect((await listStages(domain.business, 'en')).map((each) => each.key)).toContain('qualified')
  const fresh = { key: 'new', name: 'New', kind: 'open' as const }
  await expect(saveStages(domain.business, [{ key: 'won', name: 'Won', kind: 'won' }])).rejects.toMatchObject({
    code: 'stage_new_missing',
  })
  await expect(saveStages(domain.business, [fresh, fresh])).rejects.toMatchObject({ code: 'stage_twice' })
  await expect(saveStages(domain.business, [fresh])).rejects.toMatchObject({ code: 'stage_in_use' })
  const { id } = await createLead(domain.business, { name: 'Dana' })
  await expect(moveLead(domain.business, id, { stage: 'nowhere' })).rejects.toMatchObject({ code: 'unknown_stage' })
})

test('a lead that is removed is gone; another business sees and changes none', async () => {
  const { id } = await createLead(domain.business, { name: 'Dana' })
  const stranger = { ...domain.business, businessId: newId() }
  await expect(getLead(stranger, id)).rejects.toMatchObject({ code: 'lead_not_found' })
  await expect(removeLead(stranger, id)).rejects.toMatchObject({ code: 'lead_not_found' })
  await removeLead(domain.business, id)
  await expect(getLead(domain.business, id)).rejects.toMatchObject({ code: 'lead_not_found' })
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { callSummaries, callTurns, leadHistory } from '../../../db/schema/index.ts'
import { getSummary, registerCall } from '../../../src/domain/calls/index.ts'
import { mapColumns } from '../../../src/domain/imports/map-columns.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'

let api: TestApi

beforeAll(async () => {
  api = await createTestApi()
})

afterAll(() => api.close())

test('a lead takes and answers `wish`, the earlier name of `inquiry`', async () => {
  const { leads } = api.as({})
  const lead = await leads.create({ name: 'Dana', wish: 'A flat' })
  expect(lead).toMatchObject({ inquiry: 'A flat', wish: 'A flat' })
  expect(await leads.update({ id: lead.id, wish: 'A house' })).toMatchObject({ inquiry: 'A house', wish: 'A house' })
  expect(await leads.update({ id: lead.id, wish: 'old', inquiry: 'new' })).toMatchObject({
    inquiry: 'new',
    wish: 'new',
  })
  expect(await leads.update({ id: lead.id, wish: null })).toMatchObject({ inquiry: null, wish: null })
  expect((await leads.list({})).items[0]).toMatchObject({ inquiry: null, wish: null })
})

test('what the earlier version stored is answered under the present names', async () => {
  const { business, businessId } = api
  const lead = await api.as({}).leads.create({ name: 'Noa' })
  const entry = {
    businessId,
    leadId: lead.id,
    actorKind: 'user' as const,
    field: 'wish',
    before: null,
    after: 'A flat',
  }
  await business.db.insert(leadHistory).values(entry)
  expect((await api.as({}).leads.history({ id: lead.id })).items[0]).toMatchObject({
    field: 'inquiry',
    after: 'A flat',
  })

  const callSid = `CA${newId()}`
  await registerCall(business, { callSid, from: '+972501234567', to: '+97233760000', at: new Date() })
  const call = await api.as({}).calls.get({ id: callSid })
  await business.db.insert(callTurns).values({
    id: newId(),
    callId: call.id,
    businessId,
    index: 0,
    role: 'caller',
    transcript: 'none',
    question: 'wish',
    startMs: 0,
    endMs: 100,
  })
  const fields = { name: 'Noa', wish: 'A flat' }
  await business.db
    .insert(callSummaries)
    .values({ callId: call.id, businessId, summary: 'A call.', fields, madeBy: 'rules' })
  expect((await api.as({}).calls.get({ id: callSid })).turns[0]?.question).toBe('inquiry')
  expect((await getSummary(business, call.id))?.fields).toEqual({ name: 'Noa', inquiry: 'A flat', wish: 'A flat' })
})

test('a saved mapping of an import may still name `wish`', () => {
  expect(mapColumns('leads', ['Subject'], { Subject: 'wish' })).toEqual([
    { index: 0, column: 'Subject', field: 'inquiry' },
  ])
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { calls, leads } from '../../db/schema/index.ts'
import { registerCall } from '../../src/domain/calls/index.ts'
import { within } from '../../src/domain/context.ts'
import { lastDays, lastMonths } from '../../src/domain/stats/period.ts'
import { firstIdAt, newId } from '../../src/lib/ids.ts'
import { createShortCache } from '../../src/lib/short-cache.ts'
import { createTestApi, type TestApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await createTestApi()
})
afterAll(() => api.close())

type Call = Partial<typeof calls.$inferInsert>
const DAY = 86_400_000
async function addCall(call: Call, businessId = api.businessId) {
  await api.database.db.insert(calls).values({
    businessId,
    callSid: `CA${newId()}`,
    fromNumber: '+972501112233',
    toNumber: '+97233330000',
    state: 'ended',
    endReason: 'completed',
    startedAt: new Date(),
    ...call,
  })
}

test('calls are counted by outcome, day and hour, with latency and cost; another business’s are not', async () => {
  const other = await api.addBusiness('Other')
  const metrics = (median: number, slow: number) => ({
    responseMedianMs: median,
    responseP95Ms: slow,
    costMicroUsd: 1_500,
  })
  await addCall({ durationMs: 60_000, metrics: metrics(400, 900) })
  await addCall({ durationMs: 30_000, metrics: metrics(600, 1_100), endReason: 'caller_hung_up' })
  await addCall({ endReason: 'transferred' })
  await addCall({ endReason: 'engine_failed', fallback: 'voicemail' })
  await addCall({ endReason: 'voicemail', answeredBy: 'voicemail' })
  await addCall({ endReason: 'abandoned' })
  await addCall({ endReason: 'engine_failed', fallback: 'hangup' })
  await addCall({ endReason: null, state: 'live' })
  await addCall({ startedAt: new Date(Date.now() - 2 * DAY) })
  await addCall({ startedAt: new Date(Date.now() - 40 * DAY) })
  await addCall({ isTest: true })
  await addCall({}, other)
  const stats = await api.as({ role: 'viewer' }).stats.calls({ days: 7 })
  const outcomes = { answered: 3, voicemail: 2, transferred: 1, abandoned: 1, failed: 1, live: 1 }
  expect(stats).toMatchObject({ total: 9, outcomes, seconds: 90, costMicroUsd: 3_000 })
  expect(stats.latency).toEqual({ p50Ms: 500, p95Ms: 1_090 })
  expect(stats.days).toHaveLength(7)
  const sum = (of: { outcomes: Record<string, number> }[]) =>
    of.reduce((all, { outcomes: each }) => all + Object.values(each).reduce((a, b) => a + b, 0), 0)
  expect(sum(stats.days)).toBe(9)
  expect(sum(stats.hours)).toBe(9)
  expect(sum(stats.days.slice(-1))).toBe(8)
  expect(stats.days.at(-1)).toMatchObject({ p50Ms: 500, p95Ms: 1_090 })
  for (const [outcome, count] of Object.entries(outcomes)) {
    const { items } = await api.as({}).calls.list({
      outcome: outcome as keyof typeof outcomes,
      since: stats.since.toISOString(),
    })
    expect([outcome, items.length]).toEqual([outcome, count])
  }
  for (const { hour, outcomes: ofHour } of stats.hours) {
    const { items } = await api.as({}).calls.list({ hour, since: stats.since.toISOString() })
    expect([hour, items.length]).toEqual([hour, Object.values(ofHour).reduce((a, b) => a + b, 0)])
  }
  const today = stats.days.at(-1)
  const { items } = await api.as({}).calls.list({
    since: today?.from.toISOString() ?? '',
    until: today?.to.toISOString() ?? '',
  })
  expect(items).toHaveLength(8)
})

test('leads and messages are counted since a day, by stage and by state', async () => {
  const owner = api.as({})
  const old = firstIdAt(new Date(Date.now() - 60 * DAY))
  await api.database.db.insert(leads).values({ id: old, businessId: api.businessId, source: 'manual' })
  await owner.leads.create({ name: 'Dana', phone: '+972501110001', valueAgorot: 5_000 })
  const { id } = await owner.leads.create({ name: 'Ruth', phone: '+972501110002', valueAgorot: 7_000 })
  await owner.leads.move({ id, stage: 'won' })
  const { total, stages, since } = await owner.stats.leads({ days: 30 })
  expect(total).toBe(2)
  // Every number has its rows.
  const from = since.toISOString()
  for (const { key: stage, leads: count } of stages)
    expect((await owner.leads.list({ stage, since: from })).items).toHaveLength(count)
  expect((await owner.leads.list({ until: from })).items.map((lead) => lead.id)).toEqual([old])
  await expect(owner.leads.list({ since: 'yesterday' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  expect(stages.map(({ key, leads: count, valueAgorot }) => [key, count, valueAgorot])).toEqual([
    ['new', 1, 5_000],
    ['contacted', 0, 0],
    ['qualified', 0, 0],
    ['won', 1, 7_000],
    ['lost', 0, 0],
  ])
  await owner.messages.send({ to: '+972501110001', text: 'Hello', provider: 'twilio' })
  const counted = await owner.stats.messages({})
  const sent = { status: 'queued', since: counted.since.toISOString() } as const
  expect((await owner.messages.list(sent)).items).toHaveLength(1)
  expect((await owner.messages.list({ until: sent.since })).items).toEqual([])
  expect(counted.total).toBe(1)
  expect(counted.statuses.find(({ status }) => status === 'queued')?.messages).toBe(1)
})

test('usage is counted by month, and by business for an operator alone', async () => {
  const usage = await api.as({}).stats.usage({ months: 3 })
  expect(usage.items).toHaveLength(3)
  const [current] = usage.items
  expect(current).toMatchObject({ messagesOut: 1, messagesIn: 0 })
  expect(usage.items.reduce((sum, { calls: count }) => sum + count, 0)).toBeGreaterThanOrEqual(9)
  await api.as({}).whatsapp.create({})
  const { items } = await api.as({ operator: true }).stats.businesses()
  expect(items).toHaveLength(2)
  expect(items.find(({ businessId }) => businessId === api.businessId)?.messagesOut).toBe(1)
  expect(items.find(({ businessId }) => businessId === api.businessId)).toMatchObject({
    accounts: 1,
    accountsWorking: 0,
  })
  await expect(api.as({}).stats.businesses()).rejects.toThrow('first business')
})

test('the audit log is filtered by what, who and when; a business reads its own alone', async () => {
  const userId = await api.addUser('owner')
  const owner = api.as({}, { userId })
  const { id } = await owner.leads.create({ name: 'Audited', phone: '+972501110003' })
  const before = new Date(Date.now() + 1)
  await registerCall(api.business, { callSid: 'CAaudit', from: '+972501110003', to: '+97233330000', at: new Date() })
  const ofLead = await owner.audit.list({ entity: 'lead', entityId: id })
  expect(ofLead.items.map(({ action, actorName }) => [action, actorName])).toContainEqual(['lead.create', 'A owner'])
  expect((await owner.audit.list({ actorId: userId, entity: 'call' })).items).toEqual([])
  expect((await owner.audit.list({ entity: 'call', since: new Date(0).toISOString() })).items.length).toBeGreaterThan(0)
  expect((await owner.audit.list({ entity: 'lead', until: new Date(0).toISOString() })).items).toEqual([])
  const first = await owner.audit.list({ limit: 2, until: before.toISOString() })
  const second = await owner.audit.list({ limit: 2, cursor: first.nextCursor ?? undefined })
  expect(first.items).toHaveLength(2)
  expect(second.items[0]?.id).not.toBe(first.items[1]?.id)
  const { id: keyId } = await owner.keys.create({ name: 'A program' })
  const byKey = within(api.ctx, api.businessId, { kind: 'api_key', id: keyId })
  await registerCall(byKey, { callSid: 'CAkey', from: '+972501110004', to: '+97233330000', at: new Date() })
  expect((await owner.audit.list({ actorKind: 'api_key' })).items[0]?.actorName).toBe('A program')
  const stranger = await api.addBusiness('Stranger')
  const theirs = await api.as({}, { businessId: stranger }).audit.list({})
  expect(theirs.items.map(({ entityId }) => entityId)).toEqual([stranger])
  await expect(api.as({ role: 'agent' }).audit.list({})).rejects.toThrow('role')
})

test('a period begins at midnight in the business’s zone, also across a change of the clock', () => {
  const now = new Date('2026-03-28T10:00:00Z')
  // Clocks went forward in the night to the 27th.
  expect(lastDays('Asia/Jerusalem', 2, now)).toEqual({
    since: new Date('2026-03-26T22:00:00Z'),
    days: [
      { day: '2026-03-27', from: new Date('2026-03-26T22:00:00Z'), to: new Date('2026-03-27T21:00:00Z') },
      { day: '2026-03-28', from: new Date('2026-03-27T21:00:00Z'), to: new Date('2026-03-28T21:00:00Z') },
    ],
  })
  expect(lastDays('Asia/Jerusalem', 1, new Date('2026-11-26T22:30:00Z')).days[0]?.day).toBe('2026-11-27')
  expect(
    lastMonths('Asia/Jerusalem', 2, new Date('2026-01-15T00:00:00Z')).map(({ month, from }) => [month, from]),
  ).toEqual([
    ['2025-12', new Date('2025-11-30T22:00:00Z')],
    ['2026-01', new Date('2025-12-31T22:00:00Z')],
  ])
})

test('the short cache makes a result once for its time, again after it, and keeps no failure', async () => {
  let now = 0
  let made = 0
  const cache = createShortCache(100, 2, () => now)
  const read = (key: string) => cache.get(key, async () => ++made)
  expect(await Promise.all([read('a'), read('a')])).toEqual([1, 1])
  now = 100
  expect(await read('a')).toBe(2)
  await read('b')
  await read('c')
  expect(await read('a')).toBe(5)
  await expect(cache.get('f', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await cache.get('f', async () => 'yes')).toBe('yes')
})

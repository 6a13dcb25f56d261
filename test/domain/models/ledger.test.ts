import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { BusinessContext } from '../../../src/domain/context.ts'
import {
  changeModelSettings,
  createModelLedger,
  failingModels,
  listModelUses,
  modelBudget,
  modelUsesOf,
} from '../../../src/domain/models/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { costOf } from '../../../src/lib/model-prices.ts'
import type { ModelCharge, ModelLedger, ModelSubject } from '../../../src/providers/models/port.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
let ledger: ModelLedger

beforeAll(async () => {
  domain = await openDomain()
  ledger = createModelLedger(domain.handle.db, createLogger('silent'))
})
afterAll(() => domain.close())

const MINI = 'openai:gpt-5-mini'
/** What so many tokens of a model cost, and that they were counted. */
function charge(inputTokens: number, outputTokens: number, model = MINI): ModelCharge {
  const use = { model, inputTokens, cachedTokens: 0, outputTokens }
  return { ...use, estimated: false, costMicros: costOf(use) }
}
const reserve = (ctx: BusinessContext, estimate: ModelCharge, subject: ModelSubject | null = null) =>
  ledger.reserve({ businessId: ctx.businessId, purpose: 'whatsapp', subject, estimate, lastsMs: 60_000 })
const settleOne = async (ctx: BusinessContext, used: ModelCharge, subject: ModelSubject | null = null) =>
  await (await reserve(ctx, used, subject)).settle([used])
const today = { from: '2020-01-01', to: '2100-01-01' }

test('prices are of the list, dated versions included; one that is not known is never free', () => {
  const tokens = { inputTokens: 1_000_000, cachedTokens: 0, outputTokens: 1_000_000 }
  expect(costOf({ model: MINI, ...tokens })).toBe(2_250_000)
  expect(costOf({ model: `${MINI}-2025-08-07`, ...tokens })).toBe(2_250_000)
  expect(costOf({ model: MINI, ...tokens, cachedTokens: 1_000_000 })).toBe(2_025_000)
  expect(costOf({ model: 'compatible:llama', ...tokens })).toBeNull()
  expect(
    costOf({ model: 'compatible:llama', ...tokens }, { 'compatible:llama': { input: 1, cached: 0, output: 0 } }),
  ).toBe(1_000_000)
})

test('what a request used is kept by day, model and purpose, and is another business’s of no one', async () => {
  const [ctx, other] = [await domain.newBusiness(), await domain.newBusiness()]
  await settleOne(ctx, charge(1_000, 100))
  await settleOne(ctx, charge(3_000, 200))
  await settleOne(ctx, charge(10, 10, 'compatible:llama'))
  const uses = await listModelUses(ctx, today)
  expect(
    uses.map(({ model, requests, inputTokens, unpricedTokens }) => [model, requests, inputTokens, unpricedTokens]),
  ).toEqual([
    ['compatible:llama', 1, 10, 20],
    [MINI, 2, 4_000, 0],
  ])
  expect(uses[1]?.costMicros).toBe(1_600)
  expect(await listModelUses(other, today)).toEqual([])
})

test('of many requests at once no more begin than the month’s budget can pay; what is given back can be used', async () => {
  const ctx = await domain.newBusiness()
  const one = charge(1_000, 1_000)
  await changeModelSettings(ctx, { monthlyMicros: 10 * (one.costMicros ?? 0) })
  const asked = await Promise.allSettled(Array.from({ length: 30 }, () => reserve(ctx, one)))
  const begun = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  expect(begun).toHaveLength(10)
  expect(asked.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))).toEqual(
    Array(20).fill('model_budget_used_up'),
  )
  expect(await modelBudget(ctx)).toMatchObject({ state: 'ok', percent: 0 })
  // A model that failed before it counted anything cost nothing.
  for (const each of begun.slice(0, 2)) await each.settle([])
  for (const each of begun.slice(2)) await each.settle([one])
  expect(await modelBudget(ctx)).toMatchObject({ state: 'nearly_used_up', percent: 80, reservedMicros: 0 })
  await settleOne(ctx, one)
  await settleOne(ctx, one)
  expect((await modelBudget(ctx)).state).toBe('used_up')
  await expect(reserve(ctx, charge(1, 1))).rejects.toThrow('used up')
  // Settled twice, it is charged once.
  await begun[9]?.settle([one])
  expect((await modelBudget(ctx)).costMicros).toBe(10 * (one.costMicros ?? 0))
})

test('tokens without a known price have a limit of their own', async () => {
  const ctx = await domain.newBusiness()
  await changeModelSettings(ctx, { monthlyMicros: 0, monthlyUnpricedTokens: 100 })
  await settleOne(ctx, charge(60, 30, 'compatible:llama'))
  await expect(reserve(ctx, charge(60, 30, 'compatible:llama'))).rejects.toThrow('without a known price')
  await expect(reserve(ctx, charge(1, 1))).rejects.toThrow('the amount a month')
})

test('a conversation has limits of its own; what it cost is kept with it, and not for that of another business', async () => {
  const [ctx, other] = [await domain.newBusiness(), await domain.newBusiness()]
  const conversationId = await newConversation(ctx)
  const subject = { conversationId }
  await changeModelSettings(ctx, { conversationHourlyRequests: 3, conversationDailyTokens: 1_000_000 })
  for (let i = 0; i < 3; i++) await settleOne(ctx, charge(100, 10), subject)
  await expect(reserve(ctx, charge(100, 10), subject)).rejects.toThrow('an hour of this conversation')
  await settleOne(ctx, charge(100, 10))
  expect(await modelUsesOf(ctx, subject)).toMatchObject([{ model: MINI, requests: 3, inputTokens: 300 }])
  await settleOne(other, charge(7, 7), subject)
  expect(await modelUsesOf(other, subject)).toEqual([])
  expect(await listModelUses(other, today)).toHaveLength(1)
})

test('a request whose process died is charged as it was estimated, once', async () => {
  const ctx = await domain.newBusiness()
  const lost = await reserve(ctx, charge(500, 500))
  await domain.handle
    .sql`update model_reservations set expires_at = now() - interval '1 s' where business_id = ${ctx.businessId}`
  await settleOne(ctx, charge(1, 1))
  await lost.settle([charge(9_000, 9_000)])
  expect(await listModelUses(ctx, today)).toMatchObject([{ requests: 2, inputTokens: 501, estimatedRequests: 1 }])
})

test('a key that is refused is a trouble until the model works; other failures are none', async () => {
  const ctx = await domain.newBusiness()
  const now = new Date()
  await ledger.report(ctx.businessId, MINI, 'slow')
  expect(await failingModels(ctx, now)).toEqual([])
  await ledger.report(ctx.businessId, MINI, 'refused')
  expect(await failingModels(ctx, now)).toEqual([{ model: MINI, trouble: 'refused' }])
  await ledger.report(ctx.businessId, MINI, null)
  expect(await failingModels(ctx, now)).toEqual([])
})

async function newConversation({ businessId }: BusinessContext): Promise<string> {
  const [contact, conversation] = [newId(), newId()]
  await domain.handle.sql`insert into contacts (id, business_id, name) values (${contact}, ${businessId}, 'x')`
  await domain.handle.sql`insert into conversations (id, business_id, contact_id)
    values (${conversation}, ${businessId}, ${contact})`
  return conversation
}

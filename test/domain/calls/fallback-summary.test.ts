import { afterAll, beforeAll, expect, test } from 'bun:test'
import { getSummary, registerCall, saveTurn } from '../../../src/domain/calls/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import type { JobContext } from '../../../src/jobs/consumer.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { createModelConnection } from '../../../src/providers/models/connection.ts'
import { startModelServer } from '../../../src/sandbox/models/server.ts'
import { callHandlers } from '../../../workers/handlers/calls.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'
import { openTextModels } from '../../support/models.ts'

const AWAY = { rules: [{ steps: [{ fault: 'server_error' as const }] }] }

let domain: TestDomain
let ctx: BusinessContext

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

const attempt = (attempt: number): JobContext => ({
  id: 'x',
  name: 'call.summarize',
  attempt,
  attempts: 300,
  givesUp: () => false,
  enqueuedAt: new Date(),
  logger: createLogger('silent'),
})

test('a call whose server died gets its summary from a model that was away at the first attempt', async () => {
  const callSid = 'CAlost'
  await registerCall(ctx, { callSid, from: '+972501234567', to: '+97233760000', at: new Date() })
  await saveTurn(ctx, {
    ...{ callSid, businessId: ctx.businessId, index: 0, role: 'caller', interrupted: false },
    ...{ text: 'A flat in Haifa', startMs: 0, endMs: 900 },
  })
  const server = startModelServer({ plan: AWAY })
  const { candidate } = createModelConnection({ provider: 'compatible', apiKey: null, baseUrl: server.baseUrl })
  const { models } = openTextModels([candidate('test')])
  const handlers = callHandlers({
    ctx: domain.ctx,
    models,
    sendSettings: { twilio: () => ({ configured: false, defaultSender: null, own: false }) },
  })
  const payload = { callSid, businessId: ctx.businessId, fallback: true }
  const [row] = await domain.handle.sql<{ id: string }[]>`select id from calls where call_sid = ${callSid}`
  const summary = () => getSummary(ctx, row?.id ?? '')

  await expect(handlers['call.summarize'](payload, attempt(1))).rejects.toMatchObject({ code: 'model_unavailable' })
  expect(await summary()).toMatchObject({ madeBy: 'rules' })
  server.plan({ rules: [{ steps: [{ say: '{"summary": "They want a flat in Haifa.", "sentiment": "neutral"}' }] }] })
  await handlers['call.summarize'](payload, attempt(2))
  expect(await summary()).toMatchObject({ madeBy: 'model', summary: 'They want a flat in Haifa.' })
  // Another job of the same call finds it summarized.
  server.plan(AWAY)
  await handlers['call.summarize'](payload, attempt(1))
  await server.close()
})

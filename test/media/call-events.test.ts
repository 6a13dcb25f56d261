import { afterAll, beforeAll, expect, test } from 'bun:test'
import { registerCall } from '../../src/domain/calls/index.ts'
import { within } from '../../src/domain/context.ts'
import { finishEvents, loadEvent, setAside } from '../../src/domain/inbox/index.ts'
import { listLeads, saveLead } from '../../src/domain/leads/index.ts'
import { createQueueBackend, type QueueBackend } from '../../src/jobs/backend.ts'
import { type Consumer, createConsumer } from '../../src/jobs/consumer.ts'
import { newId } from '../../src/lib/ids.ts'
import { createCallEvents } from '../../src/media/call-events.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { crmHandlers } from '../jobs/handlers.ts'
import { createTestApi, type TestApi } from '../support/api.ts'

let api: TestApi
let backend: QueueBackend
let consumer: Consumer

beforeAll(async () => {
  api = await createTestApi()
  backend = await createQueueBackend({ kind: 'postgres', databaseUrl: api.url }, { logger: api.ctx.log, poolSize: 4 })
})
afterAll(async () => {
  await consumer.close()
  await backend.close()
  await api.close()
})

test('what a caller tells later of what they want is kept too, over the real queue', async () => {
  const call = {
    callSid: 'CAlead',
    businessId: api.businessId,
    from: '+972501234567',
    to: '+97233760000',
    expiresAt: 0,
    nonce: newId(),
  }
  await registerCall(api.business, { ...call, at: new Date() })
  let done = 0
  consumer = createConsumer({
    backend,
    queue: 'crm',
    concurrency: 8,
    logger: api.ctx.log,
    events: {
      load: (id) => loadEvent(api.ctx, id),
      finish: (id) => finishEvents(api.ctx, [id]),
      setAside: (entry) => setAside(api.ctx, entry),
    },
    handlers: crmHandlers({
      'lead.save': async ({ businessId, at, ...lead }) => {
        await saveLead(within(api.ctx, businessId), { ...lead, source: 'call', at: new Date(at) })
        done += 1
      },
    }),
  })
  const sink = createCallEvents({
    ctx: api.ctx,
    producer: api.services.producer,
    inbox: api.services.inbox,
    storage: api.services.storage,
    log: api.ctx.log,
    serverId: 'a server',
    metrics: createMetrics(),
  })
  const leadOf = async () => (await listLeads(api.business, {})).items[0]
  const leadsSaved = async (count: number) => {
    for (const deadline = Date.now() + 20_000; done < count; await Bun.sleep(20))
      if (Date.now() > deadline) throw new Error(`only ${done} of ${count} jobs were done`)
  }
  sink.lead(call, { name: 'Dana' })
  await leadsSaved(1)
  expect(await leadOf()).toMatchObject({ name: 'Dana', inquiry: null })
  sink.lead(call, { name: 'Dana Levi', inquiry: 'A flat in Haifa' })
  await leadsSaved(2)
  sink.lead(call, { callback_time: 'tomorrow' })
  await leadsSaved(3)
  expect(await leadOf()).toMatchObject({ name: 'Dana Levi', inquiry: 'A flat in Haifa', callbackTime: 'tomorrow' })
  expect((await listLeads(api.business, {})).items).toHaveLength(1)
}, 40_000)

test('of answers whose jobs run in another order the later counts, and none is lost', async () => {
  const callSid = 'CAorder'
  await registerCall(api.business, { callSid, from: '+972501234568', to: '+97233760000', at: new Date() })
  const said = [
    { name: 'Dan', inquiry: 'a flat', at: new Date(1_000) },
    { name: 'Dana', inquiry: 'a flat', at: new Date(2_000) },
    { name: 'Dana', inquiry: 'a house', callbackTime: 'at noon', at: new Date(3_000) },
  ]
  const [first, second, third] = said
  for (const order of [
    [third, second, first],
    [second, third, first],
    [first, third, second, first],
    [second, first, third, first],
  ]) {
    for (const answers of order) if (answers) await saveLead(api.business, { callSid, source: 'call', ...answers })
    const lead = (await listLeads(api.business, {})).items.find(({ name }) => name === 'Dana')
    expect(lead).toMatchObject({ inquiry: 'a house', callbackTime: 'at noon' })
    await api.database.sql`delete from leads where id = ${lead?.id ?? ''}`
  }
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { finishCall, registerCall } from '../../src/domain/calls/index.ts'
import { createCallTraceStore } from '../../src/media/call-trace-store.ts'
import { createTestApi, type TestApi } from '../support/api.ts'
import { traceOfCall } from '../support/call-trace.ts'
import { temporaryDirectory } from '../support/cleanup.ts'

let api: TestApi
beforeAll(async () => {
  api = await createTestApi()
})
afterAll(() => api.close())

test('a trace that is refused for its own sake is set aside with its bytes after some tries, and no other waits for it', async () => {
  const dir = temporaryDirectory('traces')
  mkdirSync(dir, { recursive: true })
  const leave = async (callSid: string) => {
    const call = { callSid, from: '+972501234567', to: '+97233760000', at: new Date() }
    await registerCall(api.business, call)
    await finishCall(api.business, { ...call, reason: 'completed', durationMs: 1, metrics: {} })
    const path = join(dir, `${callSid}.0123456789ab.jsonl`)
    const text = traceOfCall({ callSid, businessId: api.businessId })
    writeFileSync(path, text)
    utimesSync(path, new Date(), new Date(Date.now() - 3_600_000))
    return text
  }
  const bad = await leave('CAbad')
  await leave('CAgood')
  // The database refuses this one's key, however often it is tried.
  await api.database.sql`alter table calls add constraint refuse_key check (call_sid <> 'CAbad' or record_key is null)`
  const keeper = createCallTraceStore({ dir, storage: api.services.storage, ctx: api.ctx, writes: () => false })
  const sweeps = []
  for (let count = 0; count < 5; count += 1) sweeps.push(await keeper.sweep(Date.now() + count * 7_200_000))
  expect(sweeps[0]).toEqual({ stored: 1, waiting: 1, dropped: 0 })
  expect(sweeps[3]).toEqual({ stored: 0, waiting: 1, dropped: 0 })
  expect(sweeps[4]).toEqual({ stored: 0, waiting: 0, dropped: 0, set_aside: 1 })
  expect(readdirSync(dir)).toEqual([])
  await keeper.stop()
  const owner = api.as({})
  const [item] = (await owner.quarantine.list()).items
  expect(item).toMatchObject({ job: 'call.store_trace', attempts: 5, businessId: api.businessId })
  const { content } = await owner.quarantine.get({ id: item?.id ?? '' })
  const { gzip } = z.object({ gzip: z.string() }).parse(JSON.parse(content))
  expect(gunzipSync(Buffer.from(gzip, 'base64')).toString()).toBe(bad)
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  claimStream,
  finishCall,
  getSummary,
  needsFallbackSummary,
  recordCallStatus,
  registerCall,
  saveTurn,
  summarizeCall,
} from '../../../src/domain/calls/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { fetchRecording } from '../../../src/domain/recordings/index.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

setDefaultTimeout(60_000)

let domain: TestDomain
let ctx: BusinessContext
const at = new Date('2026-01-01T10:00:00Z')

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

const permutations = <T>(items: readonly T[]): T[][] =>
  items.length < 2
    ? [[...items]]
    : items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))

/** `main` and `fallback` are the runs of the jobs: the server queues the one, the carrier's status the other. */
const STEPS = ['status', 'end', 'turn', 'recording', 'main', 'fallback'] as const
type Step = (typeof STEPS)[number]
const after = (order: Step[], later: Step, earlier: Step) => order.indexOf(later) > order.indexOf(earlier)
/** A job runs after what queued it, and the server's a while after its end. */
const ORDERS = permutations(STEPS).filter(
  (order) => after(order, 'main', 'end') && after(order, 'fallback', 'status') && after(order, 'main', 'turn'),
)

const storage = createFileStorage(temporaryDirectory('one-summary'))
const wav = { data: new Uint8Array([1]), contentType: 'audio/wav' }
const source = { downloadRecording: async () => wav, deleteRecording: async () => {} }
let last = 0

async function play(order: Step[], serverLives: boolean) {
  const callSid = `CAsum${++last}`
  const call = { callSid, from: '+972501234567', to: '+97233760000', at }
  const serverId = `web@here:${callSid}`
  if (serverLives)
    await domain.handle.sql`insert into heartbeats (id, kind, host, pid, version, seen_at)
      values (${serverId}, 'web', 'here', 1, '0', now() + interval '1 hour')`
  await registerCall(ctx, call)
  await claimStream(ctx, { ...call, streamSid: `MZ${callSid}`, serverId })
  const steps: Record<Step, () => Promise<unknown>> = {
    status: () => recordCallStatus(domain.ctx, { callSid, status: 'completed', at: at.toISOString() }),
    end: () => finishCall(ctx, { ...call, reason: 'caller_hung_up', durationMs: 1_000, metrics: {} }),
    turn: () =>
      saveTurn(ctx, {
        ...{ callSid, businessId: ctx.businessId, index: 0, role: 'caller', interrupted: false },
        ...{ text: 'A flat in Haifa', startMs: 0, endMs: 900 },
      }),
    recording: () =>
      fetchRecording(
        ctx,
        { businessId: ctx.businessId, callSid, recordingSid: `RE${callSid}`, at: at.toISOString() },
        source,
        storage,
        () => null,
      ),
    main: () => summarizeCall(ctx, callSid, null),
    fallback: async () => {
      const isQueued = domain.queued.some(
        ({ name, payload }) => name === 'call.summarize' && JSON.stringify(payload).includes(`"${callSid}"`),
      )
      if (isQueued && (await needsFallbackSummary(ctx, callSid))) await summarizeCall(ctx, callSid, null)
    },
  }
  for (const step of order) await steps[step]()
  // Tried again for a model that cannot be reached, what rules say is the same, and no event.
  if (order.includes('main')) await steps.main()
  const [row] = await domain.handle.sql<{ id: string }[]>`select id from calls where call_sid = ${callSid}`
  const events = await domain.handle.sql`
    select 1 from events where type = 'call.summarize' and entity_id = ${row?.id ?? ''}`
  return { events: events.length, summary: await getSummary(ctx, row?.id ?? '') }
}

test(`one summary, with what was said, in each of ${ORDERS.length} orders`, async () => {
  const results = await Promise.all(ORDERS.map(async (order) => ({ order, ...(await play(order, true)) })))
  expect(results.filter(({ events, summary }) => events !== 1 || !summary?.summary.includes('Haifa'))).toEqual([])
})

test.each(permutations(['status', 'turn', 'recording'] as const).map((order) => [...order, 'fallback'] as Step[]))(
  'a server that is gone leaves one summary too: %s, %s, %s',
  async (...order) => {
    expect(await play(order, false)).toMatchObject({ events: 1 })
  },
)

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { eventually, NUMBER, type Product, queueOfThisRun, startProduct } from '../support/product.ts'
import { endSpeech, speak } from '../support/speech.ts'

afterAll(endSpeech)

describe.each([queueOfThisRun()])('the jobs of a call on %s', (queue) => {
  let product: Product
  beforeAll(async () => {
    product = await startProduct({
      workers: ['crm', 'recordings'],
      queue,
      env: { LOG_LEVEL: 'debug', BUSINESS_LANGUAGE: 'en' },
    })
  }, 60_000)
  afterAll(() => product.stop())

  const jobLines = () =>
    product.workers.flatMap(({ log }) => log).filter(({ msg }) => /^job (failed|delayed)/.test(String(msg)))

  test('none fails and none waits on the normal way', async () => {
    const say = await speak('My name is David Levy', 'en')
    const reports = await Promise.all(
      ['+972501110001', '+972501110002', 'anonymous'].map((from) =>
        product.call({ from, script: [{ say }, { hangup: true, when: 'agent_done' }] }),
      ),
    )
    for (const { callSid } of reports)
      await eventually(
        async () =>
          (
            await product.sql`select 1 from calls c join call_summaries s on s.call_id = c.id
            where c.call_sid = ${callSid} and c.state = 'ended' and c.carrier_status = 'completed'`
          ).length === 1,
        'the end of the call and its summary',
        30_000,
      )
    await eventually(async () => (await product.sql`select 1 from inbound_events`).length === 0, 'an empty inbox')
    expect(jobLines()).toEqual([])
  }, 90_000)

  test('update that comes with the call, or before it, finds it', async () => {
    const callSids = Array.from({ length: 30 }, (_, index) => `CA${queue}${String(index).padStart(24, '0')}`)
    const tell = (CallSid: string) => [
      product.post('/webhook/stream_status', {
        CallSid,
        StreamSid: `MZ${CallSid}`,
        StreamEvent: 'stream-error',
        StreamError: 'x',
      }),
      product.post('/webhook/call_status', { CallSid, CallStatus: 'completed', CallDuration: '3' }),
    ]
    await Promise.all(
      callSids.flatMap((CallSid, index) => {
        const call = { CallSid, From: `+97250222${1_000 + index}`, To: NUMBER }
        const register = () => product.post('/webhook/incoming_call', call)
        return index % 2 === 0 ? [register(), ...tell(CallSid)] : [...tell(CallSid), register()]
      }),
    )
    await eventually(
      async () =>
        (
          await product.sql`select 1 from calls where call_sid = any(${callSids}) and contact_id is not null
          and carrier_status = 'completed' and stream_error = 'x'`
        ).length === callSids.length,
      'all calls with their update',
      20_000,
    )
    expect(jobLines().filter(({ msg }) => msg !== 'job delayed')).toEqual([])
  }, 40_000)
})

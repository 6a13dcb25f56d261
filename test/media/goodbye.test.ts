import { expect, test } from 'bun:test'
import { DEFAULT_LIMITS } from '../../src/media/media-session-ports.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import { FRAME, startVirtualCall } from '../support/virtual-call.ts'

const ANSWER = Buffer.from(makeTone(350, 400)).toString('base64')

type Call = Awaited<ReturnType<typeof startVirtualCall>>

const GOODBYE = expect.stringMatching(/^say /)
/** The time is up at 3,000 ms. */
const limits = { maxDurationMs: 3_000 }

/** The engine says the goodbye, which the carrier plays. */
function sayGoodbye(call: Call): void {
  call.tell({ type: 'audio', itemId: 'goodbye', payload: FRAME, ms: 20 })
  call.tell({ type: 'audio_done', itemId: 'goodbye' })
}

test('a turn that ends after the time is up gets no answer: the goodbye is the last', async () => {
  const call = await startVirtualCall({ limits })
  await call.goTo(2_500)
  call.tell({ type: 'speech_started', atMs: 2_400 })
  await call.goTo(3_200)
  call.tell({ type: 'speech_stopped', atMs: 3_100 })
  expect(call.asked).toEqual([GOODBYE, 'ignore turn'])
  await call.goTo(3_400)
  sayGoodbye(call)
  await call.goTo(4_000)
  expect(call.ends).toMatchObject([{ reason: 'max_duration', detail: null }])
})

test('a turn that begins after the time is up is heard, until the last moment', async () => {
  const call = await startVirtualCall({ limits: { ...limits, goodbyeMs: 2_000 } })
  await call.goTo(3_100)
  call.tell({ type: 'audio', itemId: 'goodbye', payload: FRAME, ms: 20 })
  call.tell({ type: 'speech_started', atMs: 3_100 })
  await call.goTo(3_500)
  call.tell({ type: 'speech_stopped', atMs: 3_400 })
  expect(call.asked).not.toContain('ignore turn')
  await call.goTo(5_100)
  expect(call.ends).toMatchObject([{ reason: 'max_duration', detail: 'the caller talked on' }])
})

test.each([
  ['the time is up', 'max_duration', limits, 3_500],
  ['the caller is silent', 'silence', { silenceMs: 2_000 }, 4_500],
] as const)(
  'a tool that is done after the goodbye was asked for, as %s, brings no answer',
  async (_, reason, of, at) => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const call = await startVirtualCall({
      limits: of,
      tools: {
        list: () => [{ name: 'lookup_business_info', description: '', parameters: {} }],
        run: () => promise,
        transfer: async () => null,
        canTransfer: () => false,
      },
    })
    call.tell({ type: 'tool_call', toolCallId: 't1', name: 'lookup_business_info', args: {} })
    await call.goTo(at)
    resolve({ answer: 'nine' })
    await promise
    await Promise.resolve()
    expect(call.asked).toEqual([GOODBYE, 'result t1 silent'])
    sayGoodbye(call)
    await call.goTo(at + 1_000)
    expect(call.ends).toMatchObject([{ reason }])
  },
)

test('a caller who had waited for an answer hears one goodbye', async () => {
  const call = await startVirtualCall({ limits })
  await call.goTo(1_700)
  call.tell({ type: 'speech_started', atMs: 1_500 })
  await call.goTo(2_300)
  call.tell({ type: 'speech_stopped', atMs: 2_000 })
  await call.goTo(4_400)
  // By itself the call says it only when the engine is late with it.
  expect(call.audioAt.filter((at) => at > 3_000)).toEqual([])
  sayGoodbye(call)
  await call.goTo(5_000)
  expect(call.audioAt.filter((at) => at > 3_000)).toEqual([4_400])
  expect(call.ends).toMatchObject([{ reason: 'max_duration' }])
})

test('an engine that does not say the goodbye is replaced by the call itself, once', async () => {
  const call = await startVirtualCall({ limits })
  await call.goTo(3_000 + DEFAULT_LIMITS.goodbyeMs)
  expect(call.audioAt.filter((at) => at > 3_000)).toHaveLength(1)
  expect(call.ends).toMatchObject([{ reason: 'max_duration' }])
})

test('what the goodbye cut off does not continue', async () => {
  const call = await startVirtualCall({ limits })
  await call.goTo(2_900)
  call.tell({ type: 'audio', itemId: 'answer', payload: ANSWER, ms: 400 })
  await call.goTo(3_050)
  const sent = call.audioAt.length
  call.tell({ type: 'user_turn', startMs: 2_000, endMs: 2_200, transcript: 'Mm-hm' })
  expect(call.asked).toEqual(['cancel', GOODBYE])
  expect(call.audioAt).toHaveLength(sent)
})

test('a call that the engine ends after the time is up keeps its reason', async () => {
  const call = await startVirtualCall({ limits })
  await call.goTo(3_100)
  sayGoodbye(call)
  call.tell({ type: 'tool_call', toolCallId: 't1', name: 'end_call', args: {} })
  expect(call.asked).toEqual([GOODBYE, 'result t1 silent'])
  await call.goTo(4_000)
  expect(call.ends).toMatchObject([{ reason: 'max_duration' }])
})

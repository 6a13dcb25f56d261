import { expect, test } from 'bun:test'
import { FRAME, startVirtualCall } from '../support/virtual-call.ts'

const RULE_MS = 2_000

test('the end of a turn is reported late, and no answer comes', async () => {
  for (const lateMs of [300, 900, 1_100, 1_400, 1_550]) {
    const call = await startVirtualCall()
    call.tell({ type: 'speech_started', atMs: 1_000 })
    await call.speakUntil(2_000)
    await call.goTo(2_000 + lateMs)
    call.tell({ type: 'speech_stopped', atMs: 2_000 })
    expect(await call.heardAfter(2_000)).toBeLessThanOrEqual(RULE_MS)
  }
})

test('an answer that comes soon after a late report is not preceded by a filler', async () => {
  const call = await startVirtualCall()
  call.tell({ type: 'speech_started', atMs: 1_000 })
  await call.speakUntil(2_000)
  await call.goTo(3_200)
  call.tell({ type: 'speech_stopped', atMs: 2_000 })
  await call.goTo(3_850)
  call.tell({ type: 'audio', itemId: 'answer', payload: FRAME, ms: 20 })
  expect(await call.heardAfter(2_000)).toBe(1_850)
})

test('a tool that is done at once puts nothing off', async () => {
  const call = await startVirtualCall()
  call.tell({ type: 'speech_started', atMs: 1_000 })
  await call.speakUntil(2_000)
  await call.goTo(3_000)
  call.tell({ type: 'speech_stopped', atMs: 2_000 })
  await call.goTo(3_100)
  call.tell({ type: 'tool_call', toolCallId: 't', name: 'save_lead', args: {} })
  expect(await call.heardAfter(2_000)).toBeLessThanOrEqual(RULE_MS)
})

test('the beginning of a turn is reported after its end, which is not reported', async () => {
  for (const voiceMs of [300, 1_000]) {
    const call = await startVirtualCall()
    await call.speakUntil(1_000 + voiceMs)
    await call.goTo(1_000 + voiceMs + 1_700)
    call.tell({ type: 'speech_started', atMs: 1_000 })
    expect(await call.heardAfter(1_000 + voiceMs)).toBeLessThanOrEqual(RULE_MS)
  }
})

test('a caller too quiet for the line’s own detector is not taken to be done', async () => {
  const call = await startVirtualCall()
  call.tell({ type: 'speech_started', atMs: 1_000 })
  expect(await call.heardAfter(1_000)).toBe(Number.POSITIVE_INFINITY)
})

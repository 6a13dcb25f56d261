import { expect, test } from 'bun:test'
import { maskCards } from '../../src/lib/card-numbers.ts'
import { momentsOf } from '../../src/media/call-moments.ts'
import { parseTrace, type TraceEntry } from '../../src/media/trace-entries.ts'
import { traceOfCall } from '../support/call-trace.ts'

const start = parseTrace(traceOfCall({ callSid: 'CA1', businessId: crypto.randomUUID() })).slice(0, 1)
const momentsIn = (...entries: TraceEntry[]) => momentsOf([...start, ...entries])

test('an answer says how long the caller waited; the greeting and a filler answer no one', () => {
  const moments = momentsIn(
    { t: 0, kind: 'audio', item: 'greeting', ms: 600 },
    { t: 1_500, kind: 'engine', event: { type: 'speech_stopped', atMs: 1_200 } },
    { t: 1_900, kind: 'audio', item: 'phrase_1', ms: 300 },
    { t: 2_450, kind: 'audio', item: 'item_1', ms: 900 },
    { t: 3_500, kind: 'audio', item: 'item_1', ms: 900 },
  )
  expect(moments).toEqual([expect.objectContaining({ kind: 'answer', atMs: 2_450, ms: 1_250 })])
})

test('an interruption says how much was heard of what was sent', () => {
  const [moment] = momentsIn(
    { t: 100, kind: 'audio', item: 'item_1', ms: 4_000 },
    { t: 1_100, kind: 'decision', decision: 'cancel' },
    { t: 1_100, kind: 'decision', decision: 'clear' },
    { t: 1_100, kind: 'decision', decision: 'truncate', item: 'item_1', ms: 1_000 },
  )
  expect(moment).toMatchObject({ kind: 'barge_in', atMs: 1_100, ms: 1_000, ofMs: 4_000 })
})

test('a tool has its arguments, result and duration; numbers of cards are masked, others are not', () => {
  const [tool] = momentsIn(
    {
      t: 100,
      kind: 'engine',
      event: {
        type: 'tool_call',
        toolCallId: 'call_1',
        name: 'take_message',
        args: { message: 'my card is 4580 4580 4580 4580, phone +972501234567', numbers: ['4111111111111111'] },
      },
    },
    { t: 350, kind: 'tool_done', id: 'call_1', result: { ok: true }, failed: false },
  )
  expect(tool).toMatchObject({ kind: 'tool', name: 'take_message', ms: 250, failed: false, result: { ok: true } })
  expect(JSON.stringify(tool?.args)).not.toContain('4111111111111111')
  expect(tool?.args).toMatchObject({ numbers: ['•••• 1111'] })
  expect(JSON.stringify(tool?.args)).toContain('+972501234567')
})

test('cards are known by their check digit', () => {
  expect(maskCards('4111 1111 1111 1111')).toBe('•••• 1111')
  expect(maskCards('4111 1111 1111 1112')).toBe('4111 1111 1111 1112')
  expect(maskCards({ deep: [378282246310005] })).toEqual({ deep: ['•••• 0005'] })
  expect(maskCards('ring 050-123-4567 at 12:30')).toBe('ring 050-123-4567 at 12:30')
})

test('a replaced engine, a transfer that failed and the end are listed in order', () => {
  const moments = momentsIn(
    { t: 0, kind: 'decision', decision: 'connect', engine: 'openai-realtime', resume: false },
    { t: 50, kind: 'engine', event: { type: 'error', code: 'engine_lost', message: 'gone', fatal: true } },
    { t: 60, kind: 'decision', decision: 'connect', engine: 'embedded', resume: true },
    { t: 900, kind: 'transfer_done', problem: 'The transfer failed.' },
    { t: 1_000, kind: 'decision', decision: 'end', reason: 'completed', detail: null },
  )
  expect(moments.map(({ kind, name, detail }) => [kind, name, detail])).toEqual([
    ['engine', 'openai-realtime', null],
    ['problem', 'engine_lost', 'gone'],
    ['engine', 'embedded', 'replaced'],
    ['transfer', null, 'The transfer failed.'],
    ['end', 'completed', null],
  ])
})

test('what members did to the live call is among the moments, a whisper with its words', () => {
  const moments = momentsIn(
    { t: 900, kind: 'command', command: 'whisper', text: 'Offer a discount.' },
    { t: 2_000, kind: 'command', command: 'end' },
  )
  expect(moments).toMatchObject([
    { atMs: 900, kind: 'command', name: 'whisper', detail: 'Offer a discount.' },
    { atMs: 2_000, kind: 'command', name: 'end', detail: null },
  ])
})

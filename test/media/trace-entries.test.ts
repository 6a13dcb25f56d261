import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { replayTrace } from '../../src/media/replay.ts'
import { parseTrace } from '../../src/media/trace-entries.ts'
import { traceOfCall } from '../support/call-trace.ts'

const CALL = { callSid: 'CA1', businessId: '0190a000-0000-7000-8000-000000000001' }
const stored = await Bun.file(join(import.meta.dir, 'fixtures/trace-v1.jsonl')).text()

test('a stored trace of version 1 is read and replayed with the same decisions', async () => {
  const entries = parseTrace(stored)
  expect(entries[0]).toMatchObject({ kind: 'start', version: 1 })
  expect(entries).toHaveLength(stored.trim().split('\n').length)
  const report = await replayTrace(stored)
  expect(report).toMatchObject({ callSid: 'CAac4864909bc837cec0908ef0117ec08d', same: true, firstDifference: null })
  expect(report.decisions.map(({ what }) => what)).toEqual([
    'connect engine=openai-realtime resume=false',
    'phrase name=oneMoment',
    'tool_result id=call_sandbox00000g silent=false',
    'cancel',
    'clear',
    'truncate item=item_sandbox00000u',
    'transfer',
    'phrase name=connecting',
    'tool_result id=call_sandbox00001z silent=false',
    'tool_result id=call_sandbox00003g silent=true',
    'end reason=completed',
  ])
  expect(report.transcript.join('\n')).toContain('caller  When are you open?')
})

test('every entry that is written is one that can be read', () => {
  const text = traceOfCall(CALL)
  expect(parseTrace(text).map((entry) => JSON.stringify(entry))).toEqual(text.trim().split('\n'))
})

test('an entry of an unknown kind is left out, one that is not valid is named by its line', () => {
  const [start = ''] = traceOfCall(CALL).split('\n')
  expect(parseTrace(`${start}\n{"t":1,"kind":"of_a_later_version","x":1}\n`)).toHaveLength(1)
  for (const line of ['{"t":1,"kind":"mark"}', '{"t":1,"kind":"decision","decision":"dance"}', '{"t":1,"kind":"mar'])
    expect(() => parseTrace(`${start}\n${line}\n`)).toThrow('Line 2 of the trace is not valid.')
})

test('a trace without a start, or with lost lines, cannot be replayed', async () => {
  const lines = traceOfCall(CALL).split('\n')
  await expect(replayTrace(lines.slice(1).join('\n'))).rejects.toThrow('The trace has no start.')
  const gap = '{"t":1,"kind":"gap","lines":3}'
  await expect(replayTrace([...lines.slice(0, 3), gap, ...lines.slice(3)].join('\n'))).rejects.toThrow(
    'Lines are missing',
  )
})

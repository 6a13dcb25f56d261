import { expect, setDefaultTimeout, test } from 'bun:test'
import type { RealtimeClientEvent } from 'openai/resources/realtime/realtime'
import { createRealtimeEngine } from '../../../../src/providers/speech/openai-realtime/engine.ts'
import { RACE_ERRORS, raceOf } from '../../../../src/providers/speech/openai-realtime/race-errors.ts'
import type { RealtimeScriptInput } from '../../../../src/sandbox/openai/script.ts'
import type { OpenAiSandbox } from '../../../../src/sandbox/openai/server.ts'
import { until } from '../../../sandbox/carrier/support.ts'
import { lastReport, OPENAI_KEY, RealtimeCaller, startTestOpenAi } from '../../../support/realtime.ts'

setDefaultTimeout(30_000)

/**
 * Every client event of the vendor's types, with the codes of the errors that only say that it crossed an event of the server's.
 * The types leave codes open, so the events are what enumerates them: a new one does not compile until it stands here.
 */
const CODES = {
  'response.cancel': ['response_cancel_not_active'],
  'response.create': ['conversation_already_has_active_response'],
  'conversation.item.truncate': ['invalid_value', 'item_truncate_invalid_item_id', 'unsupported_content_type'],
  'input_audio_buffer.commit': ['input_audio_buffer_commit_empty'],
  // What we say and tell of tools must arrive: refused, it is an error.
  'conversation.item.create': [],
  'session.update': [],
  'input_audio_buffer.append': [],
  // Never sent.
  'conversation.item.delete': [],
  'conversation.item.retrieve': [],
  'input_audio_buffer.clear': [],
  'output_audio_buffer.clear': [],
} satisfies Record<RealtimeClientEvent['type'], string[]>

const RACES = Object.entries(CODES).flatMap(([event, codes]) => codes.map((code) => ({ event, code })))
const OTHERS = ['invalid_value', 'unsupported_content_type', 'invalid_tool_call_id', 'cannot_update_voice', '']

async function withCall<T>(
  script: RealtimeScriptInput,
  act: (sandbox: OpenAiSandbox, caller: RealtimeCaller) => Promise<T>,
): Promise<T> {
  const sandbox = startTestOpenAi(script)
  const engine = createRealtimeEngine({
    apiKey: OPENAI_KEY,
    url: sandbox.realtimeUrl,
    model: 'gpt-realtime-2.1',
    limits: { connectMs: 5_000, quietMs: 10_000, stallMs: 20_000 },
  })
  const caller = new RealtimeCaller(engine, {})
  try {
    await caller.next('ready')
    return await act(sandbox, caller)
  } finally {
    caller.hangUp()
    await engine.close()
    await sandbox.close()
  }
}

const errorsOf = (caller: RealtimeCaller) => caller.events.filter((event) => event.type === 'error')

/** A turn that is answered by this error, then one that is answered by words. */
function afterError(error: Record<string, unknown>) {
  const raw = [{ type: 'error', error: { type: 'invalid_request_error', message: 'x', ...error } }]
  return withCall({ steps: [{ raw }, { say: 'Yes.' }] }, async (sandbox, caller) => {
    caller.speak(400)
    await until(() => lastReport(sandbox).turns === 1, 10_000)
    await Bun.sleep(50)
    caller.speak(400)
    await until(() => lastReport(sandbox).said.includes('Yes.'), 10_000)
    return errorsOf(caller)
  })
}

test('the table holds what the vendor’s events can race with, and no more', () => {
  const raced = Object.fromEntries(Object.entries(CODES).filter(([, codes]) => codes.length > 0))
  expect(raced).toEqual(RACE_ERRORS as never)
})

test.concurrent.each(RACES)('$code for $event is harmless', async ({ event, code }) => {
  expect(await afterError({ code, event_id: `${event}.1` })).toEqual([])
})

test('without the event’s id the code decides, or the field that a shared code complains of', () => {
  for (const { event, code } of RACES)
    expect(raceOf({ code, eventId: null, param: 'audio_end_ms' }) as string).toBe(event)
  for (const code of OTHERS) expect(raceOf({ code, eventId: null, param: 'session.voice' })).toBeNull()
  for (const code of OTHERS) expect(raceOf({ code, eventId: 'session.update.1', param: null })).toBeNull()
})

test.concurrent.each(OTHERS)('"%s" for another event is reported', async (code) => {
  expect(await afterError({ code, event_id: 'session.update.1' })).toMatchObject([{ type: 'error', fatal: false }])
})

test('a response whose end is not reported is canceled, and the next answer is requested', () =>
  withCall({ steps: [{ say: 'A story.', ms: 400 }], omit: ['response.done'], speed: 0 }, async (sandbox, caller) => {
    caller.speak(400)
    await until(() => lastReport(sandbox).responses[0]?.status === 'completed', 10_000)
    await caller.next('audio_done')
    caller.session.say('Goodbye.')
    await until(() => lastReport(sandbox).said.includes('Goodbye.'), 10_000)
    expect(lastReport(sandbox).errors).toEqual(['response_cancel_not_active'])
    expect(errorsOf(caller)).toEqual([])
  }))

import { expect, setDefaultTimeout, test } from 'bun:test'
import { createRealtimeEngine } from '../../../../src/providers/speech/openai-realtime/engine.ts'
import { RealtimeCaller } from '../../../support/realtime.ts'
import { startScriptedRealtime } from '../../../support/scripted-realtime.ts'
import { quietFor } from '../../../support/wait.ts'

setDefaultTimeout(20_000)

type Server = ReturnType<typeof startScriptedRealtime>

/** A call on a server that the test speaks for. */
async function withSession(act: (server: Server, caller: RealtimeCaller) => Promise<void>): Promise<void> {
  const server = startScriptedRealtime()
  const engine = createRealtimeEngine({
    apiKey: 'sk-test',
    url: server.url,
    model: 'gpt-realtime-2.1',
    limits: { connectMs: 10_000, quietMs: 10_000, stallMs: 20_000 },
  })
  const caller = new RealtimeCaller(engine, {})
  try {
    await caller.next('ready')
    await act(server, caller)
  } finally {
    caller.hangUp()
    await engine.close()
    await server.close()
  }
}

/** The caller's turn, which is ignored as soon as its end is reported. */
async function ignoredTurn(server: Server, caller: RealtimeCaller): Promise<void> {
  const from = caller.events.length
  await server.turnStarts('item_1')
  await server.turnEnds('item_1')
  await caller.next('speech_stopped', from)
  caller.session.ignoreTurn()
}

test.concurrent('a turn that is ignored does not take the goodbye with it', () =>
  withSession(async (server, caller) => {
    caller.session.say('Goodbye.')
    await ignoredTurn(server, caller)
    await server.begin('goodbye')
    await quietFor(150, 'the goodbye would be canceled')
    expect(await server.requests(1)).toEqual(['say Goodbye.'])
  }))

test.concurrent('the answer to an ignored turn that takes the place of what was asked for is canceled', () =>
  withSession(async (server, caller) => {
    await server.begin('r1')
    await server.callTool('r1', 'call_1')
    await caller.next('tool_call')
    caller.session.toolResult('call_1', {})
    await server.done('r1', { status: 'completed' })
    await server.requests(1)
    await ignoredTurn(server, caller)
    await server.begin('r2')
    await server.refuse()
    await server.requests(2)
    await server.done('r2')
    expect(await server.requests(3)).toEqual(['answer', 'cancel r2', 'answer'])
  }))

test.concurrent('a tool that is done does not replace the goodbye that waits', () =>
  withSession(async (server, caller) => {
    await server.begin('r1')
    await server.callTool('r1', 'call_1')
    await caller.next('tool_call')
    caller.session.say('Goodbye.')
    caller.session.toolResult('call_1', {})
    await server.requests(1)
    await server.done('r1')
    expect(await server.requests(2)).toEqual(['cancel r1', 'say Goodbye.'])
  }))

test.concurrent('a goodbye that is asked for while an answer is on its way cancels that answer', () =>
  withSession(async (server, caller) => {
    await server.begin('r1')
    await server.callTool('r1', 'call_1')
    await caller.next('tool_call')
    caller.session.toolResult('call_1', {})
    await server.done('r1', { status: 'completed' })
    await server.requests(1)
    caller.session.say('Goodbye.')
    await server.begin('r2')
    await server.requests(2)
    await server.done('r2')
    expect(await server.requests(3)).toEqual(['answer', 'cancel r2', 'say Goodbye.'])
  }))

test.concurrent('what is refused beside a response that is over is asked for once more, and no third time', () =>
  withSession(async (server, caller) => {
    caller.session.say('Goodbye.')
    await server.requests(1)
    await server.refuse()
    await server.requests(2)
    await server.refuse()
    await quietFor(150, 'it would be asked for a third time')
    expect(await server.requests(2)).toEqual(['say Goodbye.', 'say Goodbye.'])
    // The response that it waits for begins at last.
    await server.begin('r1')
    await server.requests(3)
    await server.done('r1')
    expect((await server.requests(4)).slice(2)).toEqual(['cancel r1', 'say Goodbye.'])
  }))

test.concurrent('what waits behind a request that is not valid is asked for', () =>
  withSession(async (server, caller) => {
    await server.begin('r1')
    await server.callTool('r1', 'call_1')
    await caller.next('tool_call')
    caller.session.toolResult('call_1', {})
    await server.done('r1', { status: 'completed' })
    await server.requests(1)
    caller.session.say('Goodbye.')
    await server.tell({ type: 'error', error: { type: 'invalid_request_error', code: 'invalid_value' } })
    expect(await server.requests(2)).toEqual(['answer', 'say Goodbye.'])
  }))

test.concurrent('an answer that waits is dropped when the last tool of the response ends the call', () =>
  withSession(async (server, caller) => {
    await server.begin('r1')
    await server.callTool('r1', 'call_1')
    await caller.next('tool_call')
    caller.session.toolResult('call_1', {})
    const from = caller.events.length
    await server.callTool('r1', 'call_2')
    await caller.next('tool_call', from)
    caller.session.toolResult('call_2', {}, { silent: true })
    await server.done('r1', { status: 'completed' })
    await quietFor(150, 'an answer would be asked for')
    expect(await server.requests(0)).toEqual([])
  }))

test.concurrent('a goodbye that fails is asked for again, with its words', () =>
  withSession(async (server, caller) => {
    caller.session.say('Goodbye.')
    await server.requests(1)
    await server.begin('goodbye')
    await server.done('goodbye', { status: 'failed' })
    expect(await server.requests(2)).toEqual(['say Goodbye.', 'say Goodbye.'])
  }))

test.concurrent('a text that is given before the session is ready is said', async () => {
  const server = startScriptedRealtime()
  const engine = createRealtimeEngine({ apiKey: 'sk-test', url: server.url, model: 'gpt-realtime-2.1' })
  const caller = new RealtimeCaller(engine, {})
  try {
    caller.session.say('Goodbye.')
    expect(await server.requests(1)).toEqual(['say Goodbye.'])
  } finally {
    caller.hangUp()
    await engine.close()
    await server.close()
  }
})

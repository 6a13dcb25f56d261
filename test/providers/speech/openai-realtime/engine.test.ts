import { afterEach, describe, expect, test } from 'bun:test'
import { createRealtimeEngine, type RealtimeEngine } from '../../../../src/providers/speech/openai-realtime/engine.ts'
import type { RealtimeSettings } from '../../../../src/providers/speech/openai-realtime/settings.ts'
import type { RealtimeScriptInput } from '../../../../src/sandbox/openai/script.ts'
import type { OpenAiSandbox } from '../../../../src/sandbox/openai/server.ts'
import { until } from '../../../sandbox/carrier/support.ts'
import { lastReport, OPENAI_KEY, RealtimeCaller, startTestOpenAi } from '../../../support/realtime.ts'
import { eventually, quietFor } from '../../../support/wait.ts'

const open: { sandbox: OpenAiSandbox; engine: RealtimeEngine; caller?: RealtimeCaller }[] = []

function start(
  script: RealtimeScriptInput,
  { apiKey = OPENAI_KEY, turnDetection }: { apiKey?: string; turnDetection?: RealtimeSettings['turnDetection'] } = {},
) {
  const sandbox = startTestOpenAi(script)
  const engine = createRealtimeEngine({
    apiKey,
    url: sandbox.realtimeUrl,
    model: 'gpt-realtime-2.1',
    ...(turnDetection ? { settings: { turnDetection } } : {}),
    limits: { connectMs: 1_000, quietMs: 600, stallMs: 1_500 },
  })
  const parts: (typeof open)[number] = { sandbox, engine }
  open.push(parts)
  const call = (options: ConstructorParameters<typeof RealtimeCaller>[1] = {}) => {
    parts.caller = new RealtimeCaller(engine, options)
    return parts.caller
  }
  return { sandbox, engine, call }
}

afterEach(async () => {
  for (const { sandbox, engine, caller } of open.splice(0)) {
    caller?.hangUp()
    await engine.close()
    await sandbox.close()
  }
})

describe('the session', () => {
  test('is configured as μ-law both ways before any audio, with history, tools and language', async () => {
    const { sandbox, call } = start({ steps: [] })
    const tools = [{ name: 'end_call', description: 'Ends the call.', parameters: { type: 'object' } }]
    const caller = call({ language: 'he', tools })
    await caller.next('ready')
    await eventually(() => lastReport(sandbox).settings, 'the settings')
    const report = lastReport(sandbox)
    expect(report.audioBeforeConfiguredMs).toBe(0)
    expect(report.settings?.audio?.input?.format).toEqual({ type: 'audio/pcmu' })
    expect(report.settings?.audio?.output?.format).toEqual({ type: 'audio/pcmu' })
    expect(report.settings?.audio?.input?.transcription).toEqual({ model: 'gpt-live-transcribe', language: 'he' })
    expect(report.settings?.tools?.[0]?.name).toBe('end_call')
    expect(report.settings?.reasoning?.effort).toBe('low')
    expect(await eventually(() => report.items[0], 'the history')).toMatchObject({ type: 'message', role: 'assistant' })
    // Frames that came before the session was ready were kept: the server has the whole line.
    expect(caller.nowMs - report.audioMs).toBeLessThan(80)
    expect(report.errors).toEqual([])
  })

  test('a turn is answered: its times, its words, audio as it came, usage with a price', async () => {
    const { sandbox, call } = start({ steps: [{ say: 'Good morning to you.', ms: 1_000 }], heard: ['Hello there'] })
    const caller = call()
    await caller.next('ready')
    await Bun.sleep(450)
    const spokeAt = caller.nowMs
    caller.speak(700)
    const started = await caller.next('speech_started')
    expect(Math.abs(started.atMs - spokeAt)).toBeLessThan(80)
    expect(started.voicedMs).toBeGreaterThanOrEqual(80)
    const stopped = await caller.next('speech_stopped')
    expect(Math.abs(stopped.atMs - spokeAt - 700)).toBeLessThan(80)
    await caller.next('audio_done')
    const heard = caller.events.filter((event) => event.type === 'audio')
    expect(heard.reduce((sum, event) => sum + event.ms, 0)).toBe(1_000)
    expect((await caller.next('agent_transcript')).text).toBe('Good morning to you.')
    expect((await caller.next('user_turn')).transcript).toBe('Hello there')
    const { usage } = await caller.next('usage')
    expect(usage.outputAudioTokens).toBe(20)
    expect(usage.costMicroUsd).toBeGreaterThan(20 * 64)
    expect(lastReport(sandbox).errors).toEqual([])
  })

  for (const turnDetection of ['server', 'semantic-low'] as const)
    test(`a turn that the server (${turnDetection}) reports seconds late has all of its voice, and its own end`, async () => {
      const { call } = start(
        { steps: [{ say: 'Good morning to you.', ms: 1_000 }], heard: ['Hello'] },
        { turnDetection },
      )
      const caller = call()
      caller.rush(300)
      caller.speak(700)
      caller.rush(6_000)
      expect((await caller.next('speech_started')).voicedMs).toBe(700)
      expect(Math.abs((await caller.next('speech_stopped')).atMs - 1_000)).toBeLessThan(80)
      const { transcript, audio } = await caller.next('user_turn')
      expect([transcript, (audio?.length ?? 0) > 5_000]).toEqual(['Hello', true])
    })

  test('an interruption cancels, truncates to what was heard, and late audio does not come through', async () => {
    const { sandbox, call } = start({ steps: [{ say: 'A long story.', ms: 6_000 }], speed: 4 })
    const caller = call()
    caller.speak(500)
    await caller.next('audio')
    await Bun.sleep(300)
    caller.session.cancel()
    const item = await caller.next('audio')
    caller.session.truncate(item.itemId, 480)
    caller.session.truncate(item.itemId, 999_999)
    caller.session.truncate('greeting', 300)
    const before = caller.events.filter((event) => event.type === 'audio').length
    await quietFor(200, 'audio of the canceled answer would have come')
    expect(caller.events.filter((event) => event.type === 'audio').length).toBe(before)
    const report = lastReport(sandbox)
    expect(report.truncations).toEqual([{ itemId: item.itemId, audioEndMs: 480 }])
    expect(report.responses[0]?.status).toBe('cancelled')
    expect(report.errors).toEqual([])
  })

  test('a tool’s result is followed by one new response, after the one that called it', async () => {
    const { sandbox, call } = start({
      steps: [
        { say: 'One moment.', ms: 400, tools: [{ name: 'save_lead', args: { name: 'Dana' } }] },
        { say: 'Done.', ms: 300 },
      ],
    })
    const caller = call()
    caller.speak(400)
    const tool = await caller.next('tool_call')
    expect(tool).toMatchObject({ name: 'save_lead', args: { name: 'Dana' } })
    caller.session.toolResult(tool.toolCallId, { ok: true })
    caller.session.toolResult(tool.toolCallId, { ok: true })
    await until(() => lastReport(sandbox).said.includes('Done.'))
    await until(() => lastReport(sandbox).responses.every((each) => each.status === 'completed'))
    expect(lastReport(sandbox).responses.length).toBe(2)
    expect(lastReport(sandbox).toolOutputs).toEqual([{ callId: tool.toolCallId, output: '{"ok":true}' }])
    expect(lastReport(sandbox).errors).toEqual([])
  })

  test('says a given text, also over a response of its own', async () => {
    const { sandbox, call } = start({ steps: [{ say: 'A long story.', ms: 5_000 }], speed: 4 })
    const caller = call()
    caller.speak(400)
    await caller.next('audio')
    caller.session.say('Goodbye now.')
    await until(() => lastReport(sandbox).said.at(-1) === 'Goodbye now.')
    expect(lastReport(sandbox).errors).toEqual([])
  })

  test('says a given text in the moment in which the server answers by itself', async () => {
    const { sandbox, call } = start({ steps: [{ say: 'A long answer.', ms: 3_000, delayMs: 200 }], speed: 1 })
    const caller = call({
      onEvent(event) {
        if (event.type === 'speech_stopped') caller.session.say('Goodbye.')
      },
    })
    await caller.next('ready')
    caller.speak(400)
    await until(() => lastReport(sandbox).said.includes('Goodbye.'), 10_000)
    // The server refuses two at a time: the answer was canceled, and no error is reported.
    expect(lastReport(sandbox).errors).toEqual(['conversation_already_has_active_response'])
    expect(lastReport(sandbox).responses[0]?.status).toBe('cancelled')
    expect(caller.events.filter((event) => event.type === 'error')).toEqual([])
  })

  test('a noise is ignored: its response is cancelled before it is heard', async () => {
    const { sandbox, call } = start({ steps: [{ say: 'Pardon?', ms: 800, delayMs: 150 }] })
    const caller = call()
    await caller.next('ready')
    caller.speak(240)
    await caller.next('speech_stopped')
    caller.session.ignoreTurn()
    await until(() => lastReport(sandbox).responses[0]?.status === 'cancelled')
    expect(caller.events.some((event) => event.type === 'audio')).toBe(false)
  })

  test('a session that takes over has the conversation and speaks first', async () => {
    const { sandbox, call } = start({ steps: [{ say: 'Where were we?', ms: 300 }] })
    const caller = call({
      resume: [
        { role: 'agent', text: 'Hello' },
        { role: 'caller', text: 'I want a flat' },
      ],
    })
    await caller.next('audio')
    expect(lastReport(sandbox).items).toMatchObject([{ role: 'assistant' }, { role: 'user' }])
  })

  test('frames that are lost are padded, so that the turn ends', async () => {
    const { call } = start({ steps: [{ say: 'Yes.', ms: 200 }] })
    const caller = call()
    await caller.next('ready')
    caller.speak(3_000)
    await caller.next('speech_started')
    caller.loseFrames(true)
    await caller.next('speech_stopped')
    caller.loseFrames(false)
    await caller.next('audio')
  })
})

describe('an engine that fails', () => {
  const failures = [
    { name: 'closes', effect: { kind: 'close' as const }, code: 'engine_lost', retry: true },
    { name: 'vanishes', effect: { kind: 'vanish' as const }, code: 'engine_lost', retry: true },
    { name: 'stalls', effect: { kind: 'stall' as const }, code: 'engine_stalled', retry: true },
    { name: 'is rate-limited', effect: { kind: 'rate_limit' as const }, code: 'engine_rate_limited', retry: false },
    { name: 'expires', effect: { kind: 'session_expired' as const }, code: 'engine_expired', retry: true },
    { name: 'has an error', effect: { kind: 'server_error' as const }, code: 'engine_error', retry: true },
  ]
  for (const at of ['turn', 'speech', 'response'] as const)
    for (const { name, effect, code, retry } of failures)
      test(`${name} at ${at}: reported once, with whether a retry is useful`, async () => {
        const { sandbox, engine, call } = start({ steps: [{ say: 'A long story.', ms: 4_000 }] })
        sandbox.faults.add({ at, effect })
        const caller = call()
        await caller.next('ready')
        caller.speak(500)
        const error = await caller.next('error')
        expect(error).toMatchObject({ code, fatal: true, retry })
        expect(caller.events.at(-1)).toEqual({ type: 'closed', reason: code })
        if (code === 'engine_stalled' && at !== 'response')
          expect(caller.events.some((event) => event.type === 'quiet')).toBe(true)
        expect(engine.sessionCount).toBe(0)
      })

  test('refuses the key, is over its limit, has no room, never configures the session: each has its own code', async () => {
    const wrong = start({}, { apiKey: 'sk-wrong' }).call()
    expect(await wrong.next('error')).toMatchObject({ code: 'engine_refused', fatal: true, retry: false })
    const limited = start({})
    limited.sandbox.faults.add({ at: 'connect', effect: { kind: 'refuse', status: 429 } })
    expect(await limited.call().next('error')).toMatchObject({ code: 'engine_rate_limited', retry: false })
    const full = start({})
    full.sandbox.faults.add({ at: 'connect', effect: { kind: 'refuse', status: 503 } })
    expect(await full.call().next('error')).toMatchObject({ code: 'engine_refused', retry: true })
    const mute = start({})
    mute.sandbox.faults.add({ at: 'configure', effect: { kind: 'stall' } })
    expect(await mute.call().next('error')).toMatchObject({ code: 'engine_refused' })
    expect(lastReport(mute.sandbox).audioBeforeConfiguredMs).toBe(0)
  })

  test('a failed response is asked for once more', async () => {
    const { sandbox, call } = start({
      steps: [{ fail: { code: 'server_error' } }, { say: 'Here I am.', ms: 200 }],
    })
    const caller = call()
    caller.speak(400)
    await caller.next('audio')
    expect(lastReport(sandbox).responses.map((each) => each.status)[0]).toBe('failed')
  })
})

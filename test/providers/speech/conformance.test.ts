import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { intakeScript } from '../../../src/domain/receptionist/index.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { createEmbeddedEngine } from '../../../src/providers/speech/embedded/engine.ts'
import { createEspeakSynthesizer } from '../../../src/providers/speech/espeak/synthesizer.ts'
import { createRealtimeEngine } from '../../../src/providers/speech/openai-realtime/engine.ts'
import type { SpeechEngine } from '../../../src/providers/speech/port.ts'
import { createPromptCache } from '../../../src/providers/speech/prompts.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { EngineCall } from '../../support/engine-call.ts'
import { OPENAI_KEY, startTestOpenAi } from '../../support/realtime.ts'
import { endSpeech, speak } from '../../support/speech.ts'

const script = intakeScript({ language: 'en', businessName: 'Acme' })
const voice = createEspeakSynthesizer()
const prompts = createPromptCache({
  dir: temporaryDirectory('speech'),
  synthesizer: voice,
  log: createLogger('silent'),
})
const sandbox = startTestOpenAi({ steps: [{ say: 'Good morning to you.', ms: 1_000 }], heard: ['My name is David'] })
const engines: Record<string, SpeechEngine> = {
  embedded: createEmbeddedEngine({ prompts }),
  'openai-realtime': createRealtimeEngine({
    apiKey: OPENAI_KEY,
    url: sandbox.realtimeUrl,
    model: 'gpt-realtime-2.1',
    limits: { connectMs: 2_000, quietMs: 5_000, stallMs: 10_000 },
  }),
}
let answer: Uint8Array

beforeAll(async () => {
  answer = await speak('My name is David Levi', 'en')
})
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine.close()
  await sandbox.close()
  await voice.close()
  await endSpeech()
})

describe.each(Object.entries(engines))('%s', (_, engine) => {
  test('a session is ready before anything else, and never speaks first', async () => {
    const call = new EngineCall(engine, script)
    await call.next('ready')
    await call.run(1_000)
    expect(call.events.map(({ type }) => type)).toEqual(['ready'])
    call.hangUp()
  })

  test('a text to say becomes audio of one item, as long as it says, and the end of that item', async () => {
    const call = new EngineCall(engine, script)
    await call.next('ready')
    call.session.say(script.reprompt)
    const { itemId } = await call.next('audio_done')
    // On a busy machine the dialogue has gone on meanwhile.
    const end = call.events.findIndex((event) => event.type === 'audio_done')
    const pieces = call.events.slice(0, end).flatMap((event) => (event.type === 'audio' ? [event] : []))
    expect(pieces.length).toBeGreaterThan(0)
    for (const piece of pieces) {
      expect(piece.itemId).toBe(itemId)
      expect(Buffer.from(piece.payload, 'base64').length).toBe(Math.round(piece.ms * 8))
    }
    call.hangUp()
  })

  test('the caller’s speech is reported by its place on the line, as a turn, and answered', async () => {
    const call = new EngineCall(engine, script)
    await call.next('ready')
    await call.run(500)
    const spokeAt = call.nowMs
    call.speak(answer)
    const started = await call.next('speech_started')
    const turn = await call.next('user_turn')
    expect(Math.abs(started.atMs - spokeAt)).toBeLessThan(600)
    expect(turn.endMs - turn.startMs).toBeGreaterThan(answer.length / 8 - 800)
    expect(turn.endMs).toBeLessThan(call.nowMs)
    await call.next('audio')
    call.hangUp()
  })

  test('a closed session reports that last, and takes any further call without an error', async () => {
    const call = new EngineCall(engine, script)
    await call.next('ready')
    call.hangUp()
    await call.next('closed')
    const { session } = call
    session.close()
    session.sendAudio(Buffer.alloc(160, 0xff).toString('base64'), call.nowMs)
    session.say('Hello')
    session.answer()
    session.cancel()
    session.truncate('none', 0)
    session.toolResult('none', {})
    session.ignoreTurn()
    session.hearsVoice()
    await Bun.sleep(200)
    expect(call.events.filter(({ type }) => type === 'closed')).toHaveLength(1)
    expect(call.events.at(-1)?.type).toBe('closed')
  })
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rmsOfMulaw } from '../../../../src/audio/energy.ts'
import { encodeMulaw } from '../../../../src/audio/mulaw.ts'
import { intakeScript } from '../../../../src/domain/receptionist/index.ts'
import { newId } from '../../../../src/lib/ids.ts'
import { createLogger } from '../../../../src/lib/log.ts'
import { createEmbeddedEngine, type EmbeddedEngine } from '../../../../src/providers/speech/embedded/engine.ts'
import { createEspeakSynthesizer } from '../../../../src/providers/speech/espeak/synthesizer.ts'
import type { EngineEvent, Language, SpeechSynthesizer } from '../../../../src/providers/speech/port.ts'
import { createPromptCache, type PromptCache } from '../../../../src/providers/speech/prompts.ts'
import { EngineCall } from '../../../support/engine-call.ts'
import { endSpeech, speak } from '../../../support/speech.ts'

const log = createLogger('silent')
const voice = createEspeakSynthesizer()
let dir = ''
let prompts: PromptCache
let engine: EmbeddedEngine

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'engine-'))
  prompts = createPromptCache({ dir, synthesizer: voice, log })
  engine = createEmbeddedEngine({ prompts })
})
afterAll(async () => {
  await engine.close()
  await voice.close()
  await endSpeech()
  await rm(dir, { recursive: true, force: true })
})

const CALLERS: Record<Language, [string, string, string]> = {
  he: ['שְׁמִי דָּוִד לֵוִי', 'אֲנִי רוֹצֶה לִקְבּוֹעַ תּוֹר לְיוֹם שְׁלִישִׁי', 'מָחָר בַּבֹּ֫קֶר'],
  en: ['My name is David Levi', 'I would like to make an appointment', 'Tomorrow morning at ten'],
}

async function answersOf(language: Language): Promise<Uint8Array[]> {
  return Promise.all(CALLERS[language].map((text) => speak(text, language)))
}

const turnsOf = (events: EngineEvent[]) => events.filter((event) => event.type === 'user_turn')
const textsOf = (events: EngineEvent[]) => events.flatMap((event) => (event.type === 'audio' ? [event.text] : []))

test.each(['he', 'en'] as const)(
  'a caller (%s) is led through the three questions to the end of the call',
  async (language) => {
    const script = intakeScript({ language, businessName: 'Acme' })
    await prompts.render(script.greeting, language)
    const answers = await answersOf(language)
    const call = new EngineCall(engine, script)
    await call.next('ready')
    const greetingMs = (prompts.peek(script.greeting, language)?.length ?? 0) / 8
    await call.run(greetingMs + 500)
    for (const answer of answers) {
      const seen = call.events.length
      const spokenAtMs = call.nowMs
      call.speak(answer)
      const turn = await call.next('user_turn', seen)
      // Where it was on the line, and the sound of it, with its lead-in and the end of its voice.
      expect(Math.abs(turn.startMs - spokenAtMs)).toBeLessThan(400)
      expect(Math.abs(turn.endMs - turn.startMs - answer.length / 8)).toBeLessThan(400)
      expect((turn.audio?.length ?? 0) / 8).toBeGreaterThan(turn.endMs - turn.startMs + 350)
      expect(rmsOfMulaw(turn.audio ?? new Uint8Array(0))).toBeGreaterThan(500)
      const prompt = await call.next('audio', seen)
      expect(Buffer.from(prompt.payload, 'base64').length / 8).toBe(prompt.ms)
      await call.run(prompt.ms + 300)
    }
    const saved = call.events.findIndex((event) => event.type === 'tool_call')
    const end = await call.next('tool_call', saved + 1)
    expect(end).toMatchObject({ type: 'tool_call', name: 'end_call', args: { reason: 'completed' } })
    call.hangUp()

    expect(turnsOf(call.events).map((turn) => turn.question)).toEqual(['name', 'inquiry', 'callback_time'])
    const prompt = (i: number) => script.questions[i]?.prompt
    expect(textsOf(call.events)).toEqual([prompt(1), prompt(2), script.thanks, script.goodbye])
    const lead = call.events.find((event) => event.type === 'tool_call')
    expect(lead).toMatchObject({ name: 'save_lead' })
    for (const turn of turnsOf(call.events)) {
      expect(lead?.type === 'tool_call' && lead.args).toMatchObject({
        [turn.question ?? '']: { startMs: turn.startMs, endMs: turn.endMs, transcript: null },
      })
    }
    const kinds = call.events.map((event) => event.type)
    expect(kinds[0]).toBe('ready')
    expect(kinds.at(-1)).toBe('closed')
    expect(kinds.filter((kind) => kind === 'error')).toEqual([])
    expect(kinds.filter((kind) => kind === 'audio_done').length).toBe(4)
  },
  20_000,
)

test('a caller who interrupts is noticed at once, and what was said answers the question', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const [name = new Uint8Array(0), inquiry = new Uint8Array(0)] = await answersOf('en')
  const call = new EngineCall(engine, script)
  await call.next('ready')
  await call.run(600)
  // Into the greeting.
  call.speak(name)
  expect(await call.next('user_turn')).toMatchObject({ question: 'name' })
  const seen = call.events.length
  await call.next('audio')
  await call.run(800)
  // Into the second question.
  call.speak(inquiry)
  expect(await call.next('user_turn', seen)).toMatchObject({ question: 'inquiry' })
  call.hangUp()
  expect(call.events.filter((event) => event.type === 'speech_started').length).toBe(2)
})

test('a line that goes dead in mid-sentence ends the turn all the same', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const words = await speak('I would like to make an appointment', 'en')
  const call = new EngineCall(engine, script)
  await call.next('ready')
  call.speak(words)
  await call.next('speech_started')
  call.stall()
  expect(await call.next('user_turn')).toMatchObject({ question: 'name' })
  call.hangUp()
})

test('clicks and a cough do not move the script on', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const call = new EngineCall(engine, script)
  await call.next('ready')
  let seed = 3
  const click = encodeMulaw(
    Int16Array.from({ length: 400 }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return (seed / 4294967296 - 0.5) * 20_000
    }),
  )
  for (let i = 0; i < 5; i++) {
    call.speak(click)
    await call.run(900)
  }
  await call.run(1500)
  call.hangUp()
  expect(turnsOf(call.events)).toEqual([])
  expect(textsOf(call.events).filter((text) => text !== script.questions[0]?.prompt)).toEqual([])
})

test('the call can have something said, and cancel it before it is rendered', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const call = new EngineCall(engine, script)
  await call.next('ready')
  call.session.say('This is said now.')
  const said = await call.next('audio')
  expect(said).toMatchObject({ text: 'This is said now.' })
  expect(said.ms).toBeGreaterThan(600)
  expect(await call.next('audio_done')).toEqual({ type: 'audio_done', itemId: said.itemId })
  expect(await call.next('agent_transcript')).toMatchObject({ itemId: said.itemId, text: 'This is said now.' })
  call.session.say('This is never said, for it is cancelled while it is rendered.')
  call.session.cancel()
  call.session.say('And this comes after it.')
  await call.next('audio', call.events.length)
  call.hangUp()
  expect(textsOf(call.events)).toEqual(['This is said now.', 'And this comes after it.'])
})

test('a turn that is ignored is saved and brings no text, and what waits to be said gives way to the goodbye', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const [name = new Uint8Array(0), inquiry = new Uint8Array(0)] = await answersOf('en')
  const call = new EngineCall(engine, script)
  await call.next('ready')
  await call.run(600)
  call.speak(name)
  await call.next('user_turn')
  const asked = await call.next('audio')
  await call.run(asked.ms + 300)
  // The time is up in the middle of the answer.
  call.speak(inquiry)
  const from = call.events.length
  await call.next('speech_started', from)
  call.session.say('Not rendered yet, and not to be said.')
  call.session.say(script.goodbye)
  call.onEvent = (event) => {
    if (event.type === 'speech_stopped') call.session.ignoreTurn()
  }
  const goodbye = await call.next('audio', from)
  expect(await call.next('user_turn', from)).toMatchObject({ question: 'inquiry' })
  await call.run(goodbye.ms + 1_000)
  expect(textsOf(call.events)).toEqual([script.questions[1]?.prompt, script.goodbye])
  call.hangUp()
  expect(call.events.find((event) => event.type === 'tool_call')).toMatchObject({
    name: 'save_lead',
    args: { name: {}, inquiry: {} },
  })
})

/** A voice that fails, or never comes to an end, with some texts. */
function voiceWithout(texts: string[], how: 'fails' | 'hangs'): SpeechSynthesizer {
  return {
    version: `without ${newId()}`,
    async synthesize({ text }) {
      if (!texts.includes(text)) return new Uint8Array(4_000)
      if (how === 'hangs') await new Promise(() => {})
      throw new Error('no voice today')
    },
    close: async () => {},
  }
}
const engineWithout = (texts: string[], how: 'fails' | 'hangs') =>
  createEmbeddedEngine({
    prompts: createPromptCache({ dir: join(dir, 'without'), synthesizer: voiceWithout(texts, how), log }),
  })

test('a prompt that cannot be rendered ahead ends the conversation only when it is due', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const other = engineWithout([script.questions[1]?.prompt ?? ''], 'fails')
  const call = new EngineCall(other, script)
  expect(await call.next('error')).toEqual({
    type: 'error',
    code: 'render_failed',
    message: 'no voice today',
    fatal: false,
  })
  await call.run(1_500)
  expect(call.events.some((event) => event.type === 'closed')).toBe(false)
  const from = call.events.length
  call.speak(await speak('hello there', 'en'))
  expect(await call.next('error', from)).toMatchObject({ code: 'render_failed', fatal: true })
  expect(await call.next('closed')).toEqual({ type: 'closed', reason: 'failed' })
  expect(call.events.filter((event) => event.type === 'error').length).toBe(2)
  expect(other.sessionCount).toBe(0)
  call.hangUp()
  await other.close()
})

for (const how of ['fails', 'hangs'] as const)
  test(`a goodbye whose voice ${how} is replaced by the thanks`, async () => {
    const script = intakeScript({ language: 'en', businessName: 'Acme' })
    const other = engineWithout([script.goodbye], how)
    const call = new EngineCall(other, script)
    await call.next('ready')
    for (let answer = 0; answer < script.questions.length; answer++) {
      const from = call.events.length
      call.speak(await speak('hello there', 'en'))
      await call.next('audio', from)
      await call.run(1_500)
    }
    await call.next('tool_call', call.events.findIndex(({ type }) => type === 'tool_call') + 1)
    call.hangUp()
    expect(textsOf(call.events).slice(-2)).toEqual([script.thanks, script.thanks])
    await other.close()
  })

test('a prompt that does not come is reported as late, and cancelled it holds nothing up', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const other = engineWithout(['Never.'], 'hangs')
  const call = new EngineCall(other, script)
  await call.next('ready')
  call.session.truncate('', 0)
  call.session.cancel()
  call.session.say('Never.')
  expect(await call.next('quiet')).toEqual({ type: 'quiet', forMs: 700 })
  call.session.cancel()
  call.session.say('This comes.')
  expect(await call.next('audio')).toMatchObject({ text: 'This comes.' })
  call.hangUp()
  await other.close()
})

test('a listening thread that dies ends its conversations with a fatal error', async () => {
  const workerUrl = new URL('../../../support/dying-listener.ts', import.meta.url)
  const other = createEmbeddedEngine({ prompts, vad: { workerUrl } })
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const call = new EngineCall(other, script)
  await call.next('ready')
  call.speak(await speak('hello', 'en'))
  expect(await call.next('error')).toMatchObject({ code: 'vad_unavailable', fatal: true })
  expect(await call.next('closed')).toEqual({ type: 'closed', reason: 'failed' })
  call.hangUp()
  // The next call gets a thread that lives.
  const again = new EngineCall(other, script)
  await again.next('ready')
  again.hangUp()
  expect(other.sessionCount).toBe(0)
  await other.close()
})

test('nothing is left after many calls, and closing twice or using a closed call does nothing', async () => {
  const script = intakeScript({ language: 'en', businessName: 'Acme' })
  const calls = Array.from({ length: 100 }, () => new EngineCall(engine, script))
  await Promise.all(calls.map((call) => call.next('ready')))
  expect(engine.sessionCount).toBe(100)
  expect(await engine.countLines()).toBe(100)
  for (const call of calls) {
    call.hangUp()
    call.hangUp()
    call.session.say('too late')
    call.session.sendAudio('AAAA', 0)
    call.session.cancel()
    call.session.truncate('item_1', 5)
    call.session.toolResult('x', null)
  }
  expect(engine.sessionCount).toBe(0)
  expect(await engine.countLines()).toBe(0)
  for (const call of calls) {
    expect(call.events.filter((event) => event.type === 'closed')).toEqual([{ type: 'closed', reason: 'closed' }])
    expect(call.events.at(-1)?.type).toBe('closed')
  }
})

test('closing the engine closes its calls and takes no new ones', async () => {
  const other = createEmbeddedEngine({ prompts })
  const script = intakeScript({ language: 'he', businessName: 'Acme' })
  const call = new EngineCall(other, script)
  await call.next('ready')
  await other.close()
  expect(await call.next('closed')).toEqual({ type: 'closed', reason: 'engine_closed' })
  expect(() => new EngineCall(other, script)).toThrow('closed')
  call.hangUp()
  await other.close()
})

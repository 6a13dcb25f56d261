import { expect, test } from 'bun:test'
import type { StreamToken } from '../../src/domain/calls/index.ts'
import type { CallTurn } from '../../src/jobs/registry.ts'
import { createLogger } from '../../src/lib/log.ts'
import { systemClock } from '../../src/media/clock.ts'
import { MediaSession } from '../../src/media/media-session.ts'
import {
  DEFAULT_LIMITS,
  type SessionDeps,
  type SessionEnd,
  type SessionLimits,
} from '../../src/media/media-session-ports.ts'
import { DEFAULT_POLICY } from '../../src/media/turn-options.ts'
import type { InboundFrame } from '../../src/media/twilio-frames.ts'
import type { EngineEvent, EnginePlayer, EngineSession, SpeechEngine } from '../../src/providers/speech/port.ts'
import { eventually, quietFor } from '../support/wait.ts'

const CALL: StreamToken = {
  callSid: 'CA1',
  businessId: '019d0000-0000-7000-8000-000000000001',
  from: '+972501234567',
  to: '+97233760000',
  expiresAt: 0,
  nonce: 'n1',
}

const START: InboundFrame = {
  event: 'start',
  streamSid: 'MZ1',
  callSid: 'CA1',
  parameters: { token: 'good' },
  encoding: 'audio/x-mulaw',
  sampleRate: 8000,
}

type Sent = { event: string; mark?: { name: string }; media?: { payload: string } }
type SavedTurn = Omit<CallTurn, 'callSid' | 'businessId' | 'audioKey'>

/** A session with an engine that says what the test tells it to, on a clock that the test moves. */
function startSession(overrides: { limits?: Partial<SessionLimits>; deps?: Partial<SessionDeps> } = {}) {
  const sent: Sent[] = []
  const closes: { code: number; reason: string }[] = []
  const turns: SavedTurn[] = []
  const leads: unknown[] = []
  const ends: SessionEnd[] = []
  const asked: string[] = []
  const clock = { now: 0 }
  const control: { accepts: boolean; claims: boolean; player: EnginePlayer | null } = {
    accepts: true,
    claims: true,
    player: null,
  }
  let tell: (event: EngineEvent) => void = () => {
    throw new Error('The engine was not connected.')
  }
  const note = (name: string) => (value?: unknown) => {
    asked.push(value === undefined ? name : `${name} ${String(value)}`)
  }
  const engineSession: EngineSession = {
    sendAudio: note('audio'),
    say: note('say'),
    cancel: note('cancel'),
    playTo(player) {
      control.player = player
    },
    truncate: (itemId, heardMs) => asked.push(`truncate ${itemId} ${heardMs}`),
    toolResult: (id, result) => asked.push(`result ${id} ${JSON.stringify(result)}`),
    hearsVoice: () => true,
    ignoreTurn: note('ignore turn'),
    answer: note('answer'),
    close() {
      asked.push('close')
      call.onClose()
      tell({ type: 'closed', reason: 'requested' })
    },
  }
  const engine: SpeechEngine = {
    name: 'scripted',
    remote: false,
    connect(options) {
      tell = options.onEvent
      return engineSession
    },
    close: async () => {},
  }
  const session = new MediaSession(
    {
      send(frame) {
        if (control.accepts) sent.push(JSON.parse(frame))
        return control.accepts ? frame.length : 0
      },
      close: (code, reason) => closes.push({ code, reason }),
    },
    {
      engine,
      events: {
        claim: async () => control.claims,
        turn: (_, turn) => turns.push(turn),
        lead: (_, answers) => leads.push(answers),
        end: async (_, end) => void ends.push(end),
      },
      log: createLogger('silent'),
      verifyToken: (token, callSid) => (token === 'good' && callSid === CALL.callSid ? CALL : null),
      reception: () => ({
        script: {
          language: 'en',
          greeting: 'Hello',
          questions: [],
          reprompt: 'What?',
          thanks: 'Thanks',
          goodbye: 'Goodbye',
          oneMoment: 'One moment',
        },
        greeting: new Uint8Array(8_000),
        renderGreeting: async () => new Uint8Array(8_000),
      }),
      limits: { ...DEFAULT_LIMITS, ...overrides.limits },
      clock: { now: () => clock.now, after: systemClock.after },
      ...overrides.deps,
    },
  )
  const call = {
    session,
    sent,
    /** What the engine does when it is closed. */
    onClose: () => {},
    closes,
    turns,
    leads,
    ends,
    asked,
    clock,
    control,
    tell: (event: EngineEvent) => tell(event),
    /** Starts the call; the greeting of one second is under way. */
    start: () => session.onFrame(START),
    /** The carrier has played everything: its marks come back. */
    playAll() {
      for (const { mark } of [...sent]) if (mark) session.onFrame({ event: 'mark', name: mark.name })
    },
    events: () => sent.map((frame) => frame.event),
  }
  return call
}

type Scripted = ReturnType<typeof startSession>

/** What is written at the end is written in the next turn of the loop. */
const settle = () => Bun.sleep(1)
const say = (itemId: string, ms = 500): EngineEvent => ({
  type: 'audio',
  itemId,
  payload: Buffer.alloc(ms * 8).toString('base64'),
  ms,
  text: itemId,
})

test('before its start a stream gets nothing; then the greeting, with a mark behind it', () => {
  const call = startSession()
  call.session.onFrame({ event: 'connected' })
  call.session.onFrame({ event: 'media', payload: 'AAAA', timestampMs: 0 })
  expect(call.sent).toEqual([])
  expect(call.session.live).toBe(false)
  call.start()
  expect(call.events()).toEqual(['media', 'mark'])
  expect(Buffer.from(call.sent[0]?.media?.payload ?? '', 'base64').length).toBe(8_000)
  expect(call.session.live).toBe(true)
})

test('a greeting that has to be rendered first is played when it is there', async () => {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  const call = startSession({
    deps: {
      reception: () => ({
        script: { language: 'en', greeting: 'Hi', questions: [], reprompt: '', thanks: '', goodbye: '', oneMoment: '' },
        greeting: undefined,
        renderGreeting: () => promise,
      }),
    },
  })
  call.start()
  expect(call.sent).toEqual([])
  resolve(new Uint8Array(800))
  await settle()
  expect(call.events()).toEqual(['media', 'mark'])
})

test('after a greeting that was late the caller is given time: no filler, no question again', async () => {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  const call = startSession({
    deps: {
      reception: () => ({
        script: { language: 'en', greeting: 'Hi', questions: [], reprompt: '', thanks: '', goodbye: '', oneMoment: '' },
        greeting: undefined,
        renderGreeting: () => promise,
        phrase: () => new Uint8Array(80),
        policy: { ...DEFAULT_POLICY, deadAirMs: 20 },
      }),
    },
  })
  call.start()
  resolve(new Uint8Array(80))
  await settle()
  call.clock.now += 100
  call.playAll()
  await quietFor(80, 'a caller who thinks is not asked again')
  expect(call.events()).toEqual(['media', 'mark'])
  expect(call.asked).toEqual([])
})

test('a greeting that cannot be rendered ends in voicemail', async () => {
  const call = startSession({
    deps: {
      reception: () => ({
        script: { language: 'en', greeting: 'Hi', questions: [], reprompt: '', thanks: '', goodbye: '', oneMoment: '' },
        greeting: undefined,
        renderGreeting: () => Promise.reject(new Error('no voice')),
      }),
    },
  })
  call.start()
  await settle()
  expect(call.ends).toMatchObject([{ reason: 'engine_failed' }])
})

test('an item that was played to its end is a turn that was heard; the reason is written before the socket closes', async () => {
  const call = startSession()
  call.start()
  call.clock.now = 1_000
  call.playAll()
  expect(call.turns).toEqual([
    { index: 0, role: 'agent', text: 'Hello', startMs: 0, endMs: 1_000, heardMs: 1_000, interrupted: false },
  ])
  call.tell({ type: 'tool_call', toolCallId: 't1', name: 'save_lead', args: { name: 'Dana' } })
  call.tell({ type: 'tool_call', toolCallId: 't2', name: 'order_pizza', args: {} })
  call.tell(say('bye'))
  call.tell({ type: 'audio_done', itemId: 'bye' })
  call.tell({ type: 'tool_call', toolCallId: 't3', name: 'end_call', args: {} })
  await settle()
  expect(call.ends).toEqual([])
  call.clock.now = 1_500
  call.playAll()
  await settle()
  expect(call.leads).toEqual([{ name: 'Dana' }])
  expect(call.asked.filter((line) => line.startsWith('result'))).toEqual([
    'result t1 {"ok":true}',
    'result t2 {"error":"There is no tool named order_pizza."}',
    'result t3 {"ok":true}',
  ])
  expect(call.ends).toMatchObject([{ reason: 'completed', durationMs: 1_500, metrics: { turns: 2, bargeIns: 0 } }])
  expect(call.closes).toEqual([{ code: 1000, reason: 'completed' }])
  expect(call.session.live).toBe(false)
})

test('pieces that the engine hands over itself count like those it tells of; after the end none is played', async () => {
  const call = startSession({ limits: { silenceMs: 15 } })
  call.start()
  call.clock.now = 1_000
  call.playAll()
  const piece = Buffer.alloc(300 * 8).toString('base64')
  call.clock.now = 1_990
  call.control.player?.play('answer', piece, 300)
  // In the middle of a run: the next piece answers it all the same.
  call.tell({ type: 'speech_stopped', atMs: 1_500 })
  for (const now of [2_000, 2_010, 2_020]) {
    call.clock.now = now
    call.control.player?.play('answer', piece, 300)
  }
  // The caller speaks: no reminder.
  await quietFor(40, 'a reminder would have come')
  expect(call.asked).not.toContain('say Goodbye')
  const heard = call.sent.slice(2)
  expect(heard.map((frame) => frame.event)).toEqual(['media', 'media', 'media', 'media', 'mark'])
  expect(heard[0]?.media?.payload).toBe(piece)
  call.tell({ type: 'audio_done', itemId: 'answer' })
  call.clock.now = 3_200
  call.playAll()
  expect(call.turns.at(-1)).toMatchObject({ role: 'agent', heardMs: 1_200, interrupted: false })
  call.session.onFrame({ event: 'stop' })
  await settle()
  expect(call.ends).toMatchObject([
    { reason: 'caller_hung_up', metrics: { framesOut: 4, responseMedianMs: 500, responseMaxMs: 500 } },
  ])
  const before = call.sent.length
  call.control.player?.play('answer', piece, 300)
  call.control.player?.play('another', piece, 300)
  expect(call.sent.length).toBe(before)
})

test('a goodbye whose mark never comes back does not keep the line', async () => {
  const call = startSession({ limits: { finalMarkMs: 20 } })
  call.start()
  call.clock.now = 1_000
  call.playAll()
  call.tell(say('bye', 10))
  call.tell({ type: 'audio_done', itemId: 'bye' })
  call.tell({ type: 'tool_call', toolCallId: 't1', name: 'end_call', args: {} })
  await eventually(() => call.ends.length > 0, 'the end')
  expect(call.ends).toMatchObject([{ reason: 'completed', detail: 'the last mark did not return' }])
})

test('a goodbye that was heard already has no mark to wait for', async () => {
  const call = startSession({ limits: { finalMarkMs: 20 } })
  call.start()
  call.clock.now = 1_000
  call.playAll()
  call.tell({ type: 'tool_call', toolCallId: 't1', name: 'end_call', args: {} })
  await eventually(() => call.ends.length > 0, 'the end')
  expect(call.ends).toMatchObject([{ reason: 'completed', detail: null }])
})

test('a caller who speaks over the agent: stop, clear, and the record of what was heard', () => {
  const call = startSession()
  call.start()
  call.clock.now = 400
  call.tell({ type: 'speech_started', atMs: 250 })
  expect(call.events()).toEqual(['media', 'mark', 'clear'])
  expect(call.asked).toEqual(['cancel', 'truncate greeting 400'])
  expect(call.turns).toMatchObject([{ index: 0, heardMs: 400, endMs: 400, interrupted: true }])
  // The carrier returns the cleared marks: they count for nothing.
  call.playAll()
  expect(call.turns).toHaveLength(1)
  // There is no audio to interrupt.
  call.tell({ type: 'speech_started', atMs: 900 })
  expect(call.events()).toEqual(['media', 'mark', 'clear'])
})

test('what the caller said becomes a turn with its question and its audio', () => {
  const call = startSession()
  call.start()
  call.tell({ type: 'user_turn', question: 'name', startMs: 1_200.4, endMs: 2_100.6, audio: new Uint8Array(10) })
  expect(call.turns).toEqual([
    {
      index: 1,
      role: 'caller',
      text: null,
      question: 'name',
      startMs: 1_200,
      endMs: 2_101,
      heardMs: null,
      interrupted: false,
    },
  ])
})

test('a caller who speaks into the goodbye is listened to', async () => {
  const call = startSession({ limits: { finalMarkMs: 30 } })
  call.start()
  call.clock.now = 1_000
  call.playAll()
  call.tell(say('bye'))
  call.tell({ type: 'tool_call', toolCallId: 't1', name: 'end_call', args: {} })
  call.tell({ type: 'speech_started', atMs: 1_100 })
  await quietFor(80, 'the call would have ended')
  expect(call.ends).toEqual([])
  call.tell(say('bye again'))
  call.tell({ type: 'audio_done', itemId: 'bye again' })
  call.tell({ type: 'tool_call', toolCallId: 't2', name: 'end_call', args: {} })
  call.clock.now = 2_000
  call.playAll()
  await settle()
  expect(call.ends).toMatchObject([{ reason: 'completed' }])
})

test.each([
  [
    '0 is pressed',
    'voicemail_requested',
    (call: Scripted): void => call.session.onFrame({ event: 'dtmf', digit: '0' }),
  ],
  ['the caller hangs up', 'caller_hung_up', (call: Scripted): void => call.session.onFrame({ event: 'stop' })],
  ['the socket is gone', 'stream_lost', (call: Scripted): void => call.session.onClose(1006, '')],
  [
    'the engine fails',
    'engine_failed',
    (call: Scripted): void => call.tell({ type: 'error', code: 'x', message: 'y', fatal: true }),
  ],
  ['the engine closes', 'engine_lost', (call: Scripted): void => call.tell({ type: 'closed', reason: 'gone' })],
  ['a rule is broken', 'protocol_error', (call: Scripted): void => call.session.onViolation('a binary frame', 1003)],
  ['a second start comes', 'protocol_error', (call: Scripted): void => call.session.onFrame(START)],
  ['the server stops', 'server_draining', (call: Scripted): void => void call.session.drain()],
] as const)('when %s the reason is %s, once', async (_, reason, happen) => {
  const call = startSession()
  call.start()
  call.clock.now = 300
  happen(call)
  happen(call)
  call.session.onClose(1000, '')
  await settle()
  expect(call.ends.map((end) => end.reason)).toEqual([reason])
  expect(call.closes.length).toBeLessThanOrEqual(1)
  // The greeting that was under way is not lost, nor taken for heard.
  expect(call.turns).toMatchObject([{ role: 'agent', heardMs: 300, interrupted: true }])
  expect(call.asked.at(-1)).toBe('close')
  expect(call.session.live).toBe(false)
})

test('what an engine hands over while it is closed belongs to the call', async () => {
  const call = startSession()
  call.onClose = () => {
    call.tell({ type: 'user_turn', question: 'inquiry', startMs: 100, endMs: 200 })
    call.tell({ type: 'tool_call', toolCallId: 't1', name: 'save_lead', args: { name: 'Dana' } })
  }
  call.start()
  call.session.onFrame({ event: 'stop' })
  await settle()
  expect(call.turns.map((turn) => [turn.role, turn.question])).toContainEqual(['caller', 'inquiry'])
  expect(call.leads).toEqual([{ name: 'Dana' }])
  expect(call.ends).toMatchObject([{ reason: 'caller_hung_up', metrics: { turns: 2 } }])
})

test('other keys, and errors the engine survives, change nothing', async () => {
  const call = startSession()
  call.start()
  for (const digit of ['1', '#', '*']) call.session.onFrame({ event: 'dtmf', digit })
  call.tell({ type: 'error', code: 'hiccup', message: '', fatal: false })
  call.session.onFrame({ event: 'other', name: 'tomorrow' })
  await settle()
  expect(call.ends).toEqual([])
})

test('no start in time, a bad token, an unknown business, a wrong format: refused or ended, with nothing said', async () => {
  const late = startSession({ limits: { startMs: 15 } })
  await eventually(() => late.closes.length > 0, 'the refusal')
  expect(late.closes).toMatchObject([{ code: 1008 }])
  const forged = startSession()
  forged.session.onFrame({ ...START, parameters: { token: 'bad' } })
  expect(forged.closes).toMatchObject([{ code: 1008 }])
  const unknown = startSession({ deps: { reception: () => null } })
  unknown.start()
  expect(unknown.closes).toMatchObject([{ code: 1008 }])
  const format = startSession()
  format.session.onFrame({ ...START, encoding: 'audio/l16', sampleRate: 16_000 })
  await settle()
  expect(format.ends).toMatchObject([{ reason: 'protocol_error' }])
  for (const call of [late, forged, unknown, format]) {
    expect(call.sent).toEqual([])
    expect(call.session.live).toBe(false)
  }
  for (const call of [late, forged, unknown]) expect(call.ends).toEqual([])
})

test('a stream that another one was faster than goes without touching the record', async () => {
  const call = startSession()
  call.control.claims = false
  call.start()
  await settle()
  expect(call.closes).toMatchObject([{ code: 1008 }])
  expect(call.ends).toEqual([])
})

test('a database that cannot be asked does not end the call', async () => {
  const call = startSession({
    deps: {
      events: {
        claim: () => Promise.reject(new Error('away')),
        turn: () => {},
        lead: () => {},
        end: async () => {},
      },
    },
  })
  call.start()
  await settle()
  expect(call.session.live).toBe(true)
})

test('silence: a goodbye, and the end when it was heard', async () => {
  const call = startSession({ limits: { silenceMs: 15 } })
  call.start()
  await quietFor(40, 'the silence would have been noticed')
  // The agent speaks: that is no silence.
  expect(call.asked).toEqual([])
  call.playAll()
  await eventually(() => call.asked.length > 0, 'the goodbye')
  expect(call.asked).toEqual(['say Goodbye'])
  call.tell(say('goodbye'))
  call.tell({ type: 'audio_done', itemId: 'goodbye' })
  expect(call.ends).toEqual([])
  call.playAll()
  await settle()
  expect(call.ends).toMatchObject([{ reason: 'silence' }])
})

test('a caller who speaks is not silent', async () => {
  const call = startSession({ limits: { silenceMs: 15 } })
  call.start()
  call.playAll()
  call.tell({ type: 'speech_started', atMs: 0 })
  await quietFor(40, 'the silence would have been noticed')
  expect(call.asked).toEqual([])
  call.tell({ type: 'speech_stopped', atMs: 30 })
  await eventually(() => call.asked.length > 0, 'the goodbye')
  expect(call.asked).toEqual(['say Goodbye'])
})

test('the maximum duration: what is being said is cut, a goodbye, the end', async () => {
  const call = startSession({ limits: { maxDurationMs: 15 } })
  call.start()
  await eventually(() => call.asked.length > 2, 'the goodbye')
  expect(call.asked).toEqual(['cancel', 'truncate greeting 0', 'say Goodbye'])
  call.tell(say('goodbye'))
  call.tell({ type: 'audio_done', itemId: 'goodbye' })
  call.playAll()
  await settle()
  expect(call.ends).toMatchObject([{ reason: 'max_duration' }])
})

test('the maximum duration ends the call of a caller who talks on, too', async () => {
  const call = startSession({ limits: { maxDurationMs: 15, goodbyeMs: 60 } })
  call.start()
  await eventually(() => call.asked.includes('say Goodbye'), 'the goodbye')
  call.tell(say('goodbye'))
  call.tell({ type: 'speech_started', atMs: 30 })
  call.tell(say('go on'))
  call.tell({ type: 'speech_stopped', atMs: 40 })
  call.playAll()
  await eventually(() => call.ends.length > 0, 'the end')
  expect(call.ends).toMatchObject([{ reason: 'max_duration' }])
})

test('a carrier that takes no audio is a lost stream', async () => {
  const call = startSession()
  call.control.accepts = false
  call.start()
  await settle()
  expect(call.ends).toMatchObject([{ reason: 'stream_lost' }])
})

test('what cannot be read is counted', async () => {
  const call = startSession()
  call.session.onFrame(null)
  call.start()
  call.session.onFrame(null)
  call.session.onFrame({ event: 'stop' })
  await settle()
  expect(call.ends).toMatchObject([{ metrics: { malformedFrames: 2 } }])
})

test('how long the caller waited for an answer is measured from the end of the words', async () => {
  const call = startSession()
  call.start()
  call.clock.now = 1_000
  call.playAll()
  call.tell({ type: 'speech_started', atMs: 1_500 })
  call.clock.now = 3_000
  call.tell({ type: 'speech_stopped', atMs: 2_300 })
  call.clock.now = 3_050
  call.tell(say('next'))
  call.session.onFrame({ event: 'stop' })
  await settle()
  expect(call.ends).toMatchObject([{ metrics: { responseMedianMs: 750, responseMaxMs: 750 } }])
})

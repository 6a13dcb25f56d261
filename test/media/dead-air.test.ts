import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { RealtimeResponse, RealtimeResponseStatus, RealtimeServerEvent } from 'openai/resources/realtime/realtime'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import type { RealtimeSettings } from '../../src/providers/speech/openai-realtime/settings.ts'
import { realtimeFault } from '../../src/sandbox/openai/faults.ts'
import type { RealtimeScriptInput, ScriptStepInput } from '../../src/sandbox/openai/script.ts'
import { REALTIME_SERVER_EVENTS } from '../support/realtime-events.ts'
import { testSeed } from '../support/seed.ts'
import { watchStalls } from '../support/stalls.ts'
import { say, startVoiceLine } from '../support/voice-line.ts'

setDefaultTimeout(600_000)

/** The rule: a caller who waits hears something within two seconds; the rest is what a busy machine adds. */
const RULE_MS = 2_000
const SLACK_MS = 350
/** What a busy machine adds beyond that is measured. */
const stalls = watchStalls()

/** Calls at a time, of all tests. */
const AT_ONCE = 50

const { questions: _, language: __, ...PHRASE_TEXTS } = intakeScript({ language: 'en', businessName: 'Levi' })
const PHRASES = Object.values(PHRASE_TEXTS)
const USEFUL = { say: 'Right.', ms: 700 }

type Case = {
  name: string
  script: RealtimeScriptInput
  faults?: unknown[]
  vad?: Detection
  speaks?: number
  lasting?: boolean
  /** Words that make an answer: those that broke off are finished. */
  utterances?: number
}
type Detection = RealtimeSettings['turnDetection']

const DETECTIONS = Object.keys({
  server: 0,
  'semantic-low': 0,
  'semantic-medium': 0,
  'semantic-high': 0,
} satisfies Record<Detection, 0>) as Detection[]

/** Every end of a response by the vendor's types: a new member of theirs does not compile until it stands here. */
const STATUSES = {
  completed: [undefined],
  incomplete: ['max_output_tokens', 'content_filter', undefined],
  cancelled: ['turn_detected', 'client_cancelled', undefined],
  failed: [undefined],
  in_progress: [undefined],
} satisfies Record<NonNullable<RealtimeResponse['status']>, (RealtimeResponseStatus['reason'] | undefined)[]>
const REASONS: Record<NonNullable<RealtimeResponseStatus['reason']>, true> = {
  turn_detected: true,
  client_cancelled: true,
  max_output_tokens: true,
  content_filter: true,
}
const ERRORS = [
  { type: 'server_error', code: 'server_error' },
  { type: 'invalid_request_error', code: 'insufficient_quota' },
  { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  { type: 'tokens', code: 'rate_limit_exceeded' },
  { type: 'invalid_request_error', code: 'invalid_value' },
  { type: 'invalid_request_error', code: 'session_expired' },
  { type: 'authentication_error', code: 'invalid_api_key' },
  { type: 'a_new_type', code: 'a_new_code' },
  {},
]

const tool = (name: string) => ({ name, args: {} })
/** What a response may bring before its end. */
const OUTPUTS: Record<string, ScriptStepInput> = {
  nothing: {},
  'text only': { text: 'In writing' },
  'a blip of audio': { say: 'a', ms: 20 },
  'half a sentence': { say: 'I would', ms: 400 },
  'a tool': { tools: [tool('save_lead')] },
  'an unknown tool': { tools: [tool('order_pizza')] },
  'a tool with broken arguments': { tools: [{ name: 'save_lead', args: '{"name":' }] },
  'words and a tool': { say: 'I would', ms: 400, tools: [tool('save_lead')] },
}

function endings(): Case[] {
  const cases: Case[] = []
  for (const [status, reasons] of Object.entries(STATUSES))
    for (const reason of reasons)
      for (const [output, step] of Object.entries(OUTPUTS))
        cases.push({
          name: `${status} ${reason ?? ''} with ${output}`,
          script: { steps: [{ ...step, end: { status, ...(reason ? { reason } : {}) } }] },
          ...(status === 'incomplete' && output === 'half a sentence' ? { utterances: 2 } : {}),
        })
  for (const error of ERRORS)
    for (const output of ['nothing', 'half a sentence'])
      cases.push({
        name: `failed ${error.code ?? ''} with ${output}`,
        script: { steps: [{ ...OUTPUTS[output], end: { status: 'failed', error } }] },
        ...(output === 'nothing' ? {} : { utterances: 2 }),
      })
  cases.push({
    name: 'a status of tomorrow',
    script: { steps: [{ end: { status: 'tomorrow', reason: 'a new one' } }] },
  })
  cases.push({ name: 'a response that never comes', script: { steps: [{ absent: true }] } })
  cases.push({ name: 'a response that begins and hangs', script: { steps: [{ hang: true }] } })
  cases.push({
    name: 'audio that stops in the middle',
    script: { steps: [{ say: 'A long answer that breaks off', ms: 4_000, stopAfterMs: 600 }] },
    utterances: 2,
  })
  for (const error of ERRORS)
    cases.push({
      name: `error ${error.code ?? ''} in its place`,
      script: { steps: [{ raw: [{ type: 'error', error: { message: 'x', ...error } }] }] },
    })
  return cases
}

const always = (each: Case): Case => ({
  ...each,
  name: `${each.name}, always`,
  lasting: true,
  script: { ...each.script, steps: Array.from({ length: 40 }, () => each.script.steps?.[0] ?? {}) },
})
const once = (each: Case): Case => ({
  ...each,
  name: `${each.name}, once`,
  script: { ...each.script, steps: [...(each.script.steps ?? []), USEFUL] },
})

async function run(each: Case): Promise<string | null> {
  const line = startVoiceLine({
    script: { speed: 20, ...each.script },
    settings: { turnDetection: each.vad ?? 'server', idleMs: 30_000 },
    // The engine's own watch is out of the way: what is proven is the call's.
    engineLimits: { connectMs: 60_000, quietMs: 60_000, stallMs: 60_000 },
    greetingMs: 300,
    limits: { silenceMs: 30_000 },
  })
  for (const fault of each.faults ?? []) line.openai.faults.add(fault as never)
  const usefulWords = () =>
    line.turns.filter(
      (turn) =>
        turn.role === 'agent' && turn.text !== null && !PHRASES.includes(turn.text) && (turn.heardMs ?? 0) > 350,
    )
  // Behind the useful words nothing is owed: whoever has them hangs up.
  let callSid = ''
  let placedAt = 0
  const contented = setInterval(() => {
    if (usefulWords().length >= (each.utterances ?? 1)) line.carrier.calls.get(callSid)?.control?.hangUp()
  }, 50)
  try {
    const { report, end, replay } = await line.call({
      // Who gets useful words at last waits for them, however slow the machine; the others have heard enough.
      script: [{ say: say(each.speaks ?? 700) }, { hangup: true, when: { afterMs: each.lasting ? 14_000 : 30_000 } }],
      maxSeconds: 40,
      onPlaced: (sid) => {
        callSid = sid
        placedAt = performance.now()
      },
    })
    const fellSilentAt = report.turns[0]?.endMs ?? 0
    const spans = report.heardSpans.filter((span) => span.endMs - span.startMs >= 100 && span.endMs > fellSilentAt)
    const answered = usefulWords().length >= (each.utterances ?? 1)
    // Until the useful words the caller waits; behind them it is their turn.
    const story = `${JSON.stringify(spans.map((span) => [Math.round(span.startMs - fellSilentAt), Math.round(span.endMs - fellSilentAt)]))} end=${end?.reason} ${end?.detail ?? ''} said=${line.openai.sessions
      .flatMap((s) => s.report.said)
      .join('|')
      .slice(0, 200)}`
    let quietFrom = fellSilentAt
    const tooLong = (from: number, to: number) =>
      to - from > RULE_MS + SLACK_MS + stalls.ms(placedAt + from, placedAt + to)
    let waits = true
    for (const span of spans) {
      if (waits && tooLong(quietFrom, span.startMs))
        return `${each.name}: ${Math.round(span.startMs - quietFrom)} ms of nothing; ${story}`
      quietFrom = Math.max(quietFrom, span.endMs)
      waits = !answered
    }
    if (spans.length === 0 && end?.reason === 'caller_hung_up')
      return `${each.name}: nothing was heard at all; ${story}`
    if (replay?.firstDifference)
      return `${each.name}: its record decides otherwise: ${JSON.stringify(replay.firstDifference)}`
    if (answered) return null
    // Without useful words the agent has to give up in time, so that the caller reaches the voicemail.
    if (end?.reason.startsWith('engine_'))
      return tooLong(quietFrom, report.durationMs) ? `${each.name}: gave up late; ${story}` : null
    return each.lasting && line.openai.sessions.some((s) => s.report.said.length > 0)
      ? null
      : `${each.name}: no useful words and no way out; ${story} decided=${replay?.recorded.map(({ what }) => what).join('|')}`
  } finally {
    clearInterval(contented)
    await line.close()
  }
}

/** Over all tests, which run beside each other: a call mostly waits, and hardly needs the machine. */
let places = AT_ONCE
const queue: (() => void)[] = []

async function runAll(cases: Case[]): Promise<string[]> {
  const problems = await Promise.all(
    cases.map(async (each) => {
      if (places > 0) places--
      else await new Promise<void>((resolve) => queue.push(resolve))
      try {
        return await run(each)
      } finally {
        const next = queue.shift()
        if (next) next()
        else places++
      }
    }),
  )
  return problems.filter((problem) => problem !== null)
}

let total = 0
afterAll(() => {
  stalls.stop()
  console.log(
    `${total} calls (TEST_SEED=${testSeed()}); the machine was late by ${Math.round(stalls.total())} ms in all`,
  )
})
/** Every other one of many, by the seed of the run. */
const all = async (cases: Case[]) => {
  const chosen = cases.length > 12 ? cases.filter((_, index) => (index + testSeed()) % 2 === 0) : cases
  total += chosen.length
  expect(await runAll(chosen)).toEqual([])
}

test('the reasons are all among the ends', () => {
  expect(
    new Set(
      Object.values(STATUSES)
        .flat()
        .filter((reason) => reason !== undefined),
    ),
  ).toEqual(new Set(Object.keys(REASONS)) as never)
})

test.concurrent('every end of a response, once: the caller hears useful words', () =>
  // A new session of the sandbox's begins its script anew: of what needs one the first try is none.
  all(
    endings()
      .map(once)
      .filter(({ name }) => !name.startsWith('audio that stops')),
  ))

test.concurrent('every end of a response, always: the caller hears something, then reaches the voicemail', () =>
  all(endings().map(always)))

test.concurrent('with each turn detection', () =>
  all(
    DETECTIONS.filter((vad) => vad !== 'server').flatMap((vad) =>
      endings()
        .filter(({ name }, index) => index % 3 === 0 && !name.startsWith('audio that stops'))
        .map(once)
        .map((each) => ({ ...each, name: `${vad}: ${each.name}`, vad })),
    ),
  ))

test.concurrent('every event of the engine left out', () =>
  all(
    [
      ...REALTIME_SERVER_EVENTS.map((type) => [type]),
      ['input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped'],
      ['response.created', 'response.done'],
    ].map(
      (omit): Case => ({
        name: `without ${omit.join(' and ')}`,
        lasting: true,
        script: { omit, steps: Array.from({ length: 10 }, () => USEFUL) },
      }),
    ),
  ))

test.concurrent('every event of the engine in place of an answer, as good as empty', () =>
  all(
    REALTIME_SERVER_EVENTS.filter((type) => type !== 'session.created').map(
      (type): Case => ({
        name: `only ${type}`,
        script: { steps: [{ raw: [{ type, event_id: 'event_1', item_id: 'item_x', response_id: 'resp_x' }] }, USEFUL] },
      }),
    ),
  ))

test.concurrent('a connection that fails at each moment in each way', () => {
  const places = realtimeFault.shape.at.options
  const effects = realtimeFault.shape.effect.options.map((option) => option.shape.kind.value)
  return all(
    places.flatMap((at) =>
      effects
        .filter((kind) => kind !== 'refuse' || at === 'connect')
        .map(
          (kind): Case => ({
            name: `${kind} at ${at}`,
            lasting: true,
            faults: [{ at, times: 99, effect: kind === 'refuse' ? { kind, status: 503 } : { kind } }],
            script: { steps: Array.from({ length: 10 }, () => USEFUL) },
          }),
        )
        // It fails before it could tell that the caller speaks.
        .flatMap((each) =>
          at === 'speech'
            ? [
                each,
                {
                  ...each,
                  name: `${each.name}, untold`,
                  script: { ...each.script, omit: ['input_audio_buffer.speech_started'] },
                },
              ]
            : [each],
        ),
    ),
  )
})

/** Compiles only while the list is the vendor's. */
type Listed = (typeof REALTIME_SERVER_EVENTS)[number]
const complete: RealtimeServerEvent['type'] extends Listed
  ? Listed extends RealtimeServerEvent['type']
    ? true
    : never
  : never = true
test('the list of events is the vendor’s', () => expect(complete).toBe(true))

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createEmbeddedEngine } from '../../src/providers/speech/embedded/engine.ts'
import type { IntakeScript, SpeechSynthesizer } from '../../src/providers/speech/port.ts'
import { createPromptCache } from '../../src/providers/speech/prompts.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import type { CallerStep } from '../../src/sandbox/carrier/caller-step.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { endSpeech, line as lineOf, speak } from '../support/speech.ts'
import { startVoiceLine } from '../support/voice-line.ts'

setDefaultTimeout(240_000)

/** The rule: a caller who waits hears something within two seconds, or the call goes on to voicemail. */
const RULE_MS = 2_000
/** What the frames of both directions add. */
const SLACK_MS = 100
const TICK_MS = 10
const PROMPT_MS = 900

const SCRIPT = intakeScript({ language: 'en', businessName: 'Levi' })
/** What the engine says next when it is in this state, and how many answers lead there. */
const STATES = {
  greeting: { answers: 0, next: SCRIPT.questions[1]?.prompt },
  name: { answers: 0, next: SCRIPT.questions[1]?.prompt },
  inquiry: { answers: 1, next: SCRIPT.questions[2]?.prompt },
  callback: { answers: 2, next: SCRIPT.thanks },
  closing: { answers: 3, next: SCRIPT.goodbye },
  /** `save_lead` and `end_call` are done; the caller speaks once more. */
  end_of_tool: { answers: 3, next: SCRIPT.goodbye },
} as const
type State = keyof typeof STATES
/** The longest first. */
const EVENTS = [
  'silence',
  'speaks',
  'barge_in',
  'hang_up',
  'voice_fails',
  'voice_is_slow',
  'voice_hangs',
  'empty_utterance',
  'long_utterance',
] as const
type Event = (typeof EVENTS)[number]

const stalls: { at: number; ms: number }[] = []
let due = performance.now() + TICK_MS
const ticks = setInterval(() => {
  const at = performance.now()
  if (at - due > 2) stalls.push({ at, ms: at - due })
  due = at + TICK_MS
}, TICK_MS)
const stalledMs = (from: number, to: number) =>
  stalls.reduce((sum, { at, ms }) => sum + Math.max(0, Math.min(at, to) - Math.max(at - ms, from)), 0)

/** One engine for all calls, as in the product: their texts differ, so that each can have its own voice. */
const voices = new Map<string, () => Promise<void>>()
const log = createLogger('silent')
const engine = createEmbeddedEngine({
  prompts: createPromptCache({
    dir: join(temporaryDirectory('embedded-states'), 'prompts'),
    synthesizer: createVoice(),
    log,
  }),
})

let words = new Uint8Array()
let long = new Uint8Array()
beforeAll(async () => {
  words = Uint8Array.from(await speak('My name is David Levi', 'en'))
  long = Uint8Array.from(lineOf(...Array.from({ length: 6 }, () => words)))
})
afterAll(async () => {
  clearInterval(ticks)
  await engine.close()
  await endSpeech()
})

/** A voice of tones, which fails where a call's event says so. */
function createVoice(): SpeechSynthesizer {
  return {
    version: 'tones',
    close: async () => {},
    async synthesize({ text }) {
      await voices.get(text)?.()
      return makeTone(350, PROMPT_MS)
    },
  }
}

const VOICE_EVENTS: Partial<Record<Event, (next: number) => Promise<void>>> = {
  voice_fails: () => Promise.reject(new Error('no voice')),
  voice_hangs: () => new Promise(() => {}),
  // Rendered ahead of its time, so that it is late all the same.
  voice_is_slow: (next) => Bun.sleep(9_000 + 3_000 * next),
}

/** The script in a call's own words. */
function scriptOf(state: State, event: Event): IntakeScript {
  const own = (text: string) => `${text} (${state}, ${event})`
  const script: IntakeScript = {
    ...SCRIPT,
    questions: SCRIPT.questions.map((question) => ({ ...question, prompt: own(question.prompt) })),
    thanks: own(SCRIPT.thanks),
    goodbye: own(SCRIPT.goodbye),
  }
  const { next } = STATES[state]
  const fail = VOICE_EVENTS[event]
  if (next && fail) voices.set(own(next), () => fail(Object.values(STATES).findIndex((each) => each.next === next)))
  return script
}

function stepsOf(state: State, event: Event): CallerStep[] {
  const lead: CallerStep[] = Array.from({ length: STATES[state].answers }, () => ({ say: words }))
  const into = state === 'greeting' || state === 'closing'
  const act = (say: Uint8Array): CallerStep => (into ? { say, when: 'barge_in', bargeInMs: 200 } : { say })
  // A call whose voice hangs ends by itself before that.
  const end: CallerStep = { hangup: true, when: { afterMs: event === 'voice_hangs' ? 10_000 : 5_500 } }
  switch (event) {
    case 'silence':
      return [...lead, { hangup: true, when: { afterMs: 22_000 } }]
    case 'hang_up':
      return [...lead, { hangup: true, when: into ? 'barge_in' : 'agent_done', bargeInMs: 300 }]
    case 'barge_in':
      return [...lead, { say: words, when: 'barge_in', bargeInMs: 300 }, end]
    case 'empty_utterance':
      return [...lead, act(makeTone(2_000, 30)), { say: words, when: { afterMs: 2_500 } }, end]
    case 'long_utterance':
      return [...lead, act(long), end]
    default:
      return [...lead, act(words), end]
  }
}

async function run(state: State, event: Event): Promise<string | null> {
  const line = startVoiceLine({ engine, intake: scriptOf(state, event), greetingMs: 1_500 })
  let placedAt = 0
  try {
    const { report, end } = await line.call({
      script: stepsOf(state, event),
      maxSeconds: 45,
      onPlaced: () => {
        placedAt = performance.now()
      },
    })
    const name = `${state} × ${event}`
    const spans = report.heardSpans.filter((span) => span.endMs - span.startMs >= 100)
    const story = `${JSON.stringify(report.turns.map((t) => [Math.round(t.startMs), Math.round(t.voiceEndMs)]))} heard ${JSON.stringify(spans.map((s) => [Math.round(s.startMs), Math.round(s.endMs)]))} of ${Math.round(report.durationMs)} end=${end?.reason} ${end?.detail ?? ''}`
    if (!end) return `${name}: the call has no end; ${story}`
    if (spans.length === 0 && !end.reason.startsWith('engine_')) return `${name}: nothing was heard; ${story}`
    for (const turn of report.turns) {
      if (event === 'empty_utterance' && turn.voiceEndMs - turn.startMs < 100) continue
      const from = turn.voiceEndMs
      const next = spans.find((span) => span.endMs > from + 100)?.startMs ?? report.durationMs
      if (next - from > RULE_MS + SLACK_MS + stalledMs(placedAt + from, placedAt + next))
        return `${name}: ${Math.round(next - from)} ms of nothing; ${story}`
    }
    // The caller is silent: they are asked again.
    if (event === 'silence' && state !== 'closing' && spans.filter((span) => span.startMs > 4_000).length === 0)
      return `${name}: was not asked again; ${story}`
    // What cannot be said is left out where other words can take its place; else the call goes on to voicemail.
    const hasOtherWords = STATES[state].answers > 1 && end.reason === 'completed'
    if (event === 'voice_hangs' && !end.reason.startsWith('engine_') && !hasOtherWords)
      return `${name}: the call does not go on; ${story}`
    const toHear = state === 'greeting' ? 1 : STATES[state].answers
    if (event === 'voice_fails' && spans.length < toHear) return `${name}: it ended before it was due; ${story}`
    return null
  } finally {
    await line.close()
  }
}

/** Calls at a time. */
let places = 30
const queue: (() => void)[] = []

async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  if (places > 0) places--
  else await new Promise<void>((resolve) => queue.push(resolve))
  try {
    return await act()
  } finally {
    const next = queue.shift()
    if (next) next()
    else places++
  }
}

test.concurrent.each(Object.keys(STATES) as State[])(
  'the line is never dead, whatever happens in the state "%s"',
  async (state) => {
    const problems = await Promise.all(EVENTS.map((event) => inTurn(() => run(state, event))))
    expect(problems.filter((problem) => problem !== null)).toEqual([])
  },
)

test('no session is left', async () => {
  expect(engine.sessionCount).toBe(0)
  expect(await engine.countLines()).toBe(0)
})

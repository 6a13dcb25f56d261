import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { RACE_ERRORS } from '../../src/providers/speech/openai-realtime/race-errors.ts'
import type { CallReport } from '../../src/sandbox/carrier/call-report.ts'
import type { CallerStep } from '../../src/sandbox/carrier/caller-step.ts'
import type { SessionReport } from '../../src/sandbox/openai/session-report.ts'
import { endSpeech, line as onLine, speak } from '../support/speech.ts'
import { watchStalls } from '../support/stalls.ts'
import { say, type VoiceLine, withVoiceLine } from '../support/voice-line.ts'

setDefaultTimeout(90_000)
afterAll(endSpeech)

const goodbye = { say: 'Goodbye.', ms: 400, tools: [{ name: 'end_call', args: { reason: 'completed' } }] }
const hangup = (afterMs: number): CallerStep => ({ hangup: true, when: { afterMs } })

const RACE_CODES: string[] = [RACE_ERRORS['response.cancel'], RACE_ERRORS['response.create']].flat()

const sessionOf = (line: VoiceLine, index = 0) => {
  const report = line.openai.sessions[index]?.report
  if (!report) throw new Error(`there was no engine session ${index}`)
  return report
}

/** What the engine refused; that two events crossed on the way is no error. */
const errorsOf = ({ errors }: SessionReport) => errors.filter((code) => !RACE_CODES.includes(code))

const stalls = watchStalls()
afterAll(stalls.stop)
/** While the machine stands still what plays goes on: the most that it stood still while one answer was heard. */
const stalledMs = (report: CallReport, placedAt: number) =>
  Math.max(0, ...report.heardSpans.map((span) => stalls.ms(placedAt + span.startMs, placedAt + span.endMs + 100)))

/** How long each answer was heard, the greeting left out. */
const heardSpans = (report: CallReport) =>
  report.heardSpans
    .slice(1)
    .filter((span) => span.endMs - span.startMs > 100)
    .map((span) => span.endMs - span.startMs)

describe('marks', () => {
  test.concurrent('that never come back: turns are answered, a goodbye ends the call', () =>
    withVoiceLine(
      { limits: { finalMarkMs: 800 }, script: { steps: [{ say: 'Yes?', ms: 500 }, goodbye] } },
      async (line) => {
        const { end, report } = await line.call({
          script: [{ say: say(600) }, { say: say(600) }],
          marks: { lost: true },
        })
        expect(report.marks.returned).toEqual([])
        expect(end?.reason).toBe('completed')
        expect(end?.detail).toBe('the last mark did not return')
        expect(sessionOf(line).said).toEqual(['Yes?', 'Goodbye.'])
        // The goodbye was heard to its end before the line was closed.
        expect(heardSpans(report).at(-1) ?? 0).toBeGreaterThan(380)
      },
    ))

  test.concurrent('that never come back: a silent caller is noticed all the same', () =>
    withVoiceLine({ limits: { finalMarkMs: 500, silenceMs: 1_000 }, script: {} }, async (line) => {
      const { end } = await line.call({ marks: { lost: true } })
      expect(end?.reason).toBe('silence')
    }))

  test.concurrent('that never come back: an interruption still cuts where it was heard', () =>
    withVoiceLine(
      { greetingMs: 300, script: { steps: [{ say: 'A long answer', ms: 6_000 }], speed: 10 } },
      async (line) => {
        const { report, placedAt } = await line.call({
          script: [{ say: say(600) }, { say: say(600), when: 'barge_in', bargeInMs: 900 }, hangup(600)],
          marks: { lost: true },
        })
        const [cut] = sessionOf(line).truncations
        expect(Math.abs((cut?.audioEndMs ?? 0) - (heardSpans(report)[0] ?? 0))).toBeLessThanOrEqual(
          60 + stalledMs(report, placedAt),
        )
        expect(errorsOf(sessionOf(line))).toEqual([])
      },
    ))

  test.concurrent('that come late: nothing is taken for heard that was not, and the call ends after the last one', () =>
    withVoiceLine(
      {
        greetingMs: 300,
        script: { steps: [...Array.from({ length: 4 }, () => ({ say: 'An answer', ms: 4_000 })), goodbye], speed: 10 },
      },
      async (line) => {
        const { end, report, placedAt } = await line.call({
          script: [
            { say: say(500) },
            ...Array.from({ length: 4 }, (_, i) => ({
              say: say(500),
              when: 'barge_in' as const,
              bargeInMs: 700 + 90 * i,
            })),
          ],
          marks: { lateMs: 700 },
          maxSeconds: 40,
        })
        expect(end?.reason).toBe('completed')
        expect(end?.detail).toBeNull()
        const session = sessionOf(line)
        expect(errorsOf(session)).toEqual([])
        expect(session.truncations).toHaveLength(4)
        const spans = heardSpans(report)
        for (const [i, cut] of session.truncations.entries())
          expect(cut.audioEndMs - (spans[i] ?? 0)).toBeLessThanOrEqual(60 + stalledMs(report, placedAt))
      },
    ))
})

describe('frames that are lost', () => {
  test.concurrent('in the middle of a sentence: the turn ends, and is answered once', () =>
    withVoiceLine({ script: { steps: [{ say: 'I hear you.', ms: 500 }] } }, async (line) => {
      const { report } = await line.call({
        script: [
          { say: say(900) },
          { networkGap: 1_500, when: { afterMs: 0 } },
          { say: say(600), when: 'agent_done' },
          hangup(2_500),
        ],
      })
      expect(report.streams[0]?.framesSent ?? 0).toBeLessThan((report.durationMs - 1_200) / 20)
      // The turn that the gap cut, and the one after it.
      expect(sessionOf(line).turns).toBe(2)
      expect(line.turns.filter((turn) => turn.role === 'caller')).toHaveLength(2)
      expect(report.turns[0]?.audibleLatencyMs ?? 9_999).toBeLessThan(4_000)
    }))

  test.concurrent('one in a hundred, and a long gap: the engine’s clock stays the caller’s', () =>
    withVoiceLine({ script: { steps: [{ say: 'Yes.', ms: 300 }] } }, async (line) => {
      const gaps: CallerStep[] = Array.from(
        { length: 6 },
        () => [{ networkGap: 80 }, { wait: 300 }] satisfies CallerStep[],
      ).flat()
      const { report } = await line.call({
        script: [
          { silence: 200 },
          ...gaps,
          { networkGap: 2_000 },
          { wait: 200 },
          { say: say(700), when: 'now' },
          hangup(2_000),
        ],
      })
      const caller = line.turns.find((turn) => turn.role === 'caller')
      const said = report.turns[0]
      const startAt = report.streams[0]?.startAtMs ?? 0
      // What was said stands where it was said, on the clock of the stream.
      expect(Math.abs((caller?.startMs ?? 0) - ((said?.startMs ?? 0) - startAt))).toBeLessThan(250)
      expect(Math.abs((caller?.endMs ?? 0) - ((said?.voiceEndMs ?? 0) - startAt))).toBeLessThan(250)
    }))
})

describe('an engine that stalls', () => {
  for (const at of ['speech', 'turn', 'response'] as const)
    test.concurrent(`at ${at}: something is heard within two seconds of the silence, then it goes on`, () =>
      withVoiceLine(
        {
          script: {
            heard: ['A flat', 'In Haifa'],
            steps: [
              { say: 'A long answer to that', ms: 2_500 },
              { say: 'Here again.', ms: 400 },
            ],
            speed: 1,
          },
        },
        async (line) => {
          line.openai.faults.add({ at, effect: { kind: 'stall' } })
          const { report, end } = await line.call({ script: [{ say: say(700) }, hangup(9_000)], maxSeconds: 30 })
          expect(end?.reason).toBe('caller_hung_up')
          expect(end?.metrics.engineFailures).toBe(1)
          expect(line.openai.sessions.length).toBe(2)
          // From the end of the caller's words, or of what was heard of the answer, to the next sound.
          const spans = report.heardSpans
          const waits = [
            (spans.find((span) => span.startMs > (report.turns[0]?.voiceEndMs ?? 0))?.startMs ?? 99_999) -
              (report.turns[0]?.voiceEndMs ?? 0),
            ...(at === 'response' ? [(spans[2]?.startMs ?? 99_999) - (spans[1]?.endMs ?? 0)] : []),
          ]
          for (const wait of waits) expect(wait).toBeLessThan(2_600)
        },
      ))
})

describe('responses that overlap', () => {
  test.concurrent('the caller speaks into one answer after the other while they are still being made', () =>
    withVoiceLine(
      {
        greetingMs: 300,
        script: { steps: Array.from({ length: 6 }, (_, i) => ({ say: `Answer ${i}`, ms: 5_000 })), speed: 1 },
      },
      async (line) => {
        const { report, end } = await line.call({
          script: [
            { say: say(500) },
            ...Array.from({ length: 5 }, () => ({ say: say(500), when: 'barge_in' as const, bargeInMs: 500 })),
            { hangup: true, when: 'barge_in', bargeInMs: 500 },
          ],
          maxSeconds: 40,
        })
        expect(end?.reason).toBe('caller_hung_up')
        expect(end?.metrics.bargeIns).toBe(5)
        const session = sessionOf(line)
        expect(errorsOf(session)).toEqual([])
        expect(session.responses.filter((each) => each.status === 'cancelled').length).toBeGreaterThanOrEqual(5)
        // One answer a turn, none twice, none of a cancelled one behind a clear.
        expect(session.said).toEqual(Array.from({ length: 6 }, (_, i) => `Answer ${i}`))
        for (const [i, clear] of report.clears.entries()) {
          const next = report.heardSpans.find((span) => span.startMs > clear.atMs)
          const turn = report.turns[i + 1]
          if (next && turn) expect(next.startMs).toBeGreaterThan(turn.voiceEndMs)
        }
      },
    ))

  test.concurrent('a tool’s answer is asked for while the caller begins to speak', () =>
    withVoiceLine(
      {
        tools: {
          list: () => [{ name: 'lookup_business_info', description: '', parameters: {} }],
          run: () => Bun.sleep(700).then(() => ({ answer: 'nine' })),
          transfer: async () => null,
          canTransfer: () => false,
        },
        script: {
          steps: [
            { tools: [{ name: 'lookup_business_info', args: {} }] },
            { say: 'At nine.', ms: 500 },
            { say: 'And more.', ms: 500 },
          ],
        },
      },
      async (line) => {
        const { end } = await line.call({
          script: [{ say: say(500) }, { say: say(900), when: { afterMs: 900 } }, hangup(2_500)],
        })
        expect(end?.reason).toBe('caller_hung_up')
        const session = sessionOf(line)
        expect(session.toolOutputs).toHaveLength(1)
        expect(errorsOf(session)).toEqual([])
        expect(session.said.length).toBeGreaterThanOrEqual(1)
      },
    ))

  test.concurrent.each([
    [1_500, 'while the caller speaks'],
    [1_900, 'between the end of the turn and the answer'],
    [2_300, 'in the very moment in which the engine begins an answer'],
  ])('the time is up after %p ms, %s: the goodbye is said, and nothing after it', (maxDurationMs) =>
    withVoiceLine(
      { limits: { maxDurationMs }, script: { steps: [{ say: 'A long answer', ms: 6_000, delayMs: 300 }] } },
      async (line) => {
        const { end } = await line.call({ script: [{ say: say(600) }] })
        expect(end?.reason).toBe('max_duration')
        const session = sessionOf(line)
        expect(session.said.at(-1)).toContain('bye')
        expect(session.said.filter((text) => text.includes('bye'))).toHaveLength(1)
        expect(errorsOf(session)).toEqual([])
      },
    ),
  )
})

describe('the caller’s turns, as they are set', () => {
  /** From the end of the voice to the engine's answer. */
  const answerAfter = async (turnDetection: 'server' | 'semantic-low' | 'semantic-high', pauseMs: number) => {
    let latency = Number.NaN
    let turns = 0
    await withVoiceLine(
      {
        settings: { turnDetection },
        engineLimits: { quietMs: 20_000, stallMs: 30_000 },
        script: {
          steps: [
            { say: 'Yes?', ms: 400 },
            { say: 'And?', ms: 400 },
          ],
        },
      },
      async (line) => {
        const { report } = await line.call({ script: [{ say: onLine(say(600), pauseMs, say(600)) }, hangup(2_600)] })
        const detection = sessionOf(line).settings?.audio?.input?.turn_detection
        expect(detection).toMatchObject(
          turnDetection === 'server'
            ? { type: 'server_vad', idle_timeout_ms: 8_000, create_response: true, interrupt_response: false }
            : {
                type: 'semantic_vad',
                eagerness: turnDetection.slice(9),
                create_response: true,
                interrupt_response: false,
              },
        )
        expect(errorsOf(sessionOf(line))).toEqual([])
        latency = report.turns[0]?.responseLatencyMs ?? Number.NaN
        turns = sessionOf(line).turns
      },
    )
    return { latency, turns }
  }

  test.concurrent('a pause of 600 ms ends a turn for an eager listener and by silence, not for a patient one', async () => {
    const [server, high, low] = await Promise.all([
      answerAfter('server', 600),
      answerAfter('semantic-high', 600),
      answerAfter('semantic-low', 600),
    ])
    expect({ server: server.turns, high: high.turns, low: low.turns }).toEqual({ server: 2, high: 2, low: 1 })
    expect(low.latency).toBeGreaterThan(1_100)
    expect(high.latency).toBeLessThan(low.latency)
  })

  test.concurrent('a silent caller is asked again twice, then the call ends with a goodbye', () =>
    withVoiceLine(
      {
        settings: { idleMs: 5_000 },
        limits: { silenceMs: 12_000 },
        script: {
          steps: [
            { say: 'How can I help?', ms: 500 },
            { say: 'Are you there?', ms: 500 },
            { say: 'Hello?', ms: 500 },
          ],
        },
      },
      async (line) => {
        const { end, report } = await line.call({ script: [{ say: say(600) }], maxSeconds: 60 })
        expect(end?.reason).toBe('silence')
        const session = sessionOf(line)
        expect(session.idleTimeouts).toBe(3)
        expect(session.said.slice(0, 3)).toEqual(['How can I help?', 'Are you there?', 'Hello?'])
        expect(session.said.at(-1)).toContain('bye')
        // The server answers the third timeout by itself; that answer is cancelled for the goodbye.
        const said = session.responses.filter(({ status }) => status === 'completed')
        expect(said.length).toBe(4)
        expect(session.responses.length - said.length).toBeLessThanOrEqual(1)
        expect(errorsOf(session)).toEqual([])
        expect(report.ended.by).not.toBe('time_limit')
      },
    ))
})

describe('speech, not tones', () => {
  const conversations = [
    {
      language: 'he' as const,
      said: ['שְׁלוֹם, מְדַבֶּרֶת דָּנָה', 'אֲנִי מְחַפֶּשֶׂת דִּירָה בְּחֵיפָה', 'לֹא, רַק רֶגַע'],
      answers: [
        'נָעִים מְאוֹד, דָּנָה. בַּמֶּה אֶפְשָׁר לַעֲזוֹר?',
        'יֵשׁ לָנוּ כַּמָּה דִּירוֹת יָפוֹת בְּחֵיפָה, וְנַשְׁמַח לְהַרְאוֹת לָךְ אוֹתָן בְּכָל יוֹם',
        'תּוֹדָה רַבָּה, לְהִתְרָאוֹת',
      ],
    },
    {
      language: 'en' as const,
      said: ['Hello, my name is Dana', 'I am looking for a flat in Haifa', 'No, one moment please'],
      answers: [
        'Nice to meet you, Dana. How can I help?',
        'We have several nice flats in Haifa, and we would be glad to show them to you on any day you like',
        'Thank you very much. Goodbye.',
      ],
    },
  ]
  for (const { language, said, answers } of conversations)
    test.concurrent(`a conversation (${language}): every turn once, at its time, answered, interrupted where it was heard`, () =>
      withVoiceLine(
        {
          language,
          speak: (text, spoken) => speak(text, spoken === 'he' ? 'he' : 'en'),
          script: {
            audio: 'voice',
            heard: said,
            steps: [
              { say: answers[0] ?? '' },
              { say: answers[1] ?? '' },
              { say: answers[2] ?? '', tools: [{ name: 'end_call', args: { reason: 'completed' } }] },
            ],
          },
        },
        async (line) => {
          const [first, second, third] = await Promise.all(said.map((text) => speak(text, language)))
          if (!first || !second || !third) throw new Error('there is nothing to say')
          // What the model will say is rendered beforehand, as a model that is there at once would have it.
          for (const text of answers) await speak(text, language)
          const { report, end, placedAt } = await line.call({
            script: [{ say: first }, { say: second }, { say: third, when: 'barge_in', bargeInMs: 1_200 }],
            maxSeconds: 60,
          })
          expect(end?.reason).toBe('completed')
          const caller = line.turns.filter((turn) => turn.role === 'caller')
          expect(caller.map((turn) => turn.text)).toEqual(said)
          const startAt = report.streams[0]?.startAtMs ?? 0
          caller.forEach((turn, i) => {
            expect(Math.abs(turn.endMs + startAt - (report.turns[i]?.voiceEndMs ?? 0))).toBeLessThan(300)
          })
          const session = sessionOf(line)
          expect(session.turns).toBe(3)
          expect(errorsOf(session)).toEqual([])
          expect(end?.metrics.bargeIns).toBe(1)
          const [cut] = session.truncations
          const clear = report.clears[0]?.atMs ?? 0
          const span = report.heardSpans.find((each) => Math.abs(each.endMs - clear) < 40)
          expect(Math.abs((cut?.audioEndMs ?? 0) - ((span?.endMs ?? 0) - (span?.startMs ?? 0)))).toBeLessThanOrEqual(
            60 + stalledMs(report, placedAt),
          )
          expect(report.turns[2]?.clearLatencyMs ?? 9_999).toBeLessThan(1_000)
          expect(line.turns.filter((turn) => turn.role === 'agent').length).toBe(4)
          expect(report.unheardMs).toBeGreaterThan(0)
        },
      ))
})

import { expect, test } from 'bun:test'
import {
  type DialogueAction,
  type DialogueInput,
  type DialogueState,
  REPROMPT_AFTER_MS,
  startDialogue,
  stepDialogue,
} from '../../../../src/providers/speech/embedded/dialogue.ts'
import type { IntakeScript } from '../../../../src/providers/speech/port.ts'

const SCRIPT: IntakeScript = {
  language: 'en',
  greeting: 'Hello. Name?',
  questions: [
    { key: 'name', prompt: 'Name?', endOfTurnMs: 700 },
    { key: 'inquiry', prompt: 'Inquiry?', endOfTurnMs: 1000 },
    { key: 'callback_time', prompt: 'When?', endOfTurnMs: 900 },
  ],
  reprompt: 'Sorry?',
  thanks: 'Thanks.',
  goodbye: 'Bye.',
  oneMoment: 'One moment.',
}

/** A call in which every text plays for two seconds, and playback is cut as soon as the caller speaks. */
class Call {
  state: DialogueState = startDialogue(SCRIPT, 3000)
  nowMs = 3000
  actions: DialogueAction[] = []

  put(input: DialogueInput): void {
    const { state, actions } = stepDialogue(this.state, input)
    this.state = state
    for (const action of actions) {
      this.actions.push(action)
      if (action.type !== 'say') continue
      const toMs = Math.max(this.nowMs, this.state.playingToMs) + 2000
      this.put({ type: 'playing', fromMs: this.nowMs, toMs, asked: true })
    }
  }

  /** The caller speaks from now on for a while. */
  speak(ms: number, voicedMs = ms): void {
    const startMs = this.nowMs
    this.put({ type: 'speech_started', atMs: startMs })
    this.put({ type: 'cut', atMs: startMs + 150 })
    this.nowMs += ms + 700
    this.put({ type: 'speech_stopped', startMs, endMs: startMs + ms, voicedMs })
  }

  /** Silence for a while. */
  wait(ms: number): void {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.nowMs += 100
      this.put({ type: 'clock', atMs: this.nowMs })
    }
  }

  /** What was done since the last look. */
  take(): string[] {
    const said = this.actions.map((action) => {
      if (action.type === 'say') return action.text
      if (action.type === 'user_turn') return `turn:${action.question ?? '-'}`
      if (action.type === 'listen') return `listen:${action.endOfTurnMs}`
      return action.type
    })
    this.actions = []
    return said
  }
}

function answerAll(call: Call): void {
  for (let i = 0; i < 3; i++) {
    call.speak(1200)
    call.wait(2500)
  }
}

test('three answers in order, the lead, thanks, goodbye, the end after it was heard', () => {
  const call = new Call()
  call.wait(500)
  call.speak(900)
  expect(call.take()).toEqual(['turn:name', 'listen:1000', 'Inquiry?'])
  call.wait(2500)
  call.speak(2000)
  expect(call.take()).toEqual(['turn:inquiry', 'listen:900', 'When?'])
  call.wait(2500)
  call.speak(1500)
  const lead = call.actions.find((action) => action.type === 'save_lead')
  expect(lead?.type === 'save_lead' && lead.answers).toEqual({
    name: { startMs: 3500, endMs: 4400, spokenMs: 900 },
    inquiry: { startMs: 7600, endMs: 9600, spokenMs: 2000 },
    callback_time: { startMs: 12_800, endMs: 14_300, spokenMs: 1500 },
  })
  expect(call.take()).toEqual(['turn:callback_time', 'save_lead', 'Thanks.', 'Bye.'])
  call.wait(3900)
  expect(call.take()).toEqual([])
  call.wait(200)
  expect(call.take()).toEqual(['end_call'])
  call.wait(20_000)
  expect(call.take()).toEqual([])
})

test('an answer into the greeting is the answer to its question', () => {
  const call = new Call()
  call.nowMs = 1500
  call.speak(900)
  expect(call.take()).toEqual(['turn:name', 'listen:1000', 'Inquiry?'])
})

test('who interrupts a prompt answers it', () => {
  const call = new Call()
  call.speak(900)
  call.take()
  call.wait(800)
  call.speak(900)
  expect(call.take()).toEqual(['turn:inquiry', 'listen:900', 'When?'])
})

test('who goes on speaking as the prompt begins is still answering the question before', () => {
  const call = new Call()
  call.speak(900)
  call.take()
  call.wait(200)
  call.speak(600)
  expect(call.take()).toEqual(['turn:name', 'Inquiry?'])
  expect(call.state.answers.name).toEqual({ startMs: 3000, endMs: 5400, spokenMs: 1500 })
  call.wait(2500)
  call.speak(800)
  expect(call.take()).toEqual(['turn:inquiry', 'listen:900', 'When?'])
})

test('the same holds while the prompt is not even ready', () => {
  const { state } = stepDialogue(
    { ...startDialogue(SCRIPT, 0), index: 1, pending: 1 },
    { type: 'speech_started', atMs: 9000 },
  )
  const cut = stepDialogue(state, { type: 'cut', atMs: 9100 }).state
  const { actions } = stepDialogue(cut, { type: 'speech_stopped', startMs: 9000, endMs: 9900, voicedMs: 800 })
  expect(actions.map((action) => (action.type === 'user_turn' ? action.question : action.type))).toEqual([
    'name',
    'say',
  ])
})

test('noise never moves the script on; a prompt that it silenced is asked again, twice at most', () => {
  const call = new Call()
  call.speak(120, 96)
  expect(call.take()).toEqual([])
  call.speak(900)
  call.take()
  const heard: string[] = []
  for (let i = 0; i < 5; i++) {
    call.wait(600)
    call.speak(150, 128)
    heard.push(...call.take())
  }
  expect(heard).toEqual(['Inquiry?', 'Inquiry?'])
  expect(call.state.index).toBe(1)
})

test('a silent caller is asked again, twice at most, and never while speaking', () => {
  const call = new Call()
  call.wait(REPROMPT_AFTER_MS - 100)
  expect(call.take()).toEqual([])
  call.wait(200)
  expect(call.take()).toEqual(['Sorry?', 'Name?'])
  call.wait(REPROMPT_AFTER_MS + 4200)
  expect(call.take()).toEqual(['Sorry?', 'Name?'])
  call.wait(60_000)
  expect(call.take()).toEqual([])
  call.put({ type: 'speech_started', atMs: call.nowMs })
  call.wait(30_000)
  expect(call.take()).toEqual([])
})

test('speech into the goodbye is kept, and the goodbye is said once more, only once', () => {
  const call = new Call()
  answerAll(call)
  expect(call.take().slice(-2)).toEqual(['Thanks.', 'Bye.'])
  call.speak(800)
  expect(call.take()).toEqual(['turn:-', 'Bye.'])
  call.wait(1000)
  call.speak(800)
  expect(call.take()).toEqual(['turn:-'])
  call.wait(100)
  expect(call.take()).toEqual(['end_call'])
  call.speak(500)
  expect(call.take()).toEqual(['turn:-'])
})

test('the call does not end while the caller speaks', () => {
  const call = new Call()
  answerAll(call)
  call.take()
  call.put({ type: 'speech_started', atMs: call.nowMs })
  call.wait(10_000)
  expect(call.take()).toEqual([])
})

test('what the call says on its own does not stand for a prompt that is still to come', () => {
  const asked = { ...startDialogue(SCRIPT, 0), pending: 1 }
  const own = stepDialogue(asked, { type: 'playing', fromMs: 100, toMs: 900, asked: false }).state
  expect(own).toMatchObject({ pending: 1, playingFromMs: 100, playingToMs: 900 })
  expect(stepDialogue(own, { type: 'playing', fromMs: 200, toMs: 1900, asked: true }).state.pending).toBe(0)
})

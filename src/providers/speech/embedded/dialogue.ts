import type { IntakeQuestion, IntakeScript } from '../port.ts'

/**
 * The conversation of an intake call as a pure state machine: events in, actions out. All times are milliseconds on the
 * caller's media clock.
 */

/** Less voice than this is a cough or a click, not an answer. */
export const MIN_ANSWER_MS = 160
/** Speech this soon after a prompt began still answers the one before: people do not react faster. */
export const CONTINUATION_MS = 400
/** Silence after a prompt that brings a reminder. */
export const REPROMPT_AFTER_MS = 8000
const MAX_REPROMPTS = 2
const MAX_REPEATS = 2

/** The position of an answer in the caller's audio. */
export type Answer = { startMs: number; endMs: number; spokenMs: number }

export type DialogueInput =
  | { type: 'speech_started'; atMs: number }
  | { type: 'speech_stopped'; startMs: number; endMs: number; voicedMs: number }
  /** A text plays until `toMs`; `asked` when the dialogue's own `say` caused it. */
  | { type: 'playing'; fromMs: number; toMs: number; asked: boolean }
  /** Playback was stopped; the rest is not played. */
  | { type: 'cut'; atMs: number }
  | { type: 'clock'; atMs: number }

export type DialogueAction =
  | { type: 'user_turn'; question?: IntakeQuestion['key']; startMs: number; endMs: number }
  | { type: 'say'; text: string }
  /** From now on this much silence ends a turn. */
  | { type: 'listen'; endOfTurnMs: number }
  | { type: 'save_lead'; answers: Partial<Record<IntakeQuestion['key'], Answer>> }
  | { type: 'end_call' }

export type DialogueState = {
  script: IntakeScript
  phase: 'asking' | 'closing' | 'done'
  /** The question being asked. */
  index: number
  answers: Partial<Record<IntakeQuestion['key'], Answer>>
  /** Texts that were requested and do not play yet. */
  pending: number
  playingFromMs: number
  playingToMs: number
  speaking: boolean
  /** The present speech began while a prompt played, so the caller may not have heard it. */
  interrupting: boolean
  /** The present speech began before the caller could react to the prompt. */
  continuing: boolean
  lastSpeechMs: number
  repeats: number
  reprompts: number
  goodbyeRepeated: boolean
}

export type DialogueStep = { state: DialogueState; actions: DialogueAction[] }

/**
 * A call whose greeting, which holds the first question, begins to play at 0.
 * @param greetingMs how long it plays, a guess where it is not known
 */
export function startDialogue(script: IntakeScript, greetingMs: number): DialogueState {
  return {
    script,
    phase: 'asking',
    index: 0,
    answers: {},
    pending: 0,
    playingFromMs: 0,
    playingToMs: greetingMs,
    speaking: false,
    interrupting: false,
    continuing: false,
    lastSpeechMs: 0,
    repeats: 0,
    reprompts: 0,
    goodbyeRepeated: false,
  }
}

/** Takes one event. @returns the next state and the actions, in order */
export function stepDialogue(state: DialogueState, input: DialogueInput): DialogueStep {
  switch (input.type) {
    case 'playing':
      return stay({
        ...state,
        pending: Math.max(0, state.pending - (input.asked ? 1 : 0)),
        playingFromMs: input.fromMs >= state.playingToMs ? input.fromMs : state.playingFromMs,
        playingToMs: Math.max(state.playingToMs, input.toMs),
      })
    case 'cut':
      return stay({ ...state, pending: 0, playingToMs: Math.min(state.playingToMs, input.atMs) })
    case 'clock':
      return onClock(state, input.atMs)
    case 'speech_started': {
      const interrupting = state.pending > 0 || input.atMs < state.playingToMs
      const unheard = state.pending > 0 || input.atMs < state.playingFromMs + CONTINUATION_MS
      return stay({
        ...state,
        speaking: true,
        interrupting,
        continuing: state.phase === 'asking' && state.index > 0 && interrupting && unheard,
      })
    }
    case 'speech_stopped':
      return onTurn({ ...state, speaking: false, lastSpeechMs: input.endMs }, input)
  }
}

type Turn = Extract<DialogueInput, { type: 'speech_stopped' }>

function onTurn(state: DialogueState, turn: Turn): DialogueStep {
  const isNoise = turn.voicedMs < MIN_ANSWER_MS
  // A caller who speaks while the call ends keeps it open: it ends after the goodbye that answers them.
  if (state.phase !== 'asking') return onClosingTurn({ ...state, phase: 'closing' }, turn, isNoise)
  const question = state.script.questions[state.index]
  if (!question)
    return isNoise ? stay(state) : { state, actions: [{ type: 'user_turn', startMs: turn.startMs, endMs: turn.endMs }] }
  if (isNoise) {
    // The noise interrupted the prompt: ask again, but not for ever on a noisy line.
    if (!state.interrupting || state.repeats >= MAX_REPEATS) return stay(state)
    return say({ ...state, repeats: state.repeats + 1 }, [question.prompt])
  }
  if (state.continuing) return onContinuation(state, turn, question)
  return onAnswer(state, turn, question)
}

/** More of the answer before: it is added there, and the interrupted question is asked again. */
function onContinuation(state: DialogueState, turn: Turn, question: IntakeQuestion): DialogueStep {
  const before = state.script.questions[state.index - 1]
  if (!before) return onAnswer(state, turn, question)
  const known = state.answers[before.key]
  const answer: Answer = {
    startMs: known?.startMs ?? turn.startMs,
    endMs: turn.endMs,
    spokenMs: (known?.spokenMs ?? 0) + turn.voicedMs,
  }
  return say(
    { ...state, answers: { ...state.answers, [before.key]: answer } },
    [question.prompt],
    [userTurn(turn, before.key)],
  )
}

function onAnswer(state: DialogueState, turn: Turn, question: IntakeQuestion): DialogueStep {
  const answer: Answer = { startMs: turn.startMs, endMs: turn.endMs, spokenMs: turn.voicedMs }
  const answers = { ...state.answers, [question.key]: answer }
  const index = state.index + 1
  const next = state.script.questions[index]
  const moved: DialogueState = { ...state, answers, index, repeats: 0, reprompts: 0 }
  const heard = userTurn(turn, question.key)
  if (next) return say(moved, [next.prompt], [heard, { type: 'listen', endOfTurnMs: next.endOfTurnMs }])
  const { thanks, goodbye } = state.script
  return say({ ...moved, phase: 'closing' }, [thanks, goodbye], [heard, { type: 'save_lead', answers }])
}

/** Speech after the last answer is saved, and the interrupted goodbye is said once more. */
function onClosingTurn(state: DialogueState, turn: Turn, isNoise: boolean): DialogueStep {
  const kept: DialogueAction[] = isNoise ? [] : [userTurn(turn)]
  if (isNoise && !state.interrupting) return stay(state)
  if (state.goodbyeRepeated) return { state, actions: kept }
  return say({ ...state, goodbyeRepeated: true }, [state.script.goodbye], kept)
}

function onClock(state: DialogueState, atMs: number): DialogueStep {
  if (state.speaking || state.pending > 0) return stay(state)
  if (state.phase === 'closing' && atMs >= state.playingToMs)
    return { state: { ...state, phase: 'done' }, actions: [{ type: 'end_call' }] }
  const question = state.script.questions[state.index]
  const quietMs = atMs - Math.max(state.playingToMs, state.lastSpeechMs)
  if (state.phase !== 'asking' || !question || quietMs < REPROMPT_AFTER_MS || state.reprompts >= MAX_REPROMPTS)
    return stay(state)
  return say({ ...state, reprompts: state.reprompts + 1 }, [state.script.reprompt, question.prompt])
}

function userTurn(turn: Turn, question?: IntakeQuestion['key']): DialogueAction {
  return { type: 'user_turn', startMs: turn.startMs, endMs: turn.endMs, ...(question ? { question } : {}) }
}

function say(state: DialogueState, texts: string[], before: DialogueAction[] = []): DialogueStep {
  return {
    state: { ...state, pending: state.pending + texts.length },
    actions: [...before, ...texts.map((text) => ({ type: 'say' as const, text }))],
  }
}

function stay(state: DialogueState): DialogueStep {
  return { state, actions: [] }
}

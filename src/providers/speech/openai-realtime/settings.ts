import type {
  ConversationItemCreateEvent,
  RealtimeAudioInputTurnDetection,
  SessionUpdateEvent,
} from 'openai/resources/realtime/realtime'
import type { EngineSessionOptions } from '../port.ts'

/** What ends a turn: silence, or a model that reads whether the caller is done, more or less eagerly. */
export type TurnDetectionSetting = 'server' | 'semantic-low' | 'semantic-medium' | 'semantic-high'

export type RealtimeSettings = {
  model: string
  /** Transcribes what the caller says, beside the model. */
  transcriptionModel: string
  turnDetection: TurnDetectionSetting
  /** Silence that ends a turn under server detection. */
  silenceMs: number
  prefixMs: number
  /** After so much silence behind an answer the model asks again by itself; server detection only, 5 to 30 seconds. */
  idleMs: number
  voice: string
}

export type RealtimeLimits = {
  /** From the connect to the configured session. */
  connectMs: number
  /** Without an answer for this long the caller should hear something. */
  quietMs: number
  /** Without an answer for this long the engine counts as dead. */
  stallMs: number
}

export const DEFAULT_SETTINGS: Omit<RealtimeSettings, 'model'> = {
  transcriptionModel: 'gpt-live-transcribe',
  turnDetection: 'server',
  silenceMs: 450,
  prefixMs: 300,
  idleMs: 8_000,
  voice: 'marin',
}

/** An event that changes nothing and must be answered: a server that answers is alive. */
export const PROBE: SessionUpdateEvent = { type: 'session.update', session: { type: 'realtime' } }

/** The `session.update` of a call: μ-law both ways, interruptions decided by the call, low effort. */
export function sessionUpdate(
  settings: RealtimeSettings,
  call: EngineSessionOptions,
  known: string | null = null,
): SessionUpdateEvent {
  return {
    type: 'session.update',
    session: {
      type: 'realtime',
      model: settings.model,
      instructions: instructionsOf(call, known),
      output_modalities: ['audio'],
      audio: {
        input: {
          format: { type: 'audio/pcmu' },
          noise_reduction: { type: 'near_field' },
          transcription: { model: settings.transcriptionModel, language: call.language },
          turn_detection: turnDetectionOf(settings),
        },
        output: { format: { type: 'audio/pcmu' }, voice: call.voice || settings.voice },
      },
      tools: (call.tools ?? []).map((tool) => ({ type: 'function', ...tool })),
      tool_choice: 'auto',
      // Only the models of the second generation reason.
      ...(settings.model.startsWith('gpt-realtime-2') ? { reasoning: { effort: 'low' } } : {}),
      max_output_tokens: 1_024,
      tracing: null,
    },
  }
}

/** What is known of the caller came after the session was configured: the instructions are replaced. */
export function knownUpdate(call: EngineSessionOptions, known: string): SessionUpdateEvent {
  return { type: 'session.update', session: { type: 'realtime', instructions: instructionsOf(call, known) } }
}

const instructionsOf = ({ instructions }: EngineSessionOptions, known: string | null) =>
  [instructions, known].filter(Boolean).join('\n\n')

const EAGERNESS = { 'semantic-low': 'low', 'semantic-medium': 'medium', 'semantic-high': 'high' } as const

function turnDetectionOf(settings: RealtimeSettings): RealtimeAudioInputTurnDetection {
  // The call decides about interruptions; the server answers a turn by itself, which saves a round trip.
  const responses = { create_response: true, interrupt_response: false }
  if (settings.turnDetection !== 'server')
    return { type: 'semantic_vad', eagerness: EAGERNESS[settings.turnDetection], ...responses }
  return {
    type: 'server_vad',
    threshold: 0.5,
    prefix_padding_ms: settings.prefixMs,
    silence_duration_ms: settings.silenceMs,
    idle_timeout_ms: settings.idleMs,
    ...responses,
  }
}

/** The longest silence within a turn. `semantic_vad` waits 8, 4 or 2 seconds at most, by its `eagerness`. */
export function longestPauseOf({ turnDetection, silenceMs }: RealtimeSettings): number {
  return { server: silenceMs, 'semantic-low': 8_000, 'semantic-medium': 4_000, 'semantic-high': 2_000 }[turnDetection]
}

/** The conversation so far as items: the greeting, or all of it when a session takes over. */
export function historyItems(call: EngineSessionOptions): ConversationItemCreateEvent[] {
  const turns = call.resume ?? [{ role: 'agent' as const, text: call.script.greeting }]
  return turns.map(({ role, text }) => ({
    type: 'conversation.item.create',
    item:
      role === 'agent'
        ? { type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] }
        : { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
  }))
}

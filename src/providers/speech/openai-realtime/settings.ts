import type { EngineSessionOptions } from '../port.ts'

/** Who says that a turn is over: silence, or a model that reads whether the caller is done, more or less eagerly. */
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

export const DEFAULT_SETTINGS: Omit<RealtimeSettings, 'model'> = {
  transcriptionModel: 'gpt-live-transcribe',
  turnDetection: 'server',
  silenceMs: 450,
  prefixMs: 300,
  idleMs: 8_000,
  voice: 'marin',
}

/** The `session.update` of a call: μ-law both ways, interruptions decided by us, low effort. */
export function sessionUpdate(settings: RealtimeSettings, call: EngineSessionOptions): string {
  // Who interrupts is a policy of the call; an answer after a turn is the server's, which saves a round trip.
  const responses = { create_response: true, interrupt_response: false }
  const turnDetection =
    settings.turnDetection === 'server'
      ? {
          type: 'server_vad',
          threshold: 0.5,
          prefix_padding_ms: settings.prefixMs,
          silence_duration_ms: settings.silenceMs,
          idle_timeout_ms: settings.idleMs,
          ...responses,
        }
      : { type: 'semantic_vad', eagerness: settings.turnDetection.slice('semantic-'.length), ...responses }
  return JSON.stringify({
    type: 'session.update',
    session: {
      type: 'realtime',
      model: settings.model,
      instructions: call.instructions ?? '',
      output_modalities: ['audio'],
      audio: {
        input: {
          format: { type: 'audio/pcmu' },
          noise_reduction: { type: 'near_field' },
          transcription: { model: settings.transcriptionModel, language: call.language },
          turn_detection: turnDetection,
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
  })
}

/** What was said already, as conversation items: the greeting, or all of it when a session takes over. */
export function historyItems(call: EngineSessionOptions): string[] {
  const turns = call.resume ?? [{ role: 'agent' as const, text: call.script.greeting }]
  return turns.map((turn) =>
    JSON.stringify({
      type: 'conversation.item.create',
      item: {
        type: 'message',
        role: turn.role === 'agent' ? 'assistant' : 'user',
        content: [{ type: turn.role === 'agent' ? 'output_text' : 'input_text', text: turn.text }],
      },
    }),
  )
}

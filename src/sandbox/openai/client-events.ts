import { z } from 'zod'

const format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('audio/pcm'), rate: z.literal(24_000).optional() }),
  z.object({ type: z.literal('audio/pcmu') }),
  z.object({ type: z.literal('audio/pcma') }),
])

const turnDetection = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('server_vad'),
      threshold: z.number().min(0).max(1).default(0.5),
      prefix_padding_ms: z.number().min(0).default(300),
      silence_duration_ms: z.number().min(50).default(500),
      create_response: z.boolean().default(true),
      interrupt_response: z.boolean().default(true),
      idle_timeout_ms: z.number().min(5_000).max(30_000).nullish(),
    }),
    z.object({
      type: z.literal('semantic_vad'),
      eagerness: z.enum(['low', 'medium', 'high', 'auto']).default('auto'),
      create_response: z.boolean().default(true),
      interrupt_response: z.boolean().default(true),
    }),
  ])
  .nullable()

const tool = z.object({
  type: z.literal('function'),
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  description: z.string().optional(),
  parameters: z.record(z.string(), z.unknown()).default({}),
})

export const sessionSettings = z.object({
  type: z.literal('realtime'),
  model: z.string().optional(),
  instructions: z.string().optional(),
  output_modalities: z.array(z.enum(['audio', 'text'])).optional(),
  audio: z
    .object({
      input: z
        .object({
          format: format.optional(),
          noise_reduction: z
            .object({ type: z.enum(['near_field', 'far_field']) })
            .nullable()
            .optional(),
          transcription: z
            .object({ model: z.string(), language: z.string().optional(), keywords: z.array(z.string()).optional() })
            .nullable()
            .optional(),
          turn_detection: turnDetection.optional(),
        })
        .optional(),
      output: z
        .object({ format: format.optional(), voice: z.string().optional(), speed: z.number().optional() })
        .optional(),
    })
    .optional(),
  tools: z.array(tool).optional(),
  tool_choice: z.unknown().optional(),
  reasoning: z.object({ effort: z.enum(['minimal', 'low', 'medium', 'high', 'xhigh']) }).optional(),
  max_output_tokens: z.union([z.number().int().positive(), z.literal('inf')]).optional(),
  tracing: z.unknown().optional(),
  truncation: z.unknown().optional(),
})
export type SessionSettings = z.output<typeof sessionSettings>
export type TurnDetection = z.output<typeof turnDetection>

const item = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id: z.string().optional(),
    role: z.enum(['user', 'assistant', 'system']),
    content: z.array(
      z.object({ type: z.enum(['input_text', 'output_text', 'input_audio']), text: z.string().optional() }),
    ),
  }),
  z.object({
    type: z.literal('function_call_output'),
    id: z.string().optional(),
    call_id: z.string(),
    output: z.string(),
  }),
])
export type NewItem = z.output<typeof item>

const eventId = { event_id: z.string().optional() }

export const clientEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('session.update'), session: sessionSettings, ...eventId }),
  z.object({ type: z.literal('input_audio_buffer.append'), audio: z.base64(), ...eventId }),
  z.object({ type: z.literal('input_audio_buffer.commit'), ...eventId }),
  z.object({ type: z.literal('input_audio_buffer.clear'), ...eventId }),
  z.object({
    type: z.literal('conversation.item.create'),
    item,
    previous_item_id: z.string().nullish(),
    ...eventId,
  }),
  z.object({ type: z.literal('conversation.item.delete'), item_id: z.string(), ...eventId }),
  z.object({
    type: z.literal('conversation.item.truncate'),
    item_id: z.string(),
    content_index: z.int(),
    audio_end_ms: z.int().min(0),
    ...eventId,
  }),
  z.object({
    type: z.literal('response.create'),
    response: z
      .object({
        instructions: z.string().optional(),
        tool_choice: z.unknown().optional(),
        conversation: z.enum(['auto', 'none']).optional(),
      })
      .loose()
      .optional(),
    ...eventId,
  }),
  z.object({ type: z.literal('response.cancel'), response_id: z.string().optional(), ...eventId }),
])
export type ClientEvent = z.output<typeof clientEvent>

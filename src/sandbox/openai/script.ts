import { z } from 'zod'

export const scriptStep = z.object({
  say: z.string().optional(),
  /** Its duration; by its length otherwise. */
  ms: z.int().min(20).max(120_000).optional(),
  tools: z
    .array(z.object({ name: z.string(), args: z.union([z.record(z.string(), z.unknown()), z.string()]) }))
    .default([]),
  delayMs: z.int().min(0).max(60_000).default(0),
  fail: z.object({ code: z.string(), message: z.string().default('Injected failure') }).optional(),
  hang: z.boolean().default(false),
  /** There is no response: the turn is only committed. */
  absent: z.boolean().default(false),
  text: z.string().optional(),
  /** Its audio stops after this, and nothing more comes. */
  stopAfterMs: z.int().min(0).optional(),
  /** The status of `response.done`; `completed` when absent. */
  end: z
    .object({
      status: z.string(),
      reason: z.string().optional(),
      error: z
        .object({ type: z.string().optional(), code: z.string().optional(), message: z.string().optional() })
        .optional(),
    })
    .optional(),
  /** Sent unchanged in its place. */
  raw: z.array(z.looseObject({ type: z.string() })).optional(),
})
export type ScriptStep = z.output<typeof scriptStep>
export type ScriptStepInput = z.input<typeof scriptStep>

export const realtimeScript = z.object({
  /** One per response, in order; after them the last one with speech is repeated. */
  steps: z.array(scriptStep).default([]),
  omit: z.array(z.string()).default([]),
  /** Transcripts of the caller's turns; after them a turn is transcribed as "…". */
  heard: z.array(z.string()).default([]),
  /** `voice` uses the synthesizer; `tone` is free. */
  audio: z.enum(['tone', 'voice']).default('tone'),
  chunkMs: z.int().min(20).max(2_000).default(200),
  /** How many times faster than real time the audio comes; 0 = all at once. */
  speed: z.number().min(0).max(1_000).default(8),
  transcriptDelayMs: z.int().min(0).max(10_000).default(120),
})
export type RealtimeScript = z.output<typeof realtimeScript>
export type RealtimeScriptInput = z.input<typeof realtimeScript>

/** A receptionist who asks for name, inquiry and time, stores them, and says goodbye. */
export const RECEPTIONIST_SCRIPT: RealtimeScriptInput = {
  audio: 'voice',
  heard: ['My name is Dana Levi.', 'I am looking for a three room flat in Haifa.', 'Tomorrow at ten.'],
  steps: [
    { say: 'Thank you. How can I help you?' },
    { say: 'Very well. When may we call you back?' },
    {
      tools: [
        {
          name: 'save_lead',
          args: {
            name: 'Dana Levi',
            inquiry: 'A three room flat in Haifa',
            callback_time: 'Tomorrow at ten',
            area: 'Haifa',
          },
        },
      ],
    },
    { say: 'Thank you very much. Goodbye.', tools: [{ name: 'end_call', args: { reason: 'completed' } }] },
  ],
}

/** Duration of unmeasured speech: some 15 characters a second. */
export function wordsMs(text: string): number {
  return Math.max(200, Math.round((text.length * 65) / 20) * 20)
}

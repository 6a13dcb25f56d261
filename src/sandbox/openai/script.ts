import { z } from 'zod'

/** One response of the model that is not there. */
export const scriptStep = z.object({
  /** What it says; without it, and without tools, it says nothing. */
  say: z.string().optional(),
  /** How long that lasts; by its length otherwise. */
  ms: z.int().min(20).max(120_000).optional(),
  tools: z
    .array(z.object({ name: z.string(), args: z.union([z.record(z.string(), z.unknown()), z.string()]) }))
    .default([]),
  /** Thinking time before the first audio. */
  delayMs: z.int().min(0).max(60_000).default(0),
  /** The response ends as failed, with this error. */
  fail: z.object({ code: z.string(), message: z.string().default('Injected failure') }).optional(),
  /** It begins and nothing more comes. */
  hang: z.boolean().default(false),
  /** There is none: the turn is committed, and that is all. */
  absent: z.boolean().default(false),
  /** It answers in writing. */
  text: z.string().optional(),
  /** Its audio stops after so much, and nothing more comes. */
  stopAfterMs: z.int().min(0).optional(),
  /** How `response.done` says that it ended; `completed` without it. */
  end: z
    .object({
      status: z.string(),
      reason: z.string().optional(),
      error: z
        .object({ type: z.string().optional(), code: z.string().optional(), message: z.string().optional() })
        .optional(),
    })
    .optional(),
  /** Sent as they are in its place. */
  raw: z.array(z.looseObject({ type: z.string() })).optional(),
})
export type ScriptStep = z.output<typeof scriptStep>
export type ScriptStepInput = z.input<typeof scriptStep>

export const realtimeScript = z.object({
  /** One a response, in order; when they are used up the last one with words is said again. */
  steps: z.array(scriptStep).default([]),
  /** Kinds of server events that are never sent. */
  omit: z.array(z.string()).default([]),
  /** What the caller is taken to have said, a turn each; used up, a turn is transcribed as "…". */
  heard: z.array(z.string()).default([]),
  /** `voice` speaks with the synthesizer; `tone` hums, which costs nothing. */
  audio: z.enum(['tone', 'voice']).default('tone'),
  /** Length of one piece of audio. */
  chunkMs: z.int().min(20).max(2_000).default(200),
  /** How many times faster than real time the audio comes; 0 = all at once. */
  speed: z.number().min(0).max(1_000).default(8),
  /** From the end of a turn to its transcript. */
  transcriptDelayMs: z.int().min(0).max(10_000).default(120),
})
export type RealtimeScript = z.output<typeof realtimeScript>
export type RealtimeScriptInput = z.input<typeof realtimeScript>

/** A receptionist who takes name, inquiry and time, keeps them, and says goodbye. */
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

/** How long words last when nobody measures: some 15 characters a second. */
export function wordsMs(text: string): number {
  return Math.max(200, Math.round((text.length * 65) / 20) * 20)
}

import { z } from 'zod'
import { calls, callTurns, recordings } from '../../../db/schema/index.ts'
import { earlierView } from '../leads/index.ts'

export const callView = z.object({
  id: z.uuid(),
  callSid: z.string(),
  contactId: z.uuid().nullable(),
  contactName: z.string().nullable(),
  direction: z.enum(calls.direction.enumValues),
  from: z.string(),
  to: z.string(),
  stirVerstat: z.string().nullable(),
  answeredBy: z.enum(calls.answeredBy.enumValues),
  state: z.enum(calls.state.enumValues),
  endReason: z.string().nullable(),
  endDetail: z.string().nullable(),
  fallback: z.enum(calls.fallback.enumValues).nullable(),
  streamError: z.string().nullable(),
  carrierStatus: z.string().nullable(),
  carrierSeconds: z.number().nullable(),
  durationMs: z.number().nullable(),
  metrics: z.record(z.string(), z.number().nullable()).nullable(),
  isTest: z.boolean(),
  startedAt: z.date(),
  endedAt: z.date().nullable(),
})

/** A call with all that belongs to it. `recordings` are fetched from `/api/v1/recordings/<id>/audio`, turns alike. */
export const callDetail = callView.extend({
  hasRecord: z.boolean(),
  turns: z.array(
    z.object({
      id: z.uuid(),
      index: z.number(),
      role: z.enum(callTurns.role.enumValues),
      text: z.string().nullable(),
      transcript: z.enum(callTurns.transcript.enumValues),
      question: z.string().nullable(),
      startMs: z.number(),
      endMs: z.number(),
      heardMs: z.number().nullable(),
      interrupted: z.boolean(),
      hasAudio: z.boolean(),
    }),
  ),
  recordings: z.array(
    z.object({
      id: z.uuid(),
      recordingSid: z.string(),
      state: z.enum(recordings.state.enumValues),
      durationMs: z.number().nullable(),
      heardAt: z.date().nullable(),
      bytes: z.number().nullable(),
      sha256: z.string().nullable(),
      contentType: z.string().nullable(),
      recordedAt: z.date(),
    }),
  ),
  lead: z
    .object({
      id: z.uuid(),
      stage: z.string(),
      source: z.string(),
      name: z.string().nullable(),
      inquiry: z.string().nullable(),
      ...earlierView,
      callbackTime: z.string().nullable(),
    })
    .nullable(),
})

export const callMoment = z.object({
  atMs: z.number(),
  kind: z.enum([
    'barge_in',
    'resumed',
    'answer',
    'tool',
    'engine',
    'asked_again',
    'key_pressed',
    'transfer',
    'command',
    'end',
    'problem',
  ]),
  /** A tool, an engine, a key, a reason, a phrase; what a member did to the live call: `end`, `transfer`, `whisper`. */
  name: z.string().nullable(),
  /** `answer`: how long the caller waited; `tool`: how long it ran; `barge_in`: how much of the item was heard. */
  ms: z.number().nullable(),
  /** `barge_in`: how much of the item was sent. */
  ofMs: z.number().optional(),
  /** A tool's; numbers of payment cards are masked. */
  args: z.unknown().optional(),
  result: z.unknown().optional(),
  failed: z.boolean().optional(),
  detail: z.string().nullable(),
})
export type CallMoment = z.infer<typeof callMoment>

import type { z } from 'zod'

/** A tool that a model may call. */
export type ModelTool = {
  name: string
  description: string
  input: z.ZodObject
  /**
   * Runs one at a time, and once for a call. What it answers reaches the model as JSON; of what it throws, an AppError's message
   * does, and of any other error only that the tool failed.
   */
  execute(input: unknown, options: { signal: AbortSignal }): Promise<unknown>
}
export type ModelFile = { mediaType: string; data: Uint8Array }
export type ModelMessage = { role: 'customer' | 'agent'; text: string; files?: ModelFile[] }
export type ModelPurpose = 'whatsapp' | 'chat' | 'summary' | 'transcription' | 'judge'
/** What a cost is stored under, besides its business. */
export type ModelSubject = { conversationId: string } | { callId: string }

export type ModelRequest = {
  businessId: string
  purpose: ModelPurpose
  subject?: ModelSubject
  instructions: string
  messages: ModelMessage[]
  tools?: ModelTool[]
  /** Default: 6. */
  maxSteps?: number
  /** Of each step. Default: 1,000. */
  maxOutputTokens?: number
  /** Of all steps with their tools. Default: 60,000. */
  timeoutMs?: number
  signal?: AbortSignal
  /** The text is one JSON object; an answer that is none counts as a failure of the model. */
  json?: boolean
}
export type ModelToolCall = { name: string; input: unknown; output?: unknown; error?: string }
export type ModelStep = { text: string; toolCalls: ModelToolCall[] }
/** `filtered`, `cut_off` and `steps_used_up` may come with text or without; the caller decides what is said. */
export type ModelEnd = 'answered' | 'filtered' | 'cut_off' | 'steps_used_up'
export type ModelUsage = { inputTokens: number; cachedTokens: number; outputTokens: number; estimated: boolean }
export type ModelAnswer = {
  text: string
  end: ModelEnd
  steps: ModelStep[]
  /** Such as `openai:gpt-5-mini`. */
  model: string
  usage: ModelUsage
  /** Millionths of a dollar; null when a price is not known. */
  costMicros: number | null
  totalMs: number
}

/** The text models of the installation or of a business's own keys, tried in order. */
export interface TextModels {
  /** Whether a business has a model; false: the rules answer. */
  availableFor(businessId: string): Promise<boolean>
  /**
   * Runs the loop of answers and tools. The second model takes over, step by step, when the first fails, is slow or answers
   * nothing.
   * @throws AppError `model_unavailable` (all failed), `model_budget_used_up`, `model_not_set`; AbortError of `signal`
   */
  generate(request: ModelRequest): Promise<ModelAnswer>
}

/** An audio file of at most 25 MB and five minutes, as text. `seconds` and `language` are null where they are not known. */
export interface VoiceNoteTranscriber {
  /**
   * @throws AppError `model_not_set`, `model_unavailable`, `model_budget_used_up`, `voice_note_too_large`,
   * `voice_note_too_long`, `voice_note_unreadable`
   */
  transcribe(request: {
    businessId: string
    subject?: ModelSubject
    audio: Uint8Array
    mediaType: string
    signal?: AbortSignal
  }): Promise<{ text: string; language: string | null; seconds: number | null; costMicros: number | null }>
}

/**
 * Why a model gave no answer: `quota` is used-up credit, `refused` a key that is not accepted, `too_long` a conversation beyond
 * its context, `invalid` a request that it does not take.
 */
export type ModelFailureKind =
  | 'slow'
  | 'empty'
  | 'unreachable'
  | 'rate_limited'
  | 'quota'
  | 'refused'
  | 'too_long'
  | 'invalid'
  | 'broken'

/** Tokens of one request to one model, whether it answered or not. */
export type ModelUse = {
  model: string
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  estimated: boolean
}

export type ModelCharge = ModelUse & {
  /** Millionths of a dollar; null when the price is not known. */
  costMicros: number | null
}

/** Reserves and records what models cost. */
export interface ModelLedger {
  /**
   * Sets apart what a request may cost at most, until `settle`. What is never settled is charged as it was estimated.
   * @throws AppError `model_budget_used_up`
   */
  reserve(request: {
    businessId: string
    purpose: ModelPurpose
    subject: ModelSubject | null
    estimate: ModelCharge
    /** After so long the request is over, whatever became of it. */
    lastsMs: number
  }): Promise<{ settle(charges: readonly ModelCharge[]): Promise<void> }>
  /** Takes note of a model that works or fails, for alerts. Must not throw. */
  report(businessId: string, model: string, failure: ModelFailureKind | null): Promise<void>
}

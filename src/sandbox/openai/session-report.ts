import type { NewItem, SessionSettings } from './client-events.ts'

/** What a session did, for tests and the control API. */
export type SessionReport = {
  id: string
  model: string
  settings: SessionSettings | null
  /** Kinds of client events, counted. */
  received: Record<string, number>
  /** Audio that arrived before the session was configured as μ-law. */
  audioBeforeConfiguredMs: number
  audioMs: number
  turns: number
  responses: { id: string; status: string; sentMs: number; steps: number | null }[]
  truncations: { itemId: string; audioEndMs: number }[]
  toolOutputs: { callId: string; output: string }[]
  /** Messages that the client added to the conversation. */
  items: NewItem[]
  said: string[]
  errors: string[]
  /** How often the caller's silence was answered. */
  idleTimeouts: number
  closed: boolean
}

import type { NewItem, SessionSettings } from './client-events.ts'

export type SessionReport = {
  id: string
  model: string
  settings: SessionSettings | null
  received: Record<string, number>
  /** Audio that arrived before the session was configured as μ-law. */
  audioBeforeConfiguredMs: number
  audioMs: number
  turns: number
  responses: { id: string; status: string; sentMs: number; steps: number | null }[]
  truncations: { itemId: string; audioEndMs: number }[]
  toolOutputs: { callId: string; output: string }[]
  items: NewItem[]
  said: string[]
  errors: string[]
  idleTimeouts: number
  closed: boolean
}

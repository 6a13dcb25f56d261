import type { EngineEvent, EngineSessionOptions } from '../port.ts'
import type { RealtimeLimits, RealtimeSettings } from './settings.ts'

/** What the parts of a session share. */
export type SessionContext = {
  readonly state: 'connecting' | 'ready' | 'closed'
  readonly call: EngineSessionOptions
  readonly settings: RealtimeSettings
  readonly limits: RealtimeLimits
  /** Reports an event to the call, unless the session is closed. */
  emit(event: EngineEvent): void
  /** Reports a fatal error and ends the session. */
  fail(code: string, message: string, retry: boolean): void
}

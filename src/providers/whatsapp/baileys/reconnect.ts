import type { AccountState } from '../port.ts'

/** What to do after a socket closed. */
export type CloseDecision =
  | { action: 'reconnect'; delayMs: number; reason: string }
  | { action: 'stop'; state: AccountState; reason: string; advice: string | null; clearAuth: boolean }

export type CloseFacts = {
  code: number
  linked: boolean
  owner: boolean
  failures: number
  /** Times another connection replaced ours within the last 30 s, this one included. */
  recentReplacements: number
  /** Times WhatsApp asked for a restart within the last 30 s, this one included. */
  recentRestarts: number
}

export type Backoff = { minMs: number; maxMs: number }

export const RECENT_MS = 30_000
const RESTART_LIMIT = 2
const REPLACED_LIMIT = 5
const REPLACED_PAUSE_MS = 30_000

/**
 * The reconnect policy by code. An unknown code counts as a lost connection: an account that can come back is never given up
 * because WhatsApp added a code.
 * @param random 0…1, the jitter
 */
export function decideAfterClose(facts: CloseFacts, backoff: Backoff, random: number): CloseDecision {
  const { code, linked, owner } = facts
  // As after pairing. Repeated requests wait like any other failure.
  if (code === 515) {
    const delayMs = facts.recentRestarts <= RESTART_LIMIT ? 0 : waitFor(facts, backoff, random)
    return { action: 'reconnect', delayMs, reason: 'restart_required' }
  }
  if (code === 401)
    return {
      action: 'stop',
      state: 'logged_out',
      reason: 'logged_out',
      advice: 'Link the account again: the link was removed on the phone or by WhatsApp.',
      clearAuth: true,
    }
  if (code === 402 || code === 403 || code === 406)
    return {
      action: 'stop',
      state: 'blocked',
      reason: `refused_${code}`,
      advice: 'WhatsApp refuses this account. Open WhatsApp on the phone and read its notice.',
      clearAuth: false,
    }
  if (code === 440) {
    if (!owner) return { action: 'stop', state: 'stopped', reason: 'not_owner', advice: null, clearAuth: false }
    const delayMs = facts.recentReplacements >= REPLACED_LIMIT ? REPLACED_PAUSE_MS : waitFor(facts, backoff, random)
    return { action: 'reconnect', delayMs, reason: 'replaced' }
  }
  if (code === 408 && !linked)
    return {
      action: 'stop',
      state: 'failed',
      reason: 'link_expired',
      advice: 'The code was not scanned in time. Start linking again for a new one.',
      clearAuth: false,
    }
  return { action: 'reconnect', delayMs: waitFor(facts, backoff, random), reason: reasonOf(code) }
}

/** Exponential, half of it jitter, so that many accounts do not reconnect at the same moment. */
function waitFor({ failures }: CloseFacts, { minMs, maxMs }: Backoff, random: number): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(failures, 16))
  return Math.round(full * (0.5 + random / 2))
}

function reasonOf(code: number): string {
  switch (code) {
    case 405:
      return 'client_outdated'
    case 408:
      return 'connection_lost'
    case 428:
      return 'connection_closed'
    case 500:
      return 'bad_session'
    case 503:
      return 'unavailable'
    default:
      return `closed_${code}`
  }
}

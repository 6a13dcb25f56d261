import type { ModelFailureKind } from './port.ts'

const FAILURES = 3
const OUT_MS = 60_000
/** These will not pass by themselves within a conversation. */
const AT_ONCE: readonly ModelFailureKind[] = ['quota', 'refused']
/** These say something about one request, and nothing about the model. */
const NOT_COUNTED: readonly ModelFailureKind[] = ['invalid', 'too_long']

/** Whether one model is asked at all: after three failures in a row not for a minute, then one request tries it. */
export type Circuit = {
  isOpen(): boolean
  succeeded(): void
  failed(kind: ModelFailureKind): void
}

export function createCircuit(now: () => number = Date.now): Circuit {
  let failures = 0
  let openUntil = 0
  return {
    isOpen() {
      if (now() < openUntil) return true
      // The request that finds it closed again tries it; the others wait for how that ends.
      if (failures >= FAILURES) openUntil = now() + OUT_MS
      return false
    },
    succeeded() {
      failures = 0
      openUntil = 0
    },
    failed(kind) {
      if (NOT_COUNTED.includes(kind)) return
      failures = AT_ONCE.includes(kind) ? FAILURES : failures + 1
      if (failures >= FAILURES) openUntil = now() + OUT_MS
    },
  }
}

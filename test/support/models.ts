import { createLogger } from '../../src/lib/log.ts'
import type { Candidate } from '../../src/providers/models/failover.ts'
import type { GenerateLimits } from '../../src/providers/models/generate.ts'
import type { ModelCharge, ModelFailureKind, ModelRequest, TextModels } from '../../src/providers/models/port.ts'
import { createTextModels } from '../../src/providers/models/text-models.ts'

/** Text models over the given candidates, without a database: what was charged and reported is kept in lists. */
export function openTextModels(
  candidates: readonly Candidate[],
  limits: GenerateLimits = { firstTokenMs: 1_000, answerMs: 5_000 },
): { models: TextModels; charges: ModelCharge[]; reports: [model: string, failure: ModelFailureKind | null][] } {
  const charges: ModelCharge[] = []
  const reports: [string, ModelFailureKind | null][] = []
  const models = createTextModels({
    choiceOf: async () => ({ candidates, prices: {} }),
    ledger: {
      reserve: async () => ({
        async settle(settled) {
          charges.push(...settled)
        },
      }),
      async report(_, model, failure) {
        reports.push([model, failure])
      },
    },
    log: createLogger('silent'),
    limits,
  })
  return { models, charges, reports }
}

/** A request with one message of the person. */
export function ask(text: string, more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    businessId: 'b',
    purpose: 'chat',
    instructions: 'You answer for Levi Homes. The secret word is heron.',
    messages: [{ role: 'customer', text }],
    ...more,
  }
}

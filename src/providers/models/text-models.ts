import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { costOf, type ModelPrice } from '../../lib/model-prices.ts'
import { estimatePrompt } from './estimate.ts'
import type { Candidate } from './failover.ts'
import {
  DEFAULT_LIMITS,
  DEFAULT_MAX_OUTPUT_TOKENS,
  DEFAULT_TIMEOUT_MS,
  type GenerateLimits,
  runGenerate,
} from './generate.ts'
import type { ModelCharge, ModelLedger, ModelRequest, ModelUsage, ModelUse, TextModels } from './port.ts'

/** The models of a business in the order they are asked in, and its own prices. */
export type ModelChoice = { candidates: readonly Candidate[]; prices: Readonly<Record<string, ModelPrice>> }

export type TextModelsOptions = {
  choiceOf(businessId: string): Promise<ModelChoice>
  ledger: ModelLedger
  log: Logger
  limits?: GenerateLimits
}

/** The text models of all businesses: chosen, limited by their budgets, and recorded. */
export function createTextModels({ choiceOf, ledger, log, limits = DEFAULT_LIMITS }: TextModelsOptions): TextModels {
  return {
    async availableFor(businessId) {
      return (await choiceOf(businessId)).candidates.length > 0
    },
    async generate(request) {
      const startedAt = Date.now()
      const { candidates, prices } = await choiceOf(request.businessId)
      const [first] = candidates
      if (!first)
        throw new AppError('not_implemented', 'model_not_set', 'There is no text model. Set one, with its key, first.')
      const priced = (use: ModelUse): ModelCharge => ({ ...use, costMicros: costOf(use, prices) })
      const reservation = await ledger.reserve({
        businessId: request.businessId,
        purpose: request.purpose,
        subject: request.subject ?? null,
        estimate: priced(estimateOf(request, first.name)),
        lastsMs: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      })
      const charges: ModelCharge[] = []
      const reports: Promise<void>[] = []
      try {
        const answer = await runGenerate({
          candidates,
          request,
          limits,
          log,
          onUse: (use) => charges.push(priced(use)),
          onEnd: (model, failure) => reports.push(ledger.report(request.businessId, model, failure?.kind ?? null)),
        })
        return { ...answer, usage: usageOf(charges), costMicros: sumOf(charges), totalMs: Date.now() - startedAt }
      } finally {
        await reservation.settle(charges)
        await Promise.all(reports)
      }
    },
  }
}

function estimateOf({ instructions, messages, tools = [], ...request }: ModelRequest, model: string): ModelUse {
  const described = tools.map(({ name, description, input }) => [name, description, Object.keys(input.shape)])
  const inputTokens = estimatePrompt([instructions, messages, described])
  const outputTokens = request.maxOutputTokens ?? DEFAULT_MAX_OUTPUT_TOKENS
  return { model, inputTokens, cachedTokens: 0, outputTokens, estimated: true }
}

function usageOf(charges: readonly ModelCharge[]): ModelUsage {
  return {
    inputTokens: charges.reduce((sum, each) => sum + each.inputTokens, 0),
    cachedTokens: charges.reduce((sum, each) => sum + each.cachedTokens, 0),
    outputTokens: charges.reduce((sum, each) => sum + each.outputTokens, 0),
    estimated: charges.some(({ estimated }) => estimated),
  }
}

/** Null when one of the prices is not known: a part of a sum would pass for the whole. */
function sumOf(charges: readonly ModelCharge[]): number | null {
  return charges.reduce<number | null>(
    (sum, { costMicros }) => (sum === null || costMicros === null ? null : sum + costMicros),
    0,
  )
}

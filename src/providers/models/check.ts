import { AppError } from '../../lib/errors.ts'
import { createCircuit } from './circuit.ts'
import { type Candidate, createFailover } from './failover.ts'
import { failureOf } from './failure.ts'
import { DEFAULT_LIMITS } from './generate.ts'
import type { ModelFailureKind, ModelUse } from './port.ts'

const REASONS: Record<ModelFailureKind, string> = {
  slow: 'It did not answer in time.',
  empty: 'It answered nothing.',
  unreachable: 'It could not be reached. Check the address.',
  rate_limited: 'The provider limits the number of requests. Try again in a minute.',
  quota: 'The credit of the account is used up.',
  refused: 'The key is not accepted.',
  too_long: 'It takes too short a text to be of use.',
  invalid: 'It does not take the request. Check the name of the model.',
  broken: 'It failed. Check the name of the model and the address.',
}

/**
 * Asks a model one short question, whatever its circuit says: its key, name and address are right when it answers.
 * @throws AppError `model_check_failed` with the reason
 */
export async function checkModel(candidate: Candidate, onUse: (use: ModelUse) => void = () => undefined) {
  const model = createFailover({
    candidates: [{ ...candidate, circuit: createCircuit() }],
    ...DEFAULT_LIMITS,
    json: false,
    onUse,
    onEnd: () => undefined,
  })
  try {
    await model.doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'Answer with one word: yes.' }] }],
      // Of models that think first, the thoughts count.
      maxOutputTokens: 1_000,
      providerOptions: { openai: { store: false } },
    })
    candidate.circuit.succeeded()
  } catch (cause) {
    const failure = failureOf(cause)
    throw new AppError(
      'unavailable',
      'model_check_failed',
      `${candidate.name} does not answer. ${REASONS[failure.kind]}`,
      {
        cause,
      },
    )
  }
}

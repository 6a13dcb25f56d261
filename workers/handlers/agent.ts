import type { Deps } from '../../src/composition/deps.ts'
import {
  type AnswerDeps,
  answerConversation,
  createRespond,
  giveUpAnswer,
  type TypingWatch,
} from '../../src/domain/agent/index.ts'
import { type DomainContext, within } from '../../src/domain/context.ts'
import { AGENT_ACTOR } from '../../src/domain/messages/index.ts'
import { createJudge, giveUpScenarioRun, performScenarioRun } from '../../src/domain/scenarios/index.ts'
import { DelayJob, type JobHandlers } from '../../src/jobs/consumer.ts'
import type { VoiceNoteSpeaker } from '../../src/providers/speech/port.ts'

/** Answers at the same time in one process: each waits for a model most of its time. */
export const AGENT_CONCURRENCY = 12

export function agentHandlers(
  deps: Pick<Deps, 'ctx' | 'sendSettings' | 'transcriber' | 'models' | 'storage' | 'uploads'>,
  pool: AnswerDeps['pool'],
  typing: TypingWatch,
  speaker: VoiceNoteSpeaker,
): JobHandlers<'agent'> {
  const respond = createRespond({
    models: deps.models,
    async readFile(storageKey) {
      const found = await deps.storage.get(storageKey)
      return found ? await found.body.bytes() : null
    },
  })
  return {
    ...handlersOf(deps.ctx, {
      ...{ pool, messages: deps.sendSettings, respond },
      now: () => new Date(),
      transcribes: (businessId) => deps.transcriber(businessId) !== null,
      typing,
      voice: { speaker, storage: deps.storage, links: deps.uploads },
    }),
    'scenario.run': async ({ businessId, runId }, job) => {
      const business = within(deps.ctx, businessId, { kind: 'system', id: AGENT_ACTOR })
      try {
        await performScenarioRun(business, runId, {
          respond,
          hasModel: (id) => deps.models.availableFor(id),
          judge: createJudge(deps.models),
        })
      } catch (error) {
        if (job.givesUp(error)) await giveUpScenarioRun(business, runId)
        throw error
      }
    },
  }
}

/** The handler of the agent's queue around what answers. */
export function handlersOf(ctx: DomainContext, answer: AnswerDeps): Pick<JobHandlers<'agent'>, 'agent.answer'> {
  return {
    'agent.answer': async ({ businessId, ...asked }, job) => {
      const business = within(ctx, businessId, { kind: 'system', id: AGENT_ACTOR })
      try {
        const result = await answerConversation(business, asked, answer)
        if (!result.done) throw new DelayJob(result.retryInMs, result.reason)
      } catch (error) {
        if (!(error instanceof DelayJob) && job.givesUp(error)) await giveUpAnswer(business, asked, error, answer.now())
        throw error
      }
    },
  }
}

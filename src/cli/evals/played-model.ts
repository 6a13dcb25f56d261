import { dateOf, type Prepared, type Scenario, type ScenarioStep } from '../../domain/scenarios/index.ts'
import { type ModelPlanInput, type ModelServer, startModelServer } from '../../sandbox/models/server.ts'

/** What the agent adds to its instructions when it asks again. */
const ASKED_AGAIN = 'Nothing backs this in it'

/** The text model that a scenario scripts, on OpenAI's wire: it shows what the agent does with such answers, not that a model gives them. */
export type PlayedModel = {
  baseUrl: string
  /** Answers as a scenario says, until the next. */
  script(prepared: Prepared, scenario: Scenario): void
  close(): Promise<void>
}

export function startPlayedModel(): PlayedModel {
  const server: ModelServer = startModelServer()
  return {
    baseUrl: server.baseUrl,
    script: (prepared, scenario) => server.plan(planOf(prepared, scenario)),
    close: () => server.close(),
  }
}

function planOf({ now, timezone }: Pick<Prepared, 'now' | 'timezone'>, { script }: Scenario): ModelPlanInput {
  const answers = (given: NonNullable<ScenarioStep['model']>) =>
    given.map(({ say, call }) => ({
      ...(say === undefined ? {} : { say }),
      call: (call ?? []).map(({ name, args }) => ({
        name,
        args: Object.fromEntries(
          Object.entries(args).map(([key, value]) => [
            key,
            typeof value === 'string' ? dateOf(value, now, timezone) : value,
          ]),
        ),
      })),
    }))
  return {
    rules: script.flatMap(({ send, model, modelAgain }) => {
      const matches = `${RegExp.escape(send?.at(-1) ?? '')}\\s*$`
      return [
        ...(modelAgain ? [{ when: { matches, instructions: ASKED_AGAIN }, steps: answers(modelAgain) }] : []),
        ...(model ? [{ when: { matches }, steps: answers(model) }] : []),
      ]
    }),
  }
}

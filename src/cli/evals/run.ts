import type { DomainContext } from '../../domain/context.ts'
import {
  type Channel,
  type Judge,
  type PlayOptions,
  type PlayResult,
  playScenario,
  type Scenario,
} from '../../domain/scenarios/index.ts'
import { createNumbers } from './product.ts'

export type EvalRun = {
  ctx: DomainContext
  scenarios: readonly Scenario[]
  channels: readonly Channel[]
  judge: Judge | null
  onPrepared?: PlayOptions['onPrepared']
  /** How often each is played; otherwise once, and with a model as often as the scenario says. */
  repeat: number | null
  /** Plays at once on a channel. */
  atOnce: number
  onResult(result: PlayResult): void
}

/** Plays every scenario on every channel. @returns the results in the order of scenarios, channels and runs */
export async function runEvals({
  ctx,
  scenarios,
  channels,
  judge,
  onPrepared,
  repeat,
  atOnce,
  onResult,
}: EvalRun): Promise<PlayResult[]> {
  const phone = createNumbers('+97250', 7)
  const plays = channels.flatMap((channel) =>
    scenarios.flatMap((scenario) =>
      Array.from({ length: repeat ?? (channel.engine === 'model' ? scenario.runs : 1) }, (_, run) => ({
        scenario,
        channel,
        run: run + 1,
      })),
    ),
  )
  const results: PlayResult[] = []
  const waiting = [...plays.entries()]
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, { scenario, channel, run }] = next
      const result = await playScenario(ctx, scenario, channel, run, {
        ...{ judge, phone },
        ...(onPrepared ? { onPrepared } : {}),
      })
      results[index] = result
      onResult(result)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}

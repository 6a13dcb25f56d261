export { createChatChannel } from './chat-channel.ts'
export type { Reply } from './checks.ts'
export { dateOf } from './dates.ts'
export { type Past, scenarioFromPast } from './from-past.ts'
export { createJudge, type Judge } from './judge.ts'
export { observeCustomer } from './observe.ts'
export { giveUpScenarioRun, performScenarioRun } from './perform-run.ts'
export { type Channel, type PlayOptions, type PlayResult, playScenario } from './play.ts'
export { type Prepared, prepareScenario } from './prepare.ts'
export { readScenarios } from './read-scenarios.ts'
export {
  PRESETS,
  SCENARIO_CHANNELS,
  SCENARIO_ENGINES,
  type Scenario,
  type ScenarioChannel,
  type ScenarioEngine,
  type ScenarioStep,
} from './schema.ts'
export {
  listScenarioRuns,
  listScenarios,
  removeScenario,
  requeueScenarioRuns,
  runScenarios,
  saveScenario,
  scenarioRunView,
  scenarioSource,
  scenarioView,
  setScenariosRequired,
} from './store.ts'

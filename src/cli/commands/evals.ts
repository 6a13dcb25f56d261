import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Deps } from '../../composition/deps.ts'
import { createRespond } from '../../domain/agent/index.ts'
import { getCallTraceKey } from '../../domain/calls/index.ts'
import {
  type Channel,
  createChatChannel,
  createJudge,
  type Past,
  type PlayResult,
  PRESETS,
  readScenarios,
  SCENARIO_CHANNELS,
  SCENARIO_ENGINES,
  type Scenario,
  type ScenarioChannel,
  type ScenarioEngine,
  scenarioFromPast,
} from '../../domain/scenarios/index.ts'
import type { EvalInstallation } from '../../processes/eval-installation.ts'
import { idArgument } from '../arguments.ts'
import { pastCall, pastConversation } from '../evals/past.ts'
import { type PlayedModel, startPlayedModel } from '../evals/played-model.ts'
import { describeResult, describeRun, writeJunit } from '../evals/report.ts'
import { runEvals } from '../evals/run.ts'
import { createVoiceChannel } from '../evals/voice-channel.ts'
import { createWhatsAppChannel } from '../evals/whatsapp-channel.ts'
import { EXIT, UsageError } from '../exit.ts'
import { printError, printRaw } from '../output.ts'
import type { Cli } from '../session.ts'

const FOLDER = 'test/evals'
/** Where calls and servers share the processors. */
const AT_ONCE = 3
const MAX_REPEAT = 50

type RunOptions = {
  channel?: ScenarioChannel[]
  engine: ScenarioEngine
  model?: string
  repeat?: number
  junit?: string
}

export function addEvalCommands(program: Command, cli: Cli): void {
  const evals = program.command('eval').description('scenarios: conversations that the agent has to pass')
  evals
    .command('run')
    .description('play scenarios in an installation of their own, and compare what came of them')
    .argument('[files...]', `files of scenarios (default: those of ${FOLDER})`)
    .addOption(new Option('--channel <channel...>', 'where to play them (default: all)').choices(SCENARIO_CHANNELS))
    .addOption(
      new Option(
        '--engine <engine>',
        'who answers: the rules and the intake dialogue, models by their keys, or a played model with scripted answers',
      )
        .choices(SCENARIO_ENGINES)
        .default('rules'),
    )
    .option('--model <name>', 'the text model, such as openai:gpt-5-mini (default: TEXT_MODEL)')
    .option('--repeat <n>', 'how often each is played', readRepeat)
    .option('--junit <file>', 'write the results as a JUnit file')
    .action((files: string[], options: RunOptions) => runCommand(files, options, cli))
  addFromCommands(evals, cli)
}

/** A conversation of the past as a file on standard output. */
function addFromCommands(evals: Command, cli: Cli): void {
  const from = evals
    .command('from')
    .description('make a scenario of a call or conversation of the past, without personal data')
  const preset = () =>
    new Option('--preset <preset>', 'the trade whose business it is played in').choices(PRESETS).default('plumber')
  from
    .command('call')
    .argument('<id>', 'the id of the call or the carrier’s call SID')
    .addOption(preset())
    .action(async (id: string, options: { preset: Past['preset'] }) =>
      printPast(await pastCall(cli, id, options.preset)),
    )
  from
    .command('conversation')
    .addArgument(idArgument('the id of the conversation'))
    .addOption(preset())
    .action(async (id: string, options: { preset: Past['preset'] }) =>
      printPast(await pastConversation(cli, id, options.preset)),
    )
}

async function printPast(past: Past): Promise<void> {
  if (!past.lines.some(({ who, text }) => who === 'customer' && text?.trim()))
    throw new UsageError('Nothing that the customer said is there as text: there is no script to make.')
  await printRaw(scenarioFromPast(past))
  printError('Look through it before it is shared: names that only the conversation knows may have stayed.')
}

function readRepeat(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_REPEAT)
    throw new InvalidArgumentError(`It must be a number from 1 to ${MAX_REPEAT}.`)
  return value
}

async function runCommand(files: string[], options: RunOptions, cli: Cli): Promise<void> {
  if (options.model && options.engine !== 'model') throw new UsageError('A model answers with --engine model.')
  const scenarios = await readAll(files)
  const channels = channelsOf(options)
  const { startEvalInstallation } = await import('../../processes/eval-installation.ts')
  printError('starting an installation for the scenarios …')
  const played = options.engine === 'played' ? startPlayedModel() : null
  const installation = await startEvalInstallation({
    product: channels.some((channel) => channel !== 'chat'),
    models: options.engine === 'model',
    textModel: options.model ?? null,
    playedModelUrl: played?.baseUrl ?? null,
  })
  try {
    const results = await cli.local(
      (deps) => play(deps, { installation, played }, scenarios, channels, options),
      installation.config,
    )
    if (options.junit) writeFileSync(options.junit, writeJunit(results))
    await cli.show(results, () => describeRun(results))
    const ended = results.filter(({ outcome }) => outcome !== 'skipped')
    if (ended.length === 0) printError('Nothing was played: every scenario was skipped.')
    if (ended.length === 0 || ended.some(({ outcome }) => outcome === 'failed')) process.exitCode = EXIT.failed
  } finally {
    await installation.stop()
    await played?.close()
  }
}

/** @throws UsageError when the played model should speak */
function channelsOf({ channel, engine }: RunOptions): ScenarioChannel[] {
  if (engine !== 'played') return channel ?? [...SCENARIO_CHANNELS]
  if (channel?.includes('voice')) throw new UsageError('The played model answers in writing: chat and whatsapp.')
  return channel ?? ['chat', 'whatsapp']
}

/** @throws AppError `invalid_scenario`, UsageError when a name is there twice */
async function readAll(files: string[]): Promise<Scenario[]> {
  const paths = files.length > 0 ? files : [...new Bun.Glob(`${FOLDER}/*.yaml`).scanSync('.')].sort()
  if (paths.length === 0) throw new UsageError(`There are no scenarios in ${FOLDER}. Name their files.`)
  const read = await Promise.all(paths.map(async (path) => readScenarios(await Bun.file(path).text(), basename(path))))
  const scenarios = read.flat()
  const names = scenarios.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice) throw new UsageError(`There are two scenarios named ${twice}.`)
  return scenarios
}

async function play(
  deps: Deps,
  { installation, played }: { installation: EvalInstallation; played: PlayedModel | null },
  scenarios: readonly Scenario[],
  channels: readonly ScenarioChannel[],
  { engine, repeat }: RunOptions,
): Promise<PlayResult[]> {
  const byModel = engine === 'model' && deps.config.models.text !== null
  if (engine === 'model' && !byModel && deps.config.speech.openai.kind !== 'configured')
    throw new UsageError('No model can be reached: set TEXT_MODEL or --model, and the key of its provider.')
  const built = channels.map((name) => buildChannel(name, deps, installation, engine))
  return await runEvals({
    ctx: deps.ctx,
    scenarios,
    channels: built,
    judge: engine === 'model' ? createJudge(deps.models) : null,
    repeat: repeat ?? null,
    // The played model answers for one scenario at a time.
    atOnce: installation.product && !played ? AT_ONCE : 1,
    ...(played ? { onPrepared: played.script } : {}),
    onResult: (result) => printError(describeResult(result)),
  })
}

function buildChannel(
  name: ScenarioChannel,
  deps: Deps,
  { product, config }: EvalInstallation,
  engine: ScenarioEngine,
): Channel {
  if (name === 'chat') {
    const readFile = async () => null
    return createChatChannel({ respond: createRespond({ models: deps.models, readFile }), engine })
  }
  if (!product) throw new UsageError(`The channel ${name} needs the sandbox.`)
  const reached = { ...product, cacheDir: config.dataDir }
  if (name === 'whatsapp') return createWhatsAppChannel(reached, { engine })
  return createVoiceChannel(reached, {
    intake: engine !== 'model' || config.speech.openai.kind !== 'configured',
    async speak(texts, language) {
      const { speakLines } = await import('../../sandbox/simulate.ts')
      return await speakLines(texts, language, reached.cacheDir)
    },
    async momentsOf(ctx, callId) {
      const { readMoments } = await import('../../media/call-moments.ts')
      return await readMoments(deps.storage, await getCallTraceKey(ctx, callId))
    },
  })
}

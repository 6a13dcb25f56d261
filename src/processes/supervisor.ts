import { join } from 'node:path'
import { type Config, ConfigError, type Environment, loadConfig, processEnvironment } from '../config.ts'
import { restrictNewFiles } from '../lib/file-modes.ts'
import { createLogger } from '../lib/log.ts'
import { closeDataDirectory } from './supervise/data-directory.ts'
import { productSteps } from './supervise/product.ts'
import { runSupervision } from './supervise/run.ts'
import { StartRefused } from './supervise/steps.ts'

const root = join(import.meta.dir, '../..')
const PREPARE_MS = 60_000

/** Runs `src/processes/setup.ts` to its end: it fills an empty database and prints the first login. */
async function prepare(environment: Environment): Promise<void> {
  const child = Bun.spawn([process.execPath, join(root, 'src/processes/setup.ts')], {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: PREPARE_MS,
    killSignal: 'SIGKILL',
  })
  const code = await child.exited
  if (code !== 0)
    throw new StartRefused(`Preparing the database failed (exit ${code}); the reason is in the log above.`)
}

function describe(config: Config): string {
  const line = (what: string, where: string) => `  ${what.padEnd(10)} ${where}`
  return [
    '',
    'AgentLocator is up.',
    line('address', config.publicBaseUrl),
    line('listening', `${config.host}:${config.port}, ${config.webConcurrency} web process(es)`),
    line('console', `${config.publicBaseUrl}/console`),
    line('health', `${config.publicBaseUrl}/readyz`),
    line('queues', `${config.publicBaseUrl}/admin/queues (on ${config.queue.kind === 'redis' ? 'Redis' : 'Postgres'})`),
    line('data', `${config.dataDir}${config.database.kind === 'embedded' ? ', with an embedded Postgres' : ''}`),
    ...(config.sandbox
      ? [line('sandbox', 'on: no real call or message; place one with  bun run cli call simulate')]
      : []),
    line('stop', 'Ctrl-C'),
    '',
  ].join('\n')
}

/** Runs the product until a signal; `prepare` only migrates and fills the database, for deployments of single processes. */
async function main(command: string | undefined): Promise<void> {
  if (command !== undefined && command !== 'prepare') {
    console.error(`Unknown command ${JSON.stringify(command)}. Give none, to start the product, or "prepare".`)
    process.exit(2)
  }
  const environment = processEnvironment()
  let config: Config
  try {
    config = loadConfig(environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(error.message)
    process.exit(1)
  }
  restrictNewFiles()
  const logger = createLogger(config.logLevel, { process: 'supervisor' })
  const steps = productSteps({ config, environment, logger, prepare, bun: process.execPath, root })
  if (command === undefined) return runSupervision(steps, logger, () => console.log(describe(config)))

  const wanted = ['migrations', 'preparation', ...(config.database.kind === 'embedded' ? ['lock', 'database'] : [])]
  if (config.database.kind === 'external') closeDataDirectory(config, logger)
  const chosen = steps.filter(({ name }) => wanted.includes(name))
  // `prepare` needs the steps once; the ordered stop follows at once.
  await runSupervision(chosen, logger, () => process.kill(process.pid, 'SIGTERM'))
}

if (import.meta.main) await main(process.argv[2])

import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../../db/embedded.ts'
import { migrateDatabase } from '../../../db/migrate.ts'
import type { Config, Environment } from '../../config.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { isPortFree } from '../../lib/net.ts'
import { tryLock } from '../../lib/process-lock.ts'
import { closeDataDirectory } from './data-directory.ts'
import { sandboxStep } from './sandbox-step.ts'
import { type ChildEnvironment, processStep, type ScriptSpec, StartRefused, type Step } from './steps.ts'
import { webStep } from './web-pool.ts'

export type ProductOptions = {
  config: Config
  environment: Environment
  logger: Logger
  /** Fills an empty database (first business, first login); gets the environment that the processes get. */
  prepare(environment: Environment): Promise<void>
  bun: string
  root: string
}

const WORKERS = ['crm', 'recordings'] as const
const START_MS = 60_000
const WORKER_STOP_MS = 45_000

/** The product as steps: WhatsApp before its callers, the web server last; stops in reverse. */
export function productSteps(options: ProductOptions): Step[] {
  const { config, logger, bun, root } = options
  const environment: ChildEnvironment = { ...options.environment, DATA_DIR: config.dataDir }
  const script: ScriptSpec = (name, file, stopTimeoutMs, ...args) => ({
    name,
    command: [bun, join(root, file), ...args],
    env: environment,
    cwd: root,
    readyTimeoutMs: START_MS,
    stopTimeoutMs,
  })
  const worker = (name: string) => script(name, `workers/${name}.ts`, WORKER_STOP_MS)
  const web = {
    listening: config.webConcurrency,
    // Longer than the server itself waits for live calls, so that the server ends them, not SIGKILL.
    spec: (name: string) =>
      script(name, 'src/processes/web-server.ts', (config.drainSeconds + 15) * 1_000, '--standby'),
  }
  return [
    lockStep(config, logger),
    databaseStep(config, environment, logger),
    migrationStep(config, environment, logger),
    ...(config.sandbox ? [sandboxStep(config, environment, script, logger)] : []),
    preparationStep(options.prepare, environment),
    processStep('whatsapp', () => [worker('whatsapp')], logger),
    processStep('workers', () => WORKERS.map(worker), logger),
    webStep('web', web, logger),
  ]
}

function lockStep(config: Config, logger: Logger): Step {
  return {
    name: 'lock',
    start: async () => {
      closeDataDirectory(config, logger)
      const result = tryLock(join(config.dataDir, 'start.lock'))
      if (!result.held) {
        throw new StartRefused(
          `AgentLocator already runs on ${config.dataDir} (process ${result.pid ?? 'unknown'}). ` +
            'Stop that one first, or set DATA_DIR to another directory.',
        )
      }
      if (config.port !== 0 && !(await isPortFree(config.port, config.host))) {
        result.lock.release()
        throw new StartRefused(
          `Port ${config.port} at ${config.host} is taken by another program. Stop it, or set PORT to another one.`,
        )
      }
      return { stop: async () => result.lock.release() }
    },
  }
}

function databaseStep(config: Config, environment: ChildEnvironment, logger: Logger): Step {
  return {
    name: 'database',
    start: async () => {
      if (config.database.kind === 'external') return undefined
      const server = await startEmbeddedPostgres({ dataDir: config.dataDir, logger })
      environment.DATABASE_URL = server.url
      return { stop: () => server.stop() }
    },
  }
}

function migrationStep(config: Config, environment: ChildEnvironment, logger: Logger): Step {
  return {
    name: 'migrations',
    start: async (signal) => {
      const url = config.database.kind === 'external' ? config.database.url : (environment.DATABASE_URL ?? '')
      // A database on another machine may be starting at the same time.
      for (const deadline = Date.now() + START_MS; ; await Bun.sleep(1_000)) {
        try {
          await migrateDatabase(url)
          return undefined
        } catch (error) {
          if (signal.aborted || Date.now() > deadline || !isAway(error)) throw error
          logger.warn({ reason: errorMessage(error) }, 'database unreachable, trying again')
        }
      }
    },
  }
}

function preparationStep(prepare: ProductOptions['prepare'], environment: ChildEnvironment): Step {
  return {
    name: 'preparation',
    start: async () => {
      await prepare(environment)
      return undefined
    },
  }
}

/** No answer, or SQLSTATE 57P03: it is still starting. */
function isAway(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT', '57P03'].includes(code)
}

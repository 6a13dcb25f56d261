import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../db/embedded.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { type Config, type Environment, loadConfig, processEnvironment } from '../config.ts'
import { AppError } from '../lib/errors.ts'
import { createLogger } from '../lib/log.ts'
import { findFreePort } from '../lib/net.ts'
import { waitAtMost } from '../lib/wait-at-most.ts'
import { withDatabase } from './maintenance.ts'
import { readSandboxFile } from './supervise/sandbox-file.ts'

const ROOT = join(import.meta.dir, '../..')
const START_MS = 180_000
const STOP_MS = 30_000
/** Of this process's environment only what reaches models and this machine's programs: no database, carrier or account. */
const TAKEN = [
  ...['PATH', 'HOME', 'TMPDIR', 'LANG'],
  ...['OPENAI_API_KEY', 'OPENAI_REALTIME_URL', 'OPENAI_REALTIME_MODEL', 'ANTHROPIC_API_KEY', 'GOOGLE_API_KEY'],
  ...['TEXT_MODEL', 'TEXT_MODEL_FALLBACK', 'COMPATIBLE_BASE_URL', 'COMPATIBLE_API_KEY'],
]
const MODEL_SETTINGS = /_API_KEY$|^TEXT_MODEL|^COMPATIBLE_|^OPENAI_/

export type EvalInstallation = {
  config: Config
  /** The sandbox's carrier and the web server; null where only the database runs. */
  product: { publicBaseUrl: string; connectBaseUrl: string; carrierUrl: string } | null
  stop(): Promise<void>
}

/**
 * An installation of its own in a temporary directory, in the sandbox; gone when it is stopped.
 * @param wanted.product false: the database alone, for what runs in this process
 * @param wanted.models false: without any model's key
 */
export async function startEvalInstallation(wanted: {
  product: boolean
  models: boolean
  textModel: string | null
  /** Where the played model answers, in place of a vendor's. */
  playedModelUrl?: string | null
}): Promise<EvalInstallation> {
  const dataDir = mkdtempSync(join(tmpdir(), 'agentlocator-evals-'))
  const remove = () => rmSync(dataDir, { recursive: true, force: true })
  try {
    const environment = await environmentOf(dataDir, wanted)
    const started = wanted.product
      ? await startProduct(environment, dataDir)
      : await startDatabase(environment, dataDir)
    return {
      ...started,
      async stop() {
        await started.stop()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

async function environmentOf(
  dataDir: string,
  { models, textModel, playedModelUrl }: Parameters<typeof startEvalInstallation>[0],
): Promise<Environment> {
  const own = processEnvironment()
  const taken = TAKEN.filter((name) => models || !MODEL_SETTINGS.test(name)).map((name) => [name, own[name]] as const)
  const port = await findFreePort('127.0.0.1')
  return {
    ...Object.fromEntries(taken.filter(([, value]) => value !== undefined)),
    ...(models && textModel ? { TEXT_MODEL: textModel } : {}),
    ...(playedModelUrl ? { TEXT_MODEL: 'compatible:sandbox', COMPATIBLE_BASE_URL: playedModelUrl } : {}),
    ...(models && own.OPENAI_API_KEY ? { SPEECH_ENGINE: 'openai-realtime' } : {}),
    ...{ SANDBOX: '1', HOST: '127.0.0.1', PORT: String(port), PUBLIC_BASE_URL: `http://localhost:${port}` },
    ...{ DATA_DIR: dataDir, LOG_LEVEL: 'warn', DRAIN_SECONDS: '1', API_RATE_LIMIT: '0' },
  }
}

async function startDatabase(environment: Environment, dataDir: string): Promise<EvalInstallation> {
  const server = await startEmbeddedPostgres({
    dataDir,
    logger: createLogger('silent'),
    settings: { fsync: 'off' },
  })
  await migrateDatabase(server.url)
  return {
    config: loadConfig({ ...environment, DATABASE_URL: server.url }),
    product: null,
    stop: () => server.stop(),
  }
}

async function startProduct(environment: Environment, dataDir: string): Promise<EvalInstallation> {
  const child = Bun.spawn([process.execPath, join(ROOT, 'src/processes/supervisor.ts')], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = collect(child.stdout, child.stderr)
  const stop = async () => {
    child.kill('SIGTERM')
    if ((await waitAtMost(child.exited, STOP_MS)) === undefined) child.kill('SIGKILL')
    await child.exited
  }
  try {
    for (const deadline = Date.now() + START_MS; !output.text.includes('AgentLocator is up.'); await Bun.sleep(100))
      if (child.exitCode !== null || Date.now() > deadline)
        throw new AppError(
          'unavailable',
          'evals_not_started',
          `The installation for the scenarios did not start: ${output.text.slice(-2_000)}`,
        )
    const config = withDatabase(loadConfig(environment))
    const sandbox = readSandboxFile(dataDir)
    if (!sandbox) throw new AppError('unavailable', 'evals_not_started', 'The sandbox of the scenarios did not start.')
    const { publicBaseUrl, carrierUrl, accountSid, authToken } = sandbox
    return {
      config: {
        ...config,
        twilio: { kind: 'configured', accountSid, authToken, apiBaseUrl: carrierUrl, whatsappFrom: null },
      },
      product: { publicBaseUrl, connectBaseUrl: `http://127.0.0.1:${config.port}`, carrierUrl },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function collect(...streams: ReadableStream<Uint8Array>[]): { text: string } {
  const collected = { text: '' }
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream)
      collected.text = (collected.text + decoder.decode(chunk, { stream: true })).slice(-20_000)
  }
  for (const stream of streams) void read(stream)
  return collected
}

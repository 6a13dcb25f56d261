import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { startEmbeddedPostgres } from '../../../db/embedded.ts'
import { migrateDatabase } from '../../../db/migrate.ts'
import { publicUrl, WEBHOOKS } from '../../access/urls.ts'
import type { Config, Environment } from '../../config.ts'
import { errorMessage } from '../../lib/errors.ts'
import { PRIVATE_DIRECTORY, PRIVATE_FILE } from '../../lib/file-modes.ts'
import type { Logger } from '../../lib/log.ts'
import { findFreePort, isPortFree } from '../../lib/net.ts'
import { tryLock } from '../../lib/process-lock.ts'
import { SANDBOX_NUMBERS } from '../../sandbox/demo.ts'
import { SANDBOX_PAYMENTS } from '../../sandbox/payments/accounts.ts'
import type { SandboxSecrets } from '../../sandbox/secrets.ts'
import { closeDataDirectory } from './data-directory.ts'
import type { ProcessSpec, ReadyMessage } from './managed-process.ts'
import { readSandboxFile, type SandboxFile } from './sandbox-file.ts'
import { processStep, StartRefused, type Step } from './steps.ts'
import { webStep } from './web-pool.ts'

export type ProductOptions = {
  config: Config
  environment: Environment
  logger: Logger
  /** Fills an empty database (first business, first login); gets the environment that the processes get. */
  prepare(environment: Environment): Promise<void>
  /** The program that runs our sources, and the directory they lie in. */
  bun: string
  root: string
}

/** Twilio's own WhatsApp sandbox sends from this number. */
const SANDBOX_WHATSAPP_FROM = 'whatsapp:+14155238886'
const WORKERS = ['crm', 'recordings'] as const
const START_MS = 60_000
const WORKER_STOP_MS = 45_000

/**
 * The whole product as steps. WhatsApp stands before anything may ask for it, and the web server comes last, so that a
 * request never meets half a product; stopping runs the other way round.
 */
export function productSteps({ config, environment, logger, prepare, bun, root }: ProductOptions): Step[] {
  const childEnvironment: Record<string, string | undefined> = { ...environment, DATA_DIR: config.dataDir }

  const script = (name: string, file: string, stopTimeoutMs: number, ...args: string[]): ProcessSpec => ({
    name,
    command: [bun, join(root, file), ...args],
    env: childEnvironment,
    cwd: root,
    readyTimeoutMs: START_MS,
    stopTimeoutMs,
  })

  const guard: Step = {
    name: 'guard',
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

  const database: Step = {
    name: 'database',
    start: async () => {
      if (config.database.kind === 'external') return undefined
      const server = await startEmbeddedPostgres({ dataDir: config.dataDir, logger })
      childEnvironment.DATABASE_URL = server.url
      return { stop: () => server.stop() }
    },
  }

  const migrations: Step = {
    name: 'migrations',
    start: async (signal) => {
      const url = config.database.kind === 'external' ? config.database.url : (childEnvironment.DATABASE_URL ?? '')
      // A database on another machine may be starting at the same time as we are.
      for (const deadline = Date.now() + START_MS; ; await Bun.sleep(1_000)) {
        try {
          await migrateDatabase(url)
          return undefined
        } catch (error) {
          if (signal.aborted || Date.now() > deadline || !isAway(error)) throw error
          logger.warn({ reason: errorMessage(error) }, 'the database does not answer yet, trying again')
        }
      }
    },
  }

  const sandbox = () => {
    // The same account for as long as the data directory lives: its rows refer to it.
    const kept = readSandboxFile(config.dataDir)
    const accountSid = kept?.accountSid ?? `AC${randomBytes(16).toString('hex')}`
    const authToken = kept?.authToken ?? randomBytes(16).toString('hex')
    const baileysSecret = kept?.baileysSecret ?? randomBytes(16).toString('hex')
    const paymentsSecret = kept?.paymentsSecret ?? randomBytes(16).toString('hex')
    let carrierPort = 0
    let whatsappPort = 0
    let openaiPort = 0
    // Asked for without a key of its own: then the sandbox plays OpenAI too.
    const playsOpenAi = config.speech.engine === 'openai-realtime' && config.speech.openai.kind === 'absent'
    const openaiKey = `sk-sandbox-${randomBytes(16).toString('hex')}`
    let paymentPorts = { paypal: 0, tranzila: 0 }
    return processStep(
      'sandbox',
      async () => {
        // Chosen here, so that a sandbox that died comes back where everybody looks for it.
        carrierPort = await findFreePort('127.0.0.1')
        whatsappPort = await findFreePort('127.0.0.1')
        openaiPort = await findFreePort('127.0.0.1')
        paymentPorts = { paypal: await findFreePort('127.0.0.1'), tranzila: await findFreePort('127.0.0.1') }
        const stateDir = join(config.dataDir, 'sandbox')
        const secretsFile = join(stateDir, 'secrets.json')
        mkdirSync(stateDir, { recursive: true, mode: PRIVATE_DIRECTORY })
        writeSecretFile(secretsFile, { accountSid, authToken, paymentsSecret, ...(playsOpenAi ? { openaiKey } : {}) })
        const flags = {
          'carrier-port': String(carrierPort),
          'whatsapp-port': String(whatsappPort),
          'state-dir': stateDir,
          'secrets-file': secretsFile,
          ...(playsOpenAi ? { 'openai-port': String(openaiPort) } : {}),
          'paypal-port': String(paymentPorts.paypal),
          'tranzila-port': String(paymentPorts.tranzila),
          'log-level': config.logLevel,
          // Whatever the public address is, the simulated carrier reaches the server on this machine.
          'public-base-url': config.publicBaseUrl,
          'connect-base-url': localAddress(config),
          numbers: Object.values(SANDBOX_NUMBERS).join(','),
          'voice-url': publicUrl(config.publicBaseUrl, WEBHOOKS.incomingCall),
          'status-callback': publicUrl(config.publicBaseUrl, WEBHOOKS.callStatus),
        }
        const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
        return [script('sandbox', 'src/sandbox/main.ts', 5_000, ...args)]
      },
      logger,
      {
        onReady: ([message]) => {
          const ports = sandboxPorts(message)
          const carrierUrl = `http://127.0.0.1:${ports.carrier ?? carrierPort}`
          const whatsapp = `127.0.0.1:${ports.whatsapp ?? whatsappPort}`
          const paypalUrl = `http://127.0.0.1:${ports.paypal ?? paymentPorts.paypal}`
          const tranzilaUrl = `http://127.0.0.1:${ports.tranzila ?? paymentPorts.tranzila}`
          Object.assign(childEnvironment, {
            SANDBOX: '1',
            TWILIO_ACCOUNT_SID: accountSid,
            TWILIO_AUTH_TOKEN: authToken,
            TWILIO_API_BASE_URL: carrierUrl,
            TWILIO_WHATSAPP_FROM: SANDBOX_WHATSAPP_FROM,
            BAILEYS_SECRET: baileysSecret,
            BAILEYS_WEBSOCKET_URL: `ws://${whatsapp}/ws/chat`,
            ...(playsOpenAi
              ? {
                  OPENAI_API_KEY: openaiKey,
                  OPENAI_REALTIME_URL: `ws://127.0.0.1:${ports.openai ?? openaiPort}/v1/realtime`,
                }
              : {}),
            ...paymentVariables(paypalUrl, tranzilaUrl, paymentsSecret),
          })
          writeSecretFile(join(config.dataDir, 'sandbox.json'), {
            publicBaseUrl: config.publicBaseUrl,
            carrierUrl,
            accountSid,
            authToken,
            baileysSecret,
            whatsappUrl: `http://${whatsapp}`,
            paymentsSecret,
            paypalUrl,
            tranzilaUrl,
          })
        },
      },
    )
  }

  const preparation: Step = {
    name: 'preparation',
    start: async () => {
      await prepare(childEnvironment)
      return undefined
    },
  }

  const web = () => ({
    listening: config.webConcurrency,
    // A little longer than the server's own patience with live calls, so that it ends them itself.
    spec: (name: string) =>
      script(name, 'src/processes/web-server.ts', (config.drainSeconds + 15) * 1_000, '--standby'),
  })

  return [
    guard,
    database,
    migrations,
    ...(config.sandbox ? [sandbox()] : []),
    preparation,
    processStep('whatsapp', () => [script('whatsapp', 'workers/whatsapp.ts', WORKER_STOP_MS)], logger),
    processStep('workers', () => WORKERS.map((name) => script(name, `workers/${name}.ts`, WORKER_STOP_MS)), logger),
    webStep('web', web, logger),
  ]
}

/** The accounts at the simulated payment providers. */
function paymentVariables(paypalUrl: string, tranzilaUrl: string, secret: string): Environment {
  return {
    PAYPAL_CLIENT_ID: SANDBOX_PAYMENTS.clientId,
    PAYPAL_CLIENT_SECRET: secret,
    PAYPAL_WEBHOOK_ID: SANDBOX_PAYMENTS.webhookId,
    PAYPAL_API_BASE_URL: paypalUrl,
    TRANZILA_TERMINAL: SANDBOX_PAYMENTS.terminal,
    TRANZILA_APP_KEY: SANDBOX_PAYMENTS.appKey,
    TRANZILA_SECRET: secret,
    TRANZILA_API_BASE_URL: tranzilaUrl,
    TRANZILA_REPORT_BASE_URL: tranzilaUrl,
    TRANZILA_PAY_BASE_URL: tranzilaUrl,
  }
}

/** Where the web server is reached from this machine. */
function localAddress({ host, port }: Config): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/** No answer, or SQLSTATE 57P03: it is still starting. */
function isAway(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT', '57P03'].includes(code)
}

function sandboxPorts(message: ReadyMessage | undefined): Record<string, number> {
  return z.object({ ports: z.record(z.string(), z.number()).default({}) }).parse(message ?? {}).ports
}

function writeSecretFile(path: string, content: SandboxFile | SandboxSecrets): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: PRIVATE_FILE })
  renameSync(`${path}.new`, path)
}

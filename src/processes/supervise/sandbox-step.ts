import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { publicUrl, WEBHOOKS } from '../../access/urls.ts'
import type { Config, Environment } from '../../config.ts'
import { PRIVATE_DIRECTORY } from '../../lib/file-modes.ts'
import type { Logger } from '../../lib/log.ts'
import { findFreePort } from '../../lib/net.ts'
import { SANDBOX_CALENDAR_CLIENT } from '../../sandbox/calendars/state.ts'
import { SANDBOX_NUMBERS } from '../../sandbox/demo.ts'
import { SANDBOX_PAYMENTS } from '../../sandbox/payments/accounts.ts'
import { readSandboxFile, writeSecretFile } from './sandbox-file.ts'
import { type ChildEnvironment, processStep, type ReadyMessage, type ScriptSpec, type Step } from './steps.ts'

/** Twilio's own WhatsApp sandbox sends from this number. */
const SANDBOX_WHATSAPP_FROM = 'whatsapp:+14155238886'
const VENDORS = ['carrier', 'whatsapp', 'openai', 'models', 'paypal', 'tranzila', 'calendars'] as const
const STOP_MS = 5_000

type Ports = Record<(typeof VENDORS)[number], number>
type Secrets = ReturnType<typeof readSecrets>

/** The simulated vendors, in a process of their own; the processes that start later get the accounts at them. */
export function sandboxStep(config: Config, environment: ChildEnvironment, script: ScriptSpec, logger: Logger): Step {
  const secrets = readSecrets(config)
  let ports: Ports
  return processStep(
    'sandbox',
    async () => {
      ports = await choosePorts()
      const flags = Object.entries(sandboxFlags(config, ports, secrets)).map(([flag, value]) => `--${flag}=${value}`)
      return [script('sandbox', 'src/sandbox/main.ts', STOP_MS, ...flags)]
    },
    logger,
    {
      onReady: ([message]) => {
        ports = { ...ports, ...reportedPorts(message) }
        Object.assign(environment, accountVariables(config, ports, secrets))
        const whatsappUrl = localUrl(ports.whatsapp)
        const { accountSid, authToken, baileysSecret, paymentsSecret } = secrets
        writeSecretFile(join(config.dataDir, 'sandbox.json'), {
          publicBaseUrl: config.publicBaseUrl,
          carrierUrl: localUrl(ports.carrier),
          accountSid,
          authToken,
          baileysSecret,
          whatsappUrl,
          modelsUrl: localUrl(ports.models),
          paymentsSecret,
          paypalUrl: localUrl(ports.paypal),
          tranzilaUrl: localUrl(ports.tranzila),
          calendarsUrl: localUrl(ports.calendars),
        })
      },
    },
  )
}

/** The accounts stay the same as long as the data directory exists: its rows refer to them. */
function readSecrets({ dataDir, speech }: Config) {
  const existing = readSandboxFile(dataDir)
  const newSecret = () => randomBytes(16).toString('hex')
  // The sandbox plays OpenAI when the engine is chosen and no key is set.
  const playsOpenAi = speech.engine === 'openai-realtime' && speech.openai.kind === 'absent'
  return {
    accountSid: existing?.accountSid ?? `AC${newSecret()}`,
    authToken: existing?.authToken ?? newSecret(),
    baileysSecret: existing?.baileysSecret ?? newSecret(),
    paymentsSecret: existing?.paymentsSecret ?? newSecret(),
    openaiKey: playsOpenAi ? `sk-sandbox-${newSecret()}` : null,
  }
}

async function choosePorts(): Promise<Ports> {
  const ports: Ports = { carrier: 0, whatsapp: 0, openai: 0, models: 0, paypal: 0, tranzila: 0, calendars: 0 }
  for (const vendor of VENDORS) ports[vendor] = await findFreePort('127.0.0.1')
  return ports
}

function sandboxFlags(config: Config, ports: Ports, secrets: Secrets): Record<string, string> {
  const stateDir = join(config.dataDir, 'sandbox')
  const secretsFile = join(stateDir, 'secrets.json')
  mkdirSync(stateDir, { recursive: true, mode: PRIVATE_DIRECTORY })
  const { accountSid, authToken, paymentsSecret, openaiKey } = secrets
  writeSecretFile(secretsFile, { accountSid, authToken, paymentsSecret, ...(openaiKey ? { openaiKey } : {}) })
  return {
    'carrier-port': String(ports.carrier),
    'whatsapp-port': String(ports.whatsapp),
    'state-dir': stateDir,
    'secrets-file': secretsFile,
    ...(openaiKey ? { 'openai-port': String(ports.openai) } : {}),
    'models-port': String(ports.models),
    'paypal-port': String(ports.paypal),
    'tranzila-port': String(ports.tranzila),
    'calendars-port': String(ports.calendars),
    'log-level': config.logLevel,
    'public-base-url': config.publicBaseUrl,
    // The simulated carrier reaches the server on this machine, whatever the public address is.
    'connect-base-url': localAddress(config),
    numbers: Object.values(SANDBOX_NUMBERS).join(','),
    'voice-url': publicUrl(config.publicBaseUrl, WEBHOOKS.incomingCall),
    'status-callback': publicUrl(config.publicBaseUrl, WEBHOOKS.callStatus),
    'sms-url': publicUrl(config.publicBaseUrl, WEBHOOKS.sms),
  }
}

function reportedPorts(message: ReadyMessage | undefined): Partial<Ports> {
  return z.object({ ports: z.record(z.string(), z.number()).default({}) }).parse(message ?? {}).ports
}

function accountVariables(config: Config, ports: Ports, secrets: Secrets): Environment {
  return {
    SANDBOX: '1',
    TWILIO_ACCOUNT_SID: secrets.accountSid,
    TWILIO_AUTH_TOKEN: secrets.authToken,
    TWILIO_API_BASE_URL: localUrl(ports.carrier),
    TWILIO_WHATSAPP_FROM: SANDBOX_WHATSAPP_FROM,
    BAILEYS_SECRET: secrets.baileysSecret,
    BAILEYS_WEBSOCKET_URL: `ws://127.0.0.1:${ports.whatsapp}/ws/chat`,
    ...(secrets.openaiKey
      ? {
          OPENAI_API_KEY: secrets.openaiKey,
          OPENAI_REALTIME_URL: `ws://127.0.0.1:${ports.openai}/v1/realtime`,
        }
      : {}),
    // `TEXT_MODEL=compatible:sandbox` answers with the played model, unless the address is the user's.
    ...(config.models.compatible ? {} : { COMPATIBLE_BASE_URL: `${localUrl(ports.models)}/v1` }),
    PAYPAL_CLIENT_ID: SANDBOX_PAYMENTS.clientId,
    PAYPAL_CLIENT_SECRET: secrets.paymentsSecret,
    PAYPAL_WEBHOOK_ID: SANDBOX_PAYMENTS.webhookId,
    PAYPAL_API_BASE_URL: localUrl(ports.paypal),
    TRANZILA_TERMINAL: SANDBOX_PAYMENTS.terminal,
    TRANZILA_APP_KEY: SANDBOX_PAYMENTS.appKey,
    TRANZILA_SECRET: secrets.paymentsSecret,
    TRANZILA_API_BASE_URL: localUrl(ports.tranzila),
    TRANZILA_REPORT_BASE_URL: localUrl(ports.tranzila),
    TRANZILA_PAY_BASE_URL: localUrl(ports.tranzila),
    GOOGLE_CLIENT_ID: SANDBOX_CALENDAR_CLIENT.id,
    GOOGLE_CLIENT_SECRET: SANDBOX_CALENDAR_CLIENT.secret,
    GOOGLE_CALENDAR_BASE_URL: localUrl(ports.calendars),
    MICROSOFT_CLIENT_ID: SANDBOX_CALENDAR_CLIENT.id,
    MICROSOFT_CLIENT_SECRET: SANDBOX_CALENDAR_CLIENT.secret,
    MICROSOFT_CALENDAR_BASE_URL: localUrl(ports.calendars),
  }
}

function localUrl(port: number): string {
  return `http://127.0.0.1:${port}`
}

function localAddress({ host, port }: Config): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

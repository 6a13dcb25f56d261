import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { errorMessage } from '../lib/errors.ts'
import { createLogger } from '../lib/log.ts'
import { createEspeakSynthesizer } from '../providers/speech/espeak/synthesizer.ts'
import { startCalendars } from './calendars/server.ts'
import { addNumber } from './carrier/numbers-api.ts'
import { startCarrier } from './carrier/server.ts'
import { startModelServer } from './models/server.ts'
import { type OpenAiSandbox, startOpenAi } from './openai/server.ts'
import { startPayments } from './payments/start.ts'
import { readSandboxSecrets, sandboxSecrets } from './secrets.ts'
import { startWhatsAppSandbox } from './whatsapp/server.ts'

const port = z.coerce.number().int().min(0).max(65535)

const sandboxConfig = sandboxSecrets.extend({
  host: z.enum(['127.0.0.1', '::1', 'localhost']).default('127.0.0.1'),
  carrierPort: port.default(0),
  whatsappPort: port.default(0),
  stateDir: z.string().min(1).optional(),
  openaiPort: port.default(0),
  modelsPort: port.default(0),
  paypalPort: port.default(0),
  tranzilaPort: port.default(0),
  calendarsPort: port.default(0),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  publicBaseUrl: z.url().optional(),
  connectBaseUrl: z.url().optional(),
  numbers: z
    .string()
    .regex(/^\+\d+(,\+\d+)*$/)
    .transform((text) => text.split(','))
    .optional(),
  voiceUrl: z.url().optional(),
  statusCallback: z.url().optional(),
  smsUrl: z.url().optional(),
})

export type SandboxConfig = z.output<typeof sandboxConfig>

/**
 * The sandbox's settings from command line flags: `--carrier-port` and `--whatsapp-port` (0 = any free one), `--state-dir`
 * (WhatsApp's accounts and links; none when unset), `--secrets-file` (see `sandboxSecrets`), `--openai-port`, `--models-port`,
 * `--paypal-port`, `--tranzila-port`, `--calendars-port`, `--host` (loopback only), `--log-level`, and `--public-base-url` with `--connect-base-url` (requests for
 * the first are dialled at the second), `--numbers` of the account, with their `--voice-url`, `--status-callback` and `--sms-url`.
 * @throws ZodError or TypeError naming the wrong flag
 */
export function parseSandboxConfig(argv: readonly string[]): SandboxConfig {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      host: { type: 'string' },
      'carrier-port': { type: 'string' },
      'whatsapp-port': { type: 'string' },
      'state-dir': { type: 'string' },
      'openai-port': { type: 'string' },
      'models-port': { type: 'string' },
      'paypal-port': { type: 'string' },
      'tranzila-port': { type: 'string' },
      'calendars-port': { type: 'string' },
      'secrets-file': { type: 'string' },
      'log-level': { type: 'string' },
      'public-base-url': { type: 'string' },
      'connect-base-url': { type: 'string' },
      numbers: { type: 'string' },
      'voice-url': { type: 'string' },
      'status-callback': { type: 'string' },
      'sms-url': { type: 'string' },
    },
  })
  return sandboxConfig.parse({
    ...(values['secrets-file'] ? readSandboxSecrets(values['secrets-file']) : {}),
    host: values.host,
    carrierPort: values['carrier-port'],
    whatsappPort: values['whatsapp-port'],
    stateDir: values['state-dir'],
    openaiPort: values['openai-port'],
    modelsPort: values['models-port'],
    paypalPort: values['paypal-port'],
    tranzilaPort: values['tranzila-port'],
    calendarsPort: values['calendars-port'],
    logLevel: values['log-level'],
    publicBaseUrl: values['public-base-url'],
    connectBaseUrl: values['connect-base-url'],
    numbers: values.numbers,
    voiceUrl: values['voice-url'],
    statusCallback: values['status-callback'],
    smsUrl: values['sms-url'],
  })
}

const SCRIPTED_CONTACT = {
  phone: '+972501234567',
  name: 'דנה לוי',
  reads: true,
  autoReply: 'תודה על ההודעה! מתי נוח לכם שאגיע?',
}

/** Starts all simulated vendors. `stop` ends live calls and frees the ports. */
export async function startSandbox(
  config: SandboxConfig,
): Promise<{ ports: Record<string, number>; stop: () => Promise<void> }> {
  const { publicBaseUrl, connectBaseUrl, stateDir } = config
  const rules = publicBaseUrl && connectBaseUrl ? [{ publicBaseUrl, connectBaseUrl }] : []
  const logger = createLogger(config.logLevel, { process: 'sandbox' })
  const carrier = startCarrier({
    port: config.carrierPort,
    hostname: config.host,
    accountSid: config.accountSid,
    authToken: config.authToken,
    logger,
    settings: { connectRules: rules },
  })
  for (const number of config.numbers ?? [])
    addNumber(carrier, number, {
      ...(config.voiceUrl ? { voiceUrl: config.voiceUrl } : {}),
      ...(config.statusCallback ? { statusCallback: config.statusCallback } : {}),
      ...(config.smsUrl ? { smsUrl: config.smsUrl } : {}),
    })
  if (stateDir) mkdirSync(stateDir, { recursive: true })
  const whatsapp = await startWhatsAppSandbox({
    port: config.whatsappPort,
    logger,
    ...(stateDir ? { stateFile: join(stateDir, 'whatsapp.json') } : {}),
  })
  whatsapp.putAccount(SCRIPTED_CONTACT)
  const payments = config.paymentsSecret
    ? startPayments({
        ...config,
        secret: config.paymentsSecret,
        paypalWebhookUrl: publicBaseUrl ? `${publicBaseUrl.replace(/\/+$/, '')}/webhook/paypal` : null,
        rules,
        logger,
      })
    : null
  const calendars = startCalendars({ port: config.calendarsPort, hostname: config.host, rules, logger })
  const openai = config.openaiKey ? startSpeakingOpenAi(config, config.openaiKey) : null
  const models = startModelServer({ port: config.modelsPort, hostname: config.host })
  return {
    ports: {
      carrier: carrier.port,
      models: models.port,
      calendars: calendars.port,
      whatsapp: Number(new URL(whatsapp.controlUrl).port),
      ...(openai ? { openai: openai.port } : {}),
      ...(payments ? { paypal: payments.paypal.port, tranzila: payments.tranzila.port } : {}),
    },
    async stop() {
      await Promise.all([carrier.close(), whatsapp.close(), calendars.close()])
      await payments?.close()
      await openai?.close()
      await models.close()
    },
  }
}

function startSpeakingOpenAi(config: SandboxConfig, apiKey: string): OpenAiSandbox {
  const synthesizer = createEspeakSynthesizer()
  const openai = startOpenAi({
    port: config.openaiPort,
    hostname: config.host,
    apiKey,
    logger: createLogger(config.logLevel, { process: 'sandbox' }),
    speak: (text, language) => synthesizer.synthesize({ text, language: language === 'he' ? 'he' : 'en' }),
  })
  return {
    ...openai,
    async close() {
      await openai.close()
      await synthesizer.close()
    },
  }
}

async function runSandbox(): Promise<void> {
  const config = parseSandboxConfig(process.argv.slice(2))
  const log = createLogger(config.logLevel, { process: 'sandbox' })
  const sandbox = await startSandbox(config)
  let stopping = false
  const stop = (why: string): void => {
    if (stopping) return
    stopping = true
    log.info({ why }, 'sandbox stopping')
    void sandbox.stop().finally(() => process.exit(0))
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('disconnect', () => stop('parent gone'))
  log.info({ ports: sandbox.ports }, 'sandbox ready')
  process.send?.({ type: 'ready', ports: sandbox.ports })
}

if (import.meta.main) {
  try {
    await runSandbox()
  } catch (error) {
    process.stderr.write(`sandbox: ${error instanceof z.ZodError ? z.prettifyError(error) : errorMessage(error)}\n`)
    process.exit(1)
  }
}

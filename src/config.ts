import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isLoopbackUrl } from './access/origins.ts'
import { NO_PROXIES, parseTrustedProxies, type TrustedProxies } from './access/proxies.ts'
import { PRODUCTION_SAFETY, type SafetyRule } from './config-safety.ts'
import { UNNAMED_BUSINESS } from './lib/business-name.ts'
import { makePrivateDirectory } from './lib/file-modes.ts'
import { type ModelRef, modelName, modelRefOf } from './lib/model-name.ts'

export type Environment = Record<string, string | undefined>

export function processEnvironment(): Environment {
  return { ...process.env }
}

const port = z.coerce.number().int().min(0).max(65_535)
const flag = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true')
const httpUrl = z.url({ protocol: /^https?$/, error: 'an http(s) URL' })
const socketUrl = z.url({ protocol: /^wss?$/, error: 'a ws(s) URL' })
const text = z.string().min(1)
const redisUrls = z
  .string()
  .refine(
    (value) => value.split(',').every((part) => z.url({ protocol: /^rediss?$/ }).safeParse(part.trim()).success),
    'a redis:// URL, or several comma-separated ones for a cluster',
  )

const variables = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: text.optional(),
  PORT: port.default(5000),
  PUBLIC_BASE_URL: httpUrl.optional(),
  DATA_DIR: text.default('./data'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'a postgres:// URL' }).optional(),
  REDIS_URL: redisUrls.optional(),
  WEB_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(1),
  SANDBOX: flag.optional(),
  BUSINESS_NAME: text.default(UNNAMED_BUSINESS),
  BUSINESS_LANGUAGE: z.enum(['he', 'en']).default('he'),
  LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  SESSION_SECRET: z.string().min(16, 'at least 16 characters').optional(),
  ADMIN_EMAIL: z.email('an e-mail address').optional(),
  ADMIN_PASSWORD: z.string().min(8, 'at least 8 characters').optional(),
  API_KEY: z.string().min(16, 'at least 16 characters').optional(),
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/i, 'AC followed by 32 hex digits')
    .optional(),
  TWILIO_AUTH_TOKEN: text.optional(),
  TWILIO_API_BASE_URL: httpUrl.optional(),
  TWILIO_WHATSAPP_FROM: z
    .string()
    .regex(/^whatsapp:\+\d{6,15}$/, 'whatsapp:+ followed by the number')
    .optional(),
  BAILEYS_SECRET: z.string().min(8, 'at least 8 characters').optional(),
  BAILEYS_WEBSOCKET_URL: socketUrl.optional(),
  SPEECH_ENGINE: z.enum(['openai-realtime', 'embedded']).optional(),
  OPENAI_API_KEY: text.optional(),
  OPENAI_REALTIME_URL: socketUrl.default('wss://api.openai.com/v1/realtime'),
  OPENAI_REALTIME_MODEL: text.default('gpt-realtime-2.1'),
  OPENAI_TURN_DETECTION: z.enum(['server', 'semantic-low', 'semantic-medium', 'semantic-high']).default('server'),
  OPENAI_WARM_SPARE: flag.default(false),
  TEXT_MODEL: modelName.optional(),
  TEXT_MODEL_FALLBACK: modelName.optional(),
  ANTHROPIC_API_KEY: text.optional(),
  GOOGLE_API_KEY: text.optional(),
  COMPATIBLE_BASE_URL: httpUrl.optional(),
  COMPATIBLE_API_KEY: text.optional(),
  STORAGE: z.enum(['file', 's3']).default('file'),
  S3_ENDPOINT: httpUrl.optional(),
  S3_BUCKET: text.optional(),
  S3_ACCESS_KEY_ID: text.optional(),
  S3_SECRET_ACCESS_KEY: text.optional(),
  PAYPAL_CLIENT_ID: text.optional(),
  PAYPAL_CLIENT_SECRET: text.optional(),
  PAYPAL_WEBHOOK_ID: text.optional(),
  PAYPAL_API_BASE_URL: httpUrl.default('https://api-m.paypal.com'),
  TRANZILA_TERMINAL: text.optional(),
  TRANZILA_APP_KEY: text.optional(),
  TRANZILA_SECRET: text.optional(),
  TRANZILA_API_BASE_URL: httpUrl.default('https://api.tranzila.com'),
  TRANZILA_REPORT_BASE_URL: httpUrl.default('https://report.tranzila.com'),
  TRANZILA_PAY_BASE_URL: httpUrl.default('https://direct.tranzila.com'),
  GOOGLE_CLIENT_ID: text.optional(),
  GOOGLE_CLIENT_SECRET: text.optional(),
  GOOGLE_CALENDAR_BASE_URL: httpUrl.optional(),
  MICROSOFT_CLIENT_ID: text.optional(),
  MICROSOFT_CLIENT_SECRET: text.optional(),
  MICROSOFT_CALENDAR_BASE_URL: httpUrl.optional(),
  SMTP_URL: z.url({ protocol: /^smtps?$/, error: 'an smtp:// or smtps:// URL' }).optional(),
  MAIL_FROM: z
    .string()
    .regex(/^(?:[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, 'an address, or a name and <address>')
    .optional(),
  TELEGRAM_API_BASE_URL: httpUrl.default('https://api.telegram.org'),
  HEARTBEAT_URL: httpUrl.optional(),
  WEBHOOKS_ALLOW_PRIVATE: flag.optional(),
  TRUSTED_PROXIES: z
    .string()
    .transform((value, context) => {
      const proxies = parseTrustedProxies(value)
      if (!proxies) context.addIssue('loopback, private, none, or comma-separated addresses and networks (10.0.0.0/8)')
      return proxies ?? NO_PROXIES
    })
    .optional(),
  METRICS_TOKEN: z.string().min(16, 'at least 16 characters').optional(),
  API_RATE_LIMIT: z.coerce.number().int().min(0).default(1_200),
  MAX_CONCURRENT_CALLS: z.coerce.number().int().min(0).default(200),
  DRAIN_SECONDS: z.coerce.number().int().min(0).max(3600).default(300),
  WORKER_NICENESS: z.coerce.number().int().min(0).max(19).default(5),
})

/** The first path segments of the product's routes: PUBLIC_BASE_URL must not begin with one of them. */
const OWN_PATHS = new Set([
  'admin',
  'api',
  'book',
  'calendars',
  'console',
  'files',
  'pay',
  'prompts',
  'trpc',
  'unsubscribe',
  'webhook',
  'ws',
  'metrics',
  'healthz',
  'readyz',
  'version',
  'favicon.ico',
])

const SECRET_NAMES = /SECRET|PASSWORD|TOKEN|KEY|DATABASE_URL|REDIS_URL|SMTP_URL|HEARTBEAT_URL/

export const SETTINGS = Object.keys(variables.shape)

type Variables = z.output<typeof variables>

const SAFETY: Record<keyof Variables, SafetyRule> = PRODUCTION_SAFETY

export type Provider<Settings> = ({ kind: 'configured' } & Settings) | { kind: 'absent' }

export type TwilioConfig = {
  accountSid: string
  authToken: string
  /** REST root; null is Twilio's own. */
  apiBaseUrl: string | null
  /** Default WhatsApp sender, `whatsapp:+…`. */
  whatsappFrom: string | null
}

export type OpenAiEndpoint = {
  url: string
  model: string
  turnDetection: 'server' | 'semantic-low' | 'semantic-medium' | 'semantic-high'
  warmConnection: boolean
}

export type TranzilaEndpoint = { apiBaseUrl: string; reportBaseUrl: string; payBaseUrl: string }

/** A client at which people connect their calendars; the base URL is null for the vendor's own addresses. */
export type CalendarClient = { clientId: string; clientSecret: string; baseUrl: string | null }

export type StorageConfig =
  | { kind: 'file'; directory: string }
  | { kind: 's3'; endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }

export type Config = {
  environment: 'development' | 'test' | 'production'
  sandbox: boolean
  host: string
  port: number
  /** Without a trailing slash or a query. */
  publicBaseUrl: string
  dataDir: string
  database: { kind: 'embedded' } | { kind: 'external'; url: string }
  queue: { kind: 'redis'; url: string } | { kind: 'postgres' }
  webConcurrency: number
  business: { name: string; language: 'he' | 'en' }
  logLevel: string
  sessionSecret: string
  admin: { email: string | null; password: string | null }
  apiKey: string | null
  twilio: Provider<TwilioConfig>
  baileys: { secret: string | null; websocketUrl: string | null }
  speech: {
    engine: 'openai-realtime' | 'embedded'
    openai: Provider<{ apiKey: string } & OpenAiEndpoint>
  }
  /** Text models beside OpenAI's key, which speech shares. */
  models: {
    /** Null: OpenAI's when there is a key for it. */
    text: ModelRef | null
    fallback: ModelRef | null
    anthropicKey: string | null
    googleKey: string | null
    compatible: { baseUrl: string; apiKey: string | null } | null
  }
  endpoints: {
    twilioApi: string | null
    openai: OpenAiEndpoint
    paypalApi: string
    tranzila: TranzilaEndpoint
  }
  storage: StorageConfig
  paypal: Provider<{ clientId: string; clientSecret: string; webhookId: string | null; apiBaseUrl: string }>
  tranzila: Provider<{ terminal: string; appKey: string; secret: string } & TranzilaEndpoint>
  calendars: { google: Provider<CalendarClient>; microsoft: Provider<CalendarClient> }
  /** SMTP; null: no mail, links are printed. */
  mail: { url: string; from: string } | null
  /** Where alerts to Telegram go. */
  telegramApi: string
  /** Requested every minute while all is well; null: nothing watches from outside. */
  heartbeatUrl: string | null
  webhooksAllowPrivate: boolean
  trustedProxies: TrustedProxies
  metricsToken: string | null
  /** Requests of an API key per minute and web process; 0 is no limit. */
  apiRateLimit: number
  maxConcurrentCalls: number
  drainSeconds: number
  /** How far below the web servers the workers run, from 0 to 19. */
  workerNiceness: number
}

export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(
      `The settings are not valid. Correct them and start again:\n${problems.map((line) => `  - ${line}`).join('\n')}`,
    )
    this.name = 'ConfigError'
  }
}

/**
 * Reads and checks every setting. Empty values count as unset. Outside production a missing SESSION_SECRET is created once in
 * DATA_DIR, which all processes share.
 * @throws ConfigError with each invalid variable
 */
export function loadConfig(environment: Environment): Config {
  const given = Object.fromEntries(SETTINGS.map((name) => [name, environment[name]?.trim() || undefined]))
  const parsed = variables.safeParse(given)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => describeIssue(issue, given)))
  const v = parsed.data
  const production = v.NODE_ENV === 'production'
  const twilioNamed = Object.entries(v).some(([name, value]) => name.startsWith('TWILIO_') && value !== undefined)
  const sandbox = v.SANDBOX ?? (!twilioNamed && !production)
  const problems = [...findMissing(v, sandbox), ...findContradictions(v, sandbox), ...findRenamed(environment)]
  if (production) problems.push(...checkProductionSafety(given))
  if (problems.length > 0) throw new ConfigError(problems)
  const dataDir = resolve(v.DATA_DIR)
  return {
    environment: v.NODE_ENV,
    sandbox,
    host: v.HOST ?? (sandbox ? '127.0.0.1' : '0.0.0.0'),
    port: v.PORT,
    publicBaseUrl: (v.PUBLIC_BASE_URL ?? `http://localhost:${v.PORT}`).replace(/[?#].*$/, '').replace(/\/+$/, ''),
    dataDir,
    database: v.DATABASE_URL ? { kind: 'external', url: v.DATABASE_URL } : { kind: 'embedded' },
    queue: v.REDIS_URL ? { kind: 'redis', url: v.REDIS_URL } : { kind: 'postgres' },
    webConcurrency: v.WEB_CONCURRENCY,
    business: { name: v.BUSINESS_NAME, language: v.BUSINESS_LANGUAGE },
    logLevel: v.LOG_LEVEL,
    sessionSecret: v.SESSION_SECRET ?? storedSecret(dataDir),
    admin: { email: v.ADMIN_EMAIL ?? null, password: v.ADMIN_PASSWORD ?? null },
    apiKey: v.API_KEY ?? null,
    ...readProviders(v),
    models: readModels(v),
    storage: readStorage(v, dataDir),
    calendars: {
      google: calendarClient(v.GOOGLE_CLIENT_ID, v.GOOGLE_CLIENT_SECRET, v.GOOGLE_CALENDAR_BASE_URL),
      microsoft: calendarClient(v.MICROSOFT_CLIENT_ID, v.MICROSOFT_CLIENT_SECRET, v.MICROSOFT_CALENDAR_BASE_URL),
    },
    mail: v.SMTP_URL && v.MAIL_FROM ? { url: v.SMTP_URL, from: v.MAIL_FROM } : null,
    telegramApi: v.TELEGRAM_API_BASE_URL.replace(/\/+$/, ''),
    heartbeatUrl: v.HEARTBEAT_URL ?? null,
    webhooksAllowPrivate: v.WEBHOOKS_ALLOW_PRIVATE ?? sandbox,
    trustedProxies: v.TRUSTED_PROXIES ?? NO_PROXIES,
    metricsToken: v.METRICS_TOKEN ?? null,
    apiRateLimit: v.API_RATE_LIMIT,
    maxConcurrentCalls: v.MAX_CONCURRENT_CALLS,
    drainSeconds: v.DRAIN_SECONDS,
    workerNiceness: v.WORKER_NICENESS,
  }
}

function calendarClient(clientId?: string, clientSecret?: string, baseUrl?: string): Provider<CalendarClient> {
  if (!clientId || !clientSecret) return { kind: 'absent' }
  return { kind: 'configured', clientId, clientSecret, baseUrl: baseUrl?.replace(/\/+$/, '') ?? null }
}

function describeIssue(issue: z.core.$ZodIssue, given: Environment): string {
  const name = String(issue.path[0])
  const value = SECRET_NAMES.test(name) ? 'a secret value' : JSON.stringify(given[name])
  return `${name}: got ${value}, wants ${issue.message}`
}

function findMissing(v: Variables, sandbox: boolean): string[] {
  const production = v.NODE_ENV === 'production'
  const s3 = v.STORAGE === 's3'
  const uses = (provider: string) =>
    [v.TEXT_MODEL, v.TEXT_MODEL_FALLBACK].some((model) => model?.startsWith(`${provider}:`))
  const required: [name: keyof Variables, needed: unknown, why: string][] = [
    ['SESSION_SECRET', production, 'when NODE_ENV=production'],
    ['PUBLIC_BASE_URL', production, 'when NODE_ENV=production'],
    [
      'TRUSTED_PROXIES',
      production && isPublic(v),
      'when PUBLIC_BASE_URL is public: the proxies in front (loopback, private, CIDR), or none',
    ],
    ['TWILIO_ACCOUNT_SID', v.TWILIO_AUTH_TOKEN, 'beside TWILIO_AUTH_TOKEN'],
    ['TWILIO_AUTH_TOKEN', v.TWILIO_ACCOUNT_SID, 'beside TWILIO_ACCOUNT_SID'],
    // The sandbox creates its own key when it starts.
    ['OPENAI_API_KEY', v.SPEECH_ENGINE === 'openai-realtime' && !sandbox, 'when SPEECH_ENGINE=openai-realtime'],
    // The sandbox plays these two when it starts.
    ['OPENAI_API_KEY', uses('openai') && !sandbox, 'when TEXT_MODEL or TEXT_MODEL_FALLBACK names openai'],
    ['COMPATIBLE_BASE_URL', uses('compatible') && !sandbox, 'when TEXT_MODEL or TEXT_MODEL_FALLBACK names compatible'],
    ['COMPATIBLE_BASE_URL', v.COMPATIBLE_API_KEY && !sandbox, 'beside COMPATIBLE_API_KEY'],
    ['ANTHROPIC_API_KEY', uses('anthropic'), 'when TEXT_MODEL or TEXT_MODEL_FALLBACK names anthropic'],
    ['GOOGLE_API_KEY', uses('google'), 'when TEXT_MODEL or TEXT_MODEL_FALLBACK names google'],
    ['TEXT_MODEL', v.TEXT_MODEL_FALLBACK && !v.OPENAI_API_KEY && !sandbox, 'beside TEXT_MODEL_FALLBACK'],
    ['ADMIN_PASSWORD', v.ADMIN_EMAIL && production, 'beside ADMIN_EMAIL'],
    ['GOOGLE_CLIENT_SECRET', v.GOOGLE_CLIENT_ID, 'beside GOOGLE_CLIENT_ID'],
    ['GOOGLE_CLIENT_ID', v.GOOGLE_CLIENT_SECRET, 'beside GOOGLE_CLIENT_SECRET'],
    ['MICROSOFT_CLIENT_SECRET', v.MICROSOFT_CLIENT_ID, 'beside MICROSOFT_CLIENT_ID'],
    ['MICROSOFT_CLIENT_ID', v.MICROSOFT_CLIENT_SECRET, 'beside MICROSOFT_CLIENT_SECRET'],
    ['MAIL_FROM', v.SMTP_URL, 'beside SMTP_URL'],
    ['SMTP_URL', v.MAIL_FROM, 'beside MAIL_FROM'],
    ['S3_ENDPOINT', s3, 'when STORAGE=s3'],
    ['S3_BUCKET', s3, 'when STORAGE=s3'],
    ['S3_ACCESS_KEY_ID', s3, 'when STORAGE=s3'],
    ['S3_SECRET_ACCESS_KEY', s3, 'when STORAGE=s3'],
  ]
  return required
    .filter(([name, needed]) => needed && !v[name])
    .map(([name, , why]) => `${name}: is not set, wants a value ${why}`)
}

/** Earlier names of settings: ignored, they would change what an installation does without a word. */
const RENAMED: Record<string, (value: string) => string> = {
  OPENAI_TEXT_MODEL: (value) => `TEXT_MODEL=openai:${value}`,
}

function findRenamed(environment: Environment): string[] {
  return Object.entries(RENAMED).flatMap(([name, now]) => {
    const value = environment[name]?.trim()
    return value ? [`${name}: got ${JSON.stringify(value)}, wants ${now(value)} instead: it has a new name`] : []
  })
}

function findContradictions(v: Variables, sandbox: boolean): string[] {
  const problems: string[] = []
  if (sandbox && v.NODE_ENV === 'production')
    problems.push('SANDBOX: got "1", wants 0 or unset when NODE_ENV=production')
  // Requests from its own machine are the owner's: a sandbox must not be public.
  if (sandbox && isPublic(v))
    problems.push(
      `PUBLIC_BASE_URL: got "${v.PUBLIC_BASE_URL}", wants a loopback address in the sandbox (SANDBOX=0 to be public)`,
    )
  const [, first = ''] = new URL(v.PUBLIC_BASE_URL ?? 'http://localhost').pathname.split('/')
  if (OWN_PATHS.has(first))
    problems.push(`PUBLIC_BASE_URL: got a path that begins with /${first}, a path of the product; wants another`)
  return problems
}

function isPublic({ PUBLIC_BASE_URL: url }: Variables): boolean {
  return url !== undefined && !isLoopbackUrl(url)
}

function readStorage(v: Variables, dataDir: string): StorageConfig {
  if (v.STORAGE === 'file') return { kind: 'file', directory: join(dataDir, 'files') }
  return {
    kind: 's3',
    endpoint: v.S3_ENDPOINT ?? '',
    bucket: v.S3_BUCKET ?? '',
    accessKeyId: v.S3_ACCESS_KEY_ID ?? '',
    secretAccessKey: v.S3_SECRET_ACCESS_KEY ?? '',
  }
}

function readModels(v: Variables): Config['models'] {
  return {
    text: v.TEXT_MODEL ? modelRefOf(v.TEXT_MODEL) : null,
    fallback: v.TEXT_MODEL_FALLBACK ? modelRefOf(v.TEXT_MODEL_FALLBACK) : null,
    anthropicKey: v.ANTHROPIC_API_KEY ?? null,
    googleKey: v.GOOGLE_API_KEY ?? null,
    compatible: v.COMPATIBLE_BASE_URL
      ? { baseUrl: v.COMPATIBLE_BASE_URL.replace(/\/+$/, ''), apiKey: v.COMPATIBLE_API_KEY ?? null }
      : null,
  }
}

function readProviders(
  v: Variables,
): Pick<Config, 'twilio' | 'baileys' | 'speech' | 'endpoints' | 'paypal' | 'tranzila'> {
  const absent = { kind: 'absent' } as const
  const endpoints = readEndpoints(v)
  return {
    endpoints,
    twilio:
      v.TWILIO_ACCOUNT_SID && v.TWILIO_AUTH_TOKEN
        ? {
            kind: 'configured',
            accountSid: v.TWILIO_ACCOUNT_SID,
            authToken: v.TWILIO_AUTH_TOKEN,
            apiBaseUrl: endpoints.twilioApi,
            whatsappFrom: v.TWILIO_WHATSAPP_FROM ?? null,
          }
        : absent,
    baileys: { secret: v.BAILEYS_SECRET ?? null, websocketUrl: v.BAILEYS_WEBSOCKET_URL ?? null },
    speech: {
      engine: v.SPEECH_ENGINE ?? (v.OPENAI_API_KEY ? 'openai-realtime' : 'embedded'),
      openai: v.OPENAI_API_KEY ? { kind: 'configured', apiKey: v.OPENAI_API_KEY, ...endpoints.openai } : absent,
    },
    paypal:
      v.PAYPAL_CLIENT_ID && v.PAYPAL_CLIENT_SECRET
        ? {
            kind: 'configured',
            clientId: v.PAYPAL_CLIENT_ID,
            clientSecret: v.PAYPAL_CLIENT_SECRET,
            webhookId: v.PAYPAL_WEBHOOK_ID ?? null,
            apiBaseUrl: endpoints.paypalApi,
          }
        : absent,
    tranzila:
      v.TRANZILA_TERMINAL && v.TRANZILA_APP_KEY && v.TRANZILA_SECRET
        ? {
            kind: 'configured',
            terminal: v.TRANZILA_TERMINAL,
            appKey: v.TRANZILA_APP_KEY,
            secret: v.TRANZILA_SECRET,
            ...endpoints.tranzila,
          }
        : absent,
  }
}

function readEndpoints(v: Variables): Config['endpoints'] {
  return {
    twilioApi: v.TWILIO_API_BASE_URL?.replace(/\/+$/, '') ?? null,
    openai: {
      url: v.OPENAI_REALTIME_URL,
      model: v.OPENAI_REALTIME_MODEL,
      turnDetection: v.OPENAI_TURN_DETECTION,
      warmConnection: v.OPENAI_WARM_SPARE,
    },
    paypalApi: v.PAYPAL_API_BASE_URL,
    tranzila: {
      apiBaseUrl: v.TRANZILA_API_BASE_URL,
      reportBaseUrl: v.TRANZILA_REPORT_BASE_URL,
      payBaseUrl: v.TRANZILA_PAY_BASE_URL,
    },
  }
}

export function checkProductionSafety(given: Environment): string[] {
  return Object.entries(SAFETY).flatMap(([name, rule]) => {
    const value = given[name]
    const problem = value === undefined ? null : rule(value)
    return problem === null ? [] : [`${name}: ${problem}`]
  })
}

/** The secret in DATA_DIR; of several processes that start at once, the first one creates it. */
function storedSecret(dataDir: string): string {
  const file = join(dataDir, 'session-secret')
  if (!existsSync(file)) {
    makePrivateDirectory(dataDir, process.getuid?.() === 0)
    try {
      writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' })
    } catch (error) {
      if (!existsSync(file)) throw error
    }
  }
  return readFileSync(file, 'utf8').trim()
}

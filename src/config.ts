import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isLoopbackUrl } from './access/origins.ts'
import { NO_PROXIES, parseTrustedProxies, type TrustedProxies } from './access/proxies.ts'
import { PRODUCTION_SAFETY, type SafetyRule } from './config-safety.ts'
import { makePrivateDirectory } from './lib/file-modes.ts'

/** The names of the process environment that a child process may inherit or that `loadConfig` reads. */
export type Environment = Record<string, string | undefined>

/** The environment of this process: the only place that reads it. */
export function processEnvironment(): Environment {
  return { ...process.env }
}

const port = z.coerce.number().int().min(0).max(65_535)
const flag = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true')
const httpUrl = z.url({ protocol: /^https?$/, error: 'an http(s) URL' })
const socketUrl = z.url({ protocol: /^wss?$/, error: 'a ws(s) URL' })
const text = z.string().min(1)
/** One URL, or the nodes of a cluster with commas between them. */
const redisUrls = z
  .string()
  .refine(
    (value) => value.split(',').every((part) => z.url({ protocol: /^rediss?$/ }).safeParse(part.trim()).success),
    'a redis:// URL, or several with commas between them for a cluster',
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
  BUSINESS_NAME: text.default('My business'),
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
  OPENAI_TEXT_MODEL: text.default('gpt-5-mini'),
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
  SMTP_URL: z.url({ protocol: /^smtps?$/, error: 'an smtp:// or smtps:// URL' }).optional(),
  MAIL_FROM: z
    .string()
    .regex(/^(?:[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, 'an address, or a name and <address>')
    .optional(),
  WEBHOOKS_ALLOW_PRIVATE: flag.optional(),
  TRUSTED_PROXIES: z
    .string()
    .transform((value, context) => {
      const proxies = parseTrustedProxies(value)
      if (!proxies)
        context.addIssue('loopback, private, none, or addresses and networks (10.0.0.0/8) with commas between them')
      return proxies ?? NO_PROXIES
    })
    .optional(),
  METRICS_TOKEN: z.string().min(16, 'at least 16 characters').optional(),
  API_RATE_LIMIT: z.coerce.number().int().min(0).default(1_200),
  MAX_CONCURRENT_CALLS: z.coerce.number().int().min(0).default(200),
  DRAIN_SECONDS: z.coerce.number().int().min(0).max(3600).default(300),
})

/** First segments of the product's own addresses: below one of them they could not be told from it. */
const OWN_PATHS = new Set([
  'admin',
  'api',
  'pay',
  'prompts',
  'trpc',
  'webhook',
  'ws',
  'metrics',
  'healthz',
  'readyz',
  'version',
])

const SECRET_NAMES = /SECRET|PASSWORD|TOKEN|KEY|DATABASE_URL|REDIS_URL|SMTP_URL/

/** Every setting, by its name. */
export const SETTINGS = Object.keys(variables.shape)

const SAFETY: Record<keyof z.output<typeof variables>, SafetyRule> = PRODUCTION_SAFETY

/** A provider that may be set up or not: "not configured" is a value, never a missing field. */
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
  /** Whether each web process keeps a connection open for the next call. */
  warmConnection: boolean
  textModel: string
}

export type TranzilaEndpoint = { apiBaseUrl: string; reportBaseUrl: string; payBaseUrl: string }

export type StorageConfig =
  | { kind: 'file'; directory: string }
  | { kind: 's3'; endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }

export type Config = {
  environment: 'development' | 'test' | 'production'
  sandbox: boolean
  host: string
  port: number
  /** No trailing slash, no query: paths are appended with exactly one slash. */
  publicBaseUrl: string
  /** Absolute. */
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
  /** Where the vendors are reached, and how they are used, whoever's keys are taken. */
  endpoints: {
    /** Twilio's REST root; null is Twilio's own. */
    twilioApi: string | null
    openai: OpenAiEndpoint
    paypalApi: string
    tranzila: TranzilaEndpoint
  }
  storage: StorageConfig
  paypal: Provider<{ clientId: string; clientSecret: string; webhookId: string | null; apiBaseUrl: string }>
  tranzila: Provider<{ terminal: string; appKey: string; secret: string } & TranzilaEndpoint>
  /** Mail over SMTP; null: no mail, links are handed over by hand. */
  mail: { url: string; from: string } | null
  /** Whether webhooks may lead to addresses of this machine or network; a sandbox's receivers are there. */
  webhooksAllowPrivate: boolean
  /** Whose forwarding headers count. */
  trustedProxies: TrustedProxies
  /** Bearer token for `/metrics`. */
  metricsToken: string | null
  /** Requests of an API key per minute and web process; 0 is no limit. */
  apiRateLimit: number
  maxConcurrentCalls: number
  drainSeconds: number
}

/** Every setting that was refused, one line each: the variable, what it got, what it wants. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`The settings cannot be used:\n${problems.map((line) => `  - ${line}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/**
 * Reads and checks every setting. Empty values count as unset. Outside production a missing SESSION_SECRET is made once
 * and kept under DATA_DIR, so that all processes on that directory share it.
 * @throws ConfigError naming each refused variable
 */
export function loadConfig(environment: Environment): Config {
  const given = Object.fromEntries(
    Object.keys(variables.shape).map((name) => [name, environment[name]?.trim() || undefined]),
  )
  const parsed = variables.safeParse(given)
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => {
        const name = String(issue.path[0])
        const value = SECRET_NAMES.test(name) ? 'a secret value' : JSON.stringify(given[name])
        return `${name}: got ${value}, wants ${issue.message}`
      }),
    )
  }
  const v = parsed.data
  const problems: string[] = []
  const production = v.NODE_ENV === 'production'
  const twilioNamed = Object.keys(v).some(
    (name) => name.startsWith('TWILIO_') && v[name as keyof typeof v] !== undefined,
  )
  const sandbox = v.SANDBOX ?? (!twilioNamed && !production)
  const dataDir = resolve(v.DATA_DIR)
  const need = (name: string, why: string) => problems.push(`${name}: is not set, wants a value ${why}`)

  if (sandbox && production) problems.push('SANDBOX: got "1", wants 0 or unset when NODE_ENV=production')
  if (production && !v.SESSION_SECRET) need('SESSION_SECRET', 'when NODE_ENV=production')
  if (production && !v.PUBLIC_BASE_URL) need('PUBLIC_BASE_URL', 'when NODE_ENV=production')
  const isPublic = v.PUBLIC_BASE_URL !== undefined && !isLoopbackUrl(v.PUBLIC_BASE_URL)
  if (production && isPublic && !v.TRUSTED_PROXIES)
    need('TRUSTED_PROXIES', 'when PUBLIC_BASE_URL is public: the proxies in front (loopback, private, CIDR), or none')
  // Whoever reaches a sandbox from its own machine is its owner: nobody else may be led there.
  if (sandbox && isPublic)
    problems.push(
      `PUBLIC_BASE_URL: got "${v.PUBLIC_BASE_URL}", wants a loopback address in the sandbox (SANDBOX=0 to be public)`,
    )
  if (!v.TWILIO_ACCOUNT_SID && v.TWILIO_AUTH_TOKEN) need('TWILIO_ACCOUNT_SID', 'beside TWILIO_AUTH_TOKEN')
  if (v.TWILIO_ACCOUNT_SID && !v.TWILIO_AUTH_TOKEN) need('TWILIO_AUTH_TOKEN', 'beside TWILIO_ACCOUNT_SID')
  // In the sandbox the key is the sandbox's own, made when it starts.
  if (v.SPEECH_ENGINE === 'openai-realtime' && !v.OPENAI_API_KEY && !sandbox)
    need('OPENAI_API_KEY', 'when SPEECH_ENGINE=openai-realtime')
  if (v.ADMIN_EMAIL && !v.ADMIN_PASSWORD && production) need('ADMIN_PASSWORD', 'beside ADMIN_EMAIL')
  if (v.SMTP_URL && !v.MAIL_FROM) need('MAIL_FROM', 'beside SMTP_URL')
  if (v.MAIL_FROM && !v.SMTP_URL) need('SMTP_URL', 'beside MAIL_FROM')
  if (production) problems.push(...checkProductionSafety(given))

  let storage: StorageConfig = { kind: 'file', directory: join(dataDir, 'files') }
  if (v.STORAGE === 's3') {
    for (const name of ['S3_ENDPOINT', 'S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const)
      if (!v[name]) need(name, 'when STORAGE=s3')
    storage = {
      kind: 's3',
      endpoint: v.S3_ENDPOINT ?? '',
      bucket: v.S3_BUCKET ?? '',
      accessKeyId: v.S3_ACCESS_KEY_ID ?? '',
      secretAccessKey: v.S3_SECRET_ACCESS_KEY ?? '',
    }
  }
  const [, first = ''] = new URL(v.PUBLIC_BASE_URL ?? 'http://localhost').pathname.split('/')
  if (OWN_PATHS.has(first))
    problems.push(
      `PUBLIC_BASE_URL: got a path that begins with /${first}, which is one of the product's own; wants another`,
    )
  if (problems.length > 0) throw new ConfigError(problems)
  const endpoints: Config['endpoints'] = {
    twilioApi: v.TWILIO_API_BASE_URL?.replace(/\/+$/, '') ?? null,
    openai: {
      url: v.OPENAI_REALTIME_URL,
      model: v.OPENAI_REALTIME_MODEL,
      turnDetection: v.OPENAI_TURN_DETECTION,
      warmConnection: v.OPENAI_WARM_SPARE,
      textModel: v.OPENAI_TEXT_MODEL,
    },
    paypalApi: v.PAYPAL_API_BASE_URL,
    tranzila: {
      apiBaseUrl: v.TRANZILA_API_BASE_URL,
      reportBaseUrl: v.TRANZILA_REPORT_BASE_URL,
      payBaseUrl: v.TRANZILA_PAY_BASE_URL,
    },
  }

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
    sessionSecret: v.SESSION_SECRET ?? keptSecret(dataDir),
    admin: { email: v.ADMIN_EMAIL ?? null, password: v.ADMIN_PASSWORD ?? null },
    apiKey: v.API_KEY ?? null,
    twilio:
      v.TWILIO_ACCOUNT_SID && v.TWILIO_AUTH_TOKEN
        ? {
            kind: 'configured',
            accountSid: v.TWILIO_ACCOUNT_SID,
            authToken: v.TWILIO_AUTH_TOKEN,
            apiBaseUrl: endpoints.twilioApi,
            whatsappFrom: v.TWILIO_WHATSAPP_FROM ?? null,
          }
        : { kind: 'absent' },
    baileys: { secret: v.BAILEYS_SECRET ?? null, websocketUrl: v.BAILEYS_WEBSOCKET_URL ?? null },
    speech: {
      engine: v.SPEECH_ENGINE ?? (v.OPENAI_API_KEY ? 'openai-realtime' : 'embedded'),
      openai: v.OPENAI_API_KEY
        ? { kind: 'configured', apiKey: v.OPENAI_API_KEY, ...endpoints.openai }
        : { kind: 'absent' },
    },
    endpoints,
    storage,
    paypal:
      v.PAYPAL_CLIENT_ID && v.PAYPAL_CLIENT_SECRET
        ? {
            kind: 'configured',
            clientId: v.PAYPAL_CLIENT_ID,
            clientSecret: v.PAYPAL_CLIENT_SECRET,
            webhookId: v.PAYPAL_WEBHOOK_ID ?? null,
            apiBaseUrl: endpoints.paypalApi,
          }
        : { kind: 'absent' },
    tranzila:
      v.TRANZILA_TERMINAL && v.TRANZILA_APP_KEY && v.TRANZILA_SECRET
        ? {
            kind: 'configured',
            terminal: v.TRANZILA_TERMINAL,
            appKey: v.TRANZILA_APP_KEY,
            secret: v.TRANZILA_SECRET,
            ...endpoints.tranzila,
          }
        : { kind: 'absent' },
    mail: v.SMTP_URL && v.MAIL_FROM ? { url: v.SMTP_URL, from: v.MAIL_FROM } : null,
    webhooksAllowPrivate: v.WEBHOOKS_ALLOW_PRIVATE ?? sandbox,
    trustedProxies: v.TRUSTED_PROXIES ?? NO_PROXIES,
    metricsToken: v.METRICS_TOKEN ?? null,
    apiRateLimit: v.API_RATE_LIMIT,
    maxConcurrentCalls: v.MAX_CONCURRENT_CALLS,
    drainSeconds: v.DRAIN_SECONDS,
  }
}

/** What production refuses about the values that were given, one line each; never the value of a secret. */
export function checkProductionSafety(given: Environment): string[] {
  return Object.entries(SAFETY).flatMap(([name, rule]) => {
    const value = given[name]
    const problem = value === undefined ? null : rule(value)
    return problem === null ? [] : [`${name}: ${problem}`]
  })
}

/** The secret kept under DATA_DIR; of several processes that start at once the first one's file wins. */
function keptSecret(dataDir: string): string {
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

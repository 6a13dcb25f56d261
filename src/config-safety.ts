/** Why a value is unsafe, as `got …, wants …` without the value of a secret; null when it is safe. */
export type SafetyRule = (value: string) => string | null

/** Every valid value is safe. The argument is the reason. */
const safe =
  (_why: string): SafetyRule =>
  () =>
    null

/**
 * The values that production refuses; every setting needs a rule. Values have passed the schema; rules over several settings are
 * in `loadConfig`.
 */
export const PRODUCTION_SAFETY = {
  NODE_ENV: safe('enables these rules'),
  HOST: safe('any address is possible behind a proxy or in a container'),
  PORT: safe('a number'),
  PUBLIC_BASE_URL: publicAddress,
  DATA_DIR: ownDirectory,
  DATABASE_URL: databaseWithPassword,
  REDIS_URL: encryptedOrNear,
  WEB_CONCURRENCY: safe('a number'),
  SANDBOX: safe('refused in production by loadConfig, beside its default'),
  BUSINESS_NAME: safe('a name'),
  BUSINESS_LANGUAGE: safe('a choice'),
  LOG_LEVEL: safe('every level is redacted'),
  SESSION_SECRET: strongSecret(16),
  ADMIN_EMAIL: safe('an address'),
  ADMIN_PASSWORD: strongPassword,
  API_KEY: strongSecret(20),
  TWILIO_ACCOUNT_SID: safe('an id'),
  TWILIO_AUTH_TOKEN: safe('chosen by Twilio'),
  TWILIO_API_BASE_URL: encryptedOrNear,
  TWILIO_WHATSAPP_FROM: safe('a number'),
  BAILEYS_SECRET: strongSecret(16),
  BAILEYS_WEBSOCKET_URL: encryptedOrNear,
  SPEECH_ENGINE: safe('a choice'),
  OPENAI_API_KEY: safe('chosen by OpenAI'),
  OPENAI_REALTIME_URL: encryptedOrNear,
  OPENAI_REALTIME_MODEL: safe('a name'),
  OPENAI_TURN_DETECTION: safe('a choice'),
  OPENAI_WARM_SPARE: safe('a choice'),
  TEXT_MODEL: safe('a name'),
  TEXT_MODEL_FALLBACK: safe('a name'),
  ANTHROPIC_API_KEY: safe('chosen by Anthropic'),
  GOOGLE_API_KEY: safe('chosen by Google'),
  COMPATIBLE_BASE_URL: encryptedOrNear,
  COMPATIBLE_API_KEY: safe('chosen by the server of the models'),
  STORAGE: safe('a choice'),
  S3_ENDPOINT: encryptedOrNear,
  S3_BUCKET: safe('a name'),
  S3_ACCESS_KEY_ID: safe('chosen by the storage'),
  S3_SECRET_ACCESS_KEY: safe('chosen by the storage'),
  PAYPAL_CLIENT_ID: safe('chosen by PayPal'),
  PAYPAL_CLIENT_SECRET: safe('chosen by PayPal'),
  PAYPAL_WEBHOOK_ID: safe('chosen by PayPal'),
  PAYPAL_API_BASE_URL: encryptedOrNear,
  TRANZILA_TERMINAL: safe('a name'),
  TRANZILA_APP_KEY: safe('chosen by Tranzila'),
  TRANZILA_SECRET: safe('chosen by Tranzila'),
  TRANZILA_API_BASE_URL: encryptedOrNear,
  TRANZILA_REPORT_BASE_URL: encryptedOrNear,
  TRANZILA_PAY_BASE_URL: encryptedOrNear,
  GOOGLE_CLIENT_ID: safe('an id'),
  GOOGLE_CLIENT_SECRET: safe('chosen by Google'),
  GOOGLE_CALENDAR_BASE_URL: encryptedOrNear,
  MICROSOFT_CLIENT_ID: safe('an id'),
  MICROSOFT_CLIENT_SECRET: safe('chosen by Microsoft'),
  MICROSOFT_CALENDAR_BASE_URL: encryptedOrNear,
  SMTP_URL: safe('the adapter sends a password over TLS only'),
  MAIL_FROM: safe('an address'),
  TELEGRAM_API_BASE_URL: encryptedOrNear,
  HEARTBEAT_URL: encryptedOrNear,
  TRUSTED_PROXIES: safe('loadConfig requires it; trusting every address must be written out'),
  METRICS_TOKEN: strongSecret(16),
  WEBHOOKS_ALLOW_PRIVATE: safe('the operator’s choice; doctor warns'),
  API_RATE_LIMIT: safe('a number'),
  MAX_CONCURRENT_CALLS: safe('a number'),
  DRAIN_SECONDS: safe('a number'),
  WORKER_NICENESS: safe('a number'),
} as const satisfies Record<string, SafetyRule>

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
const PRIVATE = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[f[cd])/

/** Cookies and signatures depend on it. */
function publicAddress(value: string): string | null {
  const { protocol, hostname, username, password } = new URL(value)
  if (username || password) return 'got an address with a user or password in it, wants one without'
  if (protocol === 'https:' || LOOPBACK.test(hostname)) return null
  return `got ${JSON.stringify(value)}, wants an https:// address: over http the console’s cookie can be intercepted`
}

/** Keys and personal data are sent there. A bare host name counts as part of the private network. */
function encryptedOrNear(value: string): string | null {
  for (const part of value.split(',')) {
    const { protocol, hostname } = new URL(part.trim())
    const near = LOOPBACK.test(hostname) || PRIVATE.test(hostname) || !/[.:]/.test(hostname)
    if (!near && /^(http|ws|redis):$/.test(protocol))
      return `got ${protocol}//${hostname}, wants ${protocol.replace(':', 's:')}// for a host outside the private network`
  }
  return null
}

function databaseWithPassword(value: string): string | null {
  const { hostname, password } = new URL(value)
  if (hostname === '' || LOOPBACK.test(hostname)) return null
  if (password === '') return `got no password for the database at ${hostname}, wants one`
  return isPlaceholder(decodeURIComponent(password))
    ? `got a well-known password for the database at ${hostname}, wants a random one`
    : null
}

function ownDirectory(value: string): string | null {
  return /^\/(tmp|var\/tmp|dev\/shm|home|root|etc|usr|var)?\/?$/.test(value)
    ? `got ${JSON.stringify(value)}, wants a directory of the product’s own`
    : null
}

const HOW = 'for example from `openssl rand -base64 32`'

function strongSecret(min: number): SafetyRule {
  return (value) => {
    const distinct = new Set(value).size
    const got = `got ${value.length} characters, ${distinct} of them different`
    if (value.length < min) return `${got}, wants at least ${min}, ${HOW}`
    if (distinct < 8 || repeats(value) || isPlaceholder(value) || (value.length < 20 && /^[a-z_-]+$/i.test(value)))
      return `${got}, in a form that can be guessed; wants a random value, ${HOW}`
    return null
  }
}

/** The setup also applies the rules for every new password. */
function strongPassword(value: string): string | null {
  if (value.length < 10) return `got ${value.length} characters, wants at least 10`
  if (new Set(value).size < 5 || repeats(value) || isPlaceholder(value))
    return 'got a password that is easy to guess, wants several unrelated words or a random value'
  return null
}

/** Whether a value repeats one part: `aaaa…`, `changemechangeme`. */
function repeats(value: string): boolean {
  return (value + value).indexOf(value, 1) < value.length
}

function isPlaceholder(value: string): boolean {
  const letters = value.toLowerCase().replace(/[^a-z]/g, '')
  return /^(my|your|the|super|some|change(me|it|this)|please|secret|password|passwd|postgres|admin|test|example|default|insecure|key|token|session|api|agentlocator)+$/.test(
    letters,
  )
}

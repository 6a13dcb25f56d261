import type { Config } from '../config.ts'
import type { Deps } from '../deps.ts'
import { processesAlive } from '../domain/system/index.ts'
import { publicUrl, WEBHOOKS } from '../http/urls.ts'
import { errorMessage } from '../lib/errors.ts'
import { missingMigrations } from '../maintenance.ts'

export type Finding = { check: string; state: 'ok' | 'warning' | 'problem'; found: string; advice: string | null }

/** Looks at everything that an installation needs, and says what to do about what is wrong. */
export async function examine(
  config: Config,
  open: <T>(run: (deps: Deps) => Promise<T>) => Promise<T>,
  tell: (finding: Finding) => void,
): Promise<boolean> {
  let sound = true
  const say = (check: string, state: Finding['state'], found: string, advice: string | null = null) => {
    if (state === 'problem') sound = false
    tell({ check, state, found, advice })
  }
  say('settings', 'ok', `${config.environment}${config.sandbox ? ', sandbox' : ''}, data in ${config.dataDir}`)
  if (config.environment === 'production' && config.queue.kind === 'postgres')
    say('settings', 'warning', 'the queue lives in Postgres', 'Set REDIS_URL where there is much to do.')

  let reachable = false
  try {
    const missing = await missingMigrations(config)
    reachable = true
    if (missing.length === 0) say('database', 'ok', 'reachable, tables up to date')
    else say('database', 'problem', `${missing.length} migrations missing`, 'Run `bun run cli migrate`.')
  } catch (error) {
    say('database', 'problem', errorMessage(error), 'Start it, or correct DATABASE_URL.')
  }
  if (reachable)
    try {
      await open((deps) => examineInside(deps, say))
    } catch (error) {
      say('queue', 'problem', errorMessage(error), 'Start Redis, or correct REDIS_URL.')
    }
  await examineAddresses(config, say)
  return sound
}

type Say = (check: string, state: Finding['state'], found: string, advice?: string | null) => void

async function examineInside(deps: Deps, say: Say) {
  const queue = deps.backend
    .ping()
    .then(() => say('queue', 'ok', deps.config.queue.kind))
    .catch((error: unknown) => say('queue', 'problem', errorMessage(error), 'Start it, or correct REDIS_URL.'))
  const storage = deps.storage
    .check()
    .then(() => say('storage', 'ok', deps.config.storage.kind))
    .catch((error: unknown) =>
      say('storage', 'problem', errorMessage(error), 'Make the directory writable, or correct the S3 settings.'),
    )
  await Promise.all([queue, storage])
  const alive = await processesAlive(deps.ctx)
  for (const kind of ['web', 'crm', 'whatsapp', 'recordings'] as const)
    if (alive[kind] > 0) say(`process ${kind}`, 'ok', `${alive[kind]} alive`)
    else say(`process ${kind}`, 'problem', 'no heartbeat for 15 seconds', 'Start everything with ./start_all.sh.')

  if (deps.config.sandbox) return say('twilio', 'ok', 'simulated by the sandbox')
  if (!deps.telephony)
    return say('twilio', 'warning', 'not configured', 'Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.')
  try {
    const numbers = await deps.telephony.listNumbers()
    const wanted = publicUrl(deps.config.publicBaseUrl, WEBHOOKS.incomingCall)
    const status = publicUrl(deps.config.publicBaseUrl, WEBHOOKS.callStatus)
    if (numbers.length === 0) say('twilio', 'warning', 'the account has no number', 'Buy one in Twilio’s console.')
    for (const number of numbers) {
      const wrong = [
        ...(number.voiceUrl === wanted && number.voiceMethod === 'POST' ? [] : [`“A call comes in”: POST ${wanted}`]),
        ...(number.statusCallback === status ? [] : [`“Call status changes”: POST ${status}`]),
      ]
      if (wrong.length === 0) say(`twilio ${number.number}`, 'ok', 'its webhooks lead here')
      else
        say(
          `twilio ${number.number}`,
          'problem',
          `calls go to ${number.voiceUrl || 'nowhere'}`,
          `Set ${wrong.join(' and ')}.`,
        )
    }
  } catch (error) {
    say('twilio', 'problem', errorMessage(error), 'Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.')
  }
}

async function examineAddresses(config: Config, say: Say) {
  const local = `http://127.0.0.1:${config.port}`
  await probe(`${local}/readyz`)
    .then((status) =>
      status === 200
        ? say('web server', 'ok', `ready at ${local}`)
        : say('web server', 'problem', `answers ${status} to /readyz`, `Look at ${local}/readyz.`),
    )
    .catch((error: unknown) =>
      say('web server', 'problem', errorMessage(error), 'Start everything with ./start_all.sh.'),
    )
  const { protocol, hostname } = new URL(config.publicBaseUrl)
  if (protocol !== 'https:')
    say(
      'public address',
      config.sandbox ? 'ok' : 'problem',
      `${config.publicBaseUrl} is no https address`,
      config.sandbox ? null : 'Set PUBLIC_BASE_URL to the https address that Twilio can reach.',
    )
  else
    await probe(`${config.publicBaseUrl}/healthz`)
      .then((status) =>
        status === 200
          ? say('public address', 'ok', `${hostname} leads here`)
          : say('public address', 'problem', `${hostname} answers ${status}`, 'Point the proxy at this server.'),
      )
      .catch((error: unknown) =>
        say('public address', 'problem', errorMessage(error), 'Check DNS, certificate and proxy of PUBLIC_BASE_URL.'),
      )
}

async function probe(url: string): Promise<number> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5_000) })
  return response.status
}

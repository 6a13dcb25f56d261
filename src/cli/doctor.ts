import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Deps } from '../composition/deps.ts'
import type { Config, Environment } from '../config.ts'
import { listBusinesses, listPhoneNumbers } from '../domain/businesses/index.ts'
import { within } from '../domain/context.ts'
import { CREDENTIAL_PROVIDERS, type CredentialProvider } from '../domain/credentials/index.ts'
import { countEvents, describeQuarantine } from '../domain/inbox/index.ts'
import { processesAlive } from '../domain/system/index.ts'
import { errorMessage } from '../lib/errors.ts'
import { missingMigrations } from '../processes/maintenance.ts'
import type { CarrierNumber, Telephony } from '../providers/telephony/port.ts'
import { examineAccess, examineFiles, examineSettings } from './doctor-safety.ts'
import type { Finding, Say } from './finding.ts'

/**
 * Looks at everything that an installation needs, and says what to do about what is wrong.
 * @param options.fix lead the webhooks of the carrier's numbers here, where they lead elsewhere
 * @param options.environment where the settings came from
 * @returns whether there was no problem
 */
export async function examine(
  config: Config,
  open: <T>(run: (deps: Deps) => Promise<T>) => Promise<T>,
  tell: (finding: Finding) => void,
  options: { fix?: boolean; environment?: Environment } = {},
): Promise<boolean> {
  let sound = true
  const say: Say = (check, state, found, advice = null) => {
    if (state === 'problem') sound = false
    tell({ check, state, found, advice })
  }
  say('settings', 'ok', `${config.environment}${config.sandbox ? ', sandbox' : ''}, data in ${config.dataDir}`)
  if (config.environment === 'production' && config.queue.kind === 'postgres')
    say('settings', 'warning', 'the queue lives in Postgres', 'Set REDIS_URL where there is much to do.')

  examineSettings(config, options.environment ?? {}, say)
  await examineFiles(config, say)

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
      await open((deps) => examineInside(deps, say, options.fix ?? false))
    } catch (error) {
      say('queue', 'problem', errorMessage(error), 'Start Redis, or correct REDIS_URL.')
    }
  await examineAddresses(config, say)
  return sound
}

async function examineInside(deps: Deps, say: Say, fix: boolean) {
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
  await examineAccess(deps, say)
  const alive = await processesAlive(deps.ctx)
  for (const kind of ['web', 'crm', 'whatsapp', 'recordings'] as const)
    if (alive[kind] > 0) say(`process ${kind}`, 'ok', `${alive[kind]} alive`)
    else say(`process ${kind}`, 'problem', 'no heartbeat for 15 seconds', 'Start everything with ./start_all.sh.')

  await examineEvents(deps, say)

  const ofInstallation = new Set<string>()
  try {
    await deps.keyring.refresh()
    for (const { id, name } of await listBusinesses(deps.ctx)) {
      const numbers = (await listPhoneNumbers(within(deps.ctx, id))).map(({ e164 }) => e164)
      for (const provider of CREDENTIAL_PROVIDERS) await examineOwnKeys(deps, say, { id, name, provider, numbers, fix })
      if (deps.keyring.held(id, 'twilio').kind === 'none') for (const number of numbers) ofInstallation.add(number)
    }
  } catch (error) {
    return say('businesses', 'problem', errorMessage(error), 'Run `bun run cli migrate`.')
  }

  if (!deps.telephony)
    return say('twilio', 'warning', 'not configured', 'Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.')
  try {
    await examineNumbers(deps, deps.telephony, say, { check: 'twilio', answered: ofInstallation, fix })
  } catch (error) {
    say('twilio', 'problem', errorMessage(error), 'Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.')
  }
}

const EVENT_IS_LATE_MS = 10 * 60_000

/** Whether what was acknowledged is worked off, and nothing is set aside. */
async function examineEvents(deps: Deps, say: Say) {
  const { waiting, oldest } = await countEvents(deps.ctx)
  const late = oldest !== null && Date.now() - oldest.getTime() > EVENT_IS_LATE_MS
  if (late)
    say(
      'events',
      'warning',
      `${waiting} wait, the oldest since ${oldest.toISOString()}`,
      'Look at `bun run cli queue list` and at the log of the crm worker.',
    )
  else say('events', 'ok', `${waiting} wait`)
  const { count, cut, nearlyFull } = await describeQuarantine(deps.ctx)
  if (count === 0) return say('quarantine', 'ok', 'empty')
  const found = [
    `${count} could not be stored`,
    ...(cut > 0 ? [`${cut} not kept whole`] : []),
    ...nearlyFull.map((id) => `nearly full for ${id === null ? 'no business' : `business ${id}`}`),
  ]
  say('quarantine', 'warning', found.join(', '), 'Look at `bun run cli quarantine list`; retry or drop what is there.')
}

type OwnKeys = { id: string; name: string; provider: CredentialProvider; numbers: string[]; fix: boolean }

/** Whether the keys that a business brought along can be opened, and whether they still open something. */
async function examineOwnKeys(deps: Deps, say: Say, { id, name, provider, numbers, fix }: OwnKeys) {
  const { kind } = deps.keyring.held(id, provider)
  if (kind === 'none') return
  const check = `${provider} of ${name}`
  const setAgain = `\`bun run cli --business ${id} business keys set ${provider}\`.`
  if (kind === 'unreadable')
    return say(check, 'problem', 'its own keys cannot be opened: SESSION_SECRET is another one', setAgain)
  try {
    const account = provider === 'twilio' ? deps.carriers.of(id) : null
    if (account) await examineNumbers(deps, account, say, { check, answered: new Set(numbers), fix })
    if (provider === 'paypal' || provider === 'tranzila') await deps.payments.providersOf(id)[provider]?.check()
    if (provider === 'openai') await deps.model(id)?.check()
    say(check, 'ok', 'its own keys are accepted')
  } catch (error) {
    say(check, 'problem', errorMessage(error), `If the keys are wrong: ${setAgain}`)
  }
}

type Asked = { check: string; answered: ReadonlySet<string>; fix: boolean }

/** Whether each number that callers dial is asked about here; those of the account that nobody here answers stay untouched. */
async function examineNumbers(deps: Deps, telephony: Telephony, say: Say, asked: Asked) {
  const { answered, fix } = asked
  const owned = await telephony.listNumbers()
  if (owned.length === 0) say(asked.check, 'warning', 'the account has no number', 'Buy one in Twilio’s console.')

  const wanted = {
    voiceUrl: publicUrl(deps.config.publicBaseUrl, WEBHOOKS.incomingCall),
    statusCallback: publicUrl(deps.config.publicBaseUrl, WEBHOOKS.callStatus),
  }
  for (const number of owned) {
    const check = `twilio ${number.number}`
    const wrong = wrongWebhooks(number, wanted)
    if (!answered.has(number.number))
      say(
        check,
        'warning',
        'no business here answers it',
        `\`bun run cli number add ${number.number}\`, if one should.`,
      )
    else if (wrong.length === 0) say(check, 'ok', 'its webhooks lead here')
    else if (fix) {
      const left = wrongWebhooks(await telephony.configureNumber(number.id, wanted), wanted)
      if (left.length === 0) say(check, 'ok', `its webhooks lead here now; ${whereTo(number)} before`)
      else say(check, 'problem', `Twilio took the change but shows it not`, `Set ${left.join(' and ')}.`)
    } else
      say(
        check,
        'problem',
        whereTo(number),
        `\`bun run cli doctor --fix\`, or in Twilio’s console ${wrong.join(' and ')}.`,
      )
  }
  for (const number of answered)
    if (!owned.some((row) => row.number === number))
      say(`twilio ${number}`, 'warning', 'the account has no such number', 'Buy or move it, or remove it here.')
}

function whereTo(number: CarrierNumber): string {
  if (number.answeredBy) return `calls go to ${number.answeredBy === 'trunk' ? 'a SIP trunk' : 'a TwiML application'}`
  return `calls go to ${number.voiceUrl ? `${number.voiceMethod} ${number.voiceUrl}` : 'nowhere'}`
}

/** What is to be set in Twilio's console, in its words. */
function wrongWebhooks(number: CarrierNumber, wanted: { voiceUrl: string; statusCallback: string }): string[] {
  const voice = number.answeredBy === null && number.voiceUrl === wanted.voiceUrl && number.voiceMethod === 'POST'
  const status = number.statusCallback === wanted.statusCallback && number.statusMethod === 'POST'
  return [
    ...(voice ? [] : [`“A call comes in”: Webhook, ${wanted.voiceUrl}, HTTP POST`]),
    ...(status ? [] : [`“Call status changes”: ${wanted.statusCallback}, HTTP POST`]),
  ]
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
      `${config.publicBaseUrl} is no https address${config.sandbox ? '; the sandbox needs none' : ''}`,
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

import type { Deps } from '../../composition/deps.ts'
import type { Config, Environment } from '../../config.ts'
import { listBusinesses, listPhoneNumbers, type NumberWebhooks, wrongWebhooks } from '../../domain/businesses/index.ts'
import { within } from '../../domain/context.ts'
import { CREDENTIAL_PROVIDERS, type CredentialProvider } from '../../domain/credentials/index.ts'
import { countEvents, describeQuarantine } from '../../domain/inbox/index.ts'
import { type Finding, processesAlive } from '../../domain/system/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { CarrierNumber, Telephony } from '../../providers/telephony/port.ts'
import { missingMigrations } from '../maintenance.ts'
import { numberWebhooks } from '../number-webhooks.ts'
import { examineAccess, examineFiles, examineSettings, type Report } from './safety.ts'

/**
 * Checks all an installation needs, with advice; `fix` sets its numbers' webhooks. `environment`: of the settings. @returns
 * whether no problem was found
 */
export async function examine(
  config: Config,
  open: <T>(run: (deps: Deps) => Promise<T>) => Promise<T>,
  onFinding: (finding: Finding) => void,
  options: { fix?: boolean; environment?: Environment } = {},
): Promise<boolean> {
  let healthy = true
  const report: Report = (check, state, code, found, advice = null) => {
    if (state === 'problem') healthy = false
    onFinding({ check, state, code: `doctor_${code}`, found, advice })
  }
  report(
    'settings',
    'ok',
    'settings',
    `${config.environment}${config.sandbox ? ', sandbox' : ''}, data in ${config.dataDir}`,
  )
  if (config.environment === 'production' && config.queue.kind === 'postgres')
    report('settings', 'warning', 'queue_in_postgres', 'the queue is in Postgres', 'Set REDIS_URL for a higher load.')

  examineSettings(config, options.environment ?? {}, report)
  await examineFiles(config, report)

  let reachable = false
  try {
    const missing = await missingMigrations(config)
    reachable = true
    if (missing.length === 0) report('database', 'ok', 'database', 'reachable, migrations applied')
    else
      report(
        'database',
        'problem',
        'migrations_missing',
        `${missing.length} migrations missing`,
        'Run `bun run cli migrate`.',
      )
  } catch (error) {
    report('database', 'problem', 'database_unreachable', errorMessage(error), 'Start it, or correct DATABASE_URL.')
  }
  if (reachable)
    try {
      await open((deps) => examineInside(deps, report, options.fix ?? false))
    } catch (error) {
      report('queue', 'problem', 'queue_unreachable', errorMessage(error), 'Start Redis, or correct REDIS_URL.')
    }
  await examineAddresses(config, report)
  return healthy
}

async function examineInside(deps: Deps, report: Report, fix: boolean) {
  const queue = deps.backend
    .ping()
    .then(() => report('queue', 'ok', 'queue', deps.config.queue.kind))
    .catch((error: unknown) =>
      report('queue', 'problem', 'queue_unreachable', errorMessage(error), 'Start it, or correct REDIS_URL.'),
    )
  const storage = deps.storage
    .check()
    .then(() => report('storage', 'ok', 'storage', deps.config.storage.kind))
    .catch((error: unknown) =>
      report(
        'storage',
        'problem',
        'storage_failing',
        errorMessage(error),
        'Make the directory writable, or correct the S3 settings.',
      ),
    )
  await Promise.all([queue, storage])
  await examineAccess(deps, report)
  const alive = await processesAlive(deps.ctx)
  for (const kind of ['web', 'crm', 'whatsapp', 'recordings'] as const)
    if (alive[kind] > 0) report(`process ${kind}`, 'ok', 'process', `${alive[kind]} alive`)
    else
      report(
        `process ${kind}`,
        'problem',
        'process_missing',
        'no heartbeat for 15 seconds',
        'Start everything with ./start_all.sh.',
      )

  await examineEvents(deps, report)

  const ofInstallation = new Set<string>()
  try {
    await deps.keyring.refresh()
    for (const { id, name } of await listBusinesses(deps.ctx)) {
      const numbers = (await listPhoneNumbers(within(deps.ctx, id))).map(({ e164 }) => e164)
      for (const provider of CREDENTIAL_PROVIDERS)
        await examineOwnKeys(deps, report, { id, name, provider, numbers, fix })
      if (deps.keyring.held(id, 'twilio').kind === 'none') for (const number of numbers) ofInstallation.add(number)
    }
  } catch (error) {
    return report('businesses', 'problem', 'businesses_unreadable', errorMessage(error), 'Run `bun run cli migrate`.')
  }

  if (!deps.telephony)
    return report(
      'twilio',
      'warning',
      'twilio_not_configured',
      'not configured',
      'Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.',
    )
  try {
    await examineNumbers(deps, deps.telephony, report, { check: 'twilio', answered: ofInstallation, fix })
  } catch (error) {
    report(
      'twilio',
      'problem',
      'twilio_refused',
      errorMessage(error),
      'Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.',
    )
  }
}

const LATE_EVENT_MS = 10 * 60_000

async function examineEvents(deps: Deps, report: Report) {
  const { waiting, oldest } = await countEvents(deps.ctx)
  const late = oldest !== null && Date.now() - oldest.getTime() > LATE_EVENT_MS
  if (late)
    report(
      'events',
      'warning',
      'events_late',
      `${waiting} waiting, the oldest since ${oldest.toISOString()}`,
      'Look at `bun run cli queue list` and at the log of the crm worker.',
    )
  else report('events', 'ok', 'events', `${waiting} waiting`)
  const { count, cut, nearlyFull } = await describeQuarantine(deps.ctx)
  if (count === 0) return report('quarantine', 'ok', 'quarantine', 'empty')
  const found = [
    `${count} could not be stored`,
    ...(cut > 0 ? [`${cut} stored in part`] : []),
    ...nearlyFull.map((id) => `nearly full for ${id === null ? 'no business' : `business ${id}`}`),
  ]
  report(
    'quarantine',
    'warning',
    'quarantine_not_empty',
    found.join(', '),
    'Look at `bun run cli quarantine list`; retry or drop each event.',
  )
}

type OwnKeys = { id: string; name: string; provider: CredentialProvider; numbers: string[]; fix: boolean }

async function examineOwnKeys(deps: Deps, report: Report, { id, name, provider, numbers, fix }: OwnKeys) {
  const { kind } = deps.keyring.held(id, provider)
  if (kind === 'none') return
  const check = `${provider} of ${name}`
  const setAgain = `set them again: \`bun run cli --business ${id} business keys set ${provider}\`.`
  if (kind === 'unreadable')
    return report(
      check,
      'problem',
      'keys_unreadable',
      'its keys cannot be decrypted: SESSION_SECRET has changed',
      `Restore it, or ${setAgain}`,
    )
  try {
    const account = provider === 'twilio' ? deps.carriers.of(id) : null
    if (account) await examineNumbers(deps, account, report, { check, answered: new Set(numbers), fix })
    if (provider === 'paypal' || provider === 'tranzila') await deps.payments.providersOf(id)[provider]?.check()
    if (provider !== 'twilio' && provider !== 'paypal' && provider !== 'tranzila')
      await deps.modelAdmin.checkOwn(id, provider)
    report(check, 'ok', 'keys', 'its keys are accepted')
  } catch (error) {
    report(check, 'problem', 'keys_refused', errorMessage(error), `If the keys are wrong, ${setAgain}`)
  }
}

type Asked = { check: string; answered: ReadonlySet<string>; fix: boolean }

/** Reports, and with `fix` sets, the webhooks of each assigned number; unassigned numbers of the account are not changed. */
async function examineNumbers(deps: Deps, telephony: Telephony, report: Report, asked: Asked) {
  const { answered, fix } = asked
  const owned = await telephony.listNumbers()
  if (owned.length === 0)
    report(asked.check, 'warning', 'no_number', 'the account has no number', 'Buy one in the Twilio console.')

  const wanted = numberWebhooks(deps.config)
  for (const number of owned) {
    const check = `twilio ${number.number}`
    const wrong = describeWrong(number, wanted)
    if (!answered.has(number.number))
      report(
        check,
        'warning',
        'number_unassigned',
        'it is assigned to no business',
        `If a business should answer it: \`bun run cli number add ${number.number}\`.`,
      )
    else if (wrong.length === 0) report(check, 'ok', 'number_webhooks', 'its webhooks are set')
    else if (fix) {
      const left = describeWrong(await telephony.configureNumber(number.id, wanted), wanted)
      if (left.length === 0) report(check, 'ok', 'number_webhooks', `its webhooks were set; before, ${whereTo(number)}`)
      else
        report(
          check,
          'problem',
          'number_not_changed',
          'Twilio accepted the change but does not show it',
          `Set ${left.join(' and ')}.`,
        )
    } else if (wrongWebhooks(number, wanted).every((webhook) => webhook === 'sms'))
      report(
        check,
        'warning',
        'number_sms',
        `SMS go to ${number.smsUrl || 'nowhere'}; answers by SMS do not arrive here`,
        `Run \`bun run cli doctor --fix\`, or set in the Twilio console ${wrong.join(' and ')}.`,
      )
    else
      report(
        check,
        'problem',
        'number_webhooks_wrong',
        whereTo(number),
        `Run \`bun run cli doctor --fix\`, or set in the Twilio console ${wrong.join(' and ')}.`,
      )
  }
  for (const number of answered)
    if (!owned.some((row) => row.number === number))
      report(
        `twilio ${number}`,
        'warning',
        'number_foreign',
        'the account does not have this number',
        'Buy or move it, or remove it here.',
      )
}

function whereTo(number: CarrierNumber): string {
  if (number.answeredBy) return `calls go to ${number.answeredBy === 'trunk' ? 'a SIP trunk' : 'a TwiML application'}`
  return `calls go to ${number.voiceUrl ? `${number.voiceMethod} ${number.voiceUrl}` : 'nowhere'}`
}

function describeWrong(number: CarrierNumber, wanted: NumberWebhooks): string[] {
  const texts = {
    voice: `“A call comes in”: Webhook, ${wanted.voiceUrl}, HTTP POST`,
    status: `“Call status changes”: ${wanted.statusCallback}, HTTP POST`,
    sms: `“A message comes in”: Webhook, ${wanted.smsUrl}, HTTP POST`,
  }
  return wrongWebhooks(number, wanted).map((webhook) => texts[webhook])
}

async function examineAddresses(config: Config, report: Report) {
  const local = `http://127.0.0.1:${config.port}`
  await probe(`${local}/readyz`)
    .then((status) =>
      status === 200
        ? report('web server', 'ok', 'web', `ready at ${local}`)
        : report('web server', 'problem', 'web_not_ready', `answers ${status} to /readyz`, `Look at ${local}/readyz.`),
    )
    .catch((error: unknown) =>
      report('web server', 'problem', 'web_unreachable', errorMessage(error), 'Start everything with ./start_all.sh.'),
    )
  const { protocol, hostname } = new URL(config.publicBaseUrl)
  if (protocol !== 'https:')
    report(
      'public address',
      config.sandbox ? 'ok' : 'problem',
      config.sandbox ? 'address_sandbox' : 'address_not_https',
      `${config.publicBaseUrl} is not an https address${config.sandbox ? '; the sandbox needs none' : ''}`,
      config.sandbox ? null : 'Set PUBLIC_BASE_URL to the https address that Twilio can reach.',
    )
  else
    await probe(`${config.publicBaseUrl}/healthz`)
      .then((status) =>
        status === 200
          ? report('public address', 'ok', 'address', `${hostname} reaches this server`)
          : report(
              'public address',
              'problem',
              'address_wrong',
              `${hostname} answers ${status}`,
              'Point the proxy at this server.',
            ),
      )
      .catch((error: unknown) =>
        report(
          'public address',
          'problem',
          'address_unreachable',
          errorMessage(error),
          'Check DNS, certificate and proxy of PUBLIC_BASE_URL.',
        ),
      )
}

async function probe(url: string): Promise<number> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5_000) })
  return response.status
}

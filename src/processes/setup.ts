import { randomBytes } from 'node:crypto'
import { createDatabase } from '../../db/client.ts'
import { createLogin } from '../access/login.ts'
import { checkNewPassword, hashPassword, verifyPassword } from '../access/passwords.ts'
import { createPush } from '../composition/push.ts'
import { type Config, loadConfig, processEnvironment } from '../config.ts'
import { ensureAgentOn } from '../domain/agent/index.ts'
import { createApiKey, ensureFirstBusiness, setBootstrapKey } from '../domain/businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../domain/context.ts'
import { applyInstallationPassword, ensureOwner } from '../domain/members/index.ts'
import { ensurePushKeys } from '../domain/push/index.ts'
import { usersExist } from '../domain/system/index.ts'
import { sealStoredSecrets } from '../domain/webhooks/index.ts'
import { AppError } from '../lib/errors.ts'
import { createLogger } from '../lib/log.ts'
import { createSecretBox, deriveKey } from '../lib/secret-box.ts'
import { SANDBOX_NUMBERS } from '../sandbox/demo.ts'

const DEMO = { numbers: SANDBOX_NUMBERS, baileysPhone: '+972501110000' }

/** Fills an empty installation, once: business, API key, owner. @returns lines to print once, such as the password */
export async function setUp(config: Config): Promise<string[]> {
  if (config.database.kind !== 'external')
    throw new AppError('unavailable', 'database_not_given', 'DATABASE_URL is not set.')
  const database = createDatabase(config.database.url, { name: 'agentlocator setup', max: 2 })
  const log = createLogger(config.logLevel, { process: 'setup' })
  const lines: string[] = []
  try {
    const ctx: DomainContext = {
      db: database.db,
      enqueue: async () => {
        throw new Error('The setup queues no jobs.')
      },
      log,
      actor: { kind: 'system', id: 'setup' },
    }
    const twilioSender = config.twilio.kind === 'configured' ? config.twilio.whatsappFrom : null
    const businessId = await ensureFirstBusiness(ctx, {
      ...config.business,
      ...(config.sandbox && twilioSender
        ? { demo: { ...DEMO, twilioSender: twilioSender.replace('whatsapp:', '') } }
        : {}),
    })
    const business = within(ctx, businessId)
    if (config.apiKey) await applyApiKey(business, config.apiKey)
    const sealed = await sealStoredSecrets(ctx, webhookBox(config))
    if (sealed > 0) log.info({ sealed }, 'webhook secrets sealed')
    await preparePush(ctx, config)
    if (config.sandbox) await ensureAgentOn(business)
    const first = !(await usersExist(ctx))
    if (first) {
      const email = config.admin.email ?? (config.sandbox ? 'owner@example.com' : null)
      const password = config.admin.password ?? (config.sandbox ? randomBytes(9).toString('base64url') : null)
      if (email && password) {
        if (!config.sandbox) await checkNewPassword(password, [email])
        await createLogin(database.db, { email, password, name: 'Owner' })
        if (!config.admin.password) lines.push(`login      ${email}  password ${password}  (printed once)`)
      } else lines.push('login      none yet: set ADMIN_EMAIL and ADMIN_PASSWORD and start again')
    }
    await ensureOwner(business)
    await applyAdminPassword(business, config, first)
    if (config.sandbox && first && !config.apiKey) {
      const { key } = await createApiKey(business, { name: 'sandbox', operator: true })
      lines.push(`api key    ${key}  (printed once; not needed on this machine)`)
    }
    if (config.sandbox) lines.push(`numbers    ${DEMO.numbers.he} (Hebrew), ${DEMO.numbers.en} (English)`)
    return lines
  } finally {
    await database.close()
  }
}

/** Makes the keys that browsers subscribe to: from the first start on they stay the same. */
async function preparePush(ctx: DomainContext, config: Config): Promise<void> {
  try {
    await ensurePushKeys(ctx, createPush(config))
  } catch (error) {
    // All else works without notifications.
    if (!(error instanceof AppError && error.code === 'secret_unreadable')) throw error
    ctx.log.error({ error: error.message }, 'notifications cannot be sent')
  }
}

async function applyApiKey(business: BusinessContext, key: string): Promise<void> {
  const { revoked, state } = await setBootstrapKey(business, key)
  if (revoked > 0) business.log.warn({ revoked }, 'API_KEY changed, earlier key revoked')
  if (state === 'revoked') business.log.error('API_KEY is a revoked key. Set another one, or unset it')
}

/** Gives the owner a password that changed in the settings, unless the owner has changed it since. */
async function applyAdminPassword(business: BusinessContext, { admin }: Config, first: boolean): Promise<void> {
  const { email, password } = admin
  if (!email || !password) return
  const done = await applyInstallationPassword(
    business,
    { email, password, first },
    { check: checkNewPassword, hash: hashPassword, verify: verifyPassword },
  )
  if (done === 'applied')
    business.log.warn('ADMIN_PASSWORD changed: password of ADMIN_EMAIL replaced, its sessions ended')
  if (done === 'unknown')
    business.log.warn(
      'ADMIN_PASSWORD ignored: the owner has set another password; `bun run cli user reset-password` replaces it',
    )
  if (done === 'no_owner') business.log.warn('ADMIN_PASSWORD ignored: ADMIN_EMAIL is no owner of the first business')
}

function webhookBox(config: Config) {
  return createSecretBox(deriveKey(config.sessionSecret, 'webhook secrets'))
}

if (import.meta.main) {
  try {
    for (const line of await setUp(loadConfig(processEnvironment()))) console.log(`  ${line}`)
  } catch (error) {
    if (!(error instanceof AppError && error.field === 'password')) throw error
    console.error(`ADMIN_PASSWORD: ${error.message}`)
    process.exit(1)
  }
  process.exit(0)
}

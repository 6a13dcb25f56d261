import { randomBytes } from 'node:crypto'
import { createDatabase } from '../db/client.ts'
import { createLogin } from './auth.ts'
import { type Config, loadConfig, processEnvironment } from './config.ts'
import { createApiKey, ensureApiKey, ensureFirstBusiness } from './domain/businesses/index.ts'
import { type DomainContext, within } from './domain/context.ts'
import { ensureOwner } from './domain/members/index.ts'
import { usersExist } from './domain/system/index.ts'
import { AppError } from './lib/errors.ts'
import { createLogger } from './lib/log.ts'
import { SANDBOX_NUMBERS } from './sandbox/demo.ts'

const DEMO = { numbers: SANDBOX_NUMBERS, baileysPhone: '+972501110000' }

/**
 * Fills an empty installation: the first business, the bootstrap API key, the first owner. Run again, nothing changes.
 * @returns what a person has to be told once
 */
export async function setUp(config: Config): Promise<string[]> {
  if (config.database.kind !== 'external')
    throw new AppError('unavailable', 'database_not_given', 'DATABASE_URL is not set.')
  const database = createDatabase(config.database.url, { name: 'agentlocator setup', max: 2 })
  const log = createLogger(config.logLevel, { process: 'setup' })
  const said: string[] = []
  try {
    const ctx: DomainContext = {
      db: database.db,
      enqueue: async () => {
        throw new Error('Nothing is queued while the installation is set up.')
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
    if (config.apiKey) await ensureApiKey(within(ctx, businessId), { name: 'bootstrap', key: config.apiKey })
    const first = !(await usersExist(ctx))
    if (first) {
      const email = config.admin.email ?? (config.sandbox ? 'owner@example.com' : null)
      const password = config.admin.password ?? (config.sandbox ? randomBytes(9).toString('base64url') : null)
      if (email && password) {
        await createLogin(
          { db: database.db, secret: config.sessionSecret, publicBaseUrl: config.publicBaseUrl },
          { email, password, name: 'Owner' },
        )
        if (!config.admin.password) said.push(`login      ${email}  password ${password}  (printed once)`)
      } else said.push('login      none yet: set ADMIN_EMAIL and ADMIN_PASSWORD and start again')
    }
    await ensureOwner(within(ctx, businessId))
    if (config.sandbox && first && !config.apiKey) {
      const { key } = await createApiKey(within(ctx, businessId), { name: 'sandbox' })
      said.push(`api key    ${key}  (printed once; not needed on this machine)`)
    }
    if (config.sandbox) said.push(`numbers    ${DEMO.numbers.he} (Hebrew), ${DEMO.numbers.en} (English)`)
    return said
  } finally {
    await database.close()
  }
}

if (import.meta.main) {
  for (const line of await setUp(loadConfig(processEnvironment()))) console.log(`  ${line}`)
  process.exit(0)
}

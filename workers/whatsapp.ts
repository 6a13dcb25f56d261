import type { Deps } from '../src/composition/deps.ts'
import { WAKE_CHANNEL } from '../src/domain/businesses/index.ts'
import { within } from '../src/domain/context.ts'
import { deliverMessage } from '../src/domain/messages/index.ts'
import { DelayJob } from '../src/jobs/consumer.ts'
import { superviseAccounts } from '../src/whatsapp/account-supervisor.ts'
import { nameOwner } from '../src/whatsapp/owner.ts'
import { controlOf, readSandboxCertificate, scanFirstAccount } from '../src/whatsapp/sandbox-phone.ts'
import { runWorker } from './run-worker.ts'

async function holdAccounts(deps: Deps): Promise<() => Promise<void>> {
  const { config, database } = deps
  const { websocketUrl } = config.baileys
  if (config.sandbox && !websocketUrl) {
    deps.log.warn('sandbox has no WhatsApp: no linked account opened')
    return async () => {}
  }
  const control = config.sandbox && websocketUrl ? controlOf(websocketUrl) : null
  const { open, box } = await deps.openLinkedAccounts({
    mediaCa: control ? await readSandboxCertificate(control) : null,
  })
  const supervisor = await superviseAccounts({
    ctx: deps.ctx,
    owner: nameOwner(),
    deps: {
      open,
      box,
      storage: deps.storage,
      settings: deps.sendSettings,
      log: deps.log,
      ...(control ? { onQr: scanFirstAccount(control) } : {}),
    },
    listen: async (wake) => {
      const { unlisten } = await database.sql.listen(WAKE_CHANNEL, wake)
      return unlisten
    },
  })
  deps.metrics.gauge(
    'whatsapp_accounts_held',
    'Linked accounts whose sockets this process holds',
    () => supervisor.held().length,
  )
  return supervisor.stop
}

if (import.meta.main)
  await runWorker(
    'whatsapp',
    8,
    (deps) => ({
      'whatsapp.send': async ({ businessId, messageId }) => {
        const result = await deliverMessage(within(deps.ctx, businessId), messageId, {
          pool: deps.database.sql,
          senderOf: deps.twilioWhatsApp,
          settings: deps.sendSettings,
        })
        if (!result.done) throw new DelayJob(result.retryInMs, result.reason)
      },
    }),
    holdAccounts,
  )

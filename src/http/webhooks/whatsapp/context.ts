import type { AccountEntry, BusinessDirectory } from '../../../domain/businesses/index.ts'
import type { SendSettings } from '../../../domain/messages/index.ts'
import type { Inbox } from '../../../jobs/inbox.ts'
import type { InboundMessage } from '../../../jobs/registry.ts'
import { AppError } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import { networkPhone } from '../../../lib/phone.ts'
import { type Carriers, type Signer, speaksFor } from '../../../providers/telephony/port.ts'
import type { ReadBridgeMessage } from '../../../providers/whatsapp/port.ts'

export type WhatsAppWebhookDeps = {
  carriers: Carriers
  settings: SendSettings
  directory: BusinessDirectory
  inbox: Pick<Inbox, 'accept'>
  baileysSecret: string | null
  readBridgeMessage: ReadBridgeMessage
  log: Logger
  count(event: string): void
}

export async function enqueueMessage({ inbox }: WhatsAppWebhookDeps, message: InboundMessage): Promise<void> {
  await inbox.accept('message.receive', message, { key: `${message.businessId}:${message.dedupeKey}` })
}

/** The business that a Twilio message is for, and its account. @throws AppError `account_not_found`, `invalid_signature` */
export function findAddressee(
  deps: WhatsAppWebhookDeps,
  to: string,
  signer: Signer,
): { account: AccountEntry | null; businessId: string } {
  const phone = networkPhone(to) ?? ''
  const account = deps.directory.account('twilio', phone)
  if (account && speaksFor(signer, account.businessId)) return { account, businessId: account.businessId }
  if (!signer.only) return { account: null, businessId: findOnlyBusiness(deps, to) }
  // A sender that is not listed here; when several businesses share the account, their settings decide.
  const [first, ...more] = signer.only
  const found = more.length === 0 ? first : signer.only.find((id) => deps.settings.twilio(id).defaultSender === phone)
  if (found && deps.directory.business(found)) return { account: null, businessId: found }
  throw unknownSender()
}

/** The business of an unlisted sender: the only business of the installation. @throws AppError */
export function findOnlyBusiness(
  { directory }: WhatsAppWebhookDeps,
  to: string,
  provider: 'twilio' | 'baileys' = 'twilio',
): string {
  const account = directory.account(provider, networkPhone(to) ?? '')
  if (account) return account.businessId
  const all = directory.entries()
  if (all.length === 0)
    throw new AppError('unavailable', 'directory_unavailable', 'The businesses are not loaded yet. Send it again.')
  const [only] = all
  if (all.length === 1 && only) return only.id
  throw unknownSender()
}

function unknownSender(): AppError {
  return new AppError(
    'not_found',
    'account_not_found',
    'No business has this WhatsApp sender. Add the sender to a business.',
    { field: 'To' },
  )
}

import type { Config } from '../config.ts'
import type { Logger } from '../lib/log.ts'
import { createSecretBox, deriveKey, type SecretBox } from '../lib/secret-box.ts'
import type { createMediaFetcher } from '../providers/whatsapp/media-by-url.ts'
import type { OpenLinkedAccount, ReadBridgeMessage } from '../providers/whatsapp/port.ts'

/** WhatsApp accounts linked through Baileys. `mediaCa`: a certificate that media hosts may show besides public ones. */
export type OpenLinkedAccounts = (options: {
  mediaCa: string | null
}) => Promise<{ open: OpenLinkedAccount; box: SecretBox }>

/** Baileys takes a third of a second and 40 MB to load: a process loads it when it first needs it. */
export function createBaileys(
  config: Config,
  log: Logger,
  fetchMedia: ReturnType<typeof createMediaFetcher>,
): { openLinkedAccounts: OpenLinkedAccounts; readBridgeMessage: ReadBridgeMessage } {
  return {
    async openLinkedAccounts({ mediaCa }) {
      const { BaileysAccount } = await import('../providers/whatsapp/baileys/account.ts')
      const { websocketUrl } = config.baileys
      const box = createSecretBox(deriveKey(config.sessionSecret, 'whatsapp accounts'))
      return {
        box,
        open: (options) => new BaileysAccount({ ...options, box, log, websocketUrl, mediaCa, fetchMedia }),
      }
    },
    async readBridgeMessage(message) {
      const { readBridgeMessage } = await import('../providers/whatsapp/baileys/bridge.ts')
      return readBridgeMessage(message)
    },
  }
}

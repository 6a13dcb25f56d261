import type { Config } from '../config.ts'
import type { PushDeps } from '../domain/push/index.ts'
import { createSecretBox, deriveKey } from '../lib/secret-box.ts'
import { createWebPush } from '../providers/push/web-push.ts'

/** What notifies the devices of members: reaches public addresses only, unless the settings allow others. */
export function createPush(config: Config): PushDeps {
  const { publicBaseUrl, webhooksAllowPrivate, sessionSecret, port } = config
  return {
    sender: createWebPush({
      // Whom a push service may ask; only an https or a mail address is allowed.
      subject: publicBaseUrl.startsWith('https:') ? publicBaseUrl : 'mailto:push@localhost.localdomain',
      allowPrivate: webhooksAllowPrivate,
      ownPorts: [port],
    }),
    box: createSecretBox(deriveKey(sessionSecret, 'push')),
  }
}

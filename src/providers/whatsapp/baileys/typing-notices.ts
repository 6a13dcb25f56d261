import type { BaileysEventMap, WASocket } from '@whiskeysockets/baileys'
import { errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { AccountHooks } from '../port.ts'
import { jidToLid, jidToPhone } from './jids.ts'

/** WhatsApp sends notices of a person's typing to those alone who asked for them lately. */
const FOLLOWED_MS = 3_600_000
const MOST_FOLLOWED = 1_000

/** Who types to an account. It works as far as WhatsApp sends them to a device that does not show itself online. */
export class TypingNotices {
  readonly #followed = new Map<string, number>()

  constructor(
    private readonly sock: Pick<WASocket, 'presenceSubscribe'>,
    private readonly hooks: Pick<AccountHooks, 'onTyping'>,
    private readonly log: Logger,
  ) {}

  /** Asks for notices of a person who wrote. */
  follow(jid: string | null | undefined): void {
    if (!jid || !this.hooks.onTyping || !(jidToPhone(jid) ?? jidToLid(jid))) return
    const now = Date.now()
    if (now - (this.#followed.get(jid) ?? 0) < FOLLOWED_MS) return
    this.#followed.delete(jid)
    this.#followed.set(jid, now)
    const [oldest] = this.#followed.keys()
    if (this.#followed.size > MOST_FOLLOWED && oldest !== undefined) this.#followed.delete(oldest)
    this.sock.presenceSubscribe(jid).catch((error: unknown) => {
      this.log.debug({ reason: errorMessage(error) }, 'no notices of typing')
    })
  }

  note({ id, presences }: BaileysEventMap['presence.update']): void {
    const presence = presences[id]?.lastKnownPresence
    const who = { phone: jidToPhone(id), lid: jidToLid(id) }
    if (presence && (who.phone || who.lid))
      this.hooks.onTyping?.(who, presence === 'composing' || presence === 'recording')
  }
}

import { jidNormalizedUser, proto, type WAMessage } from '@whiskeysockets/baileys'
import { errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { AccountHooks, InboundEvent } from '../port.ts'
import { type ListRecipient, normaliseMessages, withArrival } from './broadcast-list.ts'
import type { AltResolver, NormaliseOptions } from './inbound.ts'
import { typeOfStub } from './message-content/stubs.ts'
import type { LiveSocket } from './socket.ts'
import { UnreadableMessages } from './unreadable.ts'

export type IntakeOptions = {
  account: string
  hooks: AccountHooks
  allowGroups?: boolean
  historyLimit?: number
  log: Logger
}

const DEFAULT_HISTORY = 1_000
const RECENT_IDS = 2_000

export class MessageIntake {
  readonly unreadable: UnreadableMessages
  private readonly options: IntakeOptions
  private readonly log: Logger
  private readonly liveSocket: () => LiveSocket | null
  private readonly stored = new Set<string>()

  constructor(options: IntakeOptions, unreadableMs: number, liveSocket: () => LiveSocket | null) {
    this.options = options
    this.log = options.log
    this.liveSocket = liveSocket
    this.unreadable = new UnreadableMessages(unreadableMs, (message) => this.showUnreadable(message))
  }

  async store(live: LiveSocket, message: WAMessage, how: StoreHow): Promise<void> {
    const { arrival, placeholder } = how
    const events = await normaliseMessages(message, { ...this.normaliseOptions(live, 'live'), ...how })
    for (const event of arrival ? withArrival(events, arrival) : events)
      await this.options.hooks.onInbound({ ...event, ...(placeholder && { placeholder: true }) })
    const { id } = message.key
    if (!id || placeholder) return
    this.unreadable.resolved(id)
    this.stored.add(id)
    const oldest = this.stored.values().next()
    if (this.stored.size > RECENT_IDS && !oldest.done) this.stored.delete(oldest.value)
  }

  /** Messages that are not decrypted here, such as one that the phone sent again. */
  storeLate(live: LiveSocket, message: WAMessage): void {
    const { id } = message.key
    if (id && this.stored.has(id)) return
    if (!message.message && !typeOfStub(message.messageStubType)) {
      const isStub = message.messageStubType === proto.WebMessageInfo.StubType.CIPHERTEXT
      if (isStub && message.category !== 'peer') this.unreadable.note(message)
      return
    }
    this.store(live, message, {}).catch((error: unknown) => {
      this.log.error({ reason: errorMessage(error) }, 'late message not stored')
    })
  }

  private async showUnreadable(message: WAMessage): Promise<void> {
    const live = this.liveSocket()
    const resolver = live ? resolverOf(live) : NO_RESOLVER
    this.log.warn({ messageId: message.key.id }, 'message shown as unreadable')
    const events = await normaliseMessages(message, {
      account: this.options.account,
      allowGroups: this.options.allowGroups === true,
      source: 'live',
      resolver,
      ...(live && { me: live.me }),
      placeholder: 'undecryptable',
    })
    for (const event of events) await this.options.hooks.onInbound({ ...event, placeholder: true })
  }

  private normaliseOptions(live: LiveSocket, source: 'live' | 'history'): NormaliseOptions {
    const { hooks, account } = this.options
    return {
      account,
      allowGroups: this.options.allowGroups === true,
      source,
      resolver: resolverOf(live),
      me: live.me,
      findSecret: async (id) => (await hooks.findSecret?.(id)) ?? { secret: live.secretOf(id), options: null },
    }
  }

  async importHistory(live: LiveSocket, messages: WAMessage[]): Promise<void> {
    const { onHistory } = this.options.hooks
    if (!onHistory) return
    const limit = this.options.historyLimit ?? DEFAULT_HISTORY
    const time = (message: WAMessage) => Number(message.messageTimestamp ?? 0)
    const newest = messages.toSorted((a, b) => time(a) - time(b)).slice(-limit)
    const events: InboundEvent[] = []
    for (const message of newest)
      events.push(...(await normaliseMessages(message, this.normaliseOptions(live, 'history'))))
    if (events.length > 0) await onHistory.call(this.options.hooks, events)
  }
}

type StoreHow = Pick<NormaliseOptions, 'bytes' | 'edit' | 'placeholder'> & {
  arrival?: string
  recipients?: ListRecipient[] | undefined
}

const NO_RESOLVER: AltResolver = { phoneJidOf: async () => null, lidOf: async () => null }

function resolverOf({ sock }: LiveSocket): AltResolver {
  const { lidMapping } = sock.signalRepository
  return {
    phoneJidOf: async (lid) => {
      const jid = await lidMapping.getPNForLID(lid)
      return jid && jidNormalizedUser(jid)
    },
    lidOf: (phoneJid) => lidMapping.getLIDForPN(phoneJid),
  }
}

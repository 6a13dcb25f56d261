import { type ConnectionState, jidNormalizedUser, type proto, type WAMessageKey } from '@whiskeysockets/baileys'
import { AppError, errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import { LIBSIGNAL_LINES, quietConsole } from '../../../lib/quiet-console.ts'
import type { SecretBox } from '../../../lib/secret-box.ts'
import type { AccountHooks, AccountStatus, AuthStore, LinkedAccount, OutboundMessage, SendOutcome } from '../port.ts'
import { isStaleOwner, type LoadedAuth, loadAuth } from './auth-state.ts'
import { jidToLid, jidToPhone, phoneToJid } from './jids.ts'
import { downloadMedia } from './media.ts'
import { MessageIntake } from './message-intake.ts'
import {
  buildContent,
  fetchMediaByUrl,
  type MediaFetcher,
  type OutboundOptions,
  providerIdOf,
  Recipients,
  refuseAtOnce,
  sendOverSocket,
} from './outbound.ts'
import { ReceiptTracker } from './receipts.ts'
import { type Backoff, decideAfterClose, RECENT_MS } from './reconnect.ts'
import { CLOSE_LOST, LiveSocket, type SocketTiming } from './socket.ts'
import { TypingNotices } from './typing-notices.ts'

export type AccountTiming = SocketTiming & {
  ackMs: number
  reconnect: Backoff
  /** A connection that lasted this long succeeded: the pauses before reconnecting start again from the shortest. */
  stableMs: number
  mediaMs: number
  reconcileMs: number
  /** How long WhatsApp has to redeliver an undecryptable message before it is shown as unreadable. */
  unreadableMs: number
}

export type BaileysAccountOptions = {
  account: string
  store: AuthStore
  box: SecretBox
  log: Logger
  hooks: AccountHooks
  /** WhatsApp's own when null. */
  websocketUrl: string | null
  /** PEM of a certificate that media hosts may show besides the public ones; for the sandbox. */
  mediaCa?: string | null
  allowGroups?: boolean
  historyLimit?: number
  typingMs?: (text: string) => number
  fetchMedia?: MediaFetcher
  timing?: Partial<AccountTiming>
}

const DEFAULT_TIMING: AccountTiming = {
  connectMs: 20_000,
  livenessMs: 15_000,
  queryMs: 20_000,
  ackMs: 20_000,
  mediaMs: 60_000,
  reconcileMs: 5_000,
  reconnect: { minMs: 1_000, maxMs: 60_000 },
  stableMs: 60_000,
  unreadableMs: 60_000,
}
/** Consecutive failures after which the account is shown as failed; it still reconnects. */
const FAILED_AFTER = 5

export class BaileysAccount implements LinkedAccount {
  readonly provider = 'baileys'
  private readonly options: BaileysAccountOptions
  private readonly log: Logger
  private readonly timing: AccountTiming
  private readonly recipients: Recipients
  private readonly receipts: ReceiptTracker
  private current: AccountStatus = {
    state: 'stopped',
    since: new Date(),
    reason: null,
    advice: null,
    qr: null,
    pairingCode: null,
    phone: null,
    lid: null,
    retryAt: null,
    restriction: null,
  }
  private auth: LoadedAuth | null = null
  private live: LiveSocket | null = null
  private wanted = false
  private failures = 0
  private openedAt: number | null = null
  private recentCloses: { code: number; at: number }[] = []
  private reconnectTimer: ReturnType<typeof setTimeout> | null = null
  private sending: Promise<unknown> = Promise.resolve()
  private readonly intake: MessageIntake

  constructor(options: BaileysAccountOptions) {
    quietConsole(LIBSIGNAL_LINES)
    this.options = options
    this.log = options.log.child({ account: options.account })
    this.timing = { ...DEFAULT_TIMING, ...options.timing }
    this.recipients = new Recipients(async (phone, jid) => options.hooks.onIdentity?.(phone, jid))
    this.intake = new MessageIntake({ ...options, log: this.log }, this.timing.unreadableMs, () => this.live)
    this.receipts = new ReceiptTracker(options.account, this.log, (events) => options.hooks.onReceipts(events))
  }

  status(): AccountStatus {
    return this.current
  }

  fixedId(message: OutboundMessage): string {
    return providerIdOf(message)
  }

  /** Connects, and stays connected until `stop`. An account that was never linked shows a QR code. */
  async start(): Promise<void> {
    if (this.wanted && this.current.state !== 'failed') return
    this.wanted = true
    this.failures = 0
    this.setStatus({ state: 'starting', reason: null, advice: null })
    await this.connect()
  }

  /** Disconnects; the link stays. */
  async stop(reason = 'requested'): Promise<void> {
    this.wanted = false
    this.clearReconnect()
    await this.intake.unreadable.flush()
    const live = this.live
    this.live = null
    await live?.close()
    await this.endAuth()
    this.setStatus({ state: 'stopped', reason, advice: null, qr: null, pairingCode: null, retryAt: null })
  }

  /** Unlinks: notifies the phone where possible, and deletes the credentials. */
  async logout(): Promise<void> {
    const { live } = this
    this.wanted = false
    this.clearReconnect()
    this.live = null
    if (live && !live.isOver) {
      try {
        await live.sock.logout()
      } catch (error) {
        this.log.warn({ reason: errorMessage(error) }, 'unlinking not sent to the phone')
      }
      await live.close()
    }
    await this.endAuth()
    await this.options.store.clear()
    const advice = 'Link the account again to use it.'
    this.setStatus({ state: 'logged_out', reason: 'requested', advice, qr: null, pairingCode: null, retryAt: null })
  }

  /** Requests a code that the owner types instead of scanning. Only while `scan_qr`. @param phone own number, E.164 */
  async requestPairingCode(phone: string): Promise<string> {
    const { live } = this
    if (!live || this.current.state !== 'scan_qr')
      throw new AppError(
        'conflict',
        'not_linking',
        'A pairing code is available only while the account shows a QR code.',
      )
    const pairingCode = await live.sock.requestPairingCode(phone.replace(/\D/g, ''))
    this.setStatus({ pairingCode })
    return pairingCode
  }

  /** One send at a time, in order. Never throws. */
  send(message: OutboundMessage): Promise<SendOutcome> {
    const work = this.sending.then(() => this.sendNow(message))
    this.sending = work.catch(() => undefined)
    return work
  }

  /**
   * Waits some seconds for receipts that prove that WhatsApp took a message; those from our absence arrive in that time.
   * WhatsApp cannot be asked, so that no receipt means `undecided`, never `absent`.
   */
  async reconcile(message: OutboundMessage & { since: Date }): Promise<SendOutcome | { outcome: 'undecided' }> {
    const providerMessageId = providerIdOf(message)
    const deadline = Date.now() + this.timing.reconcileMs
    for (;;) {
      if (this.receipts.has(providerMessageId)) return { outcome: 'accepted', providerMessageId, status: 'sent' }
      if (Date.now() >= deadline) return { outcome: 'undecided' }
      await Bun.sleep(50)
    }
  }

  async markRead(input: { phone: string; ids: string[] }): Promise<void> {
    const live = this.requireLive()
    await live.sock.readMessages(input.ids.map((id): WAMessageKey => ({ remoteJid: phoneToJid(input.phone), id })))
  }

  downloadMedia(url: string, maxBytes: number): Promise<{ data: Uint8Array; contentType: string }> {
    return downloadMedia(this.requireLive().sock, url, maxBytes, this.mediaTransport())
  }

  private async sendNow(message: OutboundMessage): Promise<SendOutcome> {
    const refusal = refuseAtOnce(message)
    if (refusal) return refusal
    const { live } = this
    if (!live || this.current.state !== 'working') return this.notWorking()
    try {
      const outcome = await sendOverSocket(live, message, this.recipients, this.outboundOptions())
      if (outcome.outcome === 'rejected' && outcome.code === '463')
        this.setStatus({ restriction: { code: outcome.code, at: new Date() } })
      return outcome
    } catch (error) {
      return { outcome: 'unknown', code: 'adapter_error', message: errorMessage(error) }
    }
  }

  private notWorking(): SendOutcome {
    const { state } = this.current
    const retryAfterMs = state === 'starting' ? 2_000 : 60_000
    return {
      outcome: 'retry',
      code: `account_${state}`,
      message: `The account is not connected (${state}).`,
      retryAfterMs,
    }
  }

  private requireLive(): LiveSocket {
    if (this.live && this.current.state === 'working') return this.live
    throw new AppError('unavailable', 'account_not_working', 'The WhatsApp account is not connected.')
  }

  private async connect(): Promise<void> {
    this.reconnectTimer = null
    this.openedAt = null
    try {
      const auth = await loadAuth(this.options.store, this.options.box, (error) => this.onAuthFault(error))
      // Stopped while the credentials were read.
      if (!this.wanted) return
      this.auth = auth
      const live: LiveSocket = new LiveSocket({
        auth,
        websocketUrl: this.options.websocketUrl,
        timing: this.timing,
        allowGroups: this.options.allowGroups === true,
        log: this.log,
        getMessage: (key) => this.findSent(live, key),
        onDecrypted: (message, how) => this.intake.store(live, message, how),
        onWithheld: (message, { type, arrival }) => this.intake.store(live, message, { arrival, placeholder: type }),
        onReceipt: (node) => this.receipts.noteReceipt(node, auth.state.creds.me ?? {}),
        onUpdate: (update) => this.onUpdate(live, update),
        onClosed: (code, why) => this.onClosed(live, code, why),
      })
      this.live = live
      this.listen(live, auth)
    } catch (error) {
      this.log.error({ reason: errorMessage(error) }, 'account could not connect')
      this.afterClose(CLOSE_LOST, 'auth_unreadable')
    }
  }

  private listen(live: LiveSocket, auth: LoadedAuth): void {
    const { ev } = live.sock
    ev.on('creds.update', () => {
      if (live !== this.live) return
      auth.saveCreds().catch((error: unknown) => {
        this.log.error({ reason: errorMessage(error) }, 'credentials not stored')
      })
    })
    ev.on('messages.update', (updates) => {
      for (const { key, update } of updates) this.noteStatus(key, update.status, update.messageStubParameters)
    })
    const typing = new TypingNotices(live.sock, this.options.hooks, this.log)
    ev.on('presence.update', (update) => typing.note(update))
    ev.on('messages.upsert', ({ messages, type }) => {
      for (const message of messages) {
        if (type === 'notify' && !message.key.fromMe) typing.follow(message.key.remoteJid)
        this.noteStatus(message.key, message.status, message.messageStubParameters)
        this.intake.storeLate(live, message)
      }
    })
    ev.on('messaging-history.set', ({ messages }) => {
      this.intake.importHistory(live, messages).catch((error: unknown) => {
        this.log.error({ reason: errorMessage(error) }, 'history not stored')
      })
    })
  }

  private noteStatus(...update: Parameters<ReceiptTracker['note']>): void {
    this.receipts.note(...update).catch((error: unknown) => {
      this.log.error({ reason: errorMessage(error) }, 'receipt lost: it was not stored')
    })
  }

  private onUpdate(live: LiveSocket, update: Partial<ConnectionState>): void {
    if (live !== this.live) return
    if (update.qr) {
      const advice = 'Open WhatsApp on the phone, Linked devices, Link a device, and scan the code.'
      this.setStatus({ state: 'scan_qr', reason: 'not_linked', advice, qr: update.qr, retryAt: null })
    }
    if (update.connection === 'open') {
      this.openedAt = Date.now()
      const { user } = live.sock
      const phone = jidToPhone(user?.id && jidNormalizedUser(user.id))
      const lid = jidToLid(user?.lid)
      const linked = { qr: null, pairingCode: null, retryAt: null }
      this.setStatus({ state: 'working', reason: null, advice: null, ...linked, phone, lid })
    }
  }

  private onClosed(live: LiveSocket, code: number, why: string): void {
    if (live !== this.live) return
    this.live = null
    this.auth?.revoke()
    // A connection that opens and breaks at once is not a success: the next pause is longer.
    if (this.openedAt !== null && Date.now() - this.openedAt >= this.timing.stableMs) this.failures = 0
    this.openedAt = null
    this.log.info({ code, why }, 'connection closed')
    if (this.wanted) this.afterClose(code, null)
  }

  private afterClose(code: number, cause: string | null): void {
    this.decide(code, cause).catch((error: unknown) => {
      this.log.error({ reason: errorMessage(error) }, 'reconnect decision failed')
      this.scheduleReconnect(this.timing.reconnect.maxMs, 'undecided')
    })
  }

  private async decide(code: number, cause: string | null): Promise<void> {
    await this.auth?.settled()
    const owner = code === 440 && this.options.hooks.isOwner ? await this.options.hooks.isOwner() : true
    const now = Date.now()
    this.recentCloses.push({ code, at: now })
    this.recentCloses = this.recentCloses.filter(({ at }) => now - at < RECENT_MS).slice(-100)
    const recent = (which: number) => this.recentCloses.filter((close) => close.code === which).length
    const facts = {
      code,
      owner,
      linked: cause !== null || this.auth?.isLinked() === true,
      failures: this.failures,
      recentReplacements: recent(440),
      recentRestarts: recent(515),
    }
    const decision = decideAfterClose(facts, this.timing.reconnect, Math.random())
    if (!this.wanted) return
    if (decision.action === 'reconnect') {
      if (decision.delayMs > 0) this.failures += 1
      this.scheduleReconnect(decision.delayMs, cause ?? decision.reason)
      return
    }
    this.wanted = false
    if (decision.clearAuth) {
      this.auth = null
      await this.options.store.clear()
    }
    const { state, reason, advice } = decision
    this.setStatus({ state, reason, advice, qr: null, pairingCode: null, retryAt: null })
  }

  private scheduleReconnect(delayMs: number, reason: string): void {
    const failed = this.failures >= FAILED_AFTER
    this.setStatus({
      state: failed ? 'failed' : 'starting',
      reason,
      advice: failed ? 'The connection keeps failing and is retried. Check the phone and the network.' : null,
      qr: null,
      pairingCode: null,
      retryAt: new Date(Date.now() + delayMs),
    })
    this.clearReconnect()
    this.reconnectTimer = setTimeout(() => {
      if (this.wanted) void this.connect()
    }, delayMs)
  }

  private clearReconnect(): void {
    if (this.reconnectTimer) clearTimeout(this.reconnectTimer)
    this.reconnectTimer = null
  }

  /** A read or write of the auth store failed: nothing built on it may be sent. */
  private onAuthFault(error: unknown): void {
    const { live } = this
    this.log.error({ reason: errorMessage(error) }, 'auth store failed; connection cut')
    if (isStaleOwner(error)) {
      this.wanted = false
      this.live = null
      this.auth?.revoke()
      this.clearReconnect()
      live?.kill(CLOSE_LOST, 'another process owns the account')
      this.setStatus({
        state: 'stopped',
        reason: 'not_owner',
        advice: null,
        qr: null,
        pairingCode: null,
        retryAt: null,
      })
    } else live?.kill(CLOSE_LOST, 'the auth store failed')
  }

  private async endAuth(): Promise<void> {
    this.auth?.revoke()
    await this.auth?.settled()
    this.auth = null
  }

  private async findSent(live: LiveSocket, key: WAMessageKey): Promise<proto.IMessage | undefined> {
    const { getMessage } = this.options.hooks
    if (!getMessage || !key.id) return undefined
    const message = await getMessage.call(this.options.hooks, key.id)
    return message ? buildContent(live, message, phoneToJid(message.to), this.outboundOptions()) : undefined
  }

  private outboundOptions(): OutboundOptions {
    return {
      ackMs: this.timing.ackMs,
      typingMs: this.options.typingMs ?? (() => 0),
      fetchMedia: this.options.fetchMedia ?? fetchMediaByUrl,
      media: this.mediaTransport(),
      log: this.log,
    }
  }

  private mediaTransport() {
    return { ca: this.options.mediaCa ?? null, timeoutMs: this.timing.mediaMs }
  }

  private setStatus(change: Partial<AccountStatus>): void {
    const since = change.state !== undefined && change.state !== this.current.state ? new Date() : this.current.since
    this.current = { ...this.current, ...change, since }
    this.options.hooks.onStatus(this.current)
  }
}

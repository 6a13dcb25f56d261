import { AsyncLocalStorage } from 'node:async_hooks'
import { hkdfSync } from 'node:crypto'
import makeWASocket, {
  type BinaryNode,
  type ConnectionState,
  DEFAULT_CONNECTION_CONFIG,
  decodeMessageNode,
  proto,
  S_WHATSAPP_NET,
  type SignalDataSet,
  type SignalKeyStoreWithTransaction,
  type SocketConfig,
  unpadRandomMax16,
  type WAMessage,
  type WASocket,
} from '@whiskeysockets/baileys'
import { errorMessage } from '../../../lib/errors.ts'
import { newId } from '../../../lib/ids.ts'
import type { Logger } from '../../../lib/log.ts'
import { undoFailedTrials } from '../../../lib/signal-sessions.ts'
import { waitAtMost } from '../../../lib/wait-at-most.ts'
import type { LoadedAuth } from './auth-state.ts'
import { type ListRecipient, recipientsOf } from './broadcast-list.ts'
import { createClientLogger } from './client-log.ts'
import { isJidGroup, isPublicJid } from './jids.ts'

export type SocketTiming = {
  /** From the first byte to `open` or a QR code. */
  connectMs: number
  livenessMs: number
  queryMs: number
}

export type LiveSocketOptions = {
  auth: LoadedAuth
  websocketUrl: string | null
  timing: SocketTiming
  allowGroups: boolean
  log: Logger
  getMessage: SocketConfig['getMessage']
  /** A decrypted message. Until this resolves, nothing is acknowledged or committed. */
  onDecrypted(message: WAMessage, how: Decrypted): Promise<void>
  /** A message whose content is withheld from linked devices. Until this resolves, it is not acknowledged. */
  onWithheld(message: WAMessage, how: { arrival: string; type: string }): Promise<void>
  /** A receipt. Until this resolves, it is not acknowledged. */
  onReceipt(node: BinaryNode): Promise<void>
  onUpdate(update: Partial<ConnectionState>): void
  /** Called once, with WhatsApp's code. */
  onClosed(code: number, why: string): void
}

export type Decrypted = {
  /** An id that sorts by arrival of the stanza: a burst is not always decrypted in that order. */
  arrival: string
  /** The message as it was sent; `message.message` is null when these are not protobuf that Baileys can decode. */
  bytes: Uint8Array
  edit: string | undefined
  /** The members of an own broadcast list, as the stanza names them. */
  recipients: ListRecipient[] | undefined
}

type Arrival = { stanza: BinaryNode; id: string }

/** The events with which Baileys' socket hands over receipts and messages. */
const RECEIPT = 'CB:receipt'
const MESSAGE = 'CB:message'
/** Kinds of `<unavailable>` that Baileys acknowledges without an event. */
const WITHHELD: { readonly [type: string]: string } = {
  view_once: 'view_once',
  view_once_unavailable_fanout: 'view_once',
  hosted_unavailable_fanout: 'hidden_on_linked_devices',
  bot_unavailable_fanout: 'hidden_on_linked_devices',
}
/** Baileys does not request the content of older messages from the phone. */
const ASKED_AGAIN_SECONDS = 14 * 86_400
/** So long the next message of a sender waits for the one before it. */
const HANDLED_MS = 10_000
export const CLOSE_LOST = 408
const CLOSE_OUTDATED = 405
const CLOSE_UNAVAILABLE = 503

export class LiveSocket {
  readonly sock: WASocket
  private readonly options: LiveSocketOptions
  private readonly stanzas = new WeakMap<Uint8Array, Arrival>()
  private readonly timers: ReturnType<typeof setInterval>[] = []
  private lastFrameAt = Date.now()
  private lastCheckAt = Date.now()
  private encrypted = 0
  private over = false
  private receipts: Promise<unknown> = Promise.resolve()
  private readonly handling = new Map<string, Promise<unknown>>()

  constructor(options: LiveSocketOptions) {
    this.options = options
    const { websocketUrl, timing } = options
    this.sock = makeWASocket({
      ...(websocketUrl ? { waWebSocketUrl: websocketUrl } : {}),
      auth: options.auth.state,
      logger: createClientLogger(options.log),
      connectTimeoutMs: timing.connectMs,
      defaultQueryTimeoutMs: timing.queryMs,
      // The watchdog below is quicker; this only prevents an idle connection.
      keepAliveIntervalMs: 30_000,
      // The owner's phone still rings.
      markOnlineOnConnect: false,
      emitOwnEvents: false,
      syncFullHistory: false,
      transactionOpts: { maxCommitRetries: 3, delayBetweenTriesMs: 200 },
      shouldIgnoreJid: (jid) => isPublicJid(jid) || (!options.allowGroups && isJidGroup(jid)),
      getMessage: options.getMessage,
      makeSignalRepository: this.wrapRepository,
    })
    this.sock.ws.on('frame', this.onFrame)
    this.sock.ws.on('error', (error: unknown) => this.finish(CLOSE_LOST, errorMessage(error)))
    // Baileys listens to this event, which stops `ws` from raising its error.
    this.sock.ws.on('unexpected-response', (_request: unknown, response: unknown) => {
      const status = typeof response === 'object' && response !== null ? Reflect.get(response, 'statusCode') : 0
      this.kill(status === 405 ? CLOSE_OUTDATED : CLOSE_UNAVAILABLE, `the upgrade was answered ${status}`)
    })
    this.holdReceipts()
    this.holdMessages()
    this.sock.ev.on('connection.update', this.onUpdate)
    this.timers.push(setTimeout(() => this.kill(CLOSE_LOST, 'it took too long to connect'), timing.connectMs))
    this.timers.push(setInterval(() => this.checkLiveness(), timing.livenessMs / 3))
  }

  get isOver(): boolean {
    return this.over
  }

  get me(): { id?: string | undefined; lid?: string | undefined } {
    return this.options.auth.state.creds.me ?? {}
  }

  /**
   * The key under which answers to our message are encrypted, derived from the account's key and the message's id: it is the
   * same when the message is sent again and need not be stored.
   * @returns base64
   */
  secretOf(messageId: string): string {
    const { private: key } = this.options.auth.state.creds.signedIdentityKey
    return Buffer.from(hkdfSync('sha256', key, messageId, 'agentlocator message secret', 32)).toString('base64')
  }

  /** How many messages this socket has encrypted. Unchanged during a send, nothing can have left. */
  get encryptions(): number {
    return this.encrypted
  }

  /** Cuts the connection at once, without a closing handshake. */
  kill(code: number, why: string): void {
    const socket: unknown = Reflect.get(this.sock.ws, 'socket')
    this.finish(code, why)
    if (
      typeof socket === 'object' &&
      socket !== null &&
      'terminate' in socket &&
      typeof socket.terminate === 'function'
    )
      socket.terminate()
  }

  /** Closes and resolves when the connection has ended, after two seconds at most. */
  async close(): Promise<void> {
    this.finish(0, 'closed by us')
    void this.sock.end(undefined)
    const { ws } = this.sock
    const gone = ws.isClosed ? Promise.resolve() : new Promise((resolve) => ws.once('close', resolve))
    await waitAtMost(gone, 2_000)
    this.kill(0, 'closed by us')
  }

  private finish(code: number, why: string): void {
    if (this.over) return
    this.over = true
    for (const timer of this.timers) clearInterval(timer)
    this.options.onClosed(code, why)
  }

  private readonly onFrame = (frame: unknown) => {
    this.lastFrameAt = Date.now()
    if (!isNode(frame)) return
    renameOldServer(frame)
    if (frame.tag !== 'message' || !Array.isArray(frame.content)) return
    const arrival = { stanza: frame, id: newId() }
    for (const { content } of frame.content) if (content instanceof Uint8Array) this.stanzas.set(content, arrival)
  }

  /** Stores a receipt before Baileys acknowledges it, as it does without waiting: an acknowledged one never comes again. */
  private holdReceipts(): void {
    const { ws } = this.sock
    const handlers = ws.listeners(RECEIPT)
    ws.removeAllListeners(RECEIPT)
    ws.on(RECEIPT, (node: BinaryNode) => {
      const stored = this.options.onReceipt(node)
      this.receipts = Promise.all([this.receipts, stored]).then(
        () => {
          if (!this.over) for (const handle of handlers) handle.call(ws, node)
        },
        () => this.kill(CLOSE_LOST, 'a receipt could not be stored'),
      )
    })
  }

  /**
   * View-once and some other messages are withheld from linked devices; Baileys acknowledges them without an event.
   * Those of one sender are handed on one after the other: Baileys looks a new sender up before it queues for decryption, so
   * that the second of a burst overtook the first, and a crash between the two stored them in that order.
   */
  private holdMessages(): void {
    const { ws } = this.sock
    const handlers = ws.listeners(MESSAGE)
    ws.removeAllListeners(MESSAGE)
    ws.on(MESSAGE, (node: BinaryNode) => {
      const pass = async () => {
        if (!this.over) await Promise.all(handlers.map((handle) => handle.call(ws, node)))
      }
      const type = withheldType(node)
      const message = type && this.decodeStanza(node)
      if (!message) return this.afterEarlier(node.attrs.from ?? '', pass)
      this.options
        .onWithheld(message, { type, arrival: newId() })
        .then(pass, () => this.kill(CLOSE_LOST, 'a message could not be stored'))
    })
  }

  /** @param handle what Baileys does with a message, which it ends without an error; one that hangs is not waited for */
  private afterEarlier(sender: string, handle: () => Promise<unknown>): void {
    const earlier = this.handling.get(sender)
    const handled = earlier ? waitAtMost(earlier, HANDLED_MS).then(handle) : handle()
    const settled = handled.catch((error: unknown) =>
      this.options.log.error({ reason: errorMessage(error) }, 'message not handled'),
    )
    this.handling.set(sender, settled)
    void settled.then(() => {
      if (this.handling.get(sender) === settled) this.handling.delete(sender)
    })
  }

  private decodeStanza(node: BinaryNode): WAMessage | null {
    const { me } = this.options.auth.state.creds
    try {
      return me ? decodeMessageNode(node, me.id, me.lid ?? '').fullMessage : null
    } catch {
      // Baileys rejects it itself.
      return null
    }
  }

  private readonly onUpdate = (update: Partial<ConnectionState>) => {
    if (this.over) return
    if (update.connection === 'open' || update.qr) clearTimeout(this.timers[0])
    if (update.connection === 'close') {
      const error = update.lastDisconnect?.error
      this.finish(statusCodeOf(error), error ? errorMessage(error) : 'closed')
      return
    }
    this.options.onUpdate(update)
  }

  private checkLiveness(): void {
    const { livenessMs } = this.options.timing
    const now = Date.now()
    const late = now - this.lastCheckAt > livenessMs
    this.lastCheckAt = now
    // A late check means that this process slept, not that the peer is silent: ask first.
    if (!late && now - this.lastFrameAt >= livenessMs) {
      this.kill(CLOSE_LOST, 'the server fell silent')
      return
    }
    if (now - this.lastFrameAt < livenessMs / 3 || !this.sock.ws.isOpen) return
    const ping: BinaryNode = {
      tag: 'iq',
      attrs: { to: S_WHATSAPP_NET, type: 'get', xmlns: 'w:p' },
      content: [{ tag: 'ping', attrs: {} }],
    }
    this.sock.query(ping, livenessMs).catch((error: unknown) => {
      this.options.log.debug({ reason: errorMessage(error) }, 'ping not answered')
    })
  }

  /**
   * Puts our storage between decryption and receipt: the plaintext is stored before the transaction commits the ratchet, so
   * that a crash leaves the message stored or decryptable again. Encryption runs outside the transaction that Baileys opens
   * around a send: the ratchet is committed before the stanza leaves, and no key is used twice.
   * One session may be reached by number and by LID while Baileys locks by JID: session changes therefore run one at a time.
   */
  private readonly wrapRepository: SocketConfig['makeSignalRepository'] = (auth, logger, toLid) => {
    const { keys } = auth
    if (!('transaction' in keys)) throw new Error('Baileys gave a key store without transactions')
    const repairing = repairSessions(keys)
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ ...auth, keys: repairing.keys }, logger, toLid)
    const outside = AsyncLocalStorage.snapshot()
    let last: Promise<unknown> = Promise.resolve()
    const alone = <T>(work: () => Promise<T>): Promise<T> => {
      const turn = last.then(() => outside(work))
      last = turn.catch(() => undefined)
      return turn
    }
    const { decryptMessage, decryptGroupMessage, encryptMessage, injectE2ESession, migrateSession } = repository
    const storeThenCommit = (ciphertext: Uint8Array, lock: string, decrypt: () => Promise<Uint8Array>) =>
      alone(() =>
        keys.transaction(async () => {
          const plain = await decrypt()
          return await outside(() => this.deliver(ciphertext, plain))
        }, lock),
      )
    const wrapped: Partial<typeof repository> = {
      decryptMessage: (input) =>
        storeThenCommit(input.ciphertext, input.jid, () =>
          // A pkmsg names its session; only a msg is tried on one after the other.
          input.type === 'msg' ? repairing.during(() => decryptMessage(input)) : decryptMessage(input),
        ),
      decryptGroupMessage: (input) => storeThenCommit(input.msg, input.group, () => decryptGroupMessage(input)),
      encryptMessage: async (input) => {
        // The copies of one message for its devices are encrypted one after the other and written together.
        const { result, written } = await alone(() => this.options.auth.deferWrites(() => encryptMessage(input)))
        await written
        this.encrypted += 1
        return result
      },
      injectE2ESession: (input) => alone(() => injectE2ESession(input)),
      migrateSession: (from, to) => alone(() => migrateSession(from, to)),
    }
    return Object.assign(repository, wrapped)
  }

  /** @returns the plaintext that Baileys continues with */
  private async deliver(ciphertext: Uint8Array, plain: Uint8Array): Promise<Uint8Array> {
    const arrival = this.stanzas.get(ciphertext)
    const { me } = this.options.auth.state.creds
    if (!arrival || !me) throw new Error('a message was decrypted that no stanza brought')
    const { fullMessage } = decodeMessageNode(arrival.stanza, me.id, me.lid ?? '')
    const bytes = unpadded(plain)
    fullMessage.message = decodeMessage(bytes)
    try {
      const { stanza } = arrival
      const recipients = recipientsOf(stanza)
      await this.options.onDecrypted(fullMessage, {
        arrival: arrival.id,
        bytes,
        edit: stanza.attrs.edit,
        recipients: recipients.length > 0 ? recipients : undefined,
      })
      // Baileys would request redelivery of what can never be decoded.
      return fullMessage.message ? plain : EMPTY_MESSAGE
    } catch (error) {
      // After the socket is cut no receipt can leave; WhatsApp delivers the message again.
      this.kill(CLOSE_LOST, 'an inbound message could not be stored')
      throw error
    }
  }
}

/** A key store that undoes libsignal's changes to sessions it only tried. One decryption at a time may run. */
function repairSessions(keys: SignalKeyStoreWithTransaction) {
  let active = false
  const set = async (data: SignalDataSet) => {
    if (!active || !data.session) return keys.set(data)
    const session: typeof data.session = {}
    const before = await keys.get('session', Object.keys(data.session))
    for (const [id, record] of Object.entries(data.session)) session[id] = undoFailedTrials(before[id], record)
    return keys.set({ ...data, session })
  }
  return {
    keys: { ...keys, set },
    async during<T>(decrypt: () => Promise<T>): Promise<T> {
      active = true
      try {
        return await decrypt()
      } finally {
        active = false
      }
    },
  }
}

function withheldType({ attrs, content }: BinaryNode): string | null {
  const children = Array.isArray(content) ? content : []
  if (children.some(({ tag }) => tag === 'enc' || tag === 'plaintext')) return null
  const unavailable = children.find(({ tag }) => tag === 'unavailable')
  const type = unavailable?.attrs.type
  if (type !== undefined && Object.hasOwn(WITHHELD, type)) return WITHHELD[type] ?? null
  return Number(attrs.t) < Date.now() / 1_000 - ASKED_AGAIN_SECONDS ? 'undecryptable' : null
}

/** Replaces addresses of the server's older name, which Baileys rejects in a stanza's header. */
function renameOldServer({ attrs }: BinaryNode): void {
  for (const name of ['from', 'participant', 'recipient'])
    if (attrs[name]?.endsWith('@c.us')) attrs[name] = attrs[name].replace(/@c\.us$/, '@s.whatsapp.net')
}

const EMPTY_MESSAGE = new Uint8Array([1])

function unpadded(plain: Uint8Array): Uint8Array {
  try {
    return unpadRandomMax16(plain)
  } catch {
    return plain
  }
}

function decodeMessage(bytes: Uint8Array): proto.IMessage | null {
  try {
    return proto.Message.decode(bytes)
  } catch {
    return null
  }
}

function isNode(value: unknown): value is BinaryNode {
  return typeof value === 'object' && value !== null && 'tag' in value && 'attrs' in value
}

function statusCodeOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('output' in error)) return 0
  const { output } = error
  if (typeof output !== 'object' || output === null || !('statusCode' in output)) return 0
  return typeof output.statusCode === 'number' ? output.statusCode : 0
}

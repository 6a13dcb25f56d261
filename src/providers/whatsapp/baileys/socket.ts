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
import type { LoadedAuth } from './auth-state.ts'
import { type ListRecipient, recipientsOf } from './broadcast-list.ts'
import { createClientLogger } from './client-log.ts'
import { isJidGroup, isPublicJid } from './jids.ts'

export type SocketTiming = {
  /** From the first byte to `open` or a QR code. */
  connectMs: number
  /** Without any frame for this long the peer is taken for dead. */
  livenessMs: number
  /** How long one question to the server may take. */
  queryMs: number
}

export type LiveSocketOptions = {
  auth: LoadedAuth
  websocketUrl: string | null
  timing: SocketTiming
  allowGroups: boolean
  log: Logger
  getMessage: SocketConfig['getMessage']
  /** A decrypted message. While this runs, nothing was acknowledged and nothing committed. */
  onDecrypted(message: WAMessage, how: Decrypted): Promise<void>
  /** A message whose content is kept from linked devices. While this runs, it is not acknowledged. */
  onWithheld(message: WAMessage, how: { arrival: string; type: string }): Promise<void>
  /** A receipt. While this runs, it is not acknowledged. */
  onReceipt(node: BinaryNode): Promise<void>
  onUpdate(update: Partial<ConnectionState>): void
  /** Once, with WhatsApp's code for it. */
  onClosed(code: number, why: string): void
}

export type Decrypted = {
  /** An id that sorts by when its stanza came: a burst is not always decrypted in that order. */
  arrival: string
  /** The message as it was sent; `message.message` is null when these are no protobuf that Baileys knows. */
  bytes: Uint8Array
  /** `edit` of the stanza. */
  edit: string | undefined
  /** Whom the stanza names as the members of an own broadcast list. */
  recipients: ListRecipient[] | undefined
}

type Arrival = { stanza: BinaryNode; id: string }

/** The event with which Baileys' socket hands over a receipt. */
const RECEIPT = 'CB:receipt'
/** The event with which it hands over a message. */
const MESSAGE = 'CB:message'
/** Kinds of `<unavailable>` that are acknowledged without any further word. */
const WITHHELD: { readonly [type: string]: string } = {
  view_once: 'view_once',
  view_once_unavailable_fanout: 'view_once',
  hosted_unavailable_fanout: 'hidden_on_linked_devices',
  bot_unavailable_fanout: 'hidden_on_linked_devices',
}
/** Older than this, Baileys does not ask the phone for what came without content. */
const ASKED_AGAIN_SECONDS = 14 * 86_400
/** Codes of our own closes, in WhatsApp's numbers. */
export const CLOSE_LOST = 408
const CLOSE_OUTDATED = 405
const CLOSE_UNAVAILABLE = 503

/** One connection to WhatsApp, from the first byte to its end. */
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

  constructor(options: LiveSocketOptions) {
    this.options = options
    const { websocketUrl, timing } = options
    this.sock = makeWASocket({
      ...(websocketUrl ? { waWebSocketUrl: websocketUrl } : {}),
      auth: options.auth.state,
      logger: createClientLogger(options.log),
      connectTimeoutMs: timing.connectMs,
      defaultQueryTimeoutMs: timing.queryMs,
      // The watchdog below is quicker; this only keeps the line busy.
      keepAliveIntervalMs: 30_000,
      // The owner's phone stays the one that rings.
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
    // Baileys listens to this event, and so keeps `ws` from raising the error it would raise otherwise.
    this.sock.ws.on('unexpected-response', (_request: unknown, response: unknown) => {
      const status = typeof response === 'object' && response !== null ? Reflect.get(response, 'statusCode') : 0
      this.kill(status === 405 ? CLOSE_OUTDATED : CLOSE_UNAVAILABLE, `the upgrade was answered ${status}`)
    })
    this.holdReceipts()
    this.holdWithheld()
    this.sock.ev.on('connection.update', this.onUpdate)
    this.timers.push(setTimeout(() => this.kill(CLOSE_LOST, 'it took too long to connect'), timing.connectMs))
    this.timers.push(setInterval(() => this.checkLiveness(), timing.livenessMs / 3))
  }

  get isOver(): boolean {
    return this.over
  }

  /** Own addresses, with their devices. */
  get me(): { id?: string | undefined; lid?: string | undefined } {
    return this.options.auth.state.creds.me ?? {}
  }

  /**
   * The key under which answers to a message of ours are encrypted: made from the account's own key and the message's id, so
   * that it is the same when the message is sent again and needs no place to be kept.
   * @returns base64
   */
  secretOf(messageId: string): string {
    const { private: key } = this.options.auth.state.creds.signedIdentityKey
    return Buffer.from(hkdfSync('sha256', key, messageId, 'agentlocator message secret', 32)).toString('base64')
  }

  /** How many messages this socket has encrypted. When it did not change during a send, nothing can have left. */
  get encryptions(): number {
    return this.encrypted
  }

  /** Cuts the connection now, without waiting for the other side to agree. */
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

  /** Says goodbye and resolves when the connection is gone, after two seconds at the latest. */
  async close(): Promise<void> {
    this.finish(0, 'closed by us')
    void this.sock.end(undefined)
    const { ws } = this.sock
    const gone = ws.isClosed ? Promise.resolve() : new Promise((resolve) => ws.once('close', resolve))
    await Promise.race([gone, Bun.sleep(2_000)])
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

  /**
   * Puts our storage between a receipt and Baileys, which acknowledges it without waiting for whoever hears of it: a receipt
   * that was acknowledged never comes again.
   */
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
   * Of a message to be viewed once, and of some others, linked devices are only told that there is one. Baileys
   * acknowledges those without telling anybody.
   */
  private holdWithheld(): void {
    const { ws } = this.sock
    const handlers = ws.listeners(MESSAGE)
    ws.removeAllListeners(MESSAGE)
    ws.on(MESSAGE, (node: BinaryNode) => {
      const pass = () => {
        if (!this.over) for (const handle of handlers) handle.call(ws, node)
      }
      const type = withheldType(node)
      const message = type && this.decodeStanza(node)
      if (!message) return pass()
      this.options
        .onWithheld(message, { type, arrival: newId() })
        .then(pass, () => this.kill(CLOSE_LOST, 'a message could not be stored'))
    })
  }

  private decodeStanza(node: BinaryNode): WAMessage | null {
    const { me } = this.options.auth.state.creds
    try {
      return me ? decodeMessageNode(node, me.id, me.lid ?? '').fullMessage : null
    } catch {
      // Baileys refuses it in its own words.
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
    // A check that comes late says that this process slept, not that the peer did: ask first.
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
      this.options.log.debug({ reason: errorMessage(error) }, 'a ping was not answered')
    })
  }

  /**
   * Puts our storage between decryption and receipt. The plaintext is stored inside the transaction that moves the
   * ratchet on, before it commits: a crash at any point leaves the message either stored or decryptable again.
   *
   * Encryption runs outside of the transaction that Baileys spans around a whole send, so that the ratchet is committed
   * before the stanza leaves: a crash never makes two messages use one key.
   *
   * And whatever changes a session goes one at a time. Baileys locks by JID, but one session may be reached by number and
   * by LID, so that a message in and a message out at once would each overwrite what the other did.
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

  /** @returns what Baileys goes on with */
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
      // Baileys would ask again for what no asking makes a message.
      return fullMessage.message ? plain : EMPTY_MESSAGE
    } catch (error) {
      // With the socket gone no receipt can leave; WhatsApp brings the message again.
      this.kill(CLOSE_LOST, 'an inbound message could not be stored')
      throw error
    }
  }
}

/** A key store that undoes what libsignal does to the sessions it only tried. One decryption at a time may run. */
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

/** Addresses of the server's older name, which Baileys refuses in a stanza's head. */
function renameOldServer({ attrs }: BinaryNode): void {
  for (const name of ['from', 'participant', 'recipient'])
    if (attrs[name]?.endsWith('@c.us')) attrs[name] = attrs[name].replace(/@c\.us$/, '@s.whatsapp.net')
}

/** A message without content, padded as all are. */
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

import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren, type proto } from '@whiskeysockets/baileys'
import { errorMessage } from '../../lib/errors.ts'
import { maskPhone } from '../../lib/log.ts'
import { pushInitialHistory } from './history.ts'
import { acceptMessage, serveRetry } from './messages.ts'
import { childrenOf, requireAttr, SERVER_JID, unixSeconds } from './nodes.ts'
import { type NoiseIdentity, NoiseServer } from './noise.ts'
import { offlineStanzas, settleByAck, settleByReceipt } from './outbox.ts'
import type { PairingRegistry, UnlinkedClient } from './pairing.ts'
import { type Asker, answerQuery } from './queries.ts'
import { type Account, type ClientLink, type Companion, lidJid, type WhatsAppState } from './whatsapp-state.ts'

export type Transport = { send(bytes: Uint8Array): void; close(): void; terminate(): void }

/** How long a closing stream stays open, so that the client reads its last stanza. */
const LINGER_MS = 20

export class Connection implements ClientLink {
  private readonly state: WhatsAppState
  private readonly desk: PairingRegistry
  private readonly transport: Transport
  private readonly noise: NoiseServer
  private readonly answers = new Map<string, { resolve(node: BinaryNode): void; reject(error: Error): void }>()
  private session: { account: Account; companion: Companion } | undefined
  private unlinked: UnlinkedClient | undefined
  private closed = false
  private frozen = false
  private held: Uint8Array[] = []
  private work: Promise<void> = Promise.resolve()

  constructor(state: WhatsAppState, desk: PairingRegistry, identity: NoiseIdentity, transport: Transport) {
    this.state = state
    this.desk = desk
    this.transport = transport
    this.noise = new NoiseServer(identity, (bytes) => {
      if (!this.closed) transport.send(bytes)
    })
  }

  receive(bytes: Uint8Array): void {
    if (this.frozen) {
      this.held.push(bytes)
      return
    }
    this.work = this.work
      .then(() =>
        this.noise.feed(bytes, { login: (payload) => this.login(payload), stanza: (node) => this.handle(node) }),
      )
      .catch((error) => this.fail(error))
  }

  onClosed(): void {
    this.closed = true
    if (this.session?.companion.link === this) this.session.companion.link = undefined
    if (this.unlinked) this.desk.forget(this.unlinked)
    for (const { reject } of this.answers.values()) reject(new Error('connection closed'))
    this.answers.clear()
    this.state.changed()
  }

  send(node: BinaryNode): void {
    if (!this.closed && !this.frozen) this.noise.send(node)
  }

  streamError(code: string | undefined, child?: BinaryNode): void {
    this.send({ tag: 'stream:error', attrs: code ? { code } : {}, content: child ? [child] : [] })
    this.closeSoon()
  }

  terminate(): void {
    this.closed = true
    this.transport.terminate()
  }

  setFrozen(frozen: boolean): void {
    this.frozen = frozen
    if (frozen) return
    const held = this.held
    this.held = []
    for (const bytes of held) this.receive(bytes)
  }

  private query(node: BinaryNode): Promise<BinaryNode> {
    return new Promise((resolve, reject) => {
      this.answers.set(requireAttr(node, 'id'), { resolve, reject })
      this.send(node)
    })
  }

  private closeSoon(): void {
    setTimeout(() => {
      this.closed = true
      this.transport.close()
    }, LINGER_MS)
  }

  private fail(error: unknown): void {
    if (!this.closed) this.state.log.warn({ reason: errorMessage(error) }, 'client broke the protocol; socket closed')
    this.terminate()
  }

  /** Runs an exchange that waits for the client's answers, which the stanza loop must stay free to read. */
  private converse(dialogue: Promise<unknown>): void {
    dialogue.catch((error) => this.fail(error))
  }

  private login(payload: proto.ClientPayload): void {
    const refusal = this.state.faults.take('refuse_login')
    if (refusal) {
      this.refuse(refusal.code)
      return
    }
    if (payload.devicePairingData) {
      this.unlinked = {
        registration: payload,
        query: (node) => this.query(node),
        send: (node) => this.send(node),
        restart: () => this.streamError('515'),
      }
      this.converse(this.desk.offerRefs(this.unlinked))
      return
    }
    const account = this.state.accounts.get(String(payload.username))
    const companion = account?.companions.get(payload.device ?? 0)
    if (!account || !companion) {
      this.refuse('401')
      return
    }
    companion.link?.streamError(undefined, { tag: 'conflict', attrs: { type: 'replaced' } })
    this.session = { account, companion }
    companion.link = this
    const now = String(unixSeconds())
    this.send({
      tag: 'success',
      attrs: { t: now, lid: lidJid(account.lid, companion.id), creation: now, props: '27', companion_enc_static: '' },
    })
    this.sendStored(companion)
    this.state.log.debug({ account: maskPhone(account.phone), device: companion.id }, 'device logged in')
    this.state.changed()
  }

  private refuse(reason: string): void {
    this.send({ tag: 'failure', attrs: { reason, location: 'sandbox' } })
    this.closeSoon()
  }

  private sendStored(companion: Companion): void {
    const stored = offlineStanzas(companion)
    const count = String(stored.length)
    const notice = (tag: string, attrs: Record<string, string>): BinaryNode => ({
      tag: 'ib',
      attrs: { from: SERVER_JID },
      content: [{ tag, attrs }],
    })
    if (stored.length > 0) this.send(notice('offline_preview', { count, message: count }))
    for (const stanza of stored) this.send(stanza)
    this.send(notice('offline', { count }))
  }

  private async handle(node: BinaryNode): Promise<void> {
    if (node.tag === 'iq') return this.handleIq(node)
    if (!this.session) return
    const { account, companion } = this.session
    if (node.tag === 'message') return this.handleMessage(account, companion, node)
    if (node.tag === 'receipt') return this.handleReceipt(account, companion, node)
    if (node.tag === 'ack') settleByAck(companion, node)
    if (node.tag === 'ack' || node.tag === 'presence' || node.tag === 'chatstate')
      this.state.recordNotice({
        account: account.phone,
        tag: node.tag,
        attrs: node.attrs,
        child: childrenOf(node)[0]?.tag,
      })
  }

  private handleIq(node: BinaryNode): void {
    const id = requireAttr(node, 'id')
    if (node.attrs.type === 'result' || node.attrs.type === 'error') {
      this.answers.get(id)?.resolve(node)
      this.answers.delete(id)
      return
    }
    const content = this.unlinked
      ? this.answerUnlinked(this.unlinked, node)
      : answerQuery(this.state, this.session, node)
    this.send({ tag: 'iq', attrs: { from: SERVER_JID, type: 'result', id }, content })
    this.afterQuery(this.session, node)
  }

  private answerUnlinked(client: UnlinkedClient, node: BinaryNode): BinaryNode[] | undefined {
    const request = getBinaryNodeChild(node, 'link_code_companion_reg')
    if (request?.attrs.stage === 'companion_hello') return [this.desk.requestCode(client, request)]
    if (request?.attrs.stage === 'companion_finish') this.converse(this.desk.finishCode(request))
    return undefined
  }

  /** A new device gets the history as soon as its first keys are uploaded. */
  private afterQuery(asker: Asker, node: BinaryNode): void {
    if (!asker?.companion.isNew || node.attrs.xmlns !== 'encrypt' || node.attrs.type !== 'set') return
    asker.companion.isNew = false
    this.converse(pushInitialHistory(this.state, asker.account, asker.companion))
  }

  private async handleMessage(account: Account, companion: Companion, node: BinaryNode): Promise<void> {
    const { reply, delayMs, cut, afterwards } = await acceptMessage(this.state, { account, companion }, node)
    const finish = () => {
      if (cut) this.terminate()
      else if (reply) this.send(reply)
      afterwards()
    }
    if (delayMs === 0) finish()
    else setTimeout(finish, delayMs)
  }

  private async handleReceipt(account: Account, companion: Companion, node: BinaryNode): Promise<void> {
    const id = requireAttr(node, 'id')
    const to = requireAttr(node, 'to')
    const { type } = node.attrs
    this.state.recordNotice({
      account: account.phone,
      tag: 'receipt',
      attrs: node.attrs,
      child: childrenOf(node)[0]?.tag,
    })
    if (type === 'retry') await serveRetry(this.state, account, companion, node)
    else {
      const list = getBinaryNodeChildren(getBinaryNodeChild(node, 'list'), 'item').map((item) => item.attrs.id ?? '')
      settleByReceipt(companion, to, [id, ...list])
    }
    this.send({ tag: 'ack', attrs: { class: 'receipt', id, from: to, ...(type ? { type } : {}) } })
  }
}

import {
  addTransactionCapability,
  type BinaryNode,
  BufferJSON,
  Curve,
  DEFAULT_CONNECTION_CONFIG,
  encodeBigEndian,
  generateRegistrationId,
  generateSignalPubKey,
  KEY_BUNDLE_TYPE,
  type KeyPair,
  proto,
  type SignalCreds,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  type SignalRepositoryWithLIDStore,
  signedKeyPair,
  unpadRandomMax16,
  writeRandomPadMax16,
  xmppPreKey,
  xmppSignedPreKey,
} from '@whiskeysockets/baileys'
import pino from 'pino'
import { z } from 'zod'
import { undoFailedTrials } from '../../lib/signal-sessions.ts'

export type KeyBundle = {
  registrationId: number
  identity: Uint8Array
  signedPreKey: { id: number; publicKey: Uint8Array; signature: Uint8Array }
  preKey: { id: number; publicKey: Uint8Array } | undefined
}

export type Payload = proto.IMessage | Uint8Array

/** `pkmsg` opens a session, `msg` continues one. */
export type Ciphertext = { type: 'pkmsg' | 'msg'; bytes: Uint8Array }

const snapshotSchema = z.object({
  creds: z.string(),
  nextPreKeyId: z.number(),
  rows: z.array(z.tuple([z.string(), z.string()])),
})
export type PhoneSnapshot = z.infer<typeof snapshotSchema>

/**
 * A person's phone: a real Signal endpoint that decrypts a client's messages and encrypts those to it. Sessions are stored
 * under the address that the caller names, usually the linked device's phone-number JID.
 */
export class PhoneDevice {
  private readonly rows = new Map<string, string>()
  private readonly creds: SignalCreds
  private readonly repository: SignalRepositoryWithLIDStore
  private nextPreKeyId = 1
  private last: Promise<unknown> = Promise.resolve()
  private trying = false

  constructor(snapshot?: unknown) {
    if (snapshot === undefined) this.creds = makeCreds()
    else {
      const state = snapshotSchema.parse(snapshot)
      this.creds = decode<SignalCreds>(state.creds)
      this.nextPreKeyId = state.nextPreKeyId
      for (const [key, value] of state.rows) this.rows.set(key, value)
    }
    const silent = pino({ level: 'silent' })
    const keys = addTransactionCapability(this.makeStore(), silent, { maxCommitRetries: 1, delayBetweenTriesMs: 0 })
    this.repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ creds: this.creds, keys }, silent)
  }

  get identity(): KeyPair {
    return this.creds.signedIdentityKey
  }

  get registrationId(): number {
    return this.creds.registrationId
  }

  toJSON(): PhoneSnapshot {
    return { creds: encode(this.creds), nextPreKeyId: this.nextPreKeyId, rows: [...this.rows] }
  }

  /** `<user>` as the key server hands it out; every call offers a fresh one-time pre-key. */
  keyNode(jid: string): BinaryNode {
    return { tag: 'user', attrs: { jid }, content: [this.registrationNode(), ...this.bundleNodes()] }
  }

  /** `<registration>` and `<keys>` of a retry receipt, so that the sender opens a new session at once. */
  retryNodes(): BinaryNode[] {
    return [this.registrationNode(), { tag: 'keys', attrs: {}, content: this.bundleNodes() }]
  }

  encrypt(peer: string, bundle: () => KeyBundle, message: Payload): Promise<Ciphertext> {
    return this.alone(() => this.encryptNow(peer, bundle, message))
  }

  /**
   * Encrypts once for a group, or for status updates, with a sender key.
   * @returns the message for everyone, and the one that brings the key to a device, which has to come first
   */
  encryptForGroup(
    group: string,
    own: string,
    message: Payload,
  ): Promise<{ bytes: Uint8Array; distribution: proto.IMessage }> {
    return this.alone(async () => {
      const data = padded(message)
      const sealed = await this.repository.encryptGroupMessage({ group, meId: own, data })
      const key = { groupId: group, axolotlSenderKeyDistributionMessage: sealed.senderKeyDistributionMessage }
      return { bytes: sealed.ciphertext, distribution: { senderKeyDistributionMessage: key } }
    })
  }

  /** Two messages at once would open two sessions and leave in any order. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work)
    this.last = turn.catch(() => undefined)
    return turn
  }

  private async encryptNow(peer: string, bundle: () => KeyBundle, message: Payload): Promise<Ciphertext> {
    if (!(await this.repository.validateSession(peer)).exists) await this.openSession(peer, bundle())
    const data = padded(message)
    const { type, ciphertext } = await this.repository.encryptMessage({ jid: peer, data })
    return { type, bytes: ciphertext }
  }

  /** Starts a session with a linked device, replacing an existing one. */
  async openSession(peer: string, bundle: KeyBundle): Promise<void> {
    const { preKey, signedPreKey } = bundle
    await this.repository.injectE2ESession({
      jid: peer,
      session: {
        registrationId: bundle.registrationId,
        identityKey: generateSignalPubKey(bundle.identity),
        signedPreKey: {
          keyId: signedPreKey.id,
          publicKey: generateSignalPubKey(signedPreKey.publicKey),
          signature: signedPreKey.signature,
        },
        preKey: preKey && { keyId: preKey.id, publicKey: generateSignalPubKey(preKey.publicKey) },
      },
    })
  }

  /** Decrypts a linked device's message; throws what libsignal throws, for example on a key used twice. */
  decrypt(peer: string, ciphertext: Ciphertext): Promise<proto.Message> {
    return this.alone(async () => {
      const { type, bytes } = ciphertext
      // A pkmsg names its session; only a msg is tried on one after the other.
      this.trying = type === 'msg'
      try {
        const plain = await this.repository.decryptMessage({ jid: peer, type, ciphertext: bytes })
        return proto.Message.decode(unpadRandomMax16(plain))
      } finally {
        this.trying = false
      }
    })
  }

  /** Deletes the session with a linked device, as a reinstalled phone does. */
  async forgetSession(peer: string): Promise<void> {
    await this.repository.deleteSession([peer])
  }

  close(): void {
    this.repository.close?.()
  }

  private registrationNode(): BinaryNode {
    return { tag: 'registration', attrs: {}, content: encodeBigEndian(this.registrationId) }
  }

  private bundleNodes(): BinaryNode[] {
    const id = this.nextPreKeyId++
    const preKey = Curve.generateKeyPair()
    this.rows.set(rowKey('pre-key', String(id)), encode(preKey))
    return [
      { tag: 'type', attrs: {}, content: KEY_BUNDLE_TYPE },
      { tag: 'identity', attrs: {}, content: this.identity.public },
      xmppSignedPreKey({ ...this.creds.signedPreKey }),
      xmppPreKey(preKey, id),
    ]
  }

  /** A real phone's Signal library does not change the sessions that it only tried. */
  private repair(id: string, record: unknown): unknown {
    if (!this.trying) return record
    const before = this.rows.get(rowKey('session', id))
    return before === undefined ? record : undoFailedTrials(decode<unknown>(before), record)
  }

  private makeStore(): SignalKeyStore {
    return {
      get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
        const found: { [id: string]: SignalDataTypeMap[T] } = {}
        for (const id of ids) {
          const value = this.rows.get(rowKey(type, id))
          if (value !== undefined) found[id] = decode<SignalDataTypeMap[T]>(value)
        }
        return found
      },
      set: async (data: SignalDataSet) => {
        for (const [type, entries] of Object.entries(data))
          for (const [id, value] of Object.entries(entries ?? {}))
            if (value === null) this.rows.delete(rowKey(type, id))
            else this.rows.set(rowKey(type, id), encode(type === 'session' ? this.repair(id, value) : value))
      },
    }
  }
}

function makeCreds(): SignalCreds {
  const signedIdentityKey = Curve.generateKeyPair()
  return {
    signedIdentityKey,
    signedPreKey: signedKeyPair(signedIdentityKey, 1),
    registrationId: generateRegistrationId(),
  }
}

function padded(message: Payload): Uint8Array {
  return writeRandomPadMax16(message instanceof Uint8Array ? message : proto.Message.encode(message).finish())
}

const rowKey = (type: string, id: string) => `${type}:${id}`
const encode = (value: unknown) => JSON.stringify(value, BufferJSON.replacer)
function decode<T>(text: string): T {
  return JSON.parse(text, BufferJSON.reviver)
}

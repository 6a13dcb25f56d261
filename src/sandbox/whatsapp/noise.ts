import {
  aesDecryptGCM,
  aesEncryptGCM,
  type BinaryNode,
  Curve,
  decodeBinaryNode,
  encodeBinaryNode,
  hkdf,
  type KeyPair,
  NOISE_MODE,
  proto,
  sha256,
} from '@whiskeysockets/baileys'
import { ProtocolError } from './nodes.ts'

const EMPTY = Buffer.alloc(0)
const HEADER_LENGTH = 4
const DAY_SECONDS = 86_400

export type NoiseEvents = {
  login(payload: proto.ClientPayload): void
  /** One stanza; the next is read after this resolves. */
  stanza(node: BinaryNode): void | Promise<void>
}

export type NoiseIdentity = { staticKey: KeyPair; chain: Uint8Array }

/** Root, intermediate and leaf as WhatsApp's. Baileys checks only the issuer serial, so that this chain passes. */
export function makeNoiseIdentity(): NoiseIdentity {
  const root = Curve.generateKeyPair()
  const intermediate = Curve.generateKeyPair()
  const staticKey = Curve.generateKeyPair()
  const now = Math.floor(Date.now() / 1000)
  const details = (serial: number, issuerSerial: number, key: Uint8Array) =>
    proto.CertChain.NoiseCertificate.Details.encode({
      serial,
      issuerSerial,
      key,
      notBefore: now - 3_600,
      notAfter: now + 365 * DAY_SECONDS,
    }).finish()
  const middle = details(1, 0, intermediate.public)
  const leaf = details(2, 1, staticKey.public)
  const chain = proto.CertChain.encode({
    intermediate: { details: middle, signature: Curve.sign(root.private, middle) },
    leaf: { details: leaf, signature: Curve.sign(intermediate.private, leaf) },
  }).finish()
  return { staticKey, chain }
}

export class NoiseServer {
  private readonly identity: NoiseIdentity
  private readonly write: (bytes: Buffer) => void
  private readonly ephemeral = Curve.generateKeyPair()
  private state: 'intro' | 'hello' | 'finish' | 'transport' = 'intro'
  private buffer: Buffer = EMPTY
  private hash: Buffer = Buffer.from(NOISE_MODE)
  private salt: Uint8Array = this.hash
  private key: Uint8Array = this.hash
  private handshakeCounter = 0
  private sendKey: Uint8Array = EMPTY
  private receiveKey: Uint8Array = EMPTY
  private sendCounter = 0
  private receiveCounter = 0

  constructor(identity: NoiseIdentity, write: (bytes: Buffer) => void) {
    this.identity = identity
    this.write = write
  }

  /** Encrypts and sends a stanza; only after the handshake. */
  send(node: BinaryNode): void {
    if (this.state !== 'transport') throw new ProtocolError('a stanza cannot be sent before the handshake is done')
    this.frame(aesEncryptGCM(encodeBinaryNode(node), this.sendKey, nonce(this.sendCounter++), EMPTY))
  }

  async feed(data: Uint8Array, events: NoiseEvents): Promise<void> {
    this.buffer = this.buffer.length ? Buffer.concat([this.buffer, data]) : Buffer.from(data)
    if (this.state === 'intro' && !this.readIntro()) return
    for (let frame = this.takeFrame(); frame; frame = this.takeFrame()) {
      if (this.state === 'hello') this.answerHello(frame)
      else if (this.state === 'finish') events.login(this.readFinish(frame))
      else {
        const plain = aesDecryptGCM(frame, this.receiveKey, nonce(this.receiveCounter++), EMPTY)
        await events.stanza(await decodeBinaryNode(plain))
      }
    }
  }

  private readIntro(): boolean {
    // An edge-routing hint may precede the header: 'ED', two version bytes, a 24-bit length, the hint.
    if (this.buffer.length >= 2 && this.buffer.toString('latin1', 0, 2) === 'ED') {
      if (this.buffer.length < 7) return false
      const end = 7 + this.buffer.readUIntBE(4, 3)
      if (this.buffer.length < end + HEADER_LENGTH) return false
      this.buffer = this.buffer.subarray(end)
    }
    if (this.buffer.length < HEADER_LENGTH) return false
    const header = this.buffer.subarray(0, HEADER_LENGTH)
    if (header.toString('latin1', 0, 2) !== 'WA') throw new ProtocolError('the stream does not begin with WA')
    this.authenticate(header)
    this.buffer = this.buffer.subarray(HEADER_LENGTH)
    this.state = 'hello'
    return true
  }

  private answerHello(frame: Uint8Array): void {
    const clientEphemeral = proto.HandshakeMessage.decode(frame).clientHello?.ephemeral
    if (!clientEphemeral) throw new ProtocolError('the client hello lacks its ephemeral key')
    this.authenticate(clientEphemeral)
    this.authenticate(this.ephemeral.public)
    this.mix(Curve.sharedKey(this.ephemeral.private, clientEphemeral))
    const staticKey = this.encryptHandshake(this.identity.staticKey.public)
    this.mix(Curve.sharedKey(this.identity.staticKey.private, clientEphemeral))
    const payload = this.encryptHandshake(this.identity.chain)
    this.state = 'finish'
    this.frame(
      proto.HandshakeMessage.encode({
        serverHello: { ephemeral: this.ephemeral.public, static: staticKey, payload },
      }).finish(),
    )
  }

  private readFinish(frame: Uint8Array): proto.ClientPayload {
    const finish = proto.HandshakeMessage.decode(frame).clientFinish
    if (!finish?.static || !finish.payload) throw new ProtocolError('the client finish is incomplete')
    const clientStatic = this.decryptHandshake(finish.static)
    this.mix(Curve.sharedKey(this.ephemeral.private, clientStatic))
    const payload = this.decryptHandshake(finish.payload)
    const keys = Buffer.from(hkdf(EMPTY, 64, { salt: Buffer.from(this.salt), info: '' }))
    this.receiveKey = keys.subarray(0, 32)
    this.sendKey = keys.subarray(32)
    this.state = 'transport'
    return proto.ClientPayload.decode(payload)
  }

  private takeFrame(): Buffer | undefined {
    if (this.buffer.length < 3) return undefined
    const end = 3 + this.buffer.readUIntBE(0, 3)
    if (this.buffer.length < end) return undefined
    const frame = this.buffer.subarray(3, end)
    this.buffer = this.buffer.subarray(end)
    return frame
  }

  private frame(bytes: Uint8Array): void {
    const framed = Buffer.alloc(3 + bytes.length)
    framed.writeUIntBE(bytes.length, 0, 3)
    framed.set(bytes, 3)
    this.write(framed)
  }

  private authenticate(data: Uint8Array): void {
    this.hash = sha256(Buffer.concat([this.hash, data]))
  }

  private mix(secret: Uint8Array): void {
    const keys = Buffer.from(hkdf(Buffer.from(secret), 64, { salt: Buffer.from(this.salt), info: '' }))
    this.salt = keys.subarray(0, 32)
    this.key = keys.subarray(32)
    this.handshakeCounter = 0
  }

  private encryptHandshake(plain: Uint8Array): Buffer {
    const cipher = aesEncryptGCM(plain, this.key, nonce(this.handshakeCounter++), this.hash)
    this.authenticate(cipher)
    return cipher
  }

  private decryptHandshake(cipher: Uint8Array): Buffer {
    const plain = aesDecryptGCM(cipher, this.key, nonce(this.handshakeCounter++), this.hash)
    this.authenticate(cipher)
    return plain
  }
}

function nonce(counter: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(counter, 8)
  return bytes
}

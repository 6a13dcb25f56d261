import { createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import {
  aesDecryptCTR,
  aesDecryptGCM,
  aesEncryptCTR,
  type BinaryNode,
  Curve,
  hkdf,
  jidDecode,
  type KeyPair,
  proto,
  WA_ADV_ACCOUNT_SIG_PREFIX,
} from '@whiskeysockets/baileys'
import { AppError } from '../../lib/errors.ts'
import { ProtocolError, requireAttr, requireBytes, requireChild, SERVER_JID, unixSeconds } from './nodes.ts'
import { lidJid, phoneJid, type WhatsAppState } from './whatsapp-state.ts'

const deriveKey = promisify(pbkdf2)

export type UnlinkedClient = {
  registration: proto.ClientPayload
  query(node: BinaryNode): Promise<BinaryNode>
  send(node: BinaryNode): void
  restart(): void
}

type CodeRequest = { client: UnlinkedClient; wrappedEphemeral: Buffer; ref: Buffer }
type CodeAnswer = { request: CodeRequest; ephemeral: KeyPair; companionEphemeral: Buffer }

/** Clients that wait to be linked, by the references of their QR codes and by pairing code. */
export class PairingRegistry {
  private readonly state: WhatsAppState
  private readonly byRef = new Map<string, UnlinkedClient>()
  private readonly codeRequests = new Map<string, CodeRequest>()
  private readonly codeAnswers = new Map<string, CodeAnswer>()

  constructor(state: WhatsAppState) {
    this.state = state
  }

  /** Gives a new client the six references that its QR codes show one after the other. */
  async offerRefs(client: UnlinkedClient): Promise<void> {
    const refs = Array.from({ length: 6 }, () => `2@${randomBytes(60).toString('base64')}`)
    for (const ref of refs) this.byRef.set(ref, client)
    await client.query({
      tag: 'iq',
      attrs: { from: SERVER_JID, type: 'set', id: this.state.nextId('p'), xmlns: 'md' },
      content: [
        {
          tag: 'pair-device',
          attrs: {},
          content: refs.map((ref) => ({ tag: 'ref', attrs: {}, content: Buffer.from(ref) })),
        },
      ],
    })
  }

  forget(client: UnlinkedClient): void {
    for (const [ref, owner] of this.byRef) if (owner === client) this.byRef.delete(ref)
    for (const [phone, request] of this.codeRequests) if (request.client === client) this.codeRequests.delete(phone)
    for (const [phone, answer] of this.codeAnswers) if (answer.request.client === client) this.codeAnswers.delete(phone)
  }

  /** What a phone does when it scans the QR code a client shows. */
  async scan(qr: string, phone: string, businessName?: string): Promise<{ deviceId: number }> {
    const [ref, , identity, secret] = qr.replace('https://wa.me/settings/linked_devices#', '').split(',')
    const client = ref === undefined ? undefined : this.byRef.get(ref)
    if (!client || !identity || !secret)
      throw new AppError('not_found', 'unknown_qr', 'No client shows this QR code. Scan a new one.', {
        field: 'qr',
      })
    const keys = { secret: Buffer.from(secret, 'base64'), identity: Buffer.from(identity, 'base64') }
    return this.link(client, phone, keys, businessName)
  }

  /** A client asks to be linked by code: `<link_code_companion_reg stage="companion_hello">`. */
  requestCode(client: UnlinkedClient, request: BinaryNode): BinaryNode {
    const phone = jidDecode(requireAttr(request, 'jid'))?.user
    if (!phone) throw new ProtocolError('the pairing request names no phone number')
    const ref = randomBytes(20)
    const wrappedEphemeral = requireBytes(request, 'link_code_pairing_wrapped_companion_ephemeral_pub')
    this.codeRequests.set(phone, { client, wrappedEphemeral, ref })
    this.state.changed()
    return {
      tag: 'link_code_companion_reg',
      attrs: { stage: 'companion_hello' },
      content: [{ tag: 'link_code_pairing_ref', attrs: {}, content: ref }],
    }
  }

  awaitsCode(phone: string): boolean {
    return this.codeRequests.has(phone)
  }

  /** The owner types the eight characters on the phone. A wrong code fails later, in `finishCode`. */
  async enterCode(phone: string, code: string): Promise<void> {
    const request = this.codeRequests.get(phone)
    if (!request)
      throw new AppError('not_found', 'no_pairing_request', 'No client asked for a pairing code of this number.', {
        field: 'phone',
      })
    const wrapped = request.wrappedEphemeral
    const keyOf = (salt: Buffer) => deriveKey(code, salt, 2 << 16, 32, 'sha256')
    const companionKey = await keyOf(wrapped.subarray(0, 32))
    const companionEphemeral = Buffer.from(aesDecryptCTR(wrapped.subarray(48), companionKey, wrapped.subarray(32, 48)))
    const ephemeral = Curve.generateKeyPair()
    const salt = randomBytes(32)
    const iv = randomBytes(16)
    const primary = Buffer.concat([salt, iv, aesEncryptCTR(ephemeral.public, await keyOf(salt), iv)])
    this.codeAnswers.set(phone, { request, ephemeral, companionEphemeral })
    const id = this.state.nextId('p')
    request.client.send({
      tag: 'notification',
      attrs: { from: SERVER_JID, id, type: 'link_code_companion_reg', t: String(unixSeconds()) },
      content: [
        {
          tag: 'link_code_companion_reg',
          attrs: { stage: 'primary_hello' },
          content: [
            { tag: 'link_code_pairing_wrapped_primary_ephemeral_pub', attrs: {}, content: primary },
            { tag: 'primary_identity_pub', attrs: {}, content: this.state.account(phone).device.identity.public },
            { tag: 'link_code_pairing_ref', attrs: {}, content: request.ref },
          ],
        },
      ],
    })
  }

  /** `<link_code_companion_reg stage="companion_finish">`: unwraps the client's key bundle and links it. */
  async finishCode(finish: BinaryNode): Promise<void> {
    const phone = jidDecode(requireAttr(finish, 'jid'))?.user ?? ''
    const answer = this.codeAnswers.get(phone)
    if (!answer) throw new ProtocolError('a pairing is finished that no phone began')
    const identity = requireBytes(finish, 'companion_identity_public')
    const bundle = requireBytes(finish, 'link_code_pairing_wrapped_key_bundle')
    const phoneIdentity = this.state.account(phone).device.identity
    const shared = Curve.sharedKey(answer.ephemeral.private, answer.companionEphemeral)
    const info = 'link_code_pairing_key_bundle_encryption_key'
    const key = Buffer.from(hkdf(shared, 32, { salt: bundle.subarray(0, 32), info }))
    // The authentication tag is wrong when a wrong code was typed.
    const plain = aesDecryptGCM(bundle.subarray(44), key, bundle.subarray(32, 44), Buffer.alloc(0))
    if (!plain.subarray(0, 32).equals(identity) || !plain.subarray(32, 64).equals(phoneIdentity.public))
      throw new ProtocolError('the pairing bundle names other identities')
    const material = Buffer.concat([shared, Curve.sharedKey(phoneIdentity.private, identity), plain.subarray(64)])
    const secret = Buffer.from(hkdf(material, 32, { info: 'adv_secret' }))
    await this.link(answer.request.client, phone, { secret, identity })
  }

  private async link(
    client: UnlinkedClient,
    phone: string,
    keys: { secret: Buffer; identity: Buffer },
    businessName?: string,
  ): Promise<{ deviceId: number }> {
    const account = this.state.account(phone)
    const deviceId = Math.max(0, ...account.companions.keys()) + 1
    const now = unixSeconds()
    const details = proto.ADVDeviceIdentity.encode({
      rawId: 1,
      timestamp: now,
      keyIndex: deviceId,
      accountType: 0,
      deviceType: 0,
    }).finish()
    const signature = Curve.sign(
      account.device.identity.private,
      Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, keys.identity]),
    )
    const signed = proto.ADVSignedDeviceIdentity.encode({
      details,
      accountSignatureKey: account.device.identity.public,
      accountSignature: signature,
    }).finish()
    const hmac = createHmac('sha256', keys.secret).update(signed).digest()
    const identity = proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac, accountType: 0 }).finish()
    const content: BinaryNode[] = [
      { tag: 'device-identity', attrs: {}, content: identity },
      { tag: 'device', attrs: { jid: phoneJid(phone, deviceId), lid: lidJid(account.lid, deviceId) } },
      { tag: 'platform', attrs: { name: businessName ? 'smba' : 'android' } },
    ]
    if (businessName) content.push({ tag: 'biz', attrs: { name: businessName } })
    const reply = await client.query({
      tag: 'iq',
      attrs: { from: SERVER_JID, type: 'set', id: this.state.nextId('p'), xmlns: 'md', t: String(now) },
      content: [{ tag: 'pair-success', attrs: {}, content }],
    })
    const countersigned = requireBytes(requireChild(reply, 'pair-device-sign'), 'device-identity')
    if (!proto.ADVSignedDeviceIdentity.decode(countersigned).deviceSignature?.length)
      throw new ProtocolError('the client did not sign its device identity')
    account.companions.set(deviceId, makeCompanion(deviceId, client.registration))
    this.state.changed()
    client.restart()
    return { deviceId }
  }
}

function makeCompanion(id: number, registration: proto.ClientPayload) {
  const data = registration.devicePairingData
  const bytes = (value: Uint8Array | null | undefined, name: string) => {
    if (!value?.length) throw new ProtocolError(`the registration lacks ${name}`)
    return Buffer.from(value)
  }
  return {
    id,
    registrationId: bytes(data?.eRegid, 'eRegid').readUInt32BE(0),
    identity: bytes(data?.eIdent, 'eIdent'),
    signedPreKey: {
      id: bytes(data?.eSkeyId, 'eSkeyId').readUIntBE(0, 3),
      publicKey: bytes(data?.eSkeyVal, 'eSkeyVal'),
      signature: bytes(data?.eSkeySig, 'eSkeySig'),
    },
    preKeys: [],
    pending: [],
    isNew: true,
    link: undefined,
  }
}

import {
  type BinaryNode,
  encodeBigEndian,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  KEY_BUNDLE_TYPE,
} from '@whiskeysockets/baileys'
import { childrenOf, requireBytes, requireChild, requireUInt } from './nodes.ts'
import type { KeyBundle } from './phone-device.ts'
import { type Account, type Companion, lidJid, phoneJid, type WhatsAppState } from './whatsapp-state.ts'

/** `<skey>`: a signed pre-key. */
export function readSignedPreKey(node: BinaryNode): KeyBundle['signedPreKey'] {
  return {
    id: requireUInt(node, 'id', 3),
    publicKey: requireBytes(node, 'value'),
    signature: requireBytes(node, 'signature'),
  }
}

/** Stores a linked device's uploaded keys (`<iq xmlns="encrypt" type="set">`). */
export function storeUploadedKeys(companion: Companion, node: BinaryNode): void {
  for (const key of getBinaryNodeChildren(requireChild(node, 'list'), 'key'))
    companion.preKeys.push({ id: requireUInt(key, 'id', 3), publicKey: requireBytes(key, 'value') })
  companion.signedPreKey = readSignedPreKey(requireChild(node, 'skey'))
  companion.identity = requireBytes(node, 'identity')
}

export function takeKeyBundle(companion: Companion): KeyBundle {
  const { registrationId, identity, signedPreKey } = companion
  return { registrationId, identity, signedPreKey, preKey: companion.preKeys.shift() }
}

export function keyNode(state: WhatsAppState, jid: string): BinaryNode {
  const found = state.resolve(jid)
  const missing: BinaryNode = {
    tag: 'user',
    attrs: { jid },
    content: [{ tag: 'error', attrs: { code: '404', text: 'item-not-found' } }],
  }
  if (!found) return missing
  if (found.device === 0) return found.account.device.keyNode(jid)
  const companion = found.account.companions.get(found.device)
  if (!companion) return missing
  const { preKey } = takeKeyBundle(companion)
  const { id, publicKey, signature } = companion.signedPreKey
  const content: BinaryNode[] = [
    { tag: 'registration', attrs: {}, content: encodeBigEndian(companion.registrationId) },
    { tag: 'type', attrs: {}, content: KEY_BUNDLE_TYPE },
    { tag: 'identity', attrs: {}, content: companion.identity },
    {
      tag: 'skey',
      attrs: {},
      content: [...keyParts(id, publicKey), { tag: 'signature', attrs: {}, content: signature }],
    },
  ]
  if (preKey) content.push({ tag: 'key', attrs: {}, content: keyParts(preKey.id, preKey.publicKey) })
  return { tag: 'user', attrs: { jid }, content }
}

function keyParts(id: number, publicKey: Uint8Array): BinaryNode[] {
  return [
    { tag: 'id', attrs: {}, content: encodeBigEndian(id, 3) },
    { tag: 'value', attrs: {}, content: publicKey },
  ]
}

/** Answers a usync query: which numbers are on WhatsApp, with which devices and LIDs. */
export function usyncResult(state: WhatsAppState, usync: BinaryNode): BinaryNode {
  const wanted = new Set(childrenOf(requireChild(usync, 'query')).map((child) => child.tag))
  const users = getBinaryNodeChildren(requireChild(usync, 'list'), 'user').map((user): BinaryNode => {
    const contact = getBinaryNodeChild(user, 'contact')?.content
    const phone =
      contact === undefined || Array.isArray(contact) ? '' : Buffer.from(contact).toString().replace('+', '')
    const jid = user.attrs.jid ?? phoneJid(state.accounts.get(phone)?.knownAs ?? phone)
    const account = state.resolve(jid)?.account
    const content: BinaryNode[] = []
    const exists = account?.onWhatsApp === true
    if (wanted.has('contact')) content.push({ tag: 'contact', attrs: { type: exists ? 'in' : 'out' } })
    if (account && exists && wanted.has('devices')) content.push(deviceListNode(account))
    if (account && exists && wanted.has('lid')) content.push({ tag: 'lid', attrs: { val: lidJid(account.lid) } })
    return { tag: 'user', attrs: { jid }, content }
  })
  return {
    tag: 'usync',
    attrs: {
      sid: usync.attrs.sid ?? '',
      index: '0',
      last: 'true',
      mode: 'query',
      context: usync.attrs.context ?? 'message',
    },
    content: [{ tag: 'list', attrs: {}, content: users }],
  }
}

function deviceListNode(account: Account): BinaryNode {
  const devices: BinaryNode[] = [{ tag: 'device', attrs: { id: '0' } }]
  for (const { id } of account.companions.values())
    devices.push({ tag: 'device', attrs: { id: String(id), 'key-index': String(id) } })
  return { tag: 'devices', attrs: {}, content: [{ tag: 'device-list', attrs: {}, content: devices }] }
}

import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren } from '@whiskeysockets/baileys'
import { keyNode, readSignedPreKey, storeUploadedKeys, usyncResult } from './key-server.ts'
import { childrenOf, requireAttr, requireChild } from './nodes.ts'
import type { Account, Companion, WhatsAppState } from './whatsapp-state.ts'

/** The sender of a query; undefined while a client waits to be linked. */
export type Asker = { account: Account; companion: Companion } | undefined

/** The result of an `<iq>`. Namespaces that a business client never depends on get an empty result. */
export function answerQuery(state: WhatsAppState, asker: Asker, iq: BinaryNode): BinaryNode[] | undefined {
  const [first] = childrenOf(iq)
  switch (iq.attrs.xmlns) {
    case 'encrypt':
      return answerKeys(state, asker, iq, first)
    case 'usync':
      return [usyncResult(state, requireChild(iq, 'usync'))]
    case 'w:m':
      return [mediaConnection(state)]
    case 'privacy':
      return iq.attrs.type === 'get' ? [privacySettings()] : undefined
    case 'blocklist':
      return [{ tag: 'list', attrs: {}, content: [] }]
    case 'abt':
      return [{ tag: 'props', attrs: { hash: 'h1' }, content: [] }]
    case 'w:sync:app:state':
      return [emptyCollections(first)]
    case 'md':
      if (first?.tag === 'remove-companion-device' && asker) {
        asker.account.companions.delete(asker.companion.id)
        state.changed()
      }
      return undefined
    default:
      return undefined
  }
}

function answerKeys(
  state: WhatsAppState,
  asker: Asker,
  iq: BinaryNode,
  first: BinaryNode | undefined,
): BinaryNode[] | undefined {
  if (first?.tag === 'key')
    return [
      {
        tag: 'list',
        attrs: {},
        content: getBinaryNodeChildren(first, 'user').map((user) => keyNode(state, requireAttr(user, 'jid'))),
      },
    ]
  if (first?.tag === 'digest') return [{ tag: 'digest', attrs: {}, content: [] }]
  if (!asker) return undefined
  const { companion } = asker
  if (first?.tag === 'count') return [{ tag: 'count', attrs: { value: String(companion.preKeys.length) } }]
  if (first?.tag === 'rotate') {
    companion.signedPreKey = readSignedPreKey(requireChild(first, 'skey'))
    return undefined
  }
  if (iq.attrs.type === 'set' && getBinaryNodeChild(iq, 'list')) {
    storeUploadedKeys(companion, iq)
    state.changed()
  }
  return undefined
}

function mediaConnection(state: WhatsAppState): BinaryNode {
  const host = { tag: 'host', attrs: { hostname: state.mediaHost, maxContentLengthBytes: '104857600' } }
  return {
    tag: 'media_conn',
    attrs: { auth: 'sandbox-media', ttl: '300', auth_ttl: '21600', max_buckets: '12' },
    content: [host],
  }
}

function privacySettings(): BinaryNode {
  const readReceipts = { tag: 'category', attrs: { name: 'readreceipts', value: 'all' } }
  return { tag: 'privacy', attrs: {}, content: [readReceipts] }
}

/** Settings of chats are not simulated: every collection has the client's own version. */
function emptyCollections(sync: BinaryNode | undefined): BinaryNode {
  const collections = getBinaryNodeChildren(sync, 'collection').map(
    ({ attrs }): BinaryNode => ({
      tag: 'collection',
      attrs: { name: attrs.name ?? '', version: attrs.version ?? '0', has_more_patches: 'false' },
      content: [],
    }),
  )
  return { tag: 'sync', attrs: {}, content: collections }
}

import { areJidsSameUser, type BinaryNode } from '@whiskeysockets/baileys'
import type { Companion } from './whatsapp-state.ts'

/** Sends a stanza and holds it until acknowledged: one lost in a dying socket comes again at the next login. */
export function pushStanza(companion: Companion, node: BinaryNode): void {
  companion.pending.push({ node, retried: false })
  companion.link?.send(node)
}

/** Unacknowledged stanzas, marked as stored during absence; sent right after login. */
export function offlineStanzas(companion: Companion): BinaryNode[] {
  return companion.pending.map(({ node }) => ({ ...node, attrs: { ...node.attrs, offline: '0' } }))
}

/** Removes messages that the device confirmed by a receipt of any type. */
export function settleByReceipt(companion: Companion, from: string, ids: readonly string[]): void {
  companion.pending = companion.pending.filter(
    ({ node }) =>
      node.tag !== 'message' || !areJidsSameUser(node.attrs.from, from) || !ids.includes(node.attrs.id ?? ''),
  )
}

/**
 * Removes a stanza that the device acknowledged by class and id. A rejected message (`error`) is removed as well, unless its
 * sender is encrypting it anew after a retry receipt.
 */
export function settleByAck(companion: Companion, ack: BinaryNode): void {
  const { class: tag, id, type } = ack.attrs
  const index = companion.pending.findIndex(
    ({ node }) => node.tag === tag && node.attrs.id === id && (tag !== 'receipt' || node.attrs.type === type),
  )
  const entry = companion.pending[index]
  if (!entry) return
  if (entry.retried) entry.retried = false
  else companion.pending.splice(index, 1)
}

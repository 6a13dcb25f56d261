import { areJidsSameUser, type BinaryNode } from '@whiskeysockets/baileys'
import type { Companion } from './whatsapp-state.ts'

/**
 * Gives a stanza to a linked device. The server keeps it until the device acknowledges it, so that what was sent into a
 * dying socket, or while nobody was connected, comes again at the next login.
 */
export function pushStanza(companion: Companion, node: BinaryNode): void {
  companion.pending.push({ node, retried: false })
  companion.link?.send(node)
}

/** Everything the device has not acknowledged, marked as stored while it was away; sent right after login. */
export function offlineStanzas(companion: Companion): BinaryNode[] {
  return companion.pending.map(({ node }) => ({ ...node, attrs: { ...node.attrs, offline: '0' } }))
}

/** The device confirmed messages of one sender by a receipt, whatever the receipt's type. */
export function settleByReceipt(companion: Companion, from: string, ids: readonly string[]): void {
  companion.pending = companion.pending.filter(
    ({ node }) =>
      node.tag !== 'message' || !areJidsSameUser(node.attrs.from, from) || !ids.includes(node.attrs.id ?? ''),
  )
}

/**
 * The device acknowledged a stanza by class and id. A refused message (`error`) is gone as well, unless its sender is
 * encrypting it anew because the device asked for a retry.
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

import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildBuffer,
  getBinaryNodeChildUInt,
} from '@whiskeysockets/baileys'

/** WhatsApp's own address, the `from` of everything the server itself says. */
export const SERVER_JID = 's.whatsapp.net'

/** A stanza a client sent that does not follow the protocol; the connection that sent it is closed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** First child with this tag, or a ProtocolError naming it. */
export function requireChild(node: BinaryNode | undefined, tag: string): BinaryNode {
  const child = getBinaryNodeChild(node, tag)
  if (!child) throw new ProtocolError(`<${node?.tag ?? 'nothing'}> lacks <${tag}>`)
  return child
}

/** Bytes inside the child with this tag, or a ProtocolError naming it. */
export function requireBytes(node: BinaryNode | undefined, tag: string): Buffer {
  const bytes = getBinaryNodeChildBuffer(node, tag)
  if (!bytes) throw new ProtocolError(`<${node?.tag ?? 'nothing'}> lacks bytes in <${tag}>`)
  return Buffer.from(bytes)
}

/** Big-endian number of `length` bytes inside the child with this tag. */
export function requireUInt(node: BinaryNode, tag: string, length: number): number {
  const value = getBinaryNodeChildUInt(node, tag, length)
  if (value === undefined) throw new ProtocolError(`<${node.tag}> lacks the number <${tag}>`)
  return value
}

/** Attribute of a stanza, or a ProtocolError naming it. */
export function requireAttr(node: BinaryNode, name: string): string {
  const value = node.attrs[name]
  if (value === undefined) throw new ProtocolError(`<${node.tag}> lacks the attribute ${name}`)
  return value
}

/** Children of a node, whatever their tag. */
export function childrenOf(node: BinaryNode | undefined): BinaryNode[] {
  return Array.isArray(node?.content) ? node.content : []
}

/** Raw bytes of a node's content. */
export function bytesOf(node: BinaryNode): Uint8Array {
  if (node.content instanceof Uint8Array) return node.content
  throw new ProtocolError(`<${node.tag}> should hold bytes`)
}

/** Seconds since 1970, as stanzas carry them. */
export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

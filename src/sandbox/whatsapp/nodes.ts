import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildBuffer,
  getBinaryNodeChildUInt,
} from '@whiskeysockets/baileys'

export const SERVER_JID = 's.whatsapp.net'

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

export function requireChild(node: BinaryNode | undefined, tag: string): BinaryNode {
  const child = getBinaryNodeChild(node, tag)
  if (!child) throw new ProtocolError(`<${node?.tag ?? 'nothing'}> lacks <${tag}>`)
  return child
}

export function requireBytes(node: BinaryNode | undefined, tag: string): Buffer {
  const bytes = getBinaryNodeChildBuffer(node, tag)
  if (!bytes) throw new ProtocolError(`<${node?.tag ?? 'nothing'}> lacks bytes in <${tag}>`)
  return Buffer.from(bytes)
}

export function requireUInt(node: BinaryNode, tag: string, length: number): number {
  const value = getBinaryNodeChildUInt(node, tag, length)
  if (value === undefined) throw new ProtocolError(`<${node.tag}> lacks the number <${tag}>`)
  return value
}

export function requireAttr(node: BinaryNode, name: string): string {
  const value = node.attrs[name]
  if (value === undefined) throw new ProtocolError(`<${node.tag}> lacks the attribute ${name}`)
  return value
}

export function childrenOf(node: BinaryNode | undefined): BinaryNode[] {
  return Array.isArray(node?.content) ? node.content : []
}

export function bytesOf(node: BinaryNode): Uint8Array {
  if (node.content instanceof Uint8Array) return node.content
  throw new ProtocolError(`<${node.tag}> should hold bytes`)
}

export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

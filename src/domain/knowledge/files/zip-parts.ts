import { type UnzipFileInfo, unzipSync, zipSync } from 'fflate'
import { Unreadable } from '../unreadable.ts'

const MAX_PARTS = 2_000
/** Of one part and of all parts, unpacked, in bytes. */
const MAX_PART = 40e6
const MAX_TOTAL = 60e6

export type ZipParts = Record<string, Uint8Array>

/**
 * The XML parts of an Office file, unpacked within limits. The sizes that a file states are only what it may take: fflate writes no
 * more than that. @throws Unreadable `broken`, `too_large`, `encrypted`
 */
export function openZip(bytes: Uint8Array): ZipParts {
  let total = 0
  let count = 0
  const filter = (file: UnzipFileInfo) => {
    count += 1
    if (count > MAX_PARTS) throw new Unreadable('too_large', 'The archive has too many parts.')
    if (!/\.(?:xml|rels)$/i.test(file.name)) return false
    total += file.originalSize
    if (file.originalSize > MAX_PART || total > MAX_TOTAL)
      throw new Unreadable('too_large', 'The archive is too large when it is unpacked.')
    return true
  }
  let parts: ZipParts
  try {
    parts = unzipSync(bytes, { filter })
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable('broken', 'The archive cannot be unpacked.')
  }
  for (const [name, data] of Object.entries(parts)) refuseDeclarations(name, data)
  return parts
}

/** Office writes no document types: one is there to expand entities (“billion laughs”) or to fetch others. */
function refuseDeclarations(name: string, data: Uint8Array): void {
  const wide = data[0] === 0xff || data[0] === 0xfe || data[1] === 0
  const text = new TextDecoder(wide ? (data[0] === 0xfe || data[0] === 0 ? 'utf-16be' : 'utf-16le') : 'utf-8').decode(
    data,
  )
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new Unreadable('broken', `The part ${name} has a document type.`)
}

/** The parts as an archive without compression: what a reader finds in it is what was checked. */
export function packParts(parts: ZipParts): Buffer {
  return Buffer.from(zipSync(parts, { level: 0 }))
}

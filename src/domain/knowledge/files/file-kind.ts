import { Unreadable } from '../unreadable.ts'
import type { ZipParts } from './zip-parts.ts'

export const FILE_KINDS = ['pdf', 'docx', 'xlsx', 'csv', 'markdown', 'text'] as const
export type FileKind = (typeof FILE_KINDS)[number]

const OLE = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]
const ZIP = [0x50, 0x4b, 0x03, 0x04]
const PDF = '%PDF-'
/** Where `%PDF-` may stand at the latest (ISO 32000-1, annex H.3.4.1). */
const PDF_WITHIN = 1_024

const startsWith = (bytes: Uint8Array, mark: number[]) => mark.every((byte, index) => bytes[index] === byte)

/**
 * What a file is, by its bytes; its name only tells tables and Markdown from plain text. `zip` is to be looked into.
 * @throws Unreadable `empty`, `encrypted`, `old_office`, `unknown_format`
 */
export function kindOfFile(bytes: Uint8Array, fileName: string): FileKind | 'zip' {
  if (bytes.byteLength === 0) throw new Unreadable('empty')
  if (Buffer.from(bytes.subarray(0, PDF_WITHIN)).toString('latin1').includes(PDF)) return 'pdf'
  if (startsWith(bytes, ZIP)) return 'zip'
  // An Office file with a password is a compound file around an encrypted package (MS-OFFCRYPTO 2.3.4.4).
  if (startsWith(bytes, OLE)) throw new Unreadable(hasText16(bytes, 'EncryptedPackage') ? 'encrypted' : 'old_office')
  if (isBinary(bytes)) throw new Unreadable('unknown_format')
  const ending = /\.([a-z]{2,8})$/i.exec(fileName)?.[1]?.toLowerCase()
  if (ending === 'csv' || ending === 'tsv') return 'csv'
  return ending === 'md' || ending === 'markdown' ? 'markdown' : 'text'
}

/** @throws Unreadable `unknown_format` */
export function kindOfArchive(parts: ZipParts): 'docx' | 'xlsx' {
  const names = Object.keys(parts)
  if (names.some((name) => /^word\/document\d*\.xml$/i.test(name))) return 'docx'
  if (names.some((name) => /^xl\/workbook\.xml$/i.test(name))) return 'xlsx'
  throw new Unreadable('unknown_format')
}

function hasText16(bytes: Uint8Array, text: string): boolean {
  return Buffer.from(bytes).indexOf(Buffer.from(text, 'utf16le')) !== -1
}

/** Control characters that no text has; UTF-16 has zeros, on one side of each pair only. */
function isBinary(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, 65_536)
  const zeros = [0, 0]
  let controls = 0
  for (const [index, byte] of sample.entries()) {
    if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1
    else if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) controls += 1
  }
  const [even = 0, odd = 0] = zeros
  const marked = (sample[0] === 0xff && sample[1] === 0xfe) || (sample[0] === 0xfe && sample[1] === 0xff)
  if (marked) return false
  return (even > 0 && odd > 0) || controls > Math.max(2, sample.length / 100)
}

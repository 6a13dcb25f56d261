import { createDecipheriv, createHash, createHmac } from 'node:crypto'
import { getMediaKeys, MEDIA_PATH_MAP, type MediaType, type WASocket } from '@whiskeysockets/baileys'
import { z } from 'zod'
import { AppError } from '../../../lib/errors.ts'
import { cleanText, cutText } from '../../../lib/text.ts'
import type { InboundMedia } from '../port.ts'

/** `ca`: extra certificates, for the sandbox's media host. */
export type MediaTransport = { ca: string | null; timeoutMs: number }

const MAC_BYTES = 10
const MEDIA_KEY_BYTES = 32
const SCHEME = 'whatsapp-media:'
const base64 = z.base64()
const referenceSchema = z.object({
  kind: z.enum(['image', 'video', 'audio', 'document', 'sticker']),
  path: z.string().startsWith('/'),
  key: base64,
  hash: base64.nullable(),
  type: z.string(),
})

export type FileKind = z.infer<typeof referenceSchema>['kind']

export type FileNode = {
  url?: string | null
  directPath?: string | null
  mediaKey?: Uint8Array | null
  fileSha256?: Uint8Array | null
  mimetype?: string | null
  fileLength?: unknown
  fileName?: string | null | undefined
  seconds?: number | null | undefined
  ptt?: boolean | null | undefined
  viewOnce?: boolean | null | undefined
  gifPlayback?: boolean | null | undefined
  jpegThumbnail?: Uint8Array | null | undefined
}

const MIME_TYPE = /^[\w.+-]+\/[\w.+-]+(?:\s*;\s*[\w.+-]+=(?:"[\w .,+-]*"|[\w.,+-]+))*$/
const THUMBNAIL_MAX = 65_536

/**
 * A file of a message. `url` contains the file's key: it is as secret as the file. Without a key or an address it is null: the
 * file cannot be fetched.
 */
export function describeFile(kind: FileKind, node: FileNode): InboundMedia {
  const contentType =
    node.mimetype && node.mimetype.length <= 200 && MIME_TYPE.test(node.mimetype) ? node.mimetype : DEFAULT_TYPES[kind]
  const { jpegThumbnail: thumbnail } = node
  const isJpeg = thumbnail && thumbnail.length <= THUMBNAIL_MAX && thumbnail[0] === 0xff && thumbnail[1] === 0xd8
  const bytes = Number(String(node.fileLength ?? ''))
  return {
    kind: kind === 'audio' && node.ptt ? 'voice' : kind,
    url: referenceOf(kind, node, contentType),
    contentType,
    fileName: node.fileName ? cutText(cleanText(node.fileName.slice(0, 2_000)), 255).trim() || null : null,
    bytes: Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null,
    seconds: node.seconds && node.seconds < 1_000_000 ? node.seconds : null,
    ...(isJpeg && { thumbnail: Buffer.from(thumbnail).toString('base64') }),
    ...(node.viewOnce && { viewOnce: true }),
    ...(node.gifPlayback && { gif: true }),
  }
}

const DEFAULT_TYPES: { readonly [Kind in FileKind]: string } = {
  image: 'image/jpeg',
  video: 'video/mp4',
  audio: 'audio/ogg',
  document: 'application/octet-stream',
  sticker: 'image/webp',
}

function referenceOf(kind: FileKind, node: FileNode, type: string): string | null {
  const path = node.directPath || pathOf(node.url)
  if (!path || path.length > 4_000 || !path.startsWith('/') || node.mediaKey?.length !== MEDIA_KEY_BYTES) return null
  const reference: z.infer<typeof referenceSchema> = {
    kind,
    path: cleanText(path),
    key: Buffer.from(node.mediaKey).toString('base64'),
    hash: node.fileSha256?.length ? Buffer.from(node.fileSha256).toString('base64') : null,
    type,
  }
  return SCHEME + Buffer.from(JSON.stringify(reference)).toString('base64url')
}

/**
 * Fetches, authenticates and decrypts a file.
 * Only the path comes from the sender; WhatsApp names the host, so a sender cannot make us fetch elsewhere.
 * @param maxBytes of the decrypted file
 * @throws AppError `bad_media_reference`, `media_too_large`, `media_gone`, `media_unavailable`, `media_corrupt`
 */
export async function downloadMedia(
  socket: WASocket,
  url: string,
  maxBytes: number,
  transport: MediaTransport,
): Promise<{ data: Uint8Array; contentType: string }> {
  const reference = parseReference(url)
  await socket.refreshMediaConn(false)
  const response = await mediaFetch(`https://${socket.getMediaHost()}${reference.path}`, { method: 'GET' }, transport)
  if (response.status === 404 || response.status === 410)
    throw new AppError('gone', 'media_gone', 'WhatsApp no longer has this file.')
  if (!response.ok)
    throw new AppError('unavailable', 'media_unavailable', `WhatsApp's media host answered ${response.status}.`)
  const encrypted = await readCapped(response, maxBytes + 16 + MAC_BYTES)
  const data = await decrypt(reference, encrypted)
  if (data.length > maxBytes) throw tooLarge(maxBytes)
  return { data, contentType: reference.type }
}

/** Uploads an encrypted file, as Baileys asks for it. */
export function createUploader(socket: WASocket, transport: MediaTransport) {
  return async (
    filePath: string,
    options: { mediaType: MediaType; fileEncSha256B64: string },
  ): Promise<{ mediaUrl: string; directPath: string }> => {
    const token = Buffer.from(options.fileEncSha256B64, 'base64').toString('base64url')
    const connection = await socket.refreshMediaConn(false)
    const query = `auth=${encodeURIComponent(connection.auth)}&token=${token}`
    let failure = 'WhatsApp named no media host'
    for (const { hostname } of connection.hosts) {
      const target = `https://${hostname}${MEDIA_PATH_MAP[options.mediaType] ?? ''}/${token}?${query}`
      const headers = { 'Content-Type': 'application/octet-stream', Origin: 'https://web.whatsapp.com' }
      const response = await mediaFetch(target, { method: 'POST', headers, body: Bun.file(filePath) }, transport)
      if (response.ok) {
        const answer = uploadAnswer.parse(await response.json())
        return { mediaUrl: answer.url, directPath: answer.direct_path }
      }
      failure = `${response.status}`
    }
    await socket.refreshMediaConn(true)
    throw new AppError('unavailable', 'media_upload_failed', `WhatsApp's media host refused the upload (${failure}).`)
  }
}

const uploadAnswer = z.object({ url: z.string(), direct_path: z.string() })

async function mediaFetch(url: string, init: RequestInit, transport: MediaTransport): Promise<Response> {
  const { ca, timeoutMs } = transport
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs), ...(ca ? { tls: { ca } } : {}) })
  } catch (cause) {
    throw new AppError('unavailable', 'media_unavailable', "WhatsApp's media host could not be reached.", { cause })
  }
}

/** Reads a body up to a limit, whatever its header said. */
export async function readCapped(response: Response, maxBytes: number): Promise<Buffer> {
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await response.body?.cancel()
    throw tooLarge(maxBytes)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('too_large', 'media_too_large', `The file is larger than ${maxBytes} bytes.`)
}

async function decrypt(reference: z.infer<typeof referenceSchema>, encrypted: Buffer): Promise<Buffer> {
  const { iv, cipherKey, macKey } = await getMediaKeys(Buffer.from(reference.key, 'base64'), reference.kind)
  const corrupt = (why: string) => new AppError('gone', 'media_corrupt', `The file is not what was sent: ${why}.`)
  if (encrypted.length <= MAC_BYTES || !macKey) throw corrupt('it is too short')
  const body = encrypted.subarray(0, -MAC_BYTES)
  const mac = createHmac('sha256', macKey).update(iv).update(body).digest().subarray(0, MAC_BYTES)
  if (!mac.equals(encrypted.subarray(-MAC_BYTES))) throw corrupt('its authentication code is wrong')
  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv)
  const data = Buffer.concat([decipher.update(body), decipher.final()])
  const hash = createHash('sha256').update(data).digest('base64')
  if (reference.hash !== null && hash !== reference.hash) throw corrupt('its hash is wrong')
  return data
}

function parseReference(url: string): z.infer<typeof referenceSchema> {
  const bad = (cause?: unknown) =>
    new AppError('invalid', 'bad_media_reference', 'This is not a reference to a WhatsApp file.', { cause })
  if (!url.startsWith(SCHEME)) throw bad()
  try {
    return referenceSchema.parse(JSON.parse(Buffer.from(url.slice(SCHEME.length), 'base64url').toString()))
  } catch (cause) {
    throw bad(cause)
  }
}

function pathOf(url: string | null | undefined): string | null {
  if (!url || !URL.canParse(url)) return null
  const { pathname, search } = new URL(url)
  return pathname + search
}

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { getMediaKeys, MEDIA_PATH_MAP, type MediaType } from '@whiskeysockets/baileys'
import { AppError } from '../../lib/errors.ts'
import { makeLoopbackCertificate, type SelfSigned } from './certificate.ts'

export type MediaKind = Extract<MediaType, 'image' | 'video' | 'audio' | 'document'>

export type StoredMedia = {
  url: string
  directPath: string
  mediaKey: Uint8Array
  fileSha256: Uint8Array
  fileEncSha256: Uint8Array
  fileLength: number
  mediaKeyTimestamp: number
}

const MAC_BYTES = 10
const MAX_UPLOAD_BYTES = 104_857_600

export class MediaServer {
  private readonly files = new Map<string, Uint8Array>()
  private readonly server: Bun.Server<undefined>
  readonly certificate: string

  constructor(port: number, { certificate, privateKey }: SelfSigned = makeLoopbackCertificate()) {
    this.certificate = certificate
    this.server = Bun.serve({
      port,
      hostname: '127.0.0.1',
      tls: { cert: certificate, key: privateKey },
      maxRequestBodySize: MAX_UPLOAD_BYTES,
      fetch: (request) => this.answer(request),
    })
  }

  get host(): string {
    return `127.0.0.1:${this.server.port}`
  }

  async store(kind: MediaKind, plain: Uint8Array): Promise<StoredMedia> {
    const mediaKey = randomBytes(32)
    const encrypted = await encryptMedia(kind, mediaKey, plain)
    const fileEncSha256 = createHash('sha256').update(encrypted).digest()
    const directPath = `${MEDIA_PATH_MAP[kind]}/${fileEncSha256.toString('base64url')}`
    this.files.set(directPath, encrypted)
    return {
      url: `https://${this.host}${directPath}`,
      directPath,
      mediaKey,
      fileSha256: createHash('sha256').update(plain).digest(),
      fileEncSha256,
      fileLength: plain.length,
      mediaKeyTimestamp: Math.floor(Date.now() / 1000),
    }
  }

  /** Fetches a file, checks its authentication code and decrypts it, as the receiving phone does. */
  async open(kind: MediaKind, media: { directPath: string; mediaKey: Uint8Array }): Promise<Uint8Array> {
    const encrypted = this.files.get(media.directPath)
    if (!encrypted) throw new AppError('not_found', 'unknown_media', 'No media was uploaded under this path.')
    return decryptMedia(kind, media.mediaKey, encrypted)
  }

  forget(directPath: string): void {
    this.files.delete(directPath)
  }

  async stop(): Promise<void> {
    await this.server.stop(true)
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const path = decodeURIComponent(pathname)
    if (request.method === 'POST') {
      if (!searchParams.get('auth')) return Response.json({ error: 'unauthorized' }, { status: 401 })
      this.files.set(path, await request.bytes())
      return Response.json({ url: `https://${this.host}${path}`, direct_path: path })
    }
    const file = this.files.get(path)
    return file ? new Response(Buffer.from(file)) : new Response('gone', { status: 404 })
  }
}

async function encryptMedia(kind: MediaKind, mediaKey: Uint8Array, plain: Uint8Array): Promise<Buffer> {
  const { iv, cipherKey, macKey } = await keysFor(kind, mediaKey)
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv)
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([encrypted, authenticate(macKey, iv, encrypted)])
}

async function decryptMedia(kind: MediaKind, mediaKey: Uint8Array, encrypted: Uint8Array): Promise<Buffer> {
  const { iv, cipherKey, macKey } = await keysFor(kind, mediaKey)
  const body = encrypted.subarray(0, -MAC_BYTES)
  if (!authenticate(macKey, iv, body).equals(encrypted.subarray(-MAC_BYTES)))
    throw new AppError('invalid', 'bad_media', 'The authentication code of the media is wrong.')
  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv)
  return Buffer.concat([decipher.update(body), decipher.final()])
}

function authenticate(macKey: Uint8Array, iv: Uint8Array, body: Uint8Array): Buffer {
  return createHmac('sha256', macKey).update(iv).update(body).digest().subarray(0, MAC_BYTES)
}

async function keysFor(kind: MediaKind, mediaKey: Uint8Array) {
  const { iv, cipherKey, macKey } = await getMediaKeys(mediaKey, kind)
  if (!macKey) throw new Error('the media key gave no authentication key')
  return { iv, cipherKey, macKey }
}

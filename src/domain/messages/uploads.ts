import { z } from 'zod'
import type { messageMedia } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { hmacSha256, newId, secretsEqual, sha256Hex } from '../../lib/ids.ts'
import { cleanText, cutText } from '../../lib/text.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import type { BusinessContext } from '../context.ts'
import { deleteFileAfter } from '../erasures/index.ts'
import { mediaKey } from '../storage-keys.ts'
import { trustedType } from './file-type.ts'
import { takersOf } from './limits.ts'
import { mediaKindOf } from './views.ts'

/** A file that was uploaded to be sent. Its link carries all of it, so that any process can read it without a query. */
export type Upload = {
  id: string
  businessId: string
  contentType: string
  fileName: string | null
  bytes: number
  sha256: string
  voice: boolean
}

/** An upload that a message is sent with. */
export type SentUpload = Upload & {
  /** What a voice note says, where it is known. */
  transcript: string | null
}

export type UploadLinks = {
  /** The address under which a provider fetches the file. */
  urlOf(upload: Upload): string
  /** The upload that an address of ours names; null for any other address, or when it is forged. */
  read(url: string): Upload | null
  /** The upload of a link's last segment; null when it is forged or over its time. */
  verify(token: string): Upload | null
}

/** Longer than a message waits for its provider. */
const VALID_MS = 30 * 86_400_000
/** A file that no message was sent with by then is deleted. */
const UNSENT_MS = 24 * 3_600_000
const MAX_NAME = 120

const claims = z.object({
  i: z.uuid(),
  b: z.uuid(),
  t: z.string(),
  n: z.string().nullable(),
  s: z.number(),
  h: z.string(),
  v: z.boolean(),
  e: z.number(),
})

/** @param baseUrl what stands before the token */
export function createUploadLinks(secret: string, baseUrl: string): UploadLinks {
  const sign = (body: string) => hmacSha256(secret, `upload:${body}`)
  const open = (token: string) => {
    const [body, signature, rest] = token.split('.')
    if (!body || !signature || rest !== undefined || !secretsEqual(sign(body), signature)) return null
    const read = claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()))
    return read.success ? read.data : null
  }
  return {
    urlOf({ id, businessId, contentType, fileName, bytes, sha256, voice }) {
      const claimed: z.infer<typeof claims> = {
        ...{ i: id, b: businessId, t: contentType, n: fileName, s: bytes, h: sha256, v: voice },
        e: Math.floor((Date.now() + VALID_MS) / 1_000),
      }
      const body = Buffer.from(JSON.stringify(claimed)).toString('base64url')
      return `${baseUrl}/${body}.${sign(body)}`
    },
    read(url) {
      const claimed = url.startsWith(`${baseUrl}/`) ? open(url.slice(baseUrl.length + 1)) : null
      return claimed && uploadOf(claimed)
    },
    verify(token) {
      const claimed = open(token)
      return claimed && claimed.e * 1_000 > Date.now() ? uploadOf(claimed) : null
    },
  }
}

function uploadOf({ i, b, t, n, s, h, v }: z.infer<typeof claims>): Upload {
  return { id: i, businessId: b, contentType: t, fileName: n, bytes: s, sha256: h, voice: v }
}

export const uploadView = z.object({
  url: z.url(),
  contentType: z.string(),
  fileName: z.string().nullable(),
  bytes: z.number(),
  providers: z.array(z.enum(['twilio', 'baileys'])),
})

/** Stores a file to send; deleted when it is not sent within a day. @throws AppError `empty_file` */
export async function storeUpload(
  ctx: BusinessContext,
  file: { data: Uint8Array; contentType: string; fileName: string | null; voice: boolean },
  deps: { storage: ObjectStorage; links: UploadLinks },
): Promise<z.infer<typeof uploadView>> {
  const { data, voice } = file
  if (data.byteLength === 0)
    throw new AppError('invalid', 'empty_file', 'The file is empty. Choose another one.', { field: 'file' })
  const id = newId()
  const contentType = await trustedType(file.contentType, data)
  const fileName = file.fileName ? cutText(cleanText(file.fileName), MAX_NAME).trim() || null : null
  const bytes = data.byteLength
  const upload = { id, businessId: ctx.businessId, contentType, fileName, bytes, sha256: sha256Hex(data), voice }
  // Written first: what a crash leaves in the storage is found by it.
  await deleteFileAfter(ctx, uploadKey(upload), new Date(Date.now() + UNSENT_MS))
  await deps.storage.put(uploadKey(upload), data, contentType)
  return {
    url: deps.links.urlOf(upload),
    contentType,
    fileName,
    bytes,
    providers: takersOf({ contentType, voice, bytes }),
  }
}

/** Where the file of an upload lies in the storage. */
export function uploadKey({ businessId, id }: Pick<Upload, 'businessId' | 'id'>): string {
  return mediaKey(businessId, id)
}

/** The row of an upload that a message is sent with. */
export function rowOfUpload(upload: SentUpload, messageId: string): typeof messageMedia.$inferInsert {
  const { id, businessId, contentType, fileName, bytes, sha256, voice, transcript } = upload
  const kind = voice ? 'voice' : mediaKindOf(contentType)
  const storageKey = uploadKey(upload)
  return {
    id,
    businessId,
    messageId,
    index: 0,
    kind,
    contentType,
    fileName,
    bytes,
    sha256,
    storageKey,
    transcript,
    state: 'stored',
  }
}

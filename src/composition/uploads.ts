import { publicUrl, UPLOADED_FILES } from '../access/urls.ts'
import type { Config } from '../config.ts'
import { createUploadLinks, type UploadLinks, uploadKey } from '../domain/messages/index.ts'
import { AppError } from '../lib/errors.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import type { createMediaFetcher } from '../providers/whatsapp/media-by-url.ts'

export function createUploads(config: Config): UploadLinks {
  return createUploadLinks(config.sessionSecret, publicUrl(config.publicBaseUrl, UPLOADED_FILES))
}

/** A file to send: one that was uploaded here is read from the storage, whether or not our address can be reached from here. */
export function createFileSource(
  uploads: UploadLinks,
  storage: ObjectStorage,
  fetchByUrl: ReturnType<typeof createMediaFetcher>,
): ReturnType<typeof createMediaFetcher> {
  return async (media) => {
    const upload = uploads.read(media.url)
    if (!upload) return await fetchByUrl(media)
    const object = await storage.get(uploadKey(upload))
    if (!object) throw new AppError('not_found', 'media_missing', 'The file that was uploaded is no longer here.')
    return { data: new Uint8Array(await object.body.arrayBuffer()), contentType: upload.contentType }
  }
}

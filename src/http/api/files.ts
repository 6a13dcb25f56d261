import { Hono } from 'hono'
import { z } from 'zod'
import type { AccessContext, BusinessEnv } from '../../access/authenticate.ts'
import { getCallAudioKey, getCallTraceKey, getTurnAudio } from '../../domain/calls/index.ts'
import {
  getMediaFile,
  getMediaThumbnail,
  type MediaFile,
  storeUpload,
  type UploadLinks,
  uploadKey,
} from '../../domain/messages/index.ts'
import { getRecording } from '../../domain/recordings/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import { BODY_LIMITS, readUncheckedBytes } from '../request-body.ts'
import { serveExport } from './export-file.ts'
import { requireKnownParameters } from './known-parameters.ts'
import { fileHeaders, serveFile } from './serve-file.ts'

const idParameter = z.object({ id: z.uuid('an id') })

const uploadParameters = z.object({ fileName: z.string().max(255).optional(), voice: z.enum(['1']).optional() })

export type FilesDeps = {
  storage: ObjectStorage
  uploads: UploadLinks
  authenticateAgain(request: Request): Promise<AccessContext>
}

/** The routes of `FILE_ROUTES`. Range requests are served, because browsers need them to play audio. */
export function createFilesApi(deps: FilesDeps) {
  const app = new Hono<BusinessEnv>()
  const serve = (request: Request, key: string, contentType: string, sha256: string | null = null) =>
    serveFile(request, deps.storage, { key, contentType, sha256 })

  app.get('/recordings/:id/audio', async (c) => {
    const recording = await getRecording(c.get('business'), idParameter.parse(c.req.param()).id)
    if (!recording.storageKey)
      throw new AppError('not_found', 'recording_not_stored', 'The recording has not been fetched yet.')
    return serve(c.req.raw, recording.storageKey, recording.contentType ?? 'audio/wav', recording.sha256)
  })

  app.get('/turns/:id/audio', async (c) => {
    const key = await getTurnAudio(c.get('business'), idParameter.parse(c.req.param()).id)
    return serve(c.req.raw, key, 'audio/wav')
  })

  app.get('/calls/:id/audio', async (c) => {
    const key = await getCallAudioKey(c.get('business'), c.req.param('id').slice(0, 64))
    return serve(c.req.raw, key, 'audio/wav')
  })

  app.get('/calls/:id/trace', async (c) => {
    const key = await getCallTraceKey(c.get('business'), c.req.param('id').slice(0, 64))
    return serve(c.req.raw, key, 'application/x-ndjson')
  })

  app.get('/media/:id', async (c) => {
    const file = await getMediaFile(c.get('business'), idParameter.parse(c.req.param()).id)
    const served = { key: file.storageKey, ...file, fileName: nameOf(file) }
    return serveFile(c.req.raw, deps.storage, served, { download: c.req.query('download') === '1' })
  })

  app.get('/media/:id/thumbnail', async (c) => {
    const picture = await getMediaThumbnail(c.get('business'), idParameter.parse(c.req.param()).id)
    const headers = fileHeaders({ contentType: 'image/jpeg' }, false)
    return c.body(picture, 200, { ...headers, 'Accept-Ranges': 'none' })
  })

  app.post('/uploads', async (c) => {
    requireKnownParameters(new URL(c.req.url).searchParams, Object.keys(uploadParameters.shape))
    const { fileName = null, voice } = uploadParameters.parse(c.req.query())
    const data = await readUncheckedBytes(c.req.raw, BODY_LIMITS.upload)
    const contentType = c.req.header('content-type') ?? 'application/octet-stream'
    const file = { data, contentType, fileName, voice: voice === '1' }
    return c.json(await storeUpload(c.get('business'), file, { storage: deps.storage, links: deps.uploads }), 201)
  })

  app.get('/exports/:file{.+\\.csv}', (c) => serveExport(c, deps.authenticateAgain))

  return app
}

/** What providers fetch: they have a signed link and no login. */
export function createUploadedFiles({ storage, uploads }: Pick<FilesDeps, 'storage' | 'uploads'>) {
  const app = new Hono()
  app.get('/:token', (c) => {
    const upload = uploads.verify(c.req.param('token'))
    if (!upload) throw new AppError('not_found', 'file_not_found', 'There is no file at this address.')
    const { contentType, fileName, sha256 } = upload
    return serveFile(c.req.raw, storage, { key: uploadKey(upload), contentType, fileName, sha256 })
  })
  return app
}

const EXTENSIONS: Record<string, string> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'video/mp4': 'mp4',
  'video/3gpp': '3gp',
  'audio/ogg': 'ogg',
  'audio/mpeg': 'mp3',
  'audio/mp4': 'm4a',
  'audio/aac': 'aac',
  'audio/amr': 'amr',
  'application/pdf': 'pdf',
  'text/vcard': 'vcf',
  'text/plain': 'txt',
}

function nameOf({ id, kind, contentType, fileName }: MediaFile): string {
  if (fileName) return fileName
  const extension = EXTENSIONS[contentType.split(';')[0]?.trim() ?? ''] ?? 'bin'
  return `${kind}-${id.slice(0, 8)}.${extension}`
}

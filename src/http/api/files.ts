import { Hono } from 'hono'
import { z } from 'zod'
import type { BusinessEnv } from '../../access/authenticate.ts'
import { getCallRecordKey, getTurnAudio } from '../../domain/calls/index.ts'
import { getRecording, listRecordings } from '../../domain/recordings/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'

const idParameter = z.object({ id: z.uuid('an id') })

/** Recordings, the heard audio of a call's turns, and a call's record: range requests are answered, as browsers want. */
export function createFilesApi(deps: { storage: ObjectStorage }) {
  const app = new Hono<BusinessEnv>()
  app.get('/recordings', async (c) =>
    c.json({ success: true, ...(await listRecordings(c.get('business'), c.req.query())) }),
  )

  app.get('/recordings/:id/audio', async (c) => {
    const recording = await getRecording(c.get('business'), idParameter.parse(c.req.param()).id)
    if (!recording.storageKey)
      throw new AppError('not_found', 'recording_not_stored', 'The recording has not been fetched yet.')
    return serve(c.req.raw, deps.storage, recording.storageKey, recording.contentType ?? 'audio/wav', recording.sha256)
  })

  app.get('/turns/:id/audio', async (c) => {
    const key = await getTurnAudio(c.get('business'), idParameter.parse(c.req.param()).id)
    return serve(c.req.raw, deps.storage, key, 'audio/wav', null)
  })

  /** What happened in a call, one JSON object a line. */
  app.get('/calls/:id/record', async (c) => {
    const key = await getCallRecordKey(c.get('business'), c.req.param('id').slice(0, 64))
    return serve(c.req.raw, deps.storage, key, 'application/x-ndjson', null)
  })

  return app
}

/** One object, whole or one range of it (RFC 9110, 14). */
async function serve(
  request: Request,
  storage: ObjectStorage,
  key: string,
  contentType: string,
  checksum: string | null,
): Promise<Response> {
  const whole = await storage.get(key)
  if (!whole) throw new AppError('not_found', 'file_not_found', 'The file is no longer in the storage.')
  const headers = {
    'Content-Type': contentType,
    'Accept-Ranges': 'bytes',
    ...(checksum ? { ETag: `"${checksum}"` } : {}),
  }
  const asked = rangeOf(request.headers.get('range'), whole.size)
  if (asked === 'unsatisfiable')
    return new Response(null, { status: 416, headers: { ...headers, 'Content-Range': `bytes */${whole.size}` } })
  if (!asked) return new Response(bodyOf(whole.body), { headers: { ...headers, 'Content-Length': String(whole.size) } })
  const part = await storage.get(key, asked)
  if (!part) throw new AppError('not_found', 'file_not_found', 'The file is no longer in the storage.')
  return new Response(bodyOf(part.body), {
    status: 206,
    headers: {
      ...headers,
      'Content-Length': String(asked.end - asked.start + 1),
      'Content-Range': `bytes ${asked.start}-${asked.end}/${whole.size}`,
    },
  })
}

/** Bun would answer an S3 object with a redirect to it, and takes no headers beside: it is passed through as a stream. */
function bodyOf(blob: Blob): BodyInit {
  return 'presign' in blob ? blob.stream() : blob
}

/** A single byte range; several ranges or another unit are answered with the whole. */
export function rangeOf(header: string | null, size: number): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return null
  const [, first = '', last = ''] = match
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end || start >= size ? 'unsatisfiable' : { start, end }
}

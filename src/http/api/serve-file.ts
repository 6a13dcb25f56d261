import { AppError } from '../../lib/errors.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'

export type ServedFile = {
  key: string
  contentType: string
  sha256?: string | null
  fileName?: string | null
}

/** What a browser may show in the session of a member: images, audio and video, which run no code. */
const SHOWN = /^(image\/(jpeg|png|gif|webp)|audio\/[\w.+-]+|video\/[\w.+-]+)(;|$)/

/** Serves an object or a range (RFC 9110, 14), never cached: it must not outlive session or erasure. */
export async function serveFile(
  request: Request,
  storage: ObjectStorage,
  file: ServedFile,
  options: { download?: boolean } = {},
): Promise<Response> {
  const whole = await storage.get(file.key)
  if (!whole) throw new AppError('not_found', 'file_not_found', 'The file is no longer in the storage.')
  const etag = file.sha256 ? `"${file.sha256}"` : null
  const headers = fileHeaders(file, options.download === true)
  const asked = isFresh(request.headers.get('if-range'), etag)
    ? rangeOf(request.headers.get('range'), whole.size)
    : null
  if (asked === 'unsatisfiable')
    return new Response(null, { status: 416, headers: { ...headers, 'Content-Range': `bytes */${whole.size}` } })
  const size = asked ? asked.end - asked.start + 1 : whole.size
  headers['Content-Length'] = String(size)
  if (asked) headers['Content-Range'] = `bytes ${asked.start}-${asked.end}/${whole.size}`
  const init = { status: asked ? 206 : 200, headers }
  if (request.method === 'HEAD') return new Response(null, init)
  const part = asked ? await storage.get(file.key, asked) : whole
  if (!part) throw new AppError('not_found', 'file_not_found', 'The file is no longer in the storage.')
  return new Response(bodyOf(part.body), init)
}

/** The headers of a served file. Its content never runs in the origin of the console. */
export function fileHeaders(
  file: Pick<ServedFile, 'contentType' | 'sha256' | 'fileName'>,
  download: boolean,
): Record<string, string> {
  const shown = !download && SHOWN.test(file.contentType)
  return {
    'Content-Type': file.contentType,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'private, no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Disposition': contentDisposition(shown ? 'inline' : 'attachment', file.fileName ?? null),
    ...(file.sha256 ? { ETag: `"${file.sha256}"` } : {}),
  }
}

/** `Content-Disposition` (RFC 6266, 5987); removes separators, controls and direction marks of the sender's name. */
export function contentDisposition(type: 'inline' | 'attachment', fileName: string | null): string {
  const name = (fileName ?? '')
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '')
    .replace(/[\\/:*?"<>|]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '')
    .slice(0, 200)
    .toWellFormed()
  if (name === '') return type
  const ascii = name.replace(/[^\x20-\x7e]/g, '_').replace(/[%\\"]/g, '_')
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${type}; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

/** Whether a range may be answered: `If-Range` is absent, or names the content as it is (RFC 9110, 13.1.5). */
function isFresh(ifRange: string | null, etag: string | null): boolean {
  return ifRange === null || (etag !== null && ifRange.trim() === etag)
}

/** Bun answers an S3 object with a redirect and drops the headers: it is passed through as a stream. */
function bodyOf(blob: Blob): BodyInit {
  return 'presign' in blob ? blob.stream() : blob
}

/** A single byte range; null, for several ranges or another unit, is the whole object. */
export function rangeOf(header: string | null, size: number): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return null
  const [, first = '', last = ''] = match
  // A range that ends before it begins is ignored (RFC 9110, 14.1.1).
  if (first !== '' && last !== '' && Number(first) > Number(last)) return null
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end || start >= size ? 'unsatisfiable' : { start, end }
}

import { onTestsEnd } from './cleanup.ts'

/** A bucket with the part of S3's wire protocol that an object store needs: signed PUT, GET with ranges, HEAD, DELETE. */
export function startS3(): {
  endpoint: string
  bucket: string
  objects: Map<string, Uint8Array>
  stop(): Promise<void>
} {
  const bucket = 'recordings'
  const objects = new Map<string, { data: Uint8Array<ArrayBuffer>; type: string }>()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const url = new URL(request.url)
      const signed =
        request.headers.get('authorization')?.startsWith('AWS4-HMAC-SHA256 Credential=key-id/') ||
        url.searchParams.get('X-Amz-Credential')?.startsWith('key-id/')
      if (!signed) return refusal(403, 'AccessDenied')
      if (!url.pathname.startsWith(`/${bucket}/`)) return refusal(404, 'NoSuchBucket')
      const key = decodeURIComponent(url.pathname.slice(bucket.length + 2))
      if (request.method === 'PUT') {
        const data = new Uint8Array(await request.arrayBuffer())
        objects.set(key, { data, type: request.headers.get('content-type') ?? '' })
        return new Response(null, { headers: { ETag: `"${Bun.hash(data)}"` } })
      }
      if (request.method === 'DELETE') {
        objects.delete(key)
        return new Response(null, { status: 204 })
      }
      const object = objects.get(key)
      if (!object) return refusal(404, 'NoSuchKey')
      const headers = { 'Content-Type': object.type, ETag: '"1"', 'Last-Modified': new Date(0).toUTCString() }
      if (request.method === 'HEAD')
        return new Response(null, { headers: { ...headers, 'Content-Length': String(object.data.byteLength) } })
      const range = /^bytes=(\d+)-(\d+)?$/.exec(request.headers.get('range') ?? '')
      if (!range) return new Response(object.data, { headers })
      const start = Number(range[1])
      const end = Math.min(Number(range[2] ?? object.data.byteLength - 1), object.data.byteLength - 1)
      return new Response(object.data.slice(start, end + 1), {
        status: 206,
        headers: { ...headers, 'Content-Range': `bytes ${start}-${end}/${object.data.byteLength}` },
      })
    },
  })
  const stop = () => server.stop(true)
  onTestsEnd(stop)
  return {
    endpoint: `http://127.0.0.1:${server.port}`,
    bucket,
    get objects() {
      return new Map([...objects].map(([key, { data }]) => [key, data]))
    },
    stop,
  }
}

function refusal(status: number, code: string): Response {
  return new Response(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, {
    status,
    headers: { 'Content-Type': 'application/xml' },
  })
}

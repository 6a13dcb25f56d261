import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { isBadPort, isOwnAddress, reachOf } from '../../src/lib/public-address.ts'
import { createSafeFetch, SafeFetchError, type SafeFetchSettings, type SafeRequest } from '../../src/lib/safe-fetch.ts'
import { makeLoopbackCertificate } from '../../src/sandbox/whatsapp/certificate.ts'

const REQUEST: SafeRequest = { maxBytes: 1_000_000, timeoutMs: 3_000, maxRedirects: 5 }
const BOMB = gzipSync(Buffer.alloc(64_000_000))
const seen: { path: string; headers: Headers }[] = []
let files: Bun.Server<undefined>
let outside: Bun.Server<undefined>
let here = ''

beforeAll(() => {
  files = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 30, fetch: serve })
  outside = Bun.serve({ port: 0, hostname: '127.0.0.9', fetch: serve })
  here = `http://127.0.0.1:${files.port}`
})
afterAll(() => Promise.all([files.stop(true), outside.stop(true)]))

function serve(request: Request): Response {
  const url = new URL(request.url)
  seen.push({ path: url.pathname, headers: request.headers })
  const to = url.searchParams.get('to')
  if (to !== null)
    return new Response(null, { status: Number(url.searchParams.get('status') ?? 302), headers: { Location: to } })
  switch (url.pathname) {
    case '/loop':
      return Response.redirect('/loop', 302)
    case '/endless':
      return new Response(endless(0, 64_000))
    case '/drip':
      return new Response(endless(100, 1))
    case '/declared':
      return new Response(Buffer.alloc(2_000_000))
    case '/bomb':
      return new Response(BOMB, { headers: { 'Content-Encoding': 'gzip' } })
    case '/gzip':
      return new Response(gzipSync('unpacked'), { headers: { 'Content-Encoding': 'gzip' } })
    case '/deflate':
      return new Response(deflateSync('unpacked'), { headers: { 'Content-Encoding': 'deflate' } })
    case '/br':
      return new Response(brotliCompressSync('unpacked'), { headers: { 'Content-Encoding': 'br' } })
    case '/zstd':
      return new Response('packed', { headers: { 'Content-Encoding': 'x-unknown' } })
    case '/nothing':
      return new Response(null, { status: 404 })
    default:
      return new Response('the file', { headers: { 'Content-Type': 'image/png' } })
  }
}

function endless(everyMs: number, bytes: number): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      if (everyMs > 0) await Bun.sleep(everyMs)
      controller.enqueue(new Uint8Array(bytes))
    },
  })
}

function ask(url: string, settings: Partial<SafeFetchSettings> = {}, request: Partial<SafeRequest> = {}) {
  return createSafeFetch({ allowPrivate: true, ...settings })(url, { ...REQUEST, ...request })
}

async function problemOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof SafeFetchError) return error.problem
    throw error
  }
}

/** IANA's special-purpose registries of IPv4 and IPv6, one address of each block, and the ones next to a block. */
const REGISTRY: [address: string, reach: 'public' | 'private' | 'never'][] = [
  ['0.0.0.0', 'never'],
  ['0.1.2.3', 'never'],
  ['10.0.0.1', 'private'],
  ['10.255.255.255', 'private'],
  ['100.64.0.1', 'private'],
  ['100.127.255.255', 'private'],
  ['100.128.0.1', 'public'],
  ['127.0.0.1', 'private'],
  ['127.255.255.254', 'private'],
  ['169.254.169.254', 'never'],
  ['169.254.0.1', 'never'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['172.32.0.1', 'public'],
  ['192.0.0.1', 'never'],
  ['192.0.0.170', 'never'],
  ['192.0.2.1', 'never'],
  ['192.31.196.1', 'never'],
  ['192.52.193.1', 'never'],
  ['192.88.99.1', 'never'],
  ['192.168.1.1', 'private'],
  ['192.175.48.1', 'never'],
  ['198.18.0.1', 'never'],
  ['198.19.255.255', 'never'],
  ['198.51.100.1', 'never'],
  ['203.0.113.1', 'never'],
  ['224.0.0.1', 'never'],
  ['239.1.1.1', 'never'],
  ['240.0.0.1', 'never'],
  ['255.255.255.255', 'never'],
  ['8.8.8.8', 'public'],
  ['1.1.1.1', 'public'],
  ['168.63.129.16', 'never'],
  ['100.100.100.200', 'never'],
  ['::', 'never'],
  ['::1', 'private'],
  ['::ffff:127.0.0.1', 'private'],
  ['::ffff:7f00:1', 'private'],
  ['::ffff:169.254.169.254', 'never'],
  ['::ffff:8.8.8.8', 'public'],
  ['::127.0.0.1', 'never'],
  ['::ffff:0:127.0.0.1', 'never'],
  ['64:ff9b::7f00:1', 'never'],
  ['64:ff9b::10.0.0.1', 'never'],
  ['64:ff9b:1::1', 'never'],
  ['100::1', 'never'],
  ['100:0:0:1::1', 'never'],
  ['2001::1', 'never'],
  ['2001:0:7f00:1::', 'never'],
  ['2001:1::1', 'never'],
  ['2001:2::1', 'never'],
  ['2001:3::1', 'never'],
  ['2001:4:112::1', 'never'],
  ['2001:10::1', 'never'],
  ['2001:20::1', 'never'],
  ['2001:30::1', 'never'],
  ['2001:db8::1', 'never'],
  ['2002:7f00:1::', 'never'],
  ['2002:a00:1::', 'never'],
  ['2620:4f:8000::1', 'never'],
  ['3fff::1', 'never'],
  ['3fff:fff::1', 'never'],
  ['5f00::1', 'never'],
  ['4000::1', 'never'],
  ['fc00::1', 'private'],
  ['fd12:3456::1', 'private'],
  ['fd00:ec2::254', 'never'],
  ['fe80::1', 'never'],
  ['fec0::1', 'never'],
  ['ff02::1', 'never'],
  ['2606:4700::1111', 'public'],
  ['2a00:1450:4001::1', 'public'],
  ['nonsense', 'never'],
  ['', 'never'],
  ['127.1', 'never'],
  ['0x7f.1', 'never'],
  ['2130706433', 'never'],
  ['017700000001', 'never'],
]

describe('addresses', () => {
  test.each(REGISTRY)('%s is %s', (address, reach) => {
    expect(reachOf(address)).toBe(reach)
  })

  test('ours are found under every name', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '8.8.8.8', 'x'].map(isOwnAddress)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ])
    expect([25, 6379, 80, 443, 5678, 8443].map(isBadPort)).toEqual([true, true, false, false, false, false])
  })
})

/** Spellings of addresses that are not public, as a URL takes them. */
const INSIDE = [
  'http://127.0.0.1',
  'http://127.1',
  'http://0177.0.0.1',
  'http://0x7f.0.0.1',
  'http://0x7f000001',
  'http://2130706433',
  'http://017700000001',
  'http://127.0.0.1.',
  'http://①②⑦.⓪.⓪.①',
  'http://0',
  'http://0.0.0.0',
  'http://localhost',
  'http://localhost.',
  'http://LOCALHOST',
  'http://[::1]',
  'http://[::]',
  'http://[::ffff:127.0.0.1]',
  'http://[::ffff:7f00:1]',
  'http://[0:0:0:0:0:0:0:1]',
  'http://[64:ff9b::7f00:1]',
  'http://[2002:7f00:1::]',
  'http://[fe80::1]',
  'http://[fd00:ec2::254]',
  'http://169.254.169.254/latest/meta-data',
  'http://2852039166',
  'http://0xa9fea9fe',
  'http://[::ffff:a9fe:a9fe]',
  'http://10.0.0.1',
  'http://172.16.0.1',
  'http://192.168.0.1',
  'http://100.64.0.1',
  'http://198.18.0.1',
  'http://224.0.0.1',
  'http://255.255.255.255',
  'https://192.0.2.1',
  'http://user:secret@8.8.8.8',
  'http://user@8.8.8.8',
  'http://8.8.8.8:25',
  'http://8.8.8.8:6379',
  'http://8.8.8.8:22',
  'file:///etc/passwd',
  'gopher://8.8.8.8/',
  'ftp://8.8.8.8/',
  'data:text/plain,x',
  'javascript:1',
  'not an address',
  '',
]

describe('what leads inside is not asked', () => {
  test.each(INSIDE)('%s', async (url) => {
    expect(await problemOf(ask(url, { allowPrivate: false }))).toBe('not_allowed')
  })

  test.each(INSIDE.filter((url) => url !== '' && url !== 'not an address'))('nor by a redirect to %s', async (url) => {
    // A server of this machine at an address that counts as public here.
    const reach = (address: string) => (address === '127.0.0.9' ? 'public' : reachOf(address))
    const asked = { allowPrivate: false, reach }
    expect((await ask(`http://127.0.0.9:${outside.port}/?to=/file`, asked)).status).toBe(200)
    const from = `http://127.0.0.9:${outside.port}/?to=${encodeURIComponent(encodeURI(url))}`
    expect(await problemOf(ask(from, asked))).toBe('not_allowed')
  })

  test('a name with one address inside is refused, however many are public', async () => {
    const resolve = async () => ['8.8.8.8', '10.0.0.1']
    expect(await problemOf(ask('http://files.example/', { allowPrivate: false, resolve }))).toBe('not_allowed')
  })

  test('a name that changes its answer is asked once, and connected to what it said then', async () => {
    const answers = [['127.0.0.1'], ['10.255.255.1']]
    let asked = 0
    const resolve = async () => answers[asked++] ?? []
    const { data } = await ask(`http://files.example:${files.port}/file`, { resolve })
    expect(data.toString()).toBe('the file')
    expect(asked).toBe(1)
    expect(seen.at(-1)?.headers.get('host')).toBe(`files.example:${files.port}`)
  })

  test('a name that does not exist gives the same error as a name inside the network', async () => {
    const missing = async () => Promise.reject(new Error('ENOTFOUND'))
    const inside = async () => ['10.0.0.1']
    const problems = await Promise.all(
      [missing, inside, async () => []].map((resolve) =>
        problemOf(ask('http://x.example/', { allowPrivate: false, resolve })),
      ),
    )
    expect(problems).toEqual(['not_allowed', 'not_allowed', 'not_allowed'])
  })

  test('where private addresses are allowed, metadata and our own port are not', async () => {
    const own = { ownPorts: [files.port ?? 0] }
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.8.8.8', '0.0.0.0', '[::ffff:127.0.0.1]'])
      expect(await problemOf(ask(`http://${host}:${files.port}/file`, own))).toBe('not_allowed')
    for (const host of ['169.254.169.254', '[fd00:ec2::254]', '100.100.100.200', '[::ffff:169.254.169.254]'])
      expect(await problemOf(ask(`http://${host}/`))).toBe('not_allowed')
    expect((await ask(`${here}/file`)).status).toBe(200)
  })
})

describe('redirects', () => {
  test('are followed, each checked, in any form', async () => {
    for (const status of [301, 302, 303, 307, 308])
      expect((await ask(`${here}/?status=${status}&to=${encodeURIComponent('/file')}`)).data.toString()).toBe(
        'the file',
      )
  })

  test('end', async () => {
    expect(await problemOf(ask(`${here}/loop`))).toBe('unreachable')
  })

  test('are an answer where they are not wanted', async () => {
    expect((await ask(`${here}/loop`, {}, { maxRedirects: 0, maxBytes: null })).status).toBe(302)
  })

  test('carry no credentials to another host', async () => {
    const other = `http://localhost:${files.port}/other`
    const headers = { Authorization: 'Bearer x', Cookie: 'a=b', 'X-Harmless': '1' }
    await ask(`${here}/?to=${encodeURIComponent(other)}`, { resolve: async () => ['127.0.0.1'] }, { headers })
    const last = seen.at(-1)
    expect([last?.path, last?.headers.get('authorization'), last?.headers.get('cookie')]).toEqual([
      '/other',
      null,
      null,
    ])
    expect(last?.headers.get('x-harmless')).toBe('1')
    await ask(`${here}/?to=${encodeURIComponent('/same')}`, {}, { headers })
    expect(seen.at(-1)?.headers.get('authorization')).toBe('Bearer x')
  })
})

describe('a body', () => {
  test.each([
    ['/endless', 'too_large'],
    ['/declared', 'too_large'],
    ['/bomb', 'too_large'],
    ['/drip', 'too_slow'],
    ['/zstd', 'unreachable'],
  ])('%s is given up: %s', async (path, problem) => {
    const before = process.memoryUsage.rss()
    const started = performance.now()
    expect(await problemOf(ask(here + path, {}, { timeoutMs: 1_000 }))).toBe(problem)
    expect(performance.now() - started).toBeLessThan(2_500)
    expect(process.memoryUsage.rss() - before).toBeLessThan(120_000_000)
  })

  test.each(['/gzip', '/deflate', '/br'])('%s is unpacked', async (path) => {
    expect((await ask(here + path)).data.toString()).toBe('unpacked')
  })

  test('its type and status come with it', async () => {
    expect(await ask(`${here}/file`)).toMatchObject({
      status: 200,
      contentType: 'image/png',
      data: Buffer.from('the file'),
    })
    expect((await ask(`${here}/nothing`)).status).toBe(404)
  })
})

describe('a server that does not behave', () => {
  const sockets = new Set<Socket>()
  const serve = async (greet: (socket: Socket) => void) => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      greet(socket)
    })
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(address && typeof address === 'object' ? address.port : 0)
    })
    servers.push(server)
    return `http://127.0.0.1:${await promise}/`
  }
  const servers: ReturnType<typeof createTcpServer>[] = []
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
  })

  test('says nothing', async () => {
    const url = await serve(() => {})
    expect(await problemOf(ask(url, {}, { timeoutMs: 500 }))).toBe('too_slow')
  })

  test('drips its headers', async () => {
    const url = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('X-More: 1\r\n'), 50)
      socket.on('close', () => clearInterval(timer))
    })
    expect(await problemOf(ask(url, {}, { timeoutMs: 700 }))).toBe('too_slow')
  })

  test('hangs up in the middle', async () => {
    const url = await serve((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    })
    expect(await problemOf(ask(url))).toBe('unreachable')
  })

  test('hangs up in the middle of a chunked body', async () => {
    const url = await serve((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    })
    expect(await problemOf(ask(url))).toBe('unreachable')
  })

  test('speaks no HTTP', async () => {
    const url = await serve((socket) => {
      socket.end('-ERR unknown command\r\n')
    })
    expect(await problemOf(ask(url))).toBe('unreachable')
  })

  test('chunks without end', async () => {
    const url = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const timer = setInterval(() => socket.write('1\r\nx\r\n'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    expect(await problemOf(ask(url, {}, { timeoutMs: 700 }))).toBe('too_slow')
  })

  test('is not there, as the name says first; the next address of the name is', async () => {
    const url = `http://files.example:${files.port}/file`
    expect((await ask(url, { resolve: async () => ['127.0.0.77', '127.0.0.1'] })).data.toString()).toBe('the file')
    expect(await problemOf(ask('http://127.0.0.1:1024/', {}, { timeoutMs: 1_000 }))).toBe('unreachable')
  })
})

describe('over TLS', () => {
  const { certificate, privateKey } = makeLoopbackCertificate()
  const resolve = async () => ['127.0.0.1']
  let secure: Bun.Server<undefined>
  beforeAll(() => {
    secure = Bun.serve({ port: 0, hostname: '127.0.0.1', tls: { cert: certificate, key: privateKey }, fetch: serve })
  })
  afterAll(() => secure.stop(true))

  test('the certificate must be for the name, not for the address', async () => {
    const url = (host: string, path = '/file') => `https://${host}:${secure.port}${path}`
    const trusting = { ca: certificate, resolve }
    expect((await ask(url('localhost'), trusting)).status).toBe(200)
    expect((await ask(url('127.0.0.1'), trusting)).status).toBe(200)
    expect(await problemOf(ask(url('files.example'), trusting))).toBe('unreachable')
    expect(await problemOf(ask(url('localhost'), { resolve }))).toBe('unreachable')
  })

  test('a redirect does not lead from https to http', async () => {
    const trusting = { ca: certificate, resolve }
    const url = (to: string) => `https://localhost:${secure.port}/?to=${encodeURIComponent(to)}`
    expect(await problemOf(ask(url(`${here}/file`), trusting))).toBe('not_allowed')
    expect((await ask(url('/file'), trusting)).status).toBe(200)
  })
})

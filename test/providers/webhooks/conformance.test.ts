import { afterAll, beforeEach, expect, test } from 'bun:test'
import { createPublicPost } from '../../../src/providers/webhooks/public-post.ts'

const seen: { method: string; path: string; body: string; signature: string | null }[] = []
const receiver = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    const { pathname } = new URL(request.url)
    const signature = request.headers.get('webhook-signature')
    seen.push({ method: request.method, path: pathname, body: await request.text(), signature })
    if (pathname === '/moved') return Response.redirect('/elsewhere', 302)
    return new Response('x'.repeat(100_000), { status: pathname === '/refused' ? 410 : 200 })
  },
})
const url = (path: string) => `http://127.0.0.1:${receiver.port}${path}`
afterAll(() => receiver.stop(true))
beforeEach(() => {
  seen.length = 0
})

const failureOf = (work: Promise<unknown>) => work.then(() => null).catch((error: unknown) => error)
const post = createPublicPost(true)

test('the body and its headers arrive unchanged, and the status is the answer', async () => {
  const body = '{"text":"שלום"}'
  expect(await post(url('/hook'), body, { 'webhook-signature': 'v1,abc' })).toBe(200)
  expect(seen).toEqual([{ method: 'POST', path: '/hook', body, signature: 'v1,abc' }])
  expect(await post(url('/refused'), body, {})).toBe(410)
})

test('a redirect is an answer and not followed', async () => {
  expect(await post(url('/moved'), '{}', {})).toBe(302)
  expect(seen.map(({ path }) => path)).toEqual(['/moved'])
})

test('a receiver that is not there is unavailable', async () => {
  const closed = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { port } = closed
  await closed.stop(true)
  expect(await failureOf(post(`http://127.0.0.1:${port}/hook`, '{}', {}))).toMatchObject({
    kind: 'unavailable',
    code: 'webhook_unreachable',
  })
})

test('private addresses are forbidden unless allowed, by number and by name, and never connected to', async () => {
  const publicOnly = createPublicPost(false)
  for (const target of [url('/hook'), `http://localhost:${receiver.port}/hook`, 'http://169.254.169.254/latest'])
    expect(await failureOf(publicOnly(target, '{}', {}))).toMatchObject({ kind: 'forbidden', code: 'private_address' })
  expect(seen).toEqual([])
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import { restRules } from '../../src/http/api/operations.ts'
import { isHandler, ruleOf } from '../../src/http/guard.ts'
import { readLargeJson } from '../../src/http/large-json.ts'
import { BodyBudget, bindBody, readBytes } from '../../src/http/request-body.ts'
import { AppError } from '../../src/lib/errors.ts'
import { tokenize } from '../../src/lib/tokenize-csv.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 120_000
let database: TestDatabase
let web: TestServer
let admin: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  admin = await web.key('admin')
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

/** Begins a request and sends no more of its body than a first piece; answers what comes back meanwhile. */
async function begin(
  head: string,
  first = '{',
): Promise<{ answer: Promise<string>; closed: Promise<void>; socket: Socket }> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>()
  let text = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: web.server.port ?? 0,
    socket: {
      data(_, data) {
        text += data.toString()
        if (text.includes('\r\n\r\n')) resolve(text)
      },
      close() {
        resolve(text)
        onClose()
      },
      error: () => resolve(text),
      open: (opened) => void opened.write(`${head}\r\n\r\n${first}`),
    },
  })
  return { answer: Promise.race([promise, Bun.sleep(3_000).then(() => 'nothing yet')]), closed, socket }
}

describe('who may ask is decided before the body is read', () => {
  test(
    'on every route that is not public',
    async () => {
      const rules = restRules('/api/v1')
      const guarded = web.app.routes
        .filter(isHandler)
        .filter(
          ({ method, path }) =>
            ruleOf(method, path, rules)?.access !== 'public' && method !== 'GET' && path !== '/trpc/*',
        )
      const addresses = [
        ...guarded.map(
          ({ method, path }) =>
            `${method} ${path.replace(/:\w+(\{[^}]*\})?/g, '01900000-0000-7000-8000-000000000000')}`,
        ),
        'POST /trpc/contacts.create',
        'POST /trpc/contacts.create,contacts.update?batch=1',
      ]
      expect(addresses.length).toBeGreaterThan(50)
      for (const address of addresses) {
        const { answer, closed, socket } = await begin(
          `${address} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000`,
        )
        expect([address, (await answer).slice(9, 12)]).toEqual([address, '401'])
        // And its connection is not left to whoever would go on sending slowly.
        await closed
        socket.end()
      }
    },
    LONG,
  )
})

describe('limits', () => {
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(web.url + path, {
      method: 'POST',
      headers: { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json', ...headers },
      body,
    })
  const padded = (bytes: number) => JSON.stringify({ name: 'x'.repeat(bytes) })

  test('ten megabytes are for imports alone, one for the API, 64 KB for forms and logins', async () => {
    const csv = JSON.stringify({ kind: 'contacts', csv: `name\n${'x'.repeat(100)}\n`.padEnd(3_000_000, ' ') })
    for (const path of ['/api/v1/imports/preview', '/trpc/imports.preview'])
      expect((await post(path, csv)).status).not.toBe(413)
    for (const path of [
      '/api/v1/contacts',
      '/trpc/contacts.create',
      '/api/whatsapp/send',
      '/trpc/contacts.create,imports.preview?batch=1',
    ])
      expect([path, (await post(path, padded(1_100_000))).status]).toEqual([path, 413])
    for (const path of ['/api/v1/imports/preview', '/trpc/imports.preview'])
      expect([path, (await post(path, padded(11_000_000))).status]).toEqual([path, 413])
    for (const path of ['/api/auth/sign-in/email', '/admin/login', '/webhook/incoming_call', '/api/payments'])
      expect([path, [413, 503].includes((await post(path, padded(70_000))).status)]).toEqual([path, true])
  })

  test('a compressed body is refused by its name on every kind of route', async () => {
    const body = Bun.gzipSync(Buffer.from('{"phone":"+972501112233"}'))
    const headers = { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }
    for (const path of [
      '/api/v1/contacts',
      '/api/whatsapp/send',
      '/trpc/contacts.create',
      '/webhook/paypal',
      '/webhook/tranzila',
      '/api/auth/sign-in/email',
    ]) {
      const response = await fetch(`${web.url}${path}`, { method: 'POST', headers, body })
      expect([path, response.status, await response.text()]).toEqual([
        path,
        415,
        expect.stringContaining('without Content-Encoding'),
      ])
    }
    const plain = { ...headers, 'Content-Encoding': 'identity' }
    expect((await fetch(`${web.url}/api/v1/account`, { headers: plain })).status).toBe(200)
  })

  test('a JSON that would take long to parse is refused by its look', async () => {
    for (const body of [
      '['.repeat(900_000),
      `{"name":${'{"a":'.repeat(20_000)}`,
      `{"name":[${'1,'.repeat(400_000)}1]}`,
    ]) {
      const started = performance.now()
      const answer = await post('/api/v1/contacts', body)
      expect([answer.status, (await answer.json()).error.code]).toEqual([400, 'json_too_complex'])
      expect(performance.now() - started).toBeLessThan(500)
    }
    // Brackets and commas within texts are none.
    expect(
      (await post('/api/v1/contacts', JSON.stringify({ name: 'a', custom: { a: '[{,\\"'.repeat(20_000) } }))).status,
    ).not.toBe(500)
  })

  test('what is no JSON says so, by its type and by its text; a byte-order mark is none of the text', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
    ])
      for (const path of [
        '/api/v1/contacts',
        '/trpc/contacts.create',
        '/api/whatsapp/send',
        '/api/payments',
        '/api/auth/sign-in/email',
      ])
        expect([type, path, (await post(path, '{}', { 'Content-Type': type })).status]).toEqual([type, path, 415])
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'application/JSON',
      'application/vnd.api+json',
    ])
      expect([type, (await post('/api/v1/contacts', '{"name":"x"}', { 'Content-Type': type })).status]).toEqual([
        type,
        201,
      ])
    for (const [path, created] of [
      ['/api/v1/contacts', 201],
      ['/trpc/contacts.create', 200],
    ] as const) {
      expect([path, (await post(path, '\ufeff{"name":"with a mark"}')).status]).toEqual([path, created])
      for (const text of ['{"name":', '[]', 'null', '"x"', '5', '{"a":1}}', "{'a':1}", '\u0000'])
        expect([path, text, (await post(path, text)).status]).toEqual([path, text, 400])
    }
  })

  test('a body that comes too slowly, or with too many beside it, is dropped', async () => {
    const dripping = () => {
      let stop = false
      return {
        request: new Request('http://x/', {
          method: 'POST',
          body: new ReadableStream({
            async pull(controller) {
              await Bun.sleep(10)
              if (!stop) controller.enqueue(new Uint8Array([0x61]))
            },
            cancel() {
              stop = true
            },
          }),
        }),
        stopped: () => stop,
      }
    }
    const { request, stopped } = dripping()
    const budget = new BodyBudget(100, 150)
    bindBody(request, budget, 'x', 100)
    const error = await readBytes(request, 1_000).catch((thrown: unknown) => thrown)
    expect(error instanceof AppError && [error.status, error.code]).toEqual([408, 'body_too_slow'])
    expect([stopped(), budget.total]).toEqual([true, 0])

    const whole = (bytes: number, address: string) => {
      const sent = new Request('http://x/', { method: 'POST', body: new Uint8Array(bytes) })
      bindBody(sent, budget, address)
      return readBytes(sent, 1_000)
    }
    expect(budget.take('held', 80)).toBe(true)
    await expect(whole(101, 'y')).rejects.toThrow(/Too many/)
    await expect(whole(90, 'y')).rejects.toThrow(/Too many/)
    expect((await whole(60, 'y')).length).toBe(60)
    expect(budget.total).toBe(80)
  })
})

test(
  'large bodies that wait to be parsed are limited in number, and one more is asked to come later',
  async () => {
    const body = JSON.stringify({ unknown: 'x'.repeat(300_000) })
    const read = () =>
      readLargeJson(new Request('http://x/', { method: 'POST', body })).then(
        () => 'read',
        (error: unknown) => (error instanceof AppError ? error.code : error),
      )
    const outcomes = await Promise.all(Array.from({ length: 12 }, read))
    expect(outcomes.filter((outcome) => outcome === 'read')).toHaveLength(9)
    expect(outcomes.filter((outcome) => outcome === 'too_many_bodies')).toHaveLength(3)
    expect(await read()).toBe('read')
    const send = (path: string) =>
      fetch(web.url + path, {
        method: 'POST',
        headers: { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' },
        body,
      })
    for (const path of ['/api/v1/imports/preview', '/trpc/imports.preview']) {
      // The requests reach the server one by one; this process fills the queue until one is refused.
      let coming = true
      const filling = (async () => {
        while (coming) await Promise.all(Array.from({ length: 9 }, read))
      })()
      const one = async () => {
        const answer = await send(path)
        if (answer.status === 503) coming = false
        return answer
      }
      const answers = await Promise.all(Array.from({ length: 16 }, one)).finally(() => {
        coming = false
      })
      await filling
      const refused = answers.filter(({ status }) => status === 503)
      expect([path, refused.length > 0]).toEqual([path, true])
      for (const answer of refused) {
        expect(answer.headers.get('retry-after')).toBe('5')
        expect(await answer.text()).toContain('too_many_bodies')
      }
    }
  },
  LONG,
)

/** The longest time on the CPU, in ms, that this thread took between two of its timers while `work` ran. */
async function longestTick(work: () => Promise<unknown>): Promise<number> {
  const spent = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  }
  let longest = 0
  let before = spent()
  const timer = setInterval(() => {
    const now = spent()
    longest = Math.max(longest, now - before)
    before = now
  }, 1)
  await work()
  clearInterval(timer)
  return longest
}

test(
  'large tables at once are not read on the thread that serves calls',
  async () => {
    // Every quote is escaped, which is the dearest to scan.
    const csv = `name,phone\n${'"""","+972501234567"\n'.repeat(270_000)}`
    const body = Buffer.from(JSON.stringify({ kind: 'contacts', csv }))
    expect(body.length).toBeGreaterThan(5_000_000)
    const send = async (path: string) => {
      const answer = await fetch(`${web.url}${path}`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${admin}`,
          'Content-Type': 'application/json',
          'X-Forwarded-For': '192.0.2.1',
        },
        body,
      })
      return await answer.text()
    }
    // What reading it here would take, on this machine and under its load.
    const reading = await longestTick(async () => {
      for (const _ of tokenize(csv, ',', 2));
      await Bun.sleep(2)
    })
    for (const path of ['/api/v1/imports', '/trpc/imports.create']) {
      let answers: string[] = []
      const longest = await longestTick(async () => {
        answers = await Promise.all([1, 2].map(() => send(path)))
      })
      expect(answers.filter((answer) => !answer.includes('csv_too_large'))).toEqual([])
      expect(longest).toBeLessThan(reading / 2)
    }
  },
  LONG,
)

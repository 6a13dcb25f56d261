import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { blockBusiness, createApiKey, createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { eventually, type Product, queueOfThisRun, startProduct } from '../support/product.ts'
import { quietFor } from '../support/wait.ts'

type Answer = {
  success: boolean
  id?: string
  status?: string
  parts?: string[]
  error?: { code: string; message: string; field?: string }
}

const TO = '+972502222222'

describe.each([queueOfThisRun()])('the WhatsApp API on %s', (queue) => {
  let product: Product
  let blockedKey = ''
  let bareKey = ''
  let revokedKey = ''

  beforeAll(async () => {
    product = await startProduct({
      queue,
      prepare: async (ctx) => {
        const blocked = within(ctx, await createBusiness(ctx, { name: 'Blocked', language: 'en' }))
        await blockBusiness(blocked, 'unpaid')
        blockedKey = (await createApiKey(blocked, { name: 'test' })).key
        const bare = within(ctx, await createBusiness(ctx, { name: 'Bare', language: 'en' }))
        bareKey = (await createApiKey(bare, { name: 'test' })).key
        const revoked = await createApiKey(bare, { name: 'gone' })
        revokedKey = revoked.key
        await ctx.db.execute(`update api_keys set revoked_at = now() where id = '${revoked.id}'`)
      },
    })
  })
  afterAll(() => product.stop())

  const send = async (body: unknown, headers: Record<string, string> = {}, key?: string | null) => {
    const response = await product.send(body, headers, key === undefined ? product.apiKey : key)
    return { status: response.status, body: (await response.json()) as Answer }
  }

  test('a message is taken at once, and recorded as out, then sent', async () => {
    const { status, body } = await send({ to: `whatsapp:${TO}`, text: 'בדיקה', provider: 'twilio' })
    expect([status, body.success, body.status]).toEqual([202, true, 'queued'])
    const sent = await eventually(async () => {
      const response = await product.api(`/api/whatsapp/status/${body.id}`)
      expect(response.status).toBe(200)
      const { message } = (await response.json()) as { message: Record<string, unknown> }
      return message.status === 'read' && message
    }, 'the message to be read')
    expect(sent).toMatchObject({ direction: 'out', provider: 'twilio', body: 'בדיקה', phone: TO, errorCode: null })
    const far = [...product.carrier.messages.values()].filter((message) => message.body === 'בדיקה')
    expect(far).toHaveLength(1)
    expect(far[0]).toMatchObject({ sid: String(sent.providerMessageId), to: `whatsapp:${TO}` })
    expect(far[0]?.statusCallback).toEndWith(`/webhook/whatsapp/status?message=${body.id}`)
  })

  test('a file that its provider cannot take is known before the message is accepted', async () => {
    const files = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch(request) {
        const { pathname } = new URL(request.url)
        if (pathname === '/gone.pdf') return new Response('gone', { status: 404 })
        if (pathname === '/archive') return new Response('x', { headers: { 'Content-Type': 'application/zip' } })
        const size = pathname === '/large.pdf' ? 16 * 1_048_576 + 1 : 1_000
        return new Response(new Uint8Array(size), { headers: { 'Content-Type': 'application/pdf' } })
      },
    })
    try {
      const rows = await product.countRows()
      const media = (name: string) => [{ url: new URL(name, files.url).href }]
      for (const [name, code] of [
        ['/gone.pdf', 'media_missing'],
        ['/archive', 'media_type_not_supported'],
        ['/large.pdf', 'media_too_large'],
      ] as const) {
        const refused = await send({ to: TO, provider: 'twilio', media: media(name) })
        expect([name, refused.status, refused.body.error?.code, refused.body.error?.field]).toEqual([
          name,
          400,
          code,
          'media.0.url',
        ])
      }
      expect(await product.countRows()).toEqual(rows)
      expect((await send({ to: TO, provider: 'twilio', media: media('/small.pdf') })).status).toBe(202)
      // What no one can tell now, sending tells.
      expect((await send({ to: TO, provider: 'twilio', media: [{ url: 'http://127.0.0.1:9/x.pdf' }] })).status).toBe(
        202,
      )
    } finally {
      await files.stop(true)
    }
  })

  test.each([`whatsapp:${TO}`, TO, '050-222-2222', '0502222222', '+972 50-222-2222'])(
    '%s is one number',
    async (to) => {
      const { status, body } = await send({ to, text: 'x' }, { Prefer: 'wait=10' })
      expect(status).toBe(200)
      expect(body.status).toBeOneOf(['sent', 'delivered', 'read'])
      expect(await product.sql`select 1 from contacts where phone = ${TO}`).toHaveLength(1)
      expect(await product.sql`select 1 from contacts`).toHaveLength(1)
    },
  )

  describe('what Twilio does not take in one message', () => {
    const sentTo = (to: string) =>
      [...product.carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`)
    const words = (length: number) => `${'מילה '.repeat(Math.ceil(length / 5)).slice(0, length - 1)}x`

    test.each([
      [1_600, 1],
      [1_601, 2],
      [4_096, 3],
    ])(
      'a text of %i characters is sent in %i parts, in order',
      async (length, count) => {
        const to = `+97250${7_000_000 + length}`
        const text = words(length)
        const { status, body } = await send(
          { to, text, provider: 'twilio', idempotencyKey: `long-${length}` },
          { Prefer: 'wait=20' },
        )
        expect([status, body.success]).toEqual([200, true])
        expect(
          sentTo(to)
            .map((message) => message.body)
            .join(' '),
        ).toBe(text)
        expect(sentTo(to)).toHaveLength(count)
        const again = await send({ to, text, provider: 'twilio', idempotencyKey: `long-${length}` })
        expect([again.body.id, again.body.parts]).toEqual([body.id, body.parts])
        const rows =
          await product.sql`select id, part, part_of, status from messages where id = ${body.id ?? ''} or part_of = ${body.id ?? ''} order by id`
        expect(rows.map((row) => [row.part, row.part_of])).toEqual(
          Array.from({ length: count }, (_, part) => [part, part === 0 ? null : (body.id ?? '')]),
        )
        await quietFor(100, 'another message would have been sent')
        expect(sentTo(to)).toHaveLength(count)
      },
      40_000,
    )

    test('several files are a message each; words that a file cannot carry follow it', async () => {
      const to = '+972507999001'
      const media = [
        { url: 'https://example.test/a.pdf', contentType: 'application/pdf' },
        { url: 'https://example.test/b.jpg', contentType: 'image/jpeg' },
      ]
      const { status, body } = await send({ to, text: 'the words', media, provider: 'twilio' }, { Prefer: 'wait=20' })
      expect([status, body.parts?.length]).toEqual([200, 3])
      expect(sentTo(to).map((message) => [message.body, ...message.mediaUrls])).toEqual([
        ['', 'https://example.test/a.pdf'],
        ['', 'https://example.test/b.jpg'],
        ['the words'],
      ])
    }, 40_000)

    test('refused before it is taken, where the business wants that, and what is of a wrong type', async () => {
      const client = product.trpc()
      await client.businesses.update.mutate({ longText: 'refuse' })
      const long = await send({ to: TO, text: words(1_601), provider: 'twilio' })
      await client.businesses.update.mutate({ longText: 'split' })
      expect([long.status, long.body.error]).toEqual([
        400,
        expect.objectContaining({ code: 'text_too_long', field: 'text' }),
      ])
      const gif = await send({ to: TO, media: [{ url: 'https://example.test/a.gif', contentType: 'image/gif' }] })
      expect([gif.status, gif.body.error?.code]).toEqual([400, 'media_type_not_supported'])
      const template = { contentSid: `HX${'0'.repeat(32)}`, variables: { 1: 'a\nb' } }
      const broken = await send({ to: TO, template })
      expect([broken.status, broken.body.error]).toEqual([
        400,
        expect.objectContaining({ code: 'invalid_template_variable', field: 'template.variables.1' }),
      ])
      const linked = await send({ to: TO, template: { ...template, variables: {} }, provider: 'baileys' })
      expect([linked.status, linked.body.error?.code]).toEqual([400, 'template_not_supported'])
    })
  })

  describe('what cannot be sent is refused, and leaves no row and no job', () => {
    const MEDIA = [{ url: 'https://example.test/a.png' }]
    test.each([
      ['no JSON', '{"to":', 400, 'invalid_json', 'body'],
      ['a list', [], 400, 'invalid_input', undefined],
      ['no recipient', { text: 'x' }, 400, 'invalid_input', 'to'],
      ['a recipient that is no text', { to: 5, text: 'x' }, 400, 'invalid_input', 'to'],
      ['a word as a number', { to: 'Dana', text: 'x' }, 400, 'invalid_number', 'to'],
      ['a number that is too short', { to: '+97250', text: 'x' }, 400, 'invalid_number', 'to'],
      ['an empty recipient', { to: '', text: 'x' }, 400, 'invalid_number', 'to'],
      ['an empty text', { to: TO, text: '' }, 400, 'empty_text', 'text'],
      ['a blank text', { to: TO, text: ' \n\t ' }, 400, 'empty_text', 'text'],
      ['no text at all', { to: TO }, 400, 'empty_text', 'text'],
      ['a text too long', { to: TO, text: 'x'.repeat(4_097) }, 400, 'invalid_input', 'text'],
      ['a text that is no text', { to: TO, text: { a: 1 } }, 400, 'invalid_input', 'text'],
      ['an unknown provider', { to: TO, text: 'x', provider: 'telegram' }, 400, 'unknown_provider', 'provider'],
      [
        'a file from a strange place',
        { to: TO, media: [{ url: 'file:///etc/passwd' }] },
        400,
        'invalid_input',
        'media.0.url',
      ],
      ['too many files', { to: TO, media: Array(11).fill(MEDIA[0]) }, 400, 'invalid_input', 'media'],
      ['a template of no name', { to: TO, template: { contentSid: 'x' } }, 400, 'invalid_input', 'template.contentSid'],
      ['an empty idempotency key', { to: TO, text: 'x', idempotencyKey: '' }, 400, 'invalid_input', 'idempotencyKey'],
      ['too much', { to: TO, text: 'x', padding: 'y'.repeat(1_100_000) }, 413, 'body_too_large', undefined],
    ] as [string, unknown, number, string, string | undefined][])('%s', async (_, body, status, code, field) => {
      const rows = await product.countRows()
      const jobs = await product.jobsStored(0, 'whatsapp.send')
      const answer = await send(body)
      expect(answer.status).toBe(status)
      expect(answer.body).toMatchObject({ success: false, error: { code } })
      expect(answer.body.error?.field).toBe(field)
      expect(answer.body.error?.message ?? '').not.toBe('')
      expect(await product.countRows()).toEqual(rows)
      expect(await product.jobsStored(0, 'whatsapp.send')).toBe(jobs)
    })

    test.each([
      ['a blocked business', 'twilio', 'blocked', 403, 'business_blocked'],
      ['a business that never linked an account', 'baileys', 'bare', 409, 'account_not_linked'],
    ])('%s', async (_, provider, who, status, code) => {
      const rows = await product.countRows()
      const jobs = await product.jobsStored(0, 'whatsapp.send')
      const answer = await send({ to: TO, text: 'x', provider }, {}, who === 'blocked' ? blockedKey : bareKey)
      expect([answer.status, answer.body.error?.code]).toEqual([status, code])
      expect(await product.countRows()).toEqual(rows)
      expect(await product.jobsStored(0, 'whatsapp.send')).toBe(jobs)
    })
  })

  test('an account that is linked but away queues', async () => {
    const { status, body } = await send({ to: TO, text: 'later', provider: 'baileys' }, { Prefer: 'wait=1' })
    expect([status, body.success, body.status]).toEqual([202, true, 'queued'])
  })

  describe('idempotency', () => {
    test('the same request under the same key, ten times at once, is one message', async () => {
      const request = { to: TO, text: 'once', idempotencyKey: 'order-1' }
      const answers = await Promise.all(Array.from({ length: 10 }, () => send(request)))
      expect(answers.every((answer) => answer.status === 202)).toBe(true)
      expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1)
      await eventually(
        () => [...product.carrier.messages.values()].filter((message) => message.body === 'once').length > 0,
        'the message',
      )
      const again = await send(request, { Prefer: 'wait=10' })
      expect(again.body.id).toBe(answers[0]?.body.id ?? '')
      await quietFor(200, 'the message would have been sent twice')
      expect([...product.carrier.messages.values()].filter((message) => message.body === 'once')).toHaveLength(1)
      expect(await product.sql`select 1 from messages where idempotency_key = 'order-1'`).toHaveLength(1)
    })

    test('the header is a key as well', async () => {
      const first = await send({ to: TO, text: 'header' }, { 'Idempotency-Key': 'order-2' })
      const second = await send({ to: TO, text: 'header' }, { 'Idempotency-Key': 'order-2' })
      expect(second.body.id).toBe(first.body.id ?? '')
      const long = await send({ to: TO, text: 'header' }, { 'Idempotency-Key': 'k'.repeat(129) })
      expect([long.status, long.body.error?.field]).toEqual([400, 'idempotencyKey'])
    })

    test('another request under a used key is refused', async () => {
      await send({ to: TO, text: 'a', idempotencyKey: 'order-3' })
      const rows = await product.countRows()
      for (const other of [{ text: 'b' }, { text: 'a', to: '+972503333333' }, { text: 'a', provider: 'baileys' }]) {
        const answer = await send({ to: TO, idempotencyKey: 'order-3', ...other })
        expect([answer.status, answer.body.error?.code]).toEqual([409, 'idempotency_conflict'])
      }
      expect((await product.countRows()).messages).toBe(rows.messages ?? -1)
    })

    test('a key belongs to a business', async () => {
      const mine = await send({ to: TO, text: 'mine', idempotencyKey: 'order-4' })
      const theirs = await send({ to: TO, text: 'theirs', idempotencyKey: 'order-4', provider: 'twilio' }, {}, bareKey)
      expect([mine.status, theirs.status]).toEqual([202, 202])
      expect(theirs.body.id).not.toBe(mine.body.id ?? '')
    })
  })

  test('"Prefer: wait" answers with what became of it', async () => {
    product.carrier.faults.add({
      to: 'whatsapp:+972504444444',
      times: 1,
      effect: { kind: 'http_error', status: 400, code: 63024, message: 'Invalid message recipient' },
    })
    const started = performance.now()
    const failed = await send({ to: '+972504444444', text: 'x' }, { Prefer: 'respond-async, wait=20' })
    expect(performance.now() - started).toBeLessThan(8_000)
    expect(failed.status).toBe(200)
    expect(failed.body).toMatchObject({ success: true, status: 'failed', error: { code: '63024' } })
    for (const prefer of ['wait=0', 'wait=abc', 'respond-async'])
      expect((await send({ to: TO, text: 'x' }, { Prefer: prefer })).status).toBe(202)
  })

  describe('list and status', () => {
    const list = async (query: string, key = bareKey) => {
      const response = await product.api(`/api/whatsapp/list?${query}`, { key })
      return {
        status: response.status,
        body: (await response.json()) as {
          items: { id: string; body: string }[]
          nextCursor: string | null
          error?: Answer['error']
        },
      }
    }

    test('pages follow each other without a gap or a repeat, newest first', async () => {
      const texts = Array.from({ length: 7 }, (_, index) => `page ${index}`)
      for (const text of texts) await send({ to: TO, text, provider: 'twilio' }, {}, bareKey)
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const { body } = await list(`limit=3${cursor ? `&cursor=${cursor}` : ''}`)
        expect(body.items.length).toBeLessThanOrEqual(3)
        seen.push(...body.items.map((item) => item.body))
        cursor = body.nextCursor
      } while (cursor)
      expect(seen.filter((body) => body.startsWith('page'))).toEqual(texts.toReversed())
    })

    test('filters narrow it', async () => {
      expect((await list('direction=in')).body.items).toEqual([])
      expect((await list('provider=baileys')).body.items).toEqual([])
      expect((await list('provider=twilio&direction=out')).body.items.length).toBeGreaterThan(6)
      const [contact] = (await list('limit=1')).body.items as unknown as { contactId: string }[]
      expect((await list(`contactId=${contact?.contactId}`)).body.items.length).toBeGreaterThan(6)
      expect((await list('contactId=019d0000-0000-7000-8000-000000000000')).body.items).toEqual([])
    })

    test.each([
      'limit=0',
      'limit=201',
      'limit=x',
      'cursor=x',
      'direction=up',
      'status=lost',
      'provider=telegram',
      'contactId=1',
    ])('a filter like %s is refused and named', async (query) => {
      const { status, body } = await list(query)
      expect([status, body.error?.code, body.error?.field]).toEqual([400, 'invalid_input', query.split('=')[0]])
    })

    test('an id of nothing', async () => {
      const none = await product.api('/api/whatsapp/status/019d0000-0000-7000-8000-000000000000')
      expect([none.status, ((await none.json()) as Answer).error?.code]).toEqual([404, 'message_not_found'])
      const odd = await product.api('/api/whatsapp/status/7')
      expect([odd.status, ((await odd.json()) as Answer).error?.field]).toEqual([400, 'id'])
    })

    test('the state of each provider', async () => {
      const answer = await product.api('/api/whatsapp/status')
      expect(await answer.json()).toMatchObject({
        success: true,
        providers: {
          twilio: { configured: true, ready: true, accounts: [{ linked: true, phone: '+14155238886' }] },
          baileys: { configured: true, accounts: [{ linked: true }] },
        },
      })
    })
  })

  describe('who may', () => {
    const paths: [string, string][] = [
      ['POST', '/api/whatsapp/send'],
      ['GET', '/api/whatsapp/list'],
      ['GET', '/api/whatsapp/status'],
      ['GET', '/api/whatsapp/status/019d0000-0000-7000-8000-000000000000'],
      ['GET', '/api/v1/recordings'],
      ['GET', '/api/v1/recordings/019d0000-0000-7000-8000-000000000000/audio'],
      ['GET', '/api/v1/turns/019d0000-0000-7000-8000-000000000000/audio'],
      ['GET', '/trpc/messages.list'],
      ['GET', '/trpc/calls.list'],
    ]
    const ask = async (method: string, path: string, headers: Record<string, string>) => {
      const response = await fetch(product.url() + path, {
        method,
        headers: { 'Content-Type': 'application/json', ...headers },
        ...(method === 'POST' ? { body: JSON.stringify({ to: TO, text: 'x' }) } : {}),
      })
      return response.status
    }

    test('a wrong, a revoked, a malformed key never, not even from this machine', async () => {
      const jobs = await product.jobsStored(0, 'whatsapp.send')
      for (const [method, path] of paths)
        for (const value of [
          'Bearer wrong-key-wrong-key',
          `Bearer ${revokedKey}`,
          'Bearer',
          'Basic abc',
          `Bearer ${product.apiKey} x`,
        ])
          expect([path, value, await ask(method, path, { Authorization: value })]).toEqual([path, value, 401])
      expect(await product.jobsStored(0, 'whatsapp.send')).toBe(jobs)
    })

    test('no one without a key who came through a proxy, whatever the proxy is called', async () => {
      for (const [method, path] of paths)
        for (const name of [
          'X-Forwarded-For',
          'Forwarded',
          'X-Real-IP',
          'X-Forwarded-Proto',
          'X-Forwarded-Host',
          'Via',
          'CF-Connecting-IP',
        ])
          expect([path, name, await ask(method, path, { [name]: '127.0.0.1' })]).toEqual([path, name, 401])
    })

    test('this machine itself, in the sandbox: the first business', async () => {
      expect(await ask('POST', '/api/whatsapp/send', {})).toBe(202)
      expect(await ask('GET', '/api/whatsapp/list', {})).toBe(200)
      expect(await ask('GET', '/trpc/messages.list', {})).toBe(200)
      const { body } = await send({ to: TO, text: 'from here' }, {}, null)
      expect((await product.api(`/api/whatsapp/status/${body.id}`)).status).toBe(200)
    })

    test('metrics: this machine, or a key', async () => {
      const metrics = (headers: Record<string, string>) => fetch(`${product.url()}/metrics`, { headers })
      expect((await metrics({})).status).toBe(200)
      expect((await metrics({ 'X-Forwarded-For': '1.2.3.4' })).status).toBe(401)
      expect((await metrics({ 'X-Forwarded-For': '1.2.3.4', Authorization: `Bearer ${product.apiKey}` })).status).toBe(
        200,
      )
    })
  })
})

describe('outside the sandbox', () => {
  let product: Product
  beforeAll(async () => {
    product = await startProduct({ queue: 'postgres', env: { SANDBOX: '0' } })
  })
  afterAll(() => product.stop())

  test('this machine needs a key like everybody', async () => {
    expect((await product.send({ to: TO, text: 'x' }, {}, null)).status).toBe(401)
    expect((await product.api('/api/whatsapp/list', { key: null })).status).toBe(401)
    expect((await product.api('/trpc/calls.list', { key: null })).status).toBe(401)
    expect((await product.send({ to: TO, text: 'x', provider: 'twilio' })).status).toBe(202)
  })

  test('no account was linked: a send by it is refused', async () => {
    const answer = await product.send({ to: TO, text: 'x', provider: 'baileys' })
    expect([answer.status, ((await answer.json()) as Answer).error?.code]).toEqual([409, 'account_not_linked'])
  })
})

test('without Twilio a send by it is 503, and the voice webhooks say why', async () => {
  const product = await startProduct({
    queue: 'postgres',
    env: {
      SANDBOX: '1',
      TWILIO_ACCOUNT_SID: '',
      TWILIO_AUTH_TOKEN: '',
      TWILIO_WHATSAPP_FROM: '',
      TWILIO_API_BASE_URL: '',
      BAILEYS_SECRET: '',
    },
  })
  try {
    const rows = await product.countRows()
    const answer = await product.send({ to: TO, text: 'x', provider: 'twilio' })
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ success: false, error: { code: 'not_configured', field: 'provider' } })
    expect(await product.countRows()).toEqual(rows)
    expect((await product.post('/webhook/incoming_call', { CallSid: 'CA1' })).status).toBe(503)
    expect((await product.post('/webhook/stream_ended', { CallSid: 'CA1' })).status).toBe(204)
    expect((await product.post('/webhook/stream_status', { CallSid: 'CA1' })).status).toBe(204)
    const baileys = await product.api('/webhook/whatsapp/baileys', { method: 'POST', body: '{}' })
    expect([baileys.status, ((await baileys.json()) as Answer).error?.code]).toEqual([503, 'baileys_not_configured'])
  } finally {
    await product.stop()
  }
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import sharp from 'sharp'
import { ROUTES } from '../../../src/access/permissions.ts'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { type BusinessContext, within } from '../../../src/domain/context.ts'
import { grantMembership } from '../../../src/domain/members/index.ts'
import { fetchMessageMedia, getMessage, processMedia, takeInbound } from '../../../src/domain/messages/index.ts'
import { eraseContact } from '../../../src/domain/privacy/index.ts'
import { contentDisposition } from '../../../src/http/api/serve-file.ts'
import type { InboundMessage } from '../../../src/jobs/registry.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { createThumbnailer } from '../../../src/providers/images/sharp.ts'
import type { VoiceNoteTranscriber } from '../../../src/providers/models/port.ts'
import { createVoiceNoteTranscriber } from '../../../src/providers/models/voice-notes.ts'
import { postTranscription, restBaseOf } from '../../../src/providers/speech/openai-realtime/transcriber.ts'
import { startOpenAi } from '../../../src/sandbox/openai/server.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { loginAs } from '../../support/identities.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let database: TestDatabase
let web: TestServer
let ctx: BusinessContext
let key = ''
let count = 0

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  ctx = { ...within(web.deps.ctx, web.businessId), enqueue: async () => {} }
  key = await web.key('read')
})
afterAll(async () => {
  await web.stop()
  await database.drop()
})

type File = InboundMessage['media'][number]

/** A message with one file, fetched and worked on as the workers do it. Answers the file's id and its message. */
async function receive(
  data: Uint8Array | null,
  file: Partial<File> = {},
  voiceNotes: VoiceNoteTranscriber | null = null,
  of = ctx,
): Promise<{ id: string; messageId: string }> {
  count += 1
  await takeInbound(of, {
    provider: 'twilio',
    businessId: of.businessId,
    dedupeKey: `m${count}`,
    providerMessageId: `m${count}`,
    kind: 'document',
    from: { phone: `+97250123${4_000 + count}` },
    body: '',
    media: [{ url: data ? 'https://x/1' : null, contentType: 'application/octet-stream', ...file }],
    at: new Date().toISOString(),
  })
  const [row] = await web.deps.database.sql<{ id: string; message_id: string }[]>`
    select id, message_id from message_media order by id desc limit 1`
  if (!row) throw new Error('no file')
  if (data) {
    const source = {
      downloadMedia: async () => ({ data, contentType: file.contentType ?? 'application/octet-stream' }),
    }
    await fetchMessageMedia(of, row.id, source, web.deps.storage)
    await processMedia(of, row.id, { storage: web.deps.storage, thumbnailer: createThumbnailer(), voiceNotes })
  }
  return { id: row.id, messageId: row.message_id }
}

/** An Ogg file of Opus (RFC 7845) of so many seconds: its head, and a last page with its granule position. */
function voiceOf(seconds: number): Buffer {
  const head = Buffer.concat([
    Buffer.from('OggS\u0000\u0002'),
    Buffer.alloc(22),
    Buffer.from('\u0001\u0013OpusHead'),
    Buffer.alloc(64),
  ])
  const last = Buffer.concat([Buffer.from('OggS\u0000\u0004'), Buffer.alloc(8), Buffer.alloc(64, 7)])
  last.writeBigInt64LE(BigInt(seconds * 48_000), 6)
  return Buffer.concat([head, last])
}

/** The voice notes of the product, over a played OpenAI. @param refuses what the budget says */
function heardBy(openai: ReturnType<typeof startOpenAi>, refuses?: string): VoiceNoteTranscriber {
  const options = { baseUrl: restBaseOf(openai.realtimeUrl), apiKey: 'k', model: 'm' }
  return createVoiceNoteTranscriber({
    serviceOf: () => ({
      model: 'openai:m',
      post: async ({ audio, mediaType, signal }) => ({
        ...{ text: (await postTranscription(options, { audio, contentType: mediaType, signal })).text },
        ...{ language: null, seconds: null, usage: null },
      }),
    }),
    pricesOf: async () => ({}),
    ledger: {
      reserve: async () => {
        if (refuses) throw new AppError('rate_limited', refuses, 'The budget is used up.')
        return { settle: async () => {} }
      },
      report: async () => {},
    },
  })
}

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${web.url}/api/v1/media/${path}`, { method, headers: { Authorization: `Bearer ${key}`, ...headers } })
const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#c03030' } })

describe('a file', () => {
  test('is served whole, in ranges, and by its head; never cached, under the sender’s name', async () => {
    const data = await picture(900, 600).jpeg().toBuffer()
    const { id } = await receive(data, { contentType: 'image/png', fileName: 'תמונה של הסלון.jpg' })
    const whole = await get(id)
    expect(whole.status).toBe(200)
    expect(Buffer.from(await whole.arrayBuffer()).equals(data)).toBe(true)
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      // What it is by its bytes, whatever the sender called it.
      'content-type': 'image/jpeg',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'accept-ranges': 'bytes',
      'content-disposition': `inline; filename="_____ __ _____.jpg"; filename*=UTF-8''${encodeURIComponent('תמונה של הסלון.jpg')}`,
    })
    const etag = whole.headers.get('etag') ?? ''
    const size = data.length
    const cases: [Record<string, string>, number, string | null, Buffer | null][] = [
      [{ Range: 'bytes=0-9' }, 206, `bytes 0-9/${size}`, data.subarray(0, 10)],
      [{ Range: 'bytes=10-' }, 206, `bytes 10-${size - 1}/${size}`, data.subarray(10)],
      [{ Range: 'bytes=-5' }, 206, `bytes ${size - 5}-${size - 1}/${size}`, data.subarray(-5)],
      [{ Range: `bytes=0-${size * 2}` }, 206, `bytes 0-${size - 1}/${size}`, data],
      [{ Range: `bytes=${size}-` }, 416, `bytes */${size}`, Buffer.alloc(0)],
      [{ Range: 'bytes=-0' }, 416, `bytes */${size}`, Buffer.alloc(0)],
      [{ Range: 'bytes=9-3' }, 200, null, data],
      [{ Range: 'bytes=0-1,4-5' }, 200, null, data],
      [{ Range: 'lines=0-1' }, 200, null, data],
      [{ Range: 'bytes=0-9', 'If-Range': etag }, 206, `bytes 0-9/${size}`, data.subarray(0, 10)],
      [{ Range: 'bytes=0-9', 'If-Range': '"another"' }, 200, null, data],
      [{ Range: 'bytes=0-9', 'If-Range': new Date().toUTCString() }, 200, null, data],
    ]
    for (const [headers, status, range, body] of cases) {
      const answer = await get(id, headers)
      expect([headers, answer.status, answer.headers.get('content-range')]).toEqual([headers, status, range])
      expect([headers, Buffer.from(await answer.arrayBuffer()).equals(body ?? data)]).toEqual([headers, true])
    }
    const head = await get(id, { Range: 'bytes=0-9' }, 'HEAD')
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([206, '10', ''])
    expect((await get(`${id}?download=1`)).headers.get('content-disposition')).toStartWith('attachment; ')
  })

  test.each([
    ['a page', '<html><script>alert(1)</script>', 'text/html', 'application/octet-stream'],
    ['a page that says it is a picture', '<html><script>alert(1)</script>', 'image/png', 'application/octet-stream'],
    [
      'a drawing that runs',
      '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
      'image/svg+xml',
      'application/octet-stream',
    ],
    ['a document of XML', '<?xml version="1.0"?><x/>', 'application/xml', 'application/octet-stream'],
    ['a script', 'alert(1)', 'application/javascript', 'application/octet-stream'],
    ['a PDF', '%PDF-1.7\n1 0 obj\n<</OpenAction<</S/JavaScript>>>>', 'application/pdf', 'application/pdf'],
    ['a program', 'MZ\u0090\u0000', 'image/jpeg', 'application/octet-stream'],
    ['a text', 'שלום', 'text/plain; charset=utf-8', 'text/plain'],
  ])('that is %s is saved and never shown', async (_, content, said, type) => {
    const { id } = await receive(new TextEncoder().encode(content), { contentType: said })
    const answer = await get(id)
    const got = [
      answer.status,
      answer.headers.get('content-type')?.split(';')[0],
      answer.headers.get('content-disposition')?.split(';')[0],
    ]
    // A program is known by its bytes.
    expect(got).toEqual([
      200,
      type === 'application/octet-stream' && content.startsWith('MZ') ? got[1] : type,
      'attachment',
    ])
    expect(got[1]).not.toMatch(/html|xml|svg|script|image/)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('that is not here, not ours or never was is not found, whoever asks', async () => {
    const { id } = await receive(await picture(9, 9).png().toBuffer(), { contentType: 'image/png' })
    const other = await createBusiness(web.deps.ctx, { name: 'Other', language: 'en' })
    const foreign = await web.key('admin', other)
    const ask = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await get(path, headers)
      return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code]
    }
    for (const path of [id, `${id}/thumbnail`]) {
      expect(await ask(path, { Authorization: `Bearer ${foreign}` })).toEqual([404, 'media_not_found'])
      expect(await ask(path, { Authorization: '' })).toEqual([401, 'api_key_required'])
    }
    expect(await ask('01a20000-0000-7000-8000-000000000000')).toEqual([404, 'media_not_found'])
    expect(await ask('nonsense')).toEqual([400, 'invalid_input'])
    const gone = await receive(null)
    expect(await ask(gone.id)).toEqual([410, 'media_unavailable'])
    const pending = await receive(null, { url: 'https://x/1' })
    expect(await ask(pending.id)).toEqual([409, 'media_pending'])
  })

  test('of a voice that cannot be transcribed stays without words, and what fails for now is tried again', async () => {
    const openai = startOpenAi({ port: 0, apiKey: 'k' })
    const voice = { kind: 'voice', contentType: 'audio/ogg; codecs=opus' } as const
    const words = async (id: string) => {
      const [row] = await web.deps.database
        .sql`select transcript, processed_at is not null as done from message_media where id = ${id}`
      return [row?.transcript, row?.done]
    }
    const patient = heardBy(openai)
    const cases: [string, Buffer, VoiceNoteTranscriber][] = [
      ['too long', voiceOf(301), patient],
      ['silent', voiceOf(0), patient],
      ['over budget', voiceOf(3), heardBy(openai, 'model_budget_used_up')],
    ]
    for (const [what, data, voiceNotes] of cases)
      expect([what, ...(await words((await receive(data, voice, voiceNotes)).id))]).toEqual([what, null, true])
    expect(openai.uses).toHaveLength(0)
    // The job is done again; the agent answers meanwhile that it did not hear it.
    openai.rest.failures = [500, 429]
    await expect(receive(voiceOf(3), voice, patient)).rejects.toMatchObject({ code: 'model_unavailable' })
    await expect(receive(voiceOf(3), voice, patient)).rejects.toMatchObject({ code: 'model_unavailable' })
    openai.rest.transcripts = ['הכרטיס שלי 4111 1111 1111 1111']
    expect(await words((await receive(voiceOf(3), voice, patient)).id)).toEqual([
      'הכרטיס שלי [card number removed]',
      true,
    ])
    await openai.close()
  })

  test('and its words go with its person', async () => {
    const openai = startOpenAi({ port: 0, apiKey: 'k' })
    const voiceNotes = heardBy(openai)
    openai.rest.transcripts = ['אפשר לקבוע תור?']
    const { id, messageId } = await receive(
      voiceOf(3),
      { kind: 'voice', contentType: 'audio/ogg; codecs=opus', seconds: 3 },
      voiceNotes,
    )
    const message = await getMessage(ctx, messageId)
    expect(message.media).toMatchObject([
      { kind: 'voice', state: 'stored', transcript: 'אפשר לקבוע תור?', url: `/api/v1/media/${id}` },
    ])
    const events = await web.deps.database
      .sql`select type, data from events where entity_id = ${messageId} order by seq`
    expect(events.map(({ type }) => type)).toEqual(['message.receive', 'message.media', 'message.transcript'])
    expect(events[2]?.data).toMatchObject({ mediaId: id, transcript: 'אפשר לקבוע תור?', contactId: message.contactId })
    // Transcribed once; a format that the transcriber does not take is not sent.
    await processMedia(ctx, id, { storage: web.deps.storage, thumbnailer: createThumbnailer(), voiceNotes })
    await receive(Buffer.from('#!AMR\n123456'), { kind: 'voice', contentType: 'audio/amr' }, voiceNotes)
    expect(openai.uses).toHaveLength(1)
    await eraseContact(ctx, message.contactId)
    expect((await get(id)).status).toBe(404)
    const left = await web.deps.database
      .sql`select data from events where entity_id = ${messageId} and data is not null`
    expect(left).toHaveLength(0)
    await openai.close()
  })
})

describe('a thumbnail', () => {
  test.each(['jpeg', 'png', 'webp', 'gif'] as const)('is made of a %s, small and upright', async (format) => {
    const data = await picture(3_000, 1_000).withMetadata({ orientation: 6 }).toFormat(format).toBuffer()
    const { id, messageId } = await receive(data, { kind: 'image', contentType: `image/${format}` })
    expect((await getMessage(ctx, messageId)).media[0]?.thumbnailUrl).toBe(`/api/v1/media/${id}/thumbnail`)
    const answer = await get(`${id}/thumbnail`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
    const { width, height } = await sharp(Buffer.from(await answer.arrayBuffer())).metadata()
    const turned = format === 'jpeg' || format === 'webp' || format === 'png'
    expect([width, height].toSorted((a, b) => a - b)).toEqual([85, 256])
    expect(turned ? height > width : width > height).toBe(true)
  })

  test('of a file that is not here is the one that came with the message, if that is a picture', async () => {
    const small = await picture(40, 40).jpeg().toBuffer()
    const { id } = await receive(null, {
      kind: 'image',
      contentType: 'image/jpeg',
      thumbnail: small.toString('base64'),
    })
    const answer = await get(`${id}/thumbnail`)
    expect(Buffer.from(await answer.arrayBuffer()).equals(small)).toBe(true)
    for (const thumbnail of [Buffer.from('<svg onload=alert(1)>').toString('base64'), 'no base64 !', '']) {
      const { id: wrong } = await receive(null, { kind: 'image', contentType: 'image/jpeg', thumbnail })
      expect((await get(`${wrong}/thumbnail`)).status).toBe(404)
    }
  })

  test('is not made of what is no picture, broken, or a bomb of pixels; the file stays', async () => {
    const bomb = await sharp({
      create: { width: 12_000, height: 12_000, channels: 3, background: '#000' },
      limitInputPixels: false,
    })
      .png({ compressionLevel: 9 })
      .toBuffer()
    const broken = (await picture(500, 500).png().toBuffer()).subarray(0, 400)
    for (const data of [bomb, broken, Buffer.from([0xff, 0xd8, 0xff, 1, 2, 3])]) {
      const before = process.memoryUsage().rss
      const { id } = await receive(data, { kind: 'image', contentType: 'image/png' })
      expect((await get(`${id}/thumbnail`)).status).toBe(404)
      expect((await get(id)).status).toBe(200)
      expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1_048_576)
    }
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    )
    await expect(createThumbnailer().makeThumbnail(svg)).rejects.toMatchObject({ code: 'picture_unreadable' })
  })
})

test('the command line shows what a message holds, and saves its file under a harmless name', async () => {
  const directory = temporaryDirectory('cli-media')
  const run = async (...args: string[]) => {
    const process_ = Bun.spawn(
      [process.execPath, join(import.meta.dir, '../../../src/cli.ts'), '--url', web.url, '--key', key, ...args],
      {
        cwd: directory,
        env: {
          PATH: '',
          DATA_DIR: directory,
          DATABASE_URL: database.url,
          SANDBOX: '0',
          SESSION_SECRET: 'a secret of the tests',
        },
        stdout: 'pipe',
        stderr: 'pipe',
      },
    )
    const [out, error] = await Promise.all([
      new Response(process_.stdout).bytes(),
      new Response(process_.stderr).text(),
    ])
    return { out, text: Buffer.from(out).toString(), error, code: await process_.exited }
  }
  const data = await picture(30, 30).png().toBuffer()
  const { id, messageId } = await receive(data, { kind: 'image', contentType: 'image/png', fileName: '../תמונה.png' })
  const shown = await run('messages', 'show', messageId)
  expect(shown.text).toContain(`picture ../תמונה.png  image/png  stored  ${id}`)
  expect((await run('messages', 'list')).text).toContain('[picture ../תמונה.png]')
  const saved = await run('messages', 'media', messageId)
  expect([saved.code, saved.text.trim(), saved.error]).toEqual([0, `_תמונה.png  ${data.length} bytes`, ''])
  expect(Buffer.from(await Bun.file(join(directory, '_תמונה.png')).arrayBuffer()).equals(data)).toBe(true)
  // What is there stays.
  expect((await run('messages', 'media', id)).code).toBe(5)
  expect(Buffer.from((await run('messages', 'media', id, '--output', '-')).out).equals(data)).toBe(true)
  expect((await run('--local', 'messages', 'media', id, '--output', 'b.png')).code).toBe(4)
  expect((await run('messages', 'media', '01a20000-0000-7000-8000-000000000000')).code).toBe(4)
}, 60_000)

test('recordings are not cached either, and no answer tells where a file lies', async () => {
  await web.deps.database.sql`insert into calls (id, business_id, call_sid, from_number, to_number, started_at)
    values ('01a20000-0000-7000-8000-00000000000c', ${web.businessId}, 'CA1', '+1', '+2', now())`
  await web.deps.database
    .sql`insert into recordings (id, business_id, call_id, recording_sid, state, storage_key, recorded_at)
    values ('01a20000-0000-7000-8000-00000000000d', ${web.businessId}, '01a20000-0000-7000-8000-00000000000c', 'RE1', 'stored', 'recordings/x.wav', now())`
  await web.deps.storage.put('recordings/x.wav', Buffer.from('RIFF'), 'audio/wav')
  const ask = (path: string) => fetch(`${web.url}${path}`, { headers: { Authorization: `Bearer ${key}` } })
  const list = await ask('/api/v1/recordings')
  expect([list.status, await list.text()]).toEqual([200, expect.not.stringContaining('recordings/x')])
  expect(await (await ask('/api/v1/recordings')).text()).not.toContain('storageKey')
  const audio = await ask('/api/v1/recordings/01a20000-0000-7000-8000-00000000000d/audio')
  expect([audio.status, audio.headers.get('cache-control')]).toEqual([200, 'no-store'])
  const call = await ask('/api/v1/calls/01a20000-0000-7000-8000-00000000000c')
  expect(await call.text()).not.toMatch(/storageKey|recordings\/x/)
})

test.each([
  ['a.pdf', 'filename="a.pdf"; filename*=UTF-8\'\'a.pdf'],
  ['../../etc/passwd', 'filename="_.._etc_passwd"; filename*=UTF-8\'\'_.._etc_passwd'],
  ['a"\r\nSet-Cookie: x=1', 'filename="a_Set-Cookie_ x=1"; filename*=UTF-8\'\'a_Set-Cookie_%20x%3D1'],
  ['invoice\u202Efdp.exe', 'filename="invoicefdp.exe"; filename*=UTF-8\'\'invoicefdp.exe'],
  ["it's (1) 100%.txt", "filename=\"it's (1) 100_.txt\"; filename*=UTF-8''it%27s%20%281%29%20100%25.txt"],
  ['\uD800x', `filename="_x"; filename*=UTF-8''${encodeURIComponent('\uFFFDx')}`],
  ['   ...', ''],
])('the name %p in a header', (name, expected) => {
  expect(contentDisposition('attachment', name)).toBe(['attachment', expected].filter(Boolean).join('; '))
})

describe('a file by its address alone, as images, players and links ask for it', () => {
  /** A member of two businesses, the older one by default; who is in one only; a file of the second. */
  async function crossing() {
    const second = within(web.deps.ctx, await createBusiness(web.deps.ctx, { name: 'Second', language: 'he' }))
    const both = await loginAs(web, web.businessId, 'manager')
    await web.deps.ctx.db.transaction((tx) => grantMembership(tx, second, both.userId ?? '', 'manager'))
    const outsider = await loginAs(web, web.businessId, 'owner')
    const data = await picture(40, 40).jpeg().toBuffer()
    const { id } = await receive(data, { kind: 'image', contentType: 'image/jpeg' }, null, {
      ...second,
      enqueue: async () => {},
    })
    const cookie = (identity: typeof both) => ({ Cookie: identity.headers.Cookie ?? '' })
    const ask = (path: string, headers: Record<string, string>, method = 'GET') =>
      fetch(`${web.url}/api/v1/${path}`, { headers, method })
    return { id, second: second.businessId, both: cookie(both), outsider: cookie(outsider), ask, data }
  }

  test('is that of the business in the address, for its members alone', async () => {
    const { id, second, both, outsider, ask, data } = await crossing()
    expect((await ask(`media/${id}`, both)).status).toBe(404)
    const found = await ask(`media/${id}?business=${second}`, both)
    expect(found.status).toBe(200)
    expect(Buffer.from(await found.arrayBuffer()).equals(data)).toBe(true)
    const part = await ask(`media/${id}?download=1&business=${second}`, { ...both, Range: 'bytes=0-3' })
    expect([part.status, part.headers.get('content-disposition')?.split(';')[0]]).toEqual([206, 'attachment'])
    expect((await ask(`media/${id}?business=${second}`, both, 'HEAD')).status).toBe(200)
    // The header, which pages of other sites cannot set, outweighs the address.
    const own = { ...both, 'x-business-id': web.businessId }
    expect((await ask(`media/${id}?business=${second}`, own)).status).toBe(404)
    const csv = await (await ask(`exports/contacts.csv?business=${second}`, both)).text()
    expect(csv).toContain(`97250123${4_000 + count}`)
    expect(await (await ask('exports/contacts.csv', both)).text()).not.toContain(`97250123${4_000 + count}`)
    const refused = await ask(`media/${id}?business=${second}`, outsider)
    expect([refused.status, await refused.json()]).toMatchObject([403, { error: { code: 'not_a_member' } }])
    const byKey = await ask(`media/${id}?business=${second}`, { Authorization: `Bearer ${key}` })
    expect([byKey.status, await byKey.json()]).toMatchObject([403, { error: { code: 'not_a_member' } }])
  })

  test('no route that lets the address choose is open to who is no member; every other route does not look at it', async () => {
    const { second, both, outsider, ask } = await crossing()
    const chosen = Object.entries(ROUTES).filter(([, rule]) => rule.access === 'business' && rule.byAddress)
    expect(chosen.length).toBeGreaterThanOrEqual(7)
    for (const [route] of chosen) {
      expect(route).toStartWith('GET /')
      const path = route
        .slice('GET '.length)
        .replace(/:file\{.*/, 'contacts.csv')
        .replace(':id', '01900000-0000-7000-8000-000000000000')
        .replace(':kind', 'google')
      const open = (business: string, headers: Record<string, string>) =>
        fetch(`${web.url}${path}?business=${business}`, { headers, redirect: 'manual' })
      const answers = [await open(second, outsider), await open('x', both)]
      for (const answer of answers)
        expect([path, answer.status, await answer.json()]).toMatchObject([
          path,
          403,
          { error: { code: 'not_a_member' } },
        ])
    }
    const other = await ask(`contacts?business=${second}`, both)
    expect([other.status, await other.json()]).toMatchObject([400, { error: { code: 'unknown_parameter' } }])
    const account = await ask(`uploads?business=${second}`, { ...both, Origin: web.url }, 'POST')
    expect(account.status).toBe(400)
  })
})

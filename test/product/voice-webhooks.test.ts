import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { durationOfWav } from '../../src/audio/wav.ts'
import { addPhoneNumber, blockBusiness, createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { eventually, NUMBER, type Product, queueOfThisRun, startProduct } from '../support/product.ts'
import { quietFor } from '../support/wait.ts'

const BASE = 'https://127.9.9.9/phone'
const SECOND = '+97233760002'
const BLOCKED = '+97233760003'

const sid = (() => {
  let last = 0
  return () => `CA${(++last).toString().padStart(32, '0')}`
})()

describe.each([queueOfThisRun()])('the voice webhooks on %s', (queue) => {
  let product: Product
  let second = ''
  let blocked = ''

  beforeAll(async () => {
    product = await startProduct({
      workers: ['crm', 'recordings'],
      queue,
      // With slashes at its end and a path in it: what is behind must still have exactly one slash.
      env: { PUBLIC_BASE_URL: `${BASE}//` },
      prepare: async (ctx) => {
        second = await createBusiness(ctx, { name: 'Second', language: 'en' })
        await addPhoneNumber(within(ctx, second), { number: SECOND })
        blocked = await createBusiness(ctx, { name: 'Blocked', language: 'en' })
        await addPhoneNumber(within(ctx, blocked), { number: BLOCKED })
        await blockBusiness(within(ctx, blocked), 'unpaid')
      },
    })
    // The worker writes to the audit log when it starts.
    const repaired = () => product.sql`select 1 from audit_log where action = 'contacts.repair'`
    await eventually(async () => (await repaired()).length === 3, 'the repair of the contacts of each business')
  })
  afterAll(() => product.stop())

  const incoming = (fields: Record<string, string> = {}, mode: 'right' | 'wrong' | 'none' = 'right') =>
    product.post('/webhook/incoming_call', { CallSid: sid(), From: '+972501234567', To: NUMBER, ...fields }, mode)

  const callRow = (callSid: string) =>
    eventually(
      async () => (await product.sql`select * from calls where call_sid = ${callSid} and contact_id is not null`)[0],
      `the row of ${callSid}`,
    )

  test.each(['wrong', 'none'] as const)('a call with a %s signature is refused and leaves nothing', async (mode) => {
    const rows = await product.countRows()
    const jobs = await product.jobsStored()
    const answer = await incoming({}, mode)
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ success: false, error: { code: 'invalid_signature' } })
    await quietFor(150, 'the refused call would have been written')
    expect(await product.countRows()).toEqual(rows)
    expect(await product.jobsStored()).toBe(jobs)
  })

  test('a signature over other fields, another path or another host is a wrong one', async () => {
    const fields = { CallSid: sid(), From: '+972501234567', To: NUMBER }
    for (const headers of [
      product.sign('/webhook/incoming_call', { ...fields, To: SECOND }),
      product.sign('/webhook/stream_ended', fields),
      product.sign('/webhook/incoming_call?x=1', fields),
    ]) {
      const answer = await fetch(`${product.url()}/webhook/incoming_call`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString(),
      })
      expect(answer.status).toBe(403)
    }
  })

  test('the counts by which the tests see that nothing happened do see a call', async () => {
    const rows = await product.countRows()
    const jobs = await product.jobsStored()
    const callSid = sid()
    await incoming({ CallSid: callSid })
    await callRow(callSid)
    expect(await product.jobsStored()).toBe(jobs + 1)
    expect((await product.countRows()).calls).toBe((rows.calls ?? 0) + 1)
  })

  test('a signed call is connected to the stream: absolute addresses with one slash between their parts', async () => {
    const callSid = sid()
    const answer = await incoming({ CallSid: callSid })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toStartWith('text/xml')
    const twiml = await answer.text()
    expect(twiml).toMatch(/<Response><Connect action="[^"]+"><Stream /)
    expect(twiml).not.toMatch(/<(Play|Say)/)
    expect(twiml).toContain(`<Connect action="${BASE}/webhook/stream_ended">`)
    expect(twiml).toContain(`url="${BASE.replace('https', 'wss')}/ws/twilio-media"`)
    expect(twiml).toContain(`statusCallback="${BASE}/webhook/stream_status"`)
    for (const [, address = ''] of twiml.matchAll(/"((?:https?|wss):[^"]*)"/g))
      expect(new URL(address).pathname).not.toContain('//')
    const parameters = [...twiml.matchAll(/<Parameter name="([^"]*)" value="([^"]*)"/g)]
    expect(parameters.map(([, name]) => name).sort()).toEqual(['to', 'token'])
    for (const [, name = '', value = ''] of parameters) {
      expect(value.length).toBeGreaterThan(0)
      expect(name.length + value.length).toBeLessThan(500)
    }
    expect(await callRow(callSid)).toMatchObject({
      business_id: product.businessId,
      from_number: '+972501234567',
      to_number: NUMBER,
      answered_by: 'agent',
      state: 'ringing',
    })
  })

  test('the parameters stay under 500 characters whatever the carrier puts into the numbers', async () => {
    const twiml = await (await incoming({ From: `sip:${'x'.repeat(120)}`, To: `${NUMBER}` })).text()
    for (const [, name = '', value = ''] of twiml.matchAll(/<Parameter name="([^"]*)" value="([^"]*)"/g))
      expect(name.length + value.length).toBeLessThan(500)
    expect(twiml).toContain('<Stream')
  })

  test('the same call asked about twice is one call', async () => {
    const callSid = sid()
    const answers = await Promise.all([1, 2, 3].map(() => incoming({ CallSid: callSid })))
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200])
    await callRow(callSid)
    expect(await product.sql`select 1 from calls where call_sid = ${callSid}`).toHaveLength(1)
  })

  test('the number called tells the business', async () => {
    const callSid = sid()
    await incoming({ CallSid: callSid, To: SECOND })
    expect((await callRow(callSid)).business_id).toBe(second)
  })

  test('a withheld number is answered; the call has no contact', async () => {
    const callSid = sid()
    expect(await (await incoming({ CallSid: callSid, From: 'anonymous' })).text()).toContain('<Stream')
    const row = await eventually(
      async () => (await product.sql`select contact_id, from_number from calls where call_sid = ${callSid}`)[0],
      'the call',
    )
    expect(row).toEqual({ contact_id: null, from_number: 'anonymous' })
  })

  test('a number that no one claims gets a polite sentence, and it can be heard', async () => {
    const rows = await product.countRows()
    const twiml = await (await incoming({ To: '+97233769999' })).text()
    expect(twiml).toMatch(/<Response><Play>[^<]+<\/Play><Hangup\/><\/Response>/)
    await expectPlayable(twiml)
    await quietFor(150, 'the refused call would have been written')
    expect((await product.countRows()).calls).toBe(rows.calls ?? -1)
  })

  test('a blocked business goes straight to voicemail', async () => {
    const callSid = sid()
    const twiml = await (await incoming({ CallSid: callSid, To: BLOCKED })).text()
    expectVoicemail(twiml)
    expect(twiml).toContain(`business=${blocked}`)
    await expectPlayable(twiml)
    expect(await callRow(callSid)).toMatchObject({
      answered_by: 'voicemail',
      fallback: 'voicemail',
      end_detail: 'business_blocked',
    })
  })

  test.each([
    '/trpc/messages.send',
    '/api/auth/sign-in/email',
    '/admin/login',
    '/api/whatsapp/send',
    '/webhook/incoming_call',
  ])('a body without measure is refused at %s', async (path) => {
    const chunk = new Uint8Array(65_536).fill(97)
    let sent = 0
    const body = new ReadableStream({
      pull(controller) {
        if (sent > 20_000_000) controller.close()
        else controller.enqueue(chunk)
        sent += chunk.byteLength
      },
    })
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${product.apiKey}` }
    const signal = AbortSignal.timeout(5_000)
    const answer = await fetch(product.url() + path, { method: 'POST', headers, body, signal })
    expect([path, answer.status]).toEqual([path, 413])
  })

  test('the preview shows the same document with a token that opens nothing', async () => {
    const answer = await fetch(`${product.url()}/webhook/incoming_call_preview`)
    expect(answer.status).toBe(200)
    const twiml = await answer.text()
    expect(twiml).toContain(`<Connect action="${BASE}/webhook/stream_ended">`)
    const token = /name="token" value="([^"]*)"/.exec(twiml)?.[1] ?? ''
    expect(token).not.toBe('')
    const socket = new WebSocket(`${product.url().replace('http', 'ws')}/ws/twilio-media`)
    const { promise: closed, resolve } = Promise.withResolvers<number>()
    socket.onclose = (event) => resolve(event.code)
    socket.onopen = () =>
      socket.send(
        JSON.stringify({
          event: 'start',
          streamSid: 'MZpreview',
          start: { callSid: 'CApreview', customParameters: { token } },
        }),
      )
    expect(await Promise.race([closed, Bun.sleep(3_000).then(() => 'still open')])).toBe(1008)
    expect(await product.sql`select 1 from calls where call_sid = 'CApreview'`).toHaveLength(0)
  })

  test('every webhook but the preview takes POST alone and says so', async () => {
    for (const path of [
      'incoming_call',
      'stream_status',
      'stream_ended',
      'call_status',
      'recording_action',
      'recording_status',
      'whatsapp/twilio',
      'whatsapp/status',
      'whatsapp/baileys',
    ])
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await fetch(`${product.url()}/webhook/${path}`, { method })
        expect([path, method, answer.status, answer.headers.get('allow')]).toEqual([path, method, 405, 'POST'])
      }
  })

  describe('stream_status', () => {
    const raw = (init: RequestInit & { duplex?: 'half' }) =>
      fetch(`${product.url()}/webhook/stream_status`, {
        method: 'POST',
        signal: AbortSignal.timeout(5_000),
        ...init,
      })

    test('answers 204 to whatever comes, at once, and writes nothing', async () => {
      const rows = await product.countRows()
      const jobs = await product.jobsStored()
      const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
      const bodies: [string, RequestInit][] = [
        ['nothing', {}],
        ['the field report', { headers: form, body: 'CallSid=CA_TEST&StreamSid=MZ_TEST&Status=connected' }],
        ['garbage', { headers: form, body: '%%%=%E0%A4%A&\0\0&=' }],
        ['no form', { headers: { 'Content-Type': 'application/json' }, body: '{"CallSid":' }],
        ['bytes', { body: new Uint8Array(5_000).fill(0xff) }],
        ['too long', { headers: form, body: `CallSid=${'x'.repeat(70_000)}` }],
        ['far too long', { body: new Uint8Array(3_000_000) }],
        [
          'a wrong signature',
          { headers: { ...form, 'X-Twilio-Signature': 'AAAA' }, body: 'CallSid=CA1&StreamSid=MZ1' },
        ],
        [
          'chunks without end',
          {
            body: new ReadableStream({
              pull(controller) {
                controller.enqueue(new Uint8Array(16_384).fill(97))
              },
            }),
          },
        ],
      ]
      for (const [what, init] of bodies) {
        const started = performance.now()
        const answer = await raw(init)
        expect([what, answer.status, await answer.text()]).toEqual([what, 204, ''])
        expect(performance.now() - started).toBeLessThan(1_500)
      }
      await quietFor(100, 'a row would have been written')
      expect(await product.countRows()).toEqual(rows)
      expect(await product.jobsStored()).toBe(jobs)
    })

    test.each([500, 60_000, 200_000_000, 10_000_000_000])(
      'does not wait for a sender who is slow with %d bytes',
      async (bytes) => {
        const started = performance.now()
        const answer = await slowPost(product.server().port, bytes)
        expect(answer).toStartWith('HTTP/1.1 204')
        expect(performance.now() - started).toBeLessThan(3_000)
      },
    )

    test('unsigned update are counted; signed ones are in the record of the call', async () => {
      const callSid = sid()
      await incoming({ CallSid: callSid })
      await callRow(callSid)
      const fields = {
        CallSid: callSid,
        StreamSid: 'MZ00000000000000000000000000000001',
        StreamEvent: 'stream-error',
        StreamError: '31920 handshake failed',
      }
      const count = 'agentlocator_webhook_events_total{event="stream_status_unsigned"}'
      const before = await product.metric(count)
      for (const mode of ['none', 'wrong'] as const)
        expect((await product.post('/webhook/stream_status', fields, mode)).status).toBe(204)
      expect(await product.metric(count)).toBe(before + 2)
      await quietFor(150, 'the unsigned form would have had an effect')
      expect((await callRow(callSid)).stream_error).toBeNull()
      expect((await product.post('/webhook/stream_status', fields)).status).toBe(204)
      const row = await eventually(
        async () => (await product.sql`select stream_error from calls where call_sid = ${callSid}`)[0]?.stream_error,
        'the stream error',
      )
      expect(row).toBe('31920 handshake failed')
    })

    test('update that overtake the call are kept until it is there', async () => {
      const callSid = sid()
      const update = { CallSid: callSid, StreamSid: 'MZ2', StreamEvent: 'stream-error', StreamError: 'early' }
      expect((await product.post('/webhook/stream_status', update)).status).toBe(204)
      await quietFor(100, 'the event that came first would have been lost')
      await incoming({ CallSid: callSid })
      await eventually(
        async () =>
          (await product.sql`select stream_error from calls where call_sid = ${callSid}`)[0]?.stream_error === 'early',
        'the early update',
      )
    })
  })

  describe('stream_ended', () => {
    const ended = (fields: Record<string, string>, mode: 'right' | 'wrong' | 'none' = 'right') =>
      product.post('/webhook/stream_ended', { To: NUMBER, CallStatus: 'in-progress', ...fields }, mode)

    /** A registered call whose agent ended for that reason (null: it never said why). */
    const endedCall = async (reason: string | null) => {
      const callSid = sid()
      await incoming({ CallSid: callSid })
      await callRow(callSid)
      if (reason)
        await product.sql`update calls set end_reason = ${reason}, state = 'ended' where call_sid = ${callSid}`
      return callSid
    }

    test.each(['none', 'wrong'] as const)('with a %s signature: an empty 204 and no effect at all', async (mode) => {
      const callSid = await endedCall('engine_failed')
      await quietFor(600, 'jobs of the tests before are still being counted')
      const rows = await product.countRows()
      const jobs = await product.jobsStored()
      const forms: Record<string, string>[] = [{ CallSid: callSid }, { CallSid: 'CA_TEST', Status: 'completed' }, {}]
      for (const fields of forms) {
        const answer = await ended(fields, mode)
        expect([answer.status, await answer.text()]).toEqual([204, ''])
      }
      await quietFor(100, 'a row would have been written')
      expect(await product.countRows()).toEqual(rows)
      expect(await product.jobsStored()).toBe(jobs)
      expect((await callRow(callSid)).fallback).toBeNull()
    })

    test.each(['completed', 'caller_hung_up', 'silence', 'max_duration'])(
      'after %s the call is hung up',
      async (reason) => {
        const callSid = await endedCall(reason)
        for (let time = 0; time < 2; time += 1) {
          const answer = await ended({ CallSid: callSid })
          expect(answer.status).toBe(200)
          expect(await answer.text()).toContain('<Response><Hangup/></Response>')
        }
        expect((await callRow(callSid)).fallback).toBeNull()
      },
    )

    test.each([
      'engine_failed',
      'voicemail_requested',
      'stream_lost',
      'protocol_error',
      'server_draining',
      'server_lost',
      'stream_failed',
      'no word',
    ])('after %s the caller may leave a message, asked once or twice', async (reason) => {
      const callSid = await endedCall(reason === 'no word' ? null : reason)
      for (let time = 0; time < 2; time += 1) {
        const twiml = await (await ended({ CallSid: callSid })).text()
        expectVoicemail(twiml)
        expect(twiml).toContain(`business=${product.businessId}`)
      }
      expect((await callRow(callSid)).fallback).toBe('voicemail')
    })

    test('a call no one knows gets the voicemail of the number called', async () => {
      const twiml = await (await ended({ CallSid: sid(), To: SECOND })).text()
      expectVoicemail(twiml)
      expect(twiml).toContain(`business=${second}`)
      await expectPlayable(twiml)
      const unknown = await (await ended({ CallSid: sid(), To: '' })).text()
      expectVoicemail(unknown)
      await expectPlayable(unknown)
    })

    test('a caller who hung up is not asked for a message', async () => {
      const callSid = await endedCall('engine_failed')
      expect(await (await ended({ CallSid: callSid, CallStatus: 'completed' })).text()).toContain('<Hangup/>')
      expect((await callRow(callSid)).fallback).toBeNull()
    })
  })

  describe('call_status', () => {
    test('needs a signature', async () => {
      expect(
        (await product.post('/webhook/call_status', { CallSid: sid(), CallStatus: 'completed' }, 'none')).status,
      ).toBe(403)
    })

    test('ends a call of which nothing else was heard, and a late "ringing" does not bring it back', async () => {
      const callSid = sid()
      await incoming({ CallSid: callSid })
      await callRow(callSid)
      const update = (status: string, more = {}) =>
        product.post('/webhook/call_status', { CallSid: callSid, CallStatus: status, ...more })
      expect((await update('completed', { CallDuration: '7' })).status).toBe(204)
      const row = await eventually(async () => {
        const found = await callRow(callSid)
        return found.state === 'ended' && found
      }, 'the end')
      expect(row).toMatchObject({ carrier_status: 'completed', carrier_seconds: 7, end_reason: 'abandoned' })
      expect((await update('ringing')).status).toBe(204)
      await quietFor(200, 'the late status would have replaced the last one')
      expect((await callRow(callSid)).carrier_status).toBe('completed')
    })
  })

  describe('recording_action and recording_status', () => {
    test('need a signature and a recording that may be one of ours', async () => {
      const fields = { CallSid: sid(), RecordingSid: `RE${'a'.repeat(32)}`, To: NUMBER }
      const jobs = await product.jobsStored()
      for (const path of ['/webhook/recording_action', '/webhook/recording_status'])
        for (const mode of ['wrong', 'none'] as const) expect((await product.post(path, fields, mode)).status).toBe(403)
      const answer = await product.post('/webhook/recording_status', { ...fields, To: '+97233769999' })
      expect(answer.status).toBe(404)
      const odd = await product.post('/webhook/recording_status', { ...fields, RecordingSid: '../../etc/passwd' })
      expect(odd.status).toBe(400)
      expect(await product.jobsStored()).toBe(jobs)
    })

    test('a caller who left nothing hears the goodbye all the same', async () => {
      const answer = await product.post(`/webhook/recording_action?business=${product.businessId}`, {
        CallSid: sid(),
        To: NUMBER,
      })
      expect(answer.status).toBe(200)
      const twiml = await answer.text()
      expect(twiml).toMatch(/<Response><Play>[^<]+<\/Play><Hangup\/><\/Response>/)
      await expectPlayable(twiml)
    })
  })

  /** `<Play>` then `<Record>` with absolute addresses that have one slash between their parts. */
  function expectVoicemail(twiml: string) {
    expect(twiml).toMatch(/<Response><Play>[^<]+<\/Play><Record /)
    expect(twiml).toContain(`action="${BASE}/webhook/recording_action`)
    expect(twiml).toContain(`recordingStatusCallback="${BASE}/webhook/recording_status`)
    for (const [, address = ''] of twiml.matchAll(/["|>](https?:[^"<]*)/g))
      expect(new URL(address.replaceAll('&amp;', '&')).pathname).not.toContain('//')
  }

  /** What `<Play>` names is served, and is sound. */
  async function expectPlayable(twiml: string) {
    const address = /<Play>([^<]+)<\/Play>/.exec(twiml)?.[1] ?? ''
    expect(address).toStartWith(`${BASE}/prompts/`)
    const answer = await fetch(product.url() + address.slice(BASE.length))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'audio/wav'])
    expect(durationOfWav(new Uint8Array(await answer.arrayBuffer()))).toBeGreaterThan(1_000)
  }
})

/** Half a request, and then nothing: what the server answers to it. */
async function slowPost(port: number, bytes: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data: (_, chunk) => resolve(chunk.toString()),
      close: () => reject(new Error('closed without an answer')),
    },
  })
  socket.write(
    `POST /webhook/stream_status HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nCallSid=CA`,
  )
  try {
    return await Promise.race([
      promise,
      Bun.sleep(5_000).then(() => {
        throw new Error('no answer within 5 s')
      }),
    ])
  } finally {
    socket.end()
  }
}

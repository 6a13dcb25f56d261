import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addPhoneNumber, createApiKey, createBusiness } from '../../src/domain/businesses/index.ts'
import { type DomainContext, within } from '../../src/domain/context.ts'
import { createKeyring, setCredentials } from '../../src/domain/credentials/index.ts'
import { saveProfile } from '../../src/domain/receptionist/index.ts'
import { createSecretBox, deriveKey } from '../../src/lib/secret-box.ts'
import { sendInboundWhatsApp } from '../../src/sandbox/carrier/inbound-whatsapp.ts'
import type { Carrier } from '../../src/sandbox/carrier/server.ts'
import { signTwilioRequest } from '../../src/sandbox/carrier/signature.ts'
import type { OpenAiSandbox } from '../../src/sandbox/openai/server.ts'
import { announceCall, openStream } from '../support/media-stream.ts'
import { eventually, NUMBER, type Product, startProduct, WHATSAPP_SENDER } from '../support/product.ts'
import { OPENAI_KEY, startTestOpenAi } from '../support/realtime.ts'
import { endSpeech, speak } from '../support/speech.ts'
import { say } from '../support/voice-line.ts'
import { quietFor } from '../support/wait.ts'

const SECRET = 'a-session-secret-of-the-tests'
const LONG = 90_000

type Tenant = { id: string; number: string; sender: string; accountSid: string; authToken: string; key: string }

const tenantOf = (letter: string, last: number): Tenant => ({
  id: '',
  number: `+9723376010${last}`,
  sender: `+1415555000${last}`,
  accountSid: `AC${letter.repeat(31)}${last}`,
  authToken: `the-token-of-tenant-${letter}`,
  key: '',
})

/** A business with a number, an API key, and a carrier account of its own. */
async function addTenant(ctx: DomainContext, tenant: Tenant): Promise<void> {
  tenant.id = await createBusiness(ctx, { name: `Tenant ${tenant.number}`, language: 'en' })
  const business = within(ctx, tenant.id)
  await addPhoneNumber(business, { number: tenant.number })
  tenant.key = (await createApiKey(business, { name: 'test' })).key
  const { accountSid, authToken, sender } = tenant
  const keyring = createKeyring(ctx.db, createSecretBox(deriveKey(SECRET, 'business credentials')), ctx.log)
  await setCredentials(business, keyring, {
    provider: 'twilio',
    keys: { accountSid, authToken, whatsappFrom: `whatsapp:${sender}` },
  })
}

describe('businesses with carrier accounts of their own, beside the installation’s', () => {
  const dana = tenantOf('d', 1)
  const noa = tenantOf('e', 2)
  const thief = tenantOf('f', 3)
  let product: Product
  let ofDana: Carrier
  let last = 0
  const customer = () => `+97250${7_000_000 + ++last}`
  const callSid = () => `CA${(++last).toString(16).padStart(32, 'b')}`

  beforeAll(async () => {
    product = await startProduct({
      queue: 'postgres',
      env: { BUSINESS_LANGUAGE: 'en', LOG_LEVEL: 'debug' },
      prepare: async (ctx) => {
        await addTenant(ctx, dana)
        await addTenant(ctx, noa)
        await addTenant(ctx, thief)
      },
    })
    ofDana = product.carrier.addAccount(dana)
    product.carrier.addAccount(noa)
  }, LONG)
  afterAll(async () => {
    await product.stop()
    await endSpeech()
  }, LONG)

  /** A form signed with a token, as the account that `params` names. */
  const postAs = (token: string, path: string, params: Record<string, string>) =>
    fetch(product.url() + path, {
      method: 'POST',
      headers: { 'X-Twilio-Signature': signTwilioRequest(token, product.publicBaseUrl + path, params) },
      body: new URLSearchParams(params),
      signal: AbortSignal.timeout(10_000),
    })

  test(
    'a call to its number, signed by its account, is answered; what is said is fetched and deleted there',
    async () => {
      await product.trpc(dana.key).businesses.update.mutate({ deleteRemoteRecordings: true })
      const said = await speak('My name is David', 'en')
      const report = await product.call({
        carrier: ofDana,
        to: dana.number,
        script: [
          { dtmf: '0', when: 'barge_in' },
          { say: said, quietMs: 1_500 },
          { dtmf: '#', when: 'now' },
        ],
      })
      // The socket was opened with a signature by the same token.
      expect(report.streams).not.toEqual([])
      const row = await eventually(
        async () =>
          (
            await product.sql`select c.business_id, r.state, r.recording_sid, r.deleted_remotely_at, r.bytes
              from calls c join recordings r on r.call_id = c.id
              where c.call_sid = ${report.callSid} and r.state = 'stored' and r.deleted_remotely_at is not null`
          )[0],
        'the recording, stored and deleted at the carrier',
        60_000,
      )
      expect(row).toMatchObject({ business_id: dana.id, state: 'stored' })
      expect(Number(row.bytes)).toBeGreaterThan(1_000)
      expect(ofDana.recordings.get(String(row.recording_sid))).toBeUndefined()
      expect([product.carrier.recordings.size, product.carrier.calls.size]).toEqual([0, 0])
    },
    LONG,
  )

  test(
    'WhatsApp goes out over its account from its sender, statuses come back, and what is written to it is its own',
    async () => {
      const to = customer()
      const sent = await product.send({ to, text: 'hello from dana', provider: 'twilio' }, {}, dana.key)
      expect(sent.status).toBe(202)
      const { id } = (await sent.json()) as { id: string }
      await eventually(
        async () => /delivered|read/.test((await product.trpc(dana.key).messages.get.query({ id })).status),
        'the delivery',
        30_000,
      )
      const out = (carrier: Carrier) =>
        [...carrier.messages.values()].filter(({ direction }) => direction === 'outbound-api')
      expect(out(ofDana)).toMatchObject([{ from: `whatsapp:${dana.sender}`, to: `whatsapp:${to}` }])
      expect(out(product.carrier)).toEqual([])
      const { twilio } = await product.trpc(dana.key).businesses.providers.query()
      expect(twilio).toEqual({ configured: true, defaultSender: dana.sender, own: true })

      const file = { contentType: 'image/png', bytes: new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 1, 2, 3]) }
      const received = await sendInboundWhatsApp({
        carrier: ofDana,
        webhookUrl: `${product.publicBaseUrl}/webhook/whatsapp/twilio`,
        from: customer(),
        to: dana.sender,
        body: 'hello to dana',
        media: [file],
      })
      expect(received.deliveries).toMatchObject([{ status: 204 }])
      const media = await eventually(
        async () =>
          (
            await product.sql`select m.business_id, f.bytes, f.state from messages m
              join message_media f on f.message_id = m.id
              where m.provider_message_id = ${received.messageSid} and f.state = 'stored'`
          )[0],
        'the file',
        30_000,
      )
      expect(media).toMatchObject({ business_id: dana.id, bytes: file.bytes.byteLength })
    },
    LONG,
  )

  test(
    'its number may still be in the installation’s account',
    async () => {
      const call = { AccountSid: product.carrier.accountSid, CallSid: callSid(), From: customer(), To: noa.number }
      const answer = await product.post('/webhook/incoming_call', call)
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('<Connect')])
      await eventually(
        async () =>
          (await product.sql`select 1 from calls where call_sid = ${call.CallSid} and contact_id is not null`)[0],
        'the call',
      )
    },
    LONG,
  )

  test('a token signs for its own account alone, whatever a form says', async () => {
    const call = () => ({ CallSid: callSid(), From: customer(), To: dana.number })
    const rows = await product.countRows()
    const jobs = await product.jobsStored()
    const cases: [string, Record<string, string>][] = [
      // Noa's token: in her own name, in Dana's, in the installation's, in no one's, in no name.
      [noa.authToken, { ...call(), AccountSid: noa.accountSid }],
      [noa.authToken, { ...call(), AccountSid: dana.accountSid }],
      [noa.authToken, { ...call(), AccountSid: product.carrier.accountSid }],
      [noa.authToken, { ...call(), AccountSid: `AC${'9'.repeat(32)}` }],
      [noa.authToken, call()],
      // To the installation's own business, and to no one's.
      [noa.authToken, { ...call(), To: NUMBER, AccountSid: noa.accountSid }],
      // The installation's token does not speak in Dana's name either.
      [product.carrier.authToken, { ...call(), AccountSid: dana.accountSid }],
    ]
    for (const [token, params] of cases) {
      const answer = await postAs(token, '/webhook/incoming_call', params)
      expect([params.AccountSid, answer.status]).toEqual([params.AccountSid, 403])
      expect(await answer.json()).toMatchObject({ error: { code: 'invalid_signature' } })
    }
    expect(await product.jobsStored()).toBe(jobs)
    expect(await product.countRows()).toEqual(rows)
  })

  test(
    'one business’s token cannot tell anything of another’s calls, recordings and messages',
    async () => {
      const victim = callSid()
      const from = customer()
      const mine = { AccountSid: dana.accountSid, CallSid: victim, From: from, To: dana.number }
      expect((await postAs(dana.authToken, '/webhook/incoming_call', mine)).status).toBe(200)
      const callOf = async () => (await product.sql`select * from calls where call_sid = ${victim}`)[0]
      await eventually(async () => (await callOf())?.contact_id, 'the call of Dana')
      const sent = await product.send({ to: customer(), text: 'for dana', provider: 'twilio' }, {}, dana.key)
      const { id } = (await sent.json()) as { id: string }
      const messageOf = async () => (await product.sql`select * from messages where id = ${id}`)[0]
      await eventually(async () => (await messageOf())?.status === 'read', 'that it was read', 30_000)
      const before = [await callOf(), await messageOf(), await product.countRows()]

      const forged = { AccountSid: noa.accountSid, CallSid: victim, From: from }
      const at = async (path: string, params: Record<string, string>) => {
        const answer = await postAs(noa.authToken, path, params)
        return [answer.status, await answer.text()] as const
      }
      const recording = { ...forged, To: dana.number, RecordingSid: `RE${'1'.repeat(32)}` }
      for (const query of ['', `?business=${dana.id}`]) {
        expect((await at(`/webhook/recording_action${query}`, recording))[0]).not.toBe(200)
        expect((await at(`/webhook/recording_status${query}`, recording))[0]).not.toBe(204)
      }
      expect((await at(`/webhook/recording_action?business=${dana.id}`, recording))[0]).toBe(403)
      // Her number, but Dana's call.
      expect(await at('/webhook/stream_ended', { ...forged, To: noa.number, CallStatus: 'in-progress' })).toEqual([
        204,
        '',
      ])
      const dial = { ...forged, To: noa.number, CallStatus: 'in-progress', DialCallStatus: 'busy' }
      expect((await at(`/webhook/dial_ended?business=${dana.id}`, dial))[1]).not.toContain(dana.id)
      expect((await at(`/webhook/whisper?business=${dana.id}`, forged))[1]).not.toContain(dana.id)
      // Known by their ids alone: taken, for she has calls of her own, but not for this one.
      expect((await at('/webhook/call_status', { ...forged, To: noa.number, CallStatus: 'completed' }))[0]).toBe(204)
      const stream = { ...forged, StreamSid: `MZ${'2'.repeat(32)}`, StreamEvent: 'stream-error', StreamError: 'forged' }
      expect((await at('/webhook/stream_status', stream))[0]).toBe(204)
      const { provider_message_id } = (await messageOf()) ?? {}
      for (const MessageSid of [String(provider_message_id), `SM${'3'.repeat(32)}`]) {
        const status = { AccountSid: noa.accountSid, MessageSid, MessageStatus: 'failed', ErrorCode: '63016' }
        expect((await at(`/webhook/whatsapp/status?message=${id}`, status))[0]).toBe(204)
      }
      const reported = (words: string) =>
        product.workersOf('crm').some(({ log }) => JSON.stringify(log).includes(words))
      await eventually(
        () => reported('call status rejected: the call belongs to another business'),
        'that the call’s update was dropped',
      )
      await eventually(
        () => reported('stream event rejected: the call belongs to another business'),
        'that the stream’s update was dropped',
      )
      await eventually(() => reported('status of an unknown message dropped'), 'that the message’s update was dropped')
      expect([await callOf(), await messageOf(), await product.countRows()]).toEqual(before)
    },
    LONG,
  )

  test('a message signed by one business’s account is never another’s, and its files lie in that account', async () => {
    const rows = await product.countRows()
    const inbound = (To: string, more: Record<string, string> = {}) => ({
      AccountSid: noa.accountSid,
      MessageSid: `SM${(++last).toString(16).padStart(32, 'c')}`,
      From: `whatsapp:${customer()}`,
      To: `whatsapp:${To}`,
      Body: 'from noa’s account',
      NumMedia: '0',
      ...more,
    })
    const api = product.carrier.url
    for (const MediaUrl0 of [
      `${api}/2010-04-01/Accounts/${product.carrier.accountSid}/Calls.json`,
      `${api}/2010-04-01/Accounts/${dana.accountSid}/Messages/SM1/Media/ME1`,
      `${api}/2010-04-01/Accounts/${noa.accountSid}/../${product.carrier.accountSid}/Calls.json`,
      `${api}/2010-04-01/Accounts/${noa.accountSid}/%2e%2e/${product.carrier.accountSid}/Calls.json`,
      'https://elsewhere.example.com/file',
    ]) {
      const answer = await postAs(
        noa.authToken,
        '/webhook/whatsapp/twilio',
        inbound(noa.sender, { NumMedia: '1', MediaUrl0 }),
      )
      expect([MediaUrl0, answer.status]).toEqual([MediaUrl0, 403])
    }
    expect(await product.countRows()).toEqual(rows)
    // Dana's and the installation's senders are not Noa's to speak of: what comes from her account is hers.
    for (const sender of [dana.sender, WHATSAPP_SENDER]) {
      const params = inbound(sender)
      expect((await postAs(noa.authToken, '/webhook/whatsapp/twilio', params)).status).toBe(204)
      const row = await eventually(
        async () =>
          (await product.sql`select business_id from messages where provider_message_id = ${params.MessageSid}`)[0],
        'the message',
      )
      expect(row.business_id).toBe(noa.id)
    }
  })

  test('a media socket opens for a signature of any account here, and for no other', async () => {
    const upgrade = async (token: string) => {
      const url = `${product.publicBaseUrl.replace(/^http/, 'ws')}/ws/twilio-media`
      const signature = signTwilioRequest(token, url.replace(/^ws:/, 'wss:'))
      const answer = await fetch(`${product.url()}/ws/twilio-media`, {
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': Buffer.from('a'.repeat(16)).toString('base64'),
          'X-Twilio-Signature': signature,
        },
        signal: AbortSignal.timeout(10_000),
      })
      return answer.status
    }
    expect(await upgrade('an unknown token')).toBe(403)
    for (const token of [product.carrier.authToken, dana.authToken, noa.authToken])
      expect(await upgrade(token)).toBe(101)
  })

  test('a stream that one business signed ends no one else’s ringing call', async () => {
    const stateOf = async (sid: string) =>
      (
        await product.sql<{ end_reason: string | null; stream_sid: string | null }[]>`
        select end_reason, stream_sid from calls where call_sid = ${sid}`
      )[0]
    const sid = callSid()
    const token = await announceCall(product, sid)
    await eventually(() => stateOf(sid), 'the row of the call')
    // Also one that has no row yet: what waits in the queue is held to the same.
    const early = callSid()
    for (const named of [sid, early]) {
      const foreign = await openStream(product, 0, { token: thief.authToken })
      foreign.start(named, 'a token that opens nothing')
      expect((await foreign.closed).code).toBe(1008)
    }
    const earlyToken = await announceCall(product, early)
    await eventually(() => stateOf(early), 'the row of the second call')
    await quietFor(1_500, "the calls would have been ended by a stranger's form")
    expect([await stateOf(sid), await stateOf(early)].map((row) => row?.end_reason)).toEqual([null, null])
    for (const [named, own] of [
      [sid, token],
      [early, earlyToken],
    ] as const) {
      const stream = await openStream(product)
      stream.start(named, own)
      await eventually(async () => (await stateOf(named))?.stream_sid, 'its own stream')
      stream.close()
    }
    // The installation speaks for all: its refusal does end the call.
    const last = callSid()
    await announceCall(product, last)
    await eventually(() => stateOf(last), 'the row of the third call')
    const refused = await openStream(product)
    refused.start(last, 'a token that opens nothing')
    await eventually(async () => (await stateOf(last))?.end_reason === 'bad_token', 'the reason')
  })

  test('who claims another’s account with a token of his own speaks for himself at most', async () => {
    for (const claimed of [dana.accountSid, product.carrier.accountSid]) {
      const keys = { accountSid: claimed, authToken: thief.authToken }
      await product.trpc(thief.key).credentials.set.mutate({ provider: 'twilio', keys })
      const form = (To: string) => ({ AccountSid: claimed, CallSid: callSid(), From: customer(), To })
      for (const number of [dana.number, noa.number])
        expect((await postAs(thief.authToken, '/webhook/incoming_call', form(number))).status).toBe(403)
      const own = await postAs(thief.authToken, '/webhook/incoming_call', form(thief.number))
      expect([claimed, own.status]).toEqual([claimed, claimed === dana.accountSid ? 200 : 403])
      // The real owners are served as ever.
      expect(
        (await postAs(dana.authToken, '/webhook/incoming_call', { ...form(dana.number), AccountSid: dana.accountSid }))
          .status,
      ).toBe(200)
      expect(
        (await product.post('/webhook/incoming_call', { ...form(noa.number), AccountSid: product.carrier.accountSid }))
          .status,
      ).toBe(200)
    }
  })
})

describe('an installation without a carrier account', () => {
  const dana = tenantOf('a', 4)
  let product: Product
  beforeAll(async () => {
    product = await startProduct({
      queue: 'postgres',
      env: { TWILIO_ACCOUNT_SID: '', TWILIO_AUTH_TOKEN: '', TWILIO_WHATSAPP_FROM: '' },
      prepare: async (ctx, first) => {
        await addPhoneNumber(within(ctx, first), { number: NUMBER })
        await addTenant(ctx, dana)
      },
    })
  }, LONG)
  afterAll(() => product.stop(), LONG)

  const incoming = (to: string, more: Record<string, string> = {}) => {
    const params = { CallSid: `CA${'4'.repeat(32)}`, From: '+972501111111', To: to, ...more }
    return fetch(`${product.url()}/webhook/incoming_call`, {
      method: 'POST',
      headers: {
        'X-Twilio-Signature': signTwilioRequest(
          dana.authToken,
          `${product.publicBaseUrl}/webhook/incoming_call`,
          params,
        ),
      },
      body: new URLSearchParams(params),
      signal: AbortSignal.timeout(10_000),
    })
  }

  test('serves the business that has one, and no one else', async () => {
    const answer = await incoming(dana.number, { AccountSid: dana.accountSid })
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('<Connect')])
    expect((await incoming(NUMBER, { AccountSid: dana.accountSid })).status).toBe(403)
    expect((await incoming(dana.number)).status).toBe(403)
    const refused = await product.send({ to: '+972502222222', text: 'x', provider: 'twilio' })
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'not_configured' } }])
  })

  test('a key taken away is out of use within seconds', async () => {
    const { credentials } = product.trpc(dana.key)
    await credentials.remove.mutate({ provider: 'twilio' })
    const answer = await incoming(dana.number, { AccountSid: dana.accountSid })
    expect([answer.status, await answer.json()]).toMatchObject([503, { error: { code: 'telephony_not_configured' } }])
  })
})

describe('a call handed to a person', () => {
  const dana = tenantOf('b', 5)
  let product: Product
  let ofDana: Carrier
  let openai: OpenAiSandbox
  beforeAll(async () => {
    openai = startTestOpenAi({ steps: [{ tools: [{ name: 'transfer_to_human', args: { reason: 'asked' } }] }] })
    product = await startProduct({
      queue: 'postgres',
      env: { BUSINESS_LANGUAGE: 'en', OPENAI_API_KEY: OPENAI_KEY, OPENAI_REALTIME_URL: openai.realtimeUrl },
      prepare: async (ctx) => {
        await addTenant(ctx, dana)
        await saveProfile(within(ctx, dana.id), { settings: { transferNumber: '+97235550000' } })
      },
    })
    ofDana = product.carrier.addAccount(dana)
  }, LONG)
  afterAll(async () => {
    await product.stop()
    await openai.close()
  }, LONG)

  test(
    'is changed in the account that has it: the business’s own, or the installation’s',
    async () => {
      for (const carrier of [ofDana, product.carrier]) {
        const report = await product.call({
          carrier,
          to: dana.number,
          script: [{ say: say(600) }],
          dial: { outcome: 'answered', talkMs: 200 },
        })
        expect(report.accountSid).toBe(carrier.accountSid)
        expect(report.documents.map(({ source }) => source)).toContain('rest')
        expect(report.documents.find(({ source }) => source === 'rest')?.body).toContain('+97235550000')
        expect(carrier.calls.has(report.callSid)).toBe(true)
      }
    },
    LONG,
  )
})

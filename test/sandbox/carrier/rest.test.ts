import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import twilio from 'twilio'
import { addNumber } from '../../../src/sandbox/carrier/numbers-api.ts'
import type { Carrier } from '../../../src/sandbox/carrier/server.ts'
import { quietFor } from '../../support/wait.ts'
import { ACCOUNT_SID, AUTH_TOKEN, noContent, startTestApp, startTestCarrier, type TestApp, until } from './support.ts'

const FROM = 'whatsapp:+972501110000'
const TO = 'whatsapp:+972502220000'

let carrier: Carrier
let app: TestApp
let client: twilio.Twilio
let mediaStatus = 200

beforeAll(() => {
  carrier = startTestCarrier({ statusDelaysMs: { queued: 2, sent: 20, delivered: 40, read: 60 } })
  app = startTestApp({
    routes: {
      '/status': noContent,
      '/image.png': () =>
        new Response(new Uint8Array([1, 2, 3]), { status: mediaStatus, headers: { 'Content-Type': 'image/png' } }),
    },
  })
  client = twilio(ACCOUNT_SID, AUTH_TOKEN)
  client.api.baseUrl = carrier.url
})

afterAll(async () => {
  await carrier.close()
  await app.stop()
})

beforeEach(() => {
  carrier.faults.clear()
  carrier.settings.enforceWindow = false
  mediaStatus = 200
  app.seen.length = 0
})

const statusesOf = (sid: string): string[] =>
  app
    .to('/status')
    .filter((each) => each.params.MessageSid === sid)
    .map((each) => each.params.MessageStatus ?? '')

const send = (more: Partial<Parameters<typeof client.messages.create>[0]> = {}) =>
  client.messages.create({
    from: FROM,
    to: TO,
    body: 'שלום',
    statusCallback: `${app.url}/status?row=a%20b&x=1`,
    ...more,
  })

/** The error of a promise that must fail. */
async function errorOf(promise: Promise<unknown>): Promise<{ code?: unknown; status?: unknown; moreInfo?: unknown }> {
  return promise.then(
    () => {
      throw new Error('it should have failed')
    },
    (error: { code?: unknown; status?: unknown; moreInfo?: unknown }) => error,
  )
}

describe('messages through the real SDK', () => {
  test('are accepted, reported step by step with valid signatures, and fetched', async () => {
    const message = await send()
    expect(message).toMatchObject({ accountSid: ACCOUNT_SID, status: 'queued', from: FROM, to: TO, body: 'שלום' })
    expect(message.sid).toMatch(/^SM[0-9a-f]{32}$/)
    expect(message.dateCreated).toBeInstanceOf(Date)
    await until(() => statusesOf(message.sid).length === 4)
    expect(statusesOf(message.sid)).toEqual(['queued', 'sent', 'delivered', 'read'])
    expect(app.to('/status').every((each) => each.valid)).toBe(true)
    const fetched = await client.messages(message.sid).fetch()
    expect(fetched.status).toBe('read')
    expect(fetched.dateSent).toBeInstanceOf(Date)
  })

  test('are listed by To and date, over several pages', async () => {
    const to = 'whatsapp:+972503330000'
    const created: string[] = []
    for (let i = 0; i < 5; i += 1) created.push((await send({ to, statusCallback: undefined })).sid)
    const all = await client.messages.list({ to, dateSentAfter: new Date(Date.now() - 60_000), pageSize: 2 })
    expect(all.map((each) => each.sid).toSorted()).toEqual(created.toSorted())
    expect(await client.messages.list({ to, dateSentBefore: new Date(Date.now() - 60_000) })).toEqual([])
    expect((await client.messages.list({ to, dateSent: new Date() })).length).toBe(5)
    const page = await client.messages.page({ to, pageSize: 3 })
    expect(page.instances.length).toBe(3)
    expect((await page.nextPage())?.instances.length).toBe(2)
  })

  test('are refused as Twilio refuses them', async () => {
    expect(await errorOf(send({ to: 'whatsapp:052' }))).toMatchObject({
      status: 400,
      code: 21211,
      moreInfo: 'https://www.twilio.com/docs/errors/21211',
    })
    expect(await errorOf(send({ to: '+972502220000' }))).toMatchObject({ status: 400, code: 21910 })
    expect(await errorOf(send({ body: '' }))).toMatchObject({ status: 400, code: 21602 })
    expect(await errorOf(send({ contentSid: 'HX1', contentVariables: '[1]' }))).toMatchObject({ code: 21656 })
    expect(await errorOf(client.messages('SM0').fetch())).toMatchObject({ status: 404, code: 20404 })
    const stranger = twilio(ACCOUNT_SID, 'wrong')
    stranger.api.baseUrl = carrier.url
    expect(await errorOf(stranger.messages.list())).toMatchObject({ status: 401, code: 20003 })
  })

  test('carry media that the carrier fetches; media that cannot be had ends as 63019', async () => {
    const message = await send({ mediaUrl: [`${app.url}/image.png`] })
    await until(() => statusesOf(message.sid).includes('read'))
    const media = await client.messages(message.sid).media.list()
    expect(media.map((each) => each.contentType)).toEqual(['image/png'])
    mediaStatus = 404
    const lost = await send({ mediaUrl: [`${app.url}/image.png`] })
    await until(() => statusesOf(lost.sid).includes('undelivered'))
    await quietFor(60, 'a later status would have been reported')
    expect(await client.messages(lost.sid).fetch()).toMatchObject({ status: 'undelivered', errorCode: 63019 })
    expect(statusesOf(lost.sid)).toEqual(['queued', 'undelivered'])
  })
})

describe('the 24 hour window', () => {
  test('free text outside it is accepted, then undelivered with 63016; a template and an answer go through', async () => {
    carrier.settings.enforceWindow = true
    const outside = await send()
    await until(() => statusesOf(outside.sid).includes('undelivered'))
    expect(app.to('/status').find((each) => each.params.MessageStatus === 'undelivered')?.params.ErrorCode).toBe(
      '63016',
    )
    const template = await send({ body: undefined, contentSid: 'HX1', contentVariables: '{"1":"x"}' })
    await until(() => statusesOf(template.sid).includes('delivered'))
    carrier.lastInbound.set(`${FROM}|${TO}`, Date.now())
    const inside = await send()
    await until(() => statusesOf(inside.sid).includes('delivered'))
  })
})

describe('injected faults', () => {
  test('refuse the next requests, to one recipient or to all', async () => {
    carrier.faults.add({ times: 2, effect: { kind: 'http_error', status: 429, code: 20429 } })
    carrier.faults.add({ to: 'whatsapp:+972509990000', effect: { kind: 'http_error', status: 500, code: 20500 } })
    expect(await errorOf(send())).toMatchObject({ status: 429, code: 20429 })
    expect(await errorOf(send())).toMatchObject({ status: 429 })
    expect((await send()).status).toBe('queued')
    expect(await errorOf(send({ to: 'whatsapp:+972509990000' }))).toMatchObject({ status: 500, code: 20500 })
  })

  test('lose the answer after acceptance: the client sees a cut connection, the message goes its way', async () => {
    carrier.faults.add({ times: 1, effect: { kind: 'response_lost' } })
    const body = `lost ${crypto.randomUUID()}`
    expect(await errorOf(send({ body }))).toMatchObject({ code: 'ECONNRESET' })
    const found = (await client.messages.list({ to: TO })).filter((each) => each.body === body)
    expect(found.length).toBe(1)
    await until(() => statusesOf(found[0]?.sid ?? '').includes('read'))
  })

  test('delay the answer', async () => {
    carrier.faults.add({ times: 1, effect: { kind: 'response_delayed', ms: 150 } })
    const started = performance.now()
    await send()
    expect(performance.now() - started).toBeGreaterThan(140)
  })

  test('fail the delivery, reorder, repeat and lose callbacks', async () => {
    carrier.faults.add({ times: 1, effect: { kind: 'delivery_failure', status: 'failed', errorCode: 63024 } })
    const failed = await send()
    carrier.faults.add({ times: 1, effect: { kind: 'callbacks_reversed' } })
    const reversed = await send()
    carrier.faults.add({ times: 1, effect: { kind: 'callbacks_duplicated', times: 2 } })
    const doubled = await send()
    carrier.faults.add({ times: 1, effect: { kind: 'callbacks_lost' } })
    const lost = await send()
    await until(() => statusesOf(doubled.sid).length === 8 && statusesOf(reversed.sid).length === 4)
    expect(statusesOf(failed.sid)).toEqual(['queued', 'failed'])
    expect(statusesOf(reversed.sid)).toEqual(['read', 'delivered', 'sent', 'queued'])
    expect(statusesOf(lost.sid)).toEqual([])
    await until(() => carrier.messages.get(lost.sid)?.status === 'read')
    expect(statusesOf(lost.sid)).toEqual([])
  })
})

describe('calls that are not there', () => {
  test('answer 404', async () => {
    expect(await errorOf(client.calls('CA0').fetch())).toMatchObject({ status: 404, code: 20404 })
    expect(await errorOf(client.calls('CA0').update({ status: 'completed' }))).toMatchObject({ status: 404 })
  })
})

describe('the account’s numbers', () => {
  test('are listed by pages, found by number, read and led elsewhere by Twilio’s own client', async () => {
    const first = addNumber(carrier, '+97233760000', { voiceUrl: 'https://one.example/voice' })
    addNumber(carrier, '+14155550100', { friendlyName: 'California' })
    const numbers = client.incomingPhoneNumbers
    expect((await numbers.list({ pageSize: 1 })).map((row) => row.phoneNumber)).toEqual([
      '+14155550100',
      '+97233760000',
    ])
    expect((await numbers.list({ phoneNumber: '+97233760000' })).map((row) => row.sid)).toEqual([first.sid])
    expect((await numbers.list({ friendlyName: 'California' })).length).toBe(1)

    const changed = await numbers(first.sid).update({
      voiceUrl: 'https://two.example/voice',
      voiceMethod: 'GET',
      statusCallback: 'https://two.example/status',
      trunkSid: `TK${'1'.repeat(32)}`,
    })
    expect(changed).toMatchObject({
      voiceUrl: 'https://two.example/voice',
      voiceMethod: 'GET',
      statusCallback: 'https://two.example/status',
      statusCallbackMethod: 'POST',
      phoneNumber: '+97233760000',
      trunkSid: `TK${'1'.repeat(32)}`,
    })
    expect(changed.dateUpdated.getTime()).toBeGreaterThanOrEqual(changed.dateCreated.getTime())
    // An empty value unsets; an absent one leaves the setting.
    expect(await numbers(first.sid).update({ trunkSid: '', statusCallback: '' })).toMatchObject({
      voiceUrl: 'https://two.example/voice',
      statusCallback: '',
      trunkSid: null,
    })
  })

  test('take no address that is none, and are not found under another name', async () => {
    const number = addNumber(carrier, '+97233760002')
    const update = (given: { voiceUrl?: string; voiceMethod?: string }) =>
      client
        .incomingPhoneNumbers(number.sid)
        .update(given)
        .catch((error: { code: number }) => error.code)
    expect(await update({ voiceUrl: 'not an address' })).toBe(21402)
    expect(await update({ voiceMethod: 'PUT' })).toBe(21403)
    expect((await client.incomingPhoneNumbers(number.sid).fetch()).voiceUrl).toBe('')
    const missing = client.incomingPhoneNumbers(`PN${'0'.repeat(32)}`).fetch()
    expect(await missing.catch((error: { code: number }) => error.code)).toBe(20404)
  })
})

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { updateBusiness } from '../../../src/domain/businesses/index.ts'
import { setOptOut } from '../../../src/domain/contacts/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import {
  deliverMessage,
  getMessage,
  moveToFallback,
  requestMessage,
  requeueLostMessages,
} from '../../../src/domain/messages/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import type { WhatsAppSender } from '../../../src/providers/whatsapp/port.ts'
import { createTwilioWhatsApp } from '../../../src/providers/whatsapp/twilio.ts'
import { type Carrier, startCarrier } from '../../../src/sandbox/carrier/server.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

const SENDER = '+14155238886'
const LIST_REFUSED = { kind: 'http_error', status: 500, code: 20500 } as const

let domain: TestDomain
let carrier: Carrier
let sender: WhatsAppSender
let ctx: BusinessContext
let last = 0

beforeAll(async () => {
  domain = await openDomain()
  carrier = startCarrier({ port: 0, accountSid: `AC${'0'.repeat(32)}`, authToken: 'token-of-the-tests' })
  sender = createTwilioWhatsApp({
    accountSid: carrier.accountSid,
    authToken: carrier.authToken,
    apiBaseUrl: carrier.url,
    statusCallbackUrl: 'http://127.0.0.1:9/webhook/whatsapp/status',
  })
  ctx = await domain.newBusiness()
})
afterAll(async () => {
  await carrier.close()
  await domain.close()
})
beforeEach(() => {
  carrier.faults.clear()
  domain.queued.length = 0
})

const means = () => ({
  pool: domain.handle.sql,
  senderOf: () => sender,
  settings: { twilio: () => ({ configured: true, defaultSender: SENDER, own: false }) },
})

const request = async () => {
  const to = `+97250${8_000_000 + ++last}`
  const settings = { twilio: () => ({ configured: true, defaultSender: SENDER, own: false }) }
  const { id } = await requestMessage(ctx, { to, text: `to ${to}`, provider: 'twilio' }, settings)
  return { id, arrived: () => [...carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`) }
}

const deliver = (id: string) => deliverMessage(ctx, id, means())

/** As if the last attempt had begun that long ago. */
const age = (id: string, seconds: number) =>
  domain.handle.sql`update messages set last_attempt_at = now() - ${seconds} * interval '1 second' where id = ${id}`

const rowOf = async (id: string) => {
  const [row] = await domain.handle
    .sql`select status, attempts, error_code, provider_message_id from messages where id = ${id}`
  return row
}

test('a message is sent once, however often and by however many its job is run', async () => {
  const { id, arrived } = await request()
  const results = await Promise.all(Array.from({ length: 5 }, () => deliver(id)))
  expect(results.filter((result) => result.done && result.status === 'sent').length).toBeGreaterThan(0)
  expect(await deliver(id)).toEqual({ done: true, status: 'sent' })
  expect(arrived()).toHaveLength(1)
  expect(await rowOf(id)).toMatchObject({ status: 'sent', attempts: 1, provider_message_id: arrived()[0]?.sid })
})

test('a row in "sending" is not sent again before it was looked up; found, it is sent', async () => {
  const { id, arrived } = await request()
  carrier.faults.add({ times: 1, effect: { kind: 'response_lost' } })
  expect(await deliver(id)).toMatchObject({ done: false })
  expect(await rowOf(id)).toMatchObject({ status: 'sending' })
  expect(await deliver(id)).toMatchObject({ done: false, reason: 'waiting before it is reconciled' })
  await age(id, 21)
  // The clock of the row was moved, the carrier's was not: what it has lies after the attempt.
  expect(await deliver(id)).toEqual({ done: true, status: 'sent' })
  expect(arrived()).toHaveLength(1)
  expect(await rowOf(id)).toMatchObject({ provider_message_id: arrived()[0]?.sid, error_code: null })
})

test('a provider that surely never got it gets it, once', async () => {
  const { id, arrived } = await request()
  carrier.faults.add({ times: 1, effect: { kind: 'http_error', status: 500, code: 20500 } })
  expect(await deliver(id)).toMatchObject({ done: false })
  expect(arrived()).toHaveLength(0)
  await age(id, 21)
  expect(await deliver(id)).toMatchObject({ done: false, reason: 'the provider never got it' })
  expect(await deliver(id)).toEqual({ done: true, status: 'sent' })
  expect(arrived()).toHaveLength(1)
  expect(await rowOf(id)).toMatchObject({ attempts: 2 })
})

test('in doubt nothing is sent; after half an hour of doubt a person decides', async () => {
  const { id, arrived } = await request()
  carrier.faults.add({ times: 1, effect: { kind: 'response_lost' } })
  carrier.faults.add({ operation: 'messages.list', effect: LIST_REFUSED })
  await deliver(id)
  await age(id, 60)
  expect(await deliver(id)).toMatchObject({ done: false, reason: 'the provider cannot tell yet' })
  await age(id, 31 * 60)
  expect(await deliver(id)).toEqual({ done: true, status: 'unknown' })
  expect(await rowOf(id)).toMatchObject({ status: 'unknown', error_code: 'outcome_unknown' })
  expect(arrived()).toHaveLength(1)
  expect(await deliver(id)).toEqual({ done: true, status: 'unknown' })
})

test('who asks not to be written to while a message is under way gets it no more, by no provider', async () => {
  await updateBusiness(ctx, { fallbackWhatsappProvider: 'baileys' })
  const contactOf = async (id: string) => (await getMessage(ctx, id)).contactId
  // An attempt that died before anything left.
  const died = await request()
  await domain.handle.sql`update messages set status = 'sending', attempts = 1 where id = ${died.id}`
  await age(died.id, 21)
  await setOptOut(ctx, await contactOf(died.id), true)
  await deliver(died.id)
  // One that is refused for now, while the word comes in.
  const refused = await request()
  carrier.faults.add({ times: 1, effect: { kind: 'http_error', status: 401, code: 20003 } })
  const real = sender
  sender = {
    ...real,
    send: async (message) => {
      await setOptOut(ctx, await contactOf(refused.id), true)
      return await real.send(message)
    },
  }
  await deliver(refused.id)
  sender = real
  for (const { id, arrived } of [died, refused]) {
    await deliver(id)
    expect(await rowOf(id)).toMatchObject({ status: 'failed', error_code: 'contact_opted_out' })
    expect(await getMessage(ctx, id)).toMatchObject({ provider: 'twilio' })
    expect(arrived()).toEqual([])
  }
  await updateBusiness(ctx, { fallbackWhatsappProvider: null })
})

test('a look-alike that belongs to another message of ours is not taken for this one', async () => {
  const to = `+97250${8_000_000 + ++last}`
  const settings = { twilio: () => ({ configured: true, defaultSender: SENDER, own: false }) }
  const same = { to, text: 'the same words', provider: 'twilio' }
  const first = await requestMessage(ctx, same, settings)
  expect(await deliver(first.id)).toEqual({ done: true, status: 'sent' })
  const second = await requestMessage(ctx, same, settings)
  carrier.faults.add({ times: 1, effect: { kind: 'http_error', status: 500, code: 20500 } })
  await deliver(second.id)
  await age(second.id, 21)
  await deliver(second.id)
  expect(await deliver(second.id)).toEqual({ done: true, status: 'sent' })
  const far = [...carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`)
  expect(far).toHaveLength(2)
  const rows = await Promise.all([rowOf(first.id), rowOf(second.id)])
  expect(new Set(rows.map((row) => row?.provider_message_id)).size).toBe(2)
})

test('wrong credentials wait to be mended; the message is neither failed nor lost', async () => {
  const { id, arrived } = await request()
  const wrong = createTwilioWhatsApp({
    accountSid: carrier.accountSid,
    authToken: 'another-token',
    apiBaseUrl: carrier.url,
    statusCallbackUrl: 'http://127.0.0.1:9/x',
  })
  const result = await deliverMessage(ctx, id, { ...means(), senderOf: () => wrong })
  expect(result).toMatchObject({ done: false, retryInMs: 60_000 })
  expect(await rowOf(id)).toMatchObject({ status: 'queued' })
  expect(await deliver(id)).toEqual({ done: true, status: 'sent' })
  expect(arrived()).toHaveLength(1)
})

test('an unreachable carrier: surely not sent, tried again', async () => {
  const { id } = await request()
  const unreachable = createTwilioWhatsApp({
    accountSid: carrier.accountSid,
    authToken: carrier.authToken,
    apiBaseUrl: 'http://127.0.0.1:9',
    statusCallbackUrl: 'http://127.0.0.1:9/x',
  })
  const result = await deliverMessage(ctx, id, { ...means(), senderOf: () => unreachable })
  expect(result).toMatchObject({ done: false, retryInMs: 5_000 })
  expect(await rowOf(id)).toMatchObject({ status: 'queued' })
})

test('a worker without that provider leaves the message queued', async () => {
  const { id } = await request()
  const result = await deliverMessage(ctx, id, { ...means(), senderOf: () => null })
  expect(result).toMatchObject({ done: false })
  expect(await rowOf(id)).toMatchObject({ status: 'queued', attempts: 0 })
})

test('a message of another business is not there', async () => {
  const { id, arrived } = await request()
  const other = await domain.newBusiness()
  expect(await deliverMessage(other, id, means())).toEqual({ done: true, status: 'gone' })
  expect(arrived()).toHaveLength(0)
})

test('the sweep queues what has been waiting too long, and only that', async () => {
  await domain.handle.sql`update messages set status = 'sent' where status in ('queued', 'sending')`
  const old = await request()
  const fresh = await request()
  const sent = await request()
  await deliver(sent.id)
  domain.queued.length = 0
  await domain.handle
    .sql`update messages set updated_at = now() - interval '91 seconds' where id in (${old.id}, ${sent.id})`
  expect(await requeueLostMessages(ctx)).toBe(1)
  expect(domain.queued).toEqual([{ name: 'whatsapp.send', payload: { businessId: ctx.businessId, messageId: old.id } }])
  // Just queued again: not lost.
  expect(await requeueLostMessages(ctx)).toBe(0)
  expect(await rowOf(fresh.id)).toMatchObject({ status: 'queued' })

  // After a long outage: some at a time, each once, all in the end.
  await domain.handle.sql`
    insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body, updated_at)
    select gen_random_uuid(), business_id, conversation_id, contact_id, 'out', 'twilio', 'queued', 'x', now() - interval '1 hour'
    from messages, generate_series(1, 700) where messages.id = ${old.id}`
  domain.queued.length = 0
  expect(await requeueLostMessages(ctx)).toBe(500)
  expect(await requeueLostMessages(ctx)).toBe(200)
  expect(await requeueLostMessages(ctx)).toBe(0)
  expect(new Set(domain.queued.map(({ payload }) => JSON.stringify(payload))).size).toBe(700)
})

test('the parts of a long text leave in order, each tried for itself; one that failed delays no other', async () => {
  const long = async () => {
    const to = `+97250${8_000_000 + ++last}`
    const text = ['a', 'b', 'c'].map((letter) => `${letter} `.repeat(650)).join('\n\n')
    const sent = await requestMessage(ctx, { to, text, provider: 'twilio' }, means().settings)
    const arrived = () => [...carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`)
    return { parts: sent.parts ?? [], arrived: () => arrived().map((message) => message.body[0]) }
  }
  const { parts, arrived } = await long()
  expect(parts).toHaveLength(3)
  const [first = '', second = '', third = ''] = parts
  expect(domain.queued.map(({ payload }) => payload)).toEqual(
    parts.map((messageId) => ({ businessId: ctx.businessId, messageId })),
  )
  const waits = { done: false, reason: 'an earlier part has not left yet' }
  expect(await deliver(third)).toMatchObject(waits)
  carrier.faults.add({ times: 1, effect: { kind: 'http_error', status: 429, code: 20429 } })
  expect(await deliver(first)).toMatchObject({ done: false, reason: '20429' })
  expect(await deliver(second)).toMatchObject(waits)
  expect(await deliver(first)).toMatchObject({ done: true })
  expect(await deliver(third)).toMatchObject(waits)
  expect(await deliver(second)).toMatchObject({ done: true })
  expect(await deliver(third)).toMatchObject({ done: true })
  expect(arrived()).toEqual(['a', 'b', 'c'])

  const next = await long()
  carrier.faults.add({ times: 1, effect: { kind: 'http_error', status: 400, code: 21211 } })
  for (const part of next.parts) expect(await deliver(part)).toMatchObject({ done: true })
  expect(next.arrived()).toEqual(['b', 'c'])
})

test('a long text that moves to a provider which takes less of it moves in parts', async () => {
  const business = await domain.newBusiness()
  await updateBusiness(business, { defaultWhatsappProvider: 'baileys', fallbackWhatsappProvider: 'twilio' })
  await domain.handle.sql`insert into whatsapp_accounts (id, business_id, provider, phone, state, linked_at)
    values (${newId()}, ${business.businessId}, 'baileys', '+972501110009', 'working', now())`
  const to = `+97250${8_000_000 + ++last}`
  const text = 'word '.repeat(800).trim()
  const sent = await requestMessage(business, { to, text }, means().settings)
  expect(sent.parts).toBeUndefined()
  expect(await moveToFallback(business, sent.id, means().settings)).toBe(true)
  const rows = await domain.handle.sql<{ id: string; provider: string; body: string }[]>`
    select id, provider, body from messages where business_id = ${business.businessId} order by id`
  expect(rows.map(({ provider }) => provider)).toEqual(['twilio', 'twilio', 'twilio'])
  expect(rows.map(({ body }) => body).join(' ')).toBe(text)
  for (const { id } of rows) expect(await deliverMessage(business, id, means())).toMatchObject({ done: true })
  expect([...carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`)).toHaveLength(3)
})

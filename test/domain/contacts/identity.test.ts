import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addPhoneNumber } from '../../../src/domain/businesses/index.ts'
import { getCall, registerCall } from '../../../src/domain/calls/index.ts'
import {
  createContact,
  mergeContacts,
  rememberWhatsAppId,
  repairAllContacts,
  repairContacts,
  updateContact,
  whatsappIdOf,
} from '../../../src/domain/contacts/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { receiveMessage, requestMessage } from '../../../src/domain/messages/index.ts'
import { eraseContact } from '../../../src/domain/privacy/index.ts'
import { searchEverything } from '../../../src/domain/search/index.ts'
import { newId, sha256Hex } from '../../../src/lib/ids.ts'
import { networkPhone } from '../../../src/lib/phone.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
let ctx: BusinessContext
const TWILIO = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: true }) }

beforeAll(async () => {
  domain = await openDomain()
})
afterAll(() => domain.close())

const sql: TestDomain['handle']['sql'] = ((...args: Parameters<TestDomain['handle']['sql']>) =>
  domain.handle.sql(...args)) as never
const fresh = async () => {
  ctx = await domain.newBusiness()
}
const write = (from: string, body: string, at = new Date(), more: { lid?: string; name?: string } = {}) =>
  receiveMessage(ctx, {
    provider: 'twilio',
    businessId: ctx.businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: networkPhone(from), ...more },
    body,
    media: [],
    at: at.toISOString(),
  })
const call = (from: string, more: { callerName?: string; forwardedFrom?: string; at?: Date } = {}) =>
  registerCall(ctx, { callSid: `CA${newId()}`, from, to: '+97233760000', at: new Date(), ...more })
const send = (to: string, text = 'hello') => requestMessage(ctx, { to, text }, TWILIO)
const people = async () => [
  ...(await domain.handle.sql`select id, phone, name from contacts where business_id = ${ctx.businessId} order by id`),
]
const contactOf = async (messageId: string) =>
  (await domain.handle.sql`select contact_id from messages where id = ${messageId}`)[0]?.contact_id

/** Countries in which one person is spelled in two ways: as it is dialled today, and otherwise. */
const PAIRS = [
  ['+5531988887777', '+553188887777'],
  ['+525512345678', '+5215512345678'],
  ['+5491123456789', '+541123456789'],
  ['+2290161234567', '+22961234567'],
  ['+2250707123456', '+22507123456'],
] as const

describe.each(PAIRS)('%s and %s', (today, old) => {
  test('are one contact, whichever comes first and however it comes', async () => {
    for (const [first, second] of [
      [today, old],
      [old, today],
    ] as const) {
      await fresh()
      const contact = await createContact(ctx, { phone: first, name: 'Ana' })
      const written = await write(`whatsapp:${second}`, 'hi')
      await write(`${second.slice(1)}@s.whatsapp.net`, 'hi again', new Date(), { lid: '77@lid' })
      await call(second)
      await call(`sip:${second}@host`)
      const asked = await send(second)
      expect(await contactOf(written)).toBe(contact.id)
      expect(await contactOf(asked.id)).toBe(contact.id)
      expect(await people()).toHaveLength(1)
      await expect(createContact(ctx, { phone: second })).rejects.toMatchObject({ code: 'phone_taken' })
      for (const q of [first, second, `whatsapp:${second}`, `${second.slice(1)}@c.us`])
        expect((await searchEverything(ctx, { q })).contacts.map(({ id }) => id)).toEqual([contact.id])
    }
  })

  test('have one opt-out', async () => {
    await fresh()
    await createContact(ctx, { phone: today })
    await write(`whatsapp:${old}`, 'STOP')
    for (const to of [today, old]) await expect(send(to)).rejects.toMatchObject({ code: 'contact_opted_out' })
    await write(`whatsapp:${today}`, 'START')
    expect((await send(old)).status).toBe('queued')
  })

  test('have one window for free text', async () => {
    await fresh()
    await write(`whatsapp:${old}`, 'hi')
    await sql`update businesses set created_at = now() - interval '9 days' where id = ${ctx.businessId}`
    expect((await send(today)).status).toBe('queued')
  })

  test('are erased together: what comes late under either spelling is not written', async () => {
    await fresh()
    const contact = await createContact(ctx, { phone: today })
    const before = new Date(Date.now() - 60_000)
    await eraseContact(ctx, contact.id)
    for (const from of [today, old]) {
      await expect(write(`whatsapp:${from}`, 'late', before)).rejects.toMatchObject({ code: 'person_erased' })
      await expect(call(from, { at: before })).rejects.toMatchObject({ code: 'person_erased' })
    }
    expect(await people()).toEqual([])
  })

  test('that are two contacts already become one when the person is met', async () => {
    await fresh()
    const ids = [newId(), newId()]
    for (const [index, phone] of [old, today].entries())
      await sql`insert into contacts (id, business_id, phone, opted_out_at)
        values (${ids[index] ?? ''}, ${ctx.businessId}, ${phone}, ${index === 0 ? new Date().toISOString() : null})`
    await expect(send(today)).rejects.toMatchObject({ code: 'contact_opted_out' })
    await write(`whatsapp:${today}`, 'hi')
    expect((await people()).map(({ phone }) => phone)).toEqual([today])
    await expect(send(today)).rejects.toMatchObject({ code: 'contact_opted_out' })
  })
})

test('the fingerprint of an erased number is keyed, and one of before the key still holds', async () => {
  await fresh()
  const keyed = { ...ctx, identityKey: new Uint8Array(32).fill(7) }
  const before = new Date(Date.now() - 60_000)
  const late = { callSid: 'CAlate', from: '+972501234567', to: '+97233760000', at: before }
  const prints = () =>
    sql`select fingerprint from erased_identities where business_id = ${ctx.businessId} and kind = 'phone'`
  await eraseContact(ctx, (await createContact(ctx, { phone: '+972501234567' })).id)
  const [plain] = await prints()
  expect(plain?.fingerprint).toBe(sha256Hex('phone:+972501234567'))
  await expect(registerCall(keyed, late)).rejects.toMatchObject({ code: 'person_erased' })
  await sql`delete from erased_identities where business_id = ${ctx.businessId}`
  await eraseContact(keyed, (await createContact(keyed, { phone: '+972501234567' })).id)
  expect((await prints())[0]?.fingerprint).not.toBe(plain?.fingerprint)
  await expect(registerCall(keyed, { ...late, callSid: 'CAlater' })).rejects.toMatchObject({ code: 'person_erased' })
})

describe('a caller', () => {
  test.each([
    '+266696687',
    '+7378742833',
    '+17378742833',
    '+2562533',
    '+8656696',
    '+86282452253',
    '+464',
    'anonymous',
    'Restricted',
    'unavailable',
    '',
    'sip:alice@2.55.201.10',
    'sip:Restricted@54.172.60.2',
    'client:bob',
    '72975',
    '+972500000000',
  ])('%p has no contact', async (from) => {
    await fresh()
    const id = await call(from, { callerName: 'A Caller' })
    expect((await getCall(ctx, id)).contactId).toBeNull()
    expect(await people()).toEqual([])
    await expect(send(from)).rejects.toMatchObject({ code: 'invalid_number' })
  })

  test('whose number the carrier replaced by the line that forwarded the call has no contact', async () => {
    await fresh()
    await addPhoneNumber(ctx, { number: '03-376-1234' })
    await call('+97233761234')
    await call('+97237778888', { forwardedFrom: '+97237778888' })
    expect(await people()).toEqual([])
    await call('+972501234567', { forwardedFrom: '+97237778888' })
    expect((await people()).map(({ phone }) => phone)).toEqual(['+972501234567'])
  })

  test('has no name where the carrier knows none', async () => {
    await fresh()
    for (const name of [
      'ANONYMOUS',
      'WIRELESS CALLER',
      'Unknown',
      '+972 50-123-4567',
      'TOLL FREE CALL',
      'V12345678901',
    ])
      await call('+972501234567', { callerName: name })
    expect((await people())[0]?.name).toBeNull()
    await call('+972501234567', { callerName: 'COHEN DANA' })
    expect((await people())[0]?.name).toBe('COHEN DANA')
  })
})

describe('a contact with two numbers', () => {
  test('keeps both when two are merged, and is found, written to and erased by each', async () => {
    await fresh()
    const keep = await createContact(ctx, { phone: '03-7654321', name: 'Dana' })
    const gone = await createContact(ctx, { phone: '050-1234567' })
    const merged = await mergeContacts(ctx, keep.id, gone.id)
    expect(merged.phone).toBe('+97237654321')
    await call('+972501234567')
    const written = await write('whatsapp:+972501234567', 'hi')
    expect(await contactOf(written)).toBe(keep.id)
    const { id } = await send('0501234567')
    const [row] = await sql`select contact_id, to_phone from messages where id = ${id}`
    expect([row?.contact_id, row?.to_phone]).toEqual([keep.id, '+972501234567'])
    const [first] = await sql`select to_phone from messages where id = ${(await send('03-7654321')).id}`
    expect(first?.to_phone).toBeNull()
    expect(await people()).toHaveLength(1)
    await expect(createContact(ctx, { phone: '0501234567' })).rejects.toMatchObject({ code: 'phone_taken' })
    expect((await searchEverything(ctx, { q: '050-1234567' })).contacts).toHaveLength(1)

    const before = new Date(Date.now() - 60_000)
    await eraseContact(ctx, keep.id)
    for (const phone of ['+972501234567', '+97237654321'])
      await expect(write(phone, 'late', before)).rejects.toMatchObject({ code: 'person_erased' })
    expect((await sql`select 1 from contact_identities where business_id = ${ctx.businessId}`).length).toBe(0)
  })

  test('confirms an opt-out to the number that asked for it', async () => {
    await fresh()
    const keep = await createContact(ctx, { phone: '03-7654321' })
    await mergeContacts(ctx, keep.id, (await createContact(ctx, { phone: '050-1234567' })).id)
    await write('whatsapp:+972501234567', 'הסר')
    const rows = await sql`select to_phone from messages where business_id = ${ctx.businessId} and direction = 'out'`
    expect([...rows].map((row) => row.to_phone)).toEqual(['+972501234567'])
    for (const to of ['03-7654321', '050-1234567'])
      await expect(send(to)).rejects.toMatchObject({ code: 'contact_opted_out' })
  })

  test('merged again and again keeps every number', async () => {
    await fresh()
    const numbers = ['+972501000001', '+972501000002', '+972501000003', '+5531988887777']
    const [first, ...others] = await Promise.all(numbers.map((phone) => createContact(ctx, { phone })))
    if (!first) throw new Error('no contact')
    for (const other of others) await mergeContacts(ctx, first.id, other.id)
    for (const phone of [...numbers, '+553188887777']) await call(phone)
    expect(await people()).toHaveLength(1)
    await updateContact(ctx, first.id, { phone: null })
    for (const phone of numbers.slice(1)) await call(phone)
    expect(await people()).toHaveLength(1)
  })
})

describe('the id under which WhatsApp knows a number', () => {
  test('is remembered, and whoever writes from it is the same contact', async () => {
    await fresh()
    const contact = await createContact(ctx, { phone: '+4915112345678' })
    expect(await whatsappIdOf(ctx, '+4915112345678')).toBeNull()
    await rememberWhatsAppId(ctx, '+4915112345678', '49151123456@s.whatsapp.net')
    await rememberWhatsAppId(ctx, '+4915112345678', '49151123456@s.whatsapp.net')
    expect(await whatsappIdOf(ctx, '+4915112345678')).toBe('49151123456@s.whatsapp.net')
    expect(await contactOf(await write('49151123456@s.whatsapp.net', 'hi'))).toBe(contact.id)
    await rememberWhatsAppId(ctx, '+4915112345678', '4915112345678@s.whatsapp.net')
    expect(await whatsappIdOf(ctx, '+4915112345678')).toBe('4915112345678@s.whatsapp.net')
    await rememberWhatsAppId(ctx, '+4915112345678', '777:3@lid')
    const rows = await sql`select kind, value from contact_identities where contact_id = ${contact.id} order by kind`
    expect([...rows].map(({ kind, value }) => `${kind} ${value}`)).toEqual(['lid 777@lid', 'whatsapp +4915112345678'])
  })

  test('of Brazil is found under both spellings', async () => {
    await fresh()
    await createContact(ctx, { phone: '+5531977776666' })
    await rememberWhatsAppId(ctx, '+5531977776666', '553177776666@s.whatsapp.net')
    for (const phone of ['+5531977776666', '+553177776666'])
      expect(await whatsappIdOf(ctx, phone)).toBe('553177776666@s.whatsapp.net')
  })

  test('is not taken from another contact, nor stored without one', async () => {
    await fresh()
    await createContact(ctx, { phone: '+972501000001' })
    await createContact(ctx, { phone: '+972501000002' })
    await rememberWhatsAppId(ctx, '+972501000001', '972501000002@s.whatsapp.net')
    await rememberWhatsAppId(ctx, '+972501000009', '972501000009@s.whatsapp.net')
    await rememberWhatsAppId(ctx, '+972501000001', '120363041234567890@g.us')
    expect(await whatsappIdOf(ctx, '+972501000001')).toBeNull()
    expect((await sql`select 1 from contact_identities where business_id = ${ctx.businessId}`).length).toBe(0)
  })
})

describe('contacts of earlier versions', () => {
  /** As they were written before: any possible number, one contact a spelling. */
  async function former(phone: string, from: string | null, at = new Date()): Promise<string> {
    const [id, talk] = [newId(), newId()]
    await sql`insert into contacts (id, business_id, phone, created_at) values (${id}, ${ctx.businessId}, ${phone}, ${at.toISOString()})`
    await sql`insert into audit_log (id, business_id, actor_kind, actor_id, action, entity, entity_id)
      values (${newId()}, ${ctx.businessId}, 'system', 'crm', 'contact.create', 'contact', ${id})`
    if (from === null) return id
    await sql`insert into conversations (id, business_id, contact_id) values (${talk}, ${ctx.businessId}, ${id})`
    await sql`insert into calls (id, business_id, call_sid, from_number, to_number, contact_id, conversation_id, started_at)
      values (${newId()}, ${ctx.businessId}, ${`CA${newId()}`}, ${from}, '+97233760000', ${id}, ${talk}, ${at.toISOString()})`
    return id
  }

  test('are brought together, once, and the outcome is reported', async () => {
    await fresh()
    const withheld = await former('+86282452253', '+86282452253')
    const sip = await former('+97225520110', 'sip:alice@2.55.201.10')
    const dummy = await former('+972500000000', null)
    const old = await former('+553188887777', '+553188887777')
    const today = await former('+5531988887777', null)
    const alone = await former('+5215512345678', null)
    const good = await former('+972501234567', '+972501234567')
    const vouched = await former('+97225520111', 'sip:alice@2.55.201.11')
    await sql`update audit_log set actor_kind = 'user' where entity_id = ${vouched}`
    await sql`insert into notes (id, business_id, contact_id, author_kind, author_id, body)
      values (${newId()}, ${ctx.businessId}, ${sip}, 'user', 'u', 'call back')`

    expect(await repairContacts(ctx)).toEqual({
      checked: 6,
      merged: 1,
      respelled: 1,
      detachedCalls: 3,
      numbersDropped: 3,
      removed: 2,
    })
    const rows = new Map((await people()).map(({ id, phone }) => [id, phone]))
    expect(rows.has(withheld)).toBe(false)
    expect(rows.has(dummy)).toBe(false)
    expect(rows.get(sip)).toBeNull()
    expect(rows.has(old)).toBe(false)
    expect([today, alone, good, vouched].map((id) => rows.get(id))).toEqual([
      '+5531988887777',
      '+525512345678',
      '+972501234567',
      '+97225520111',
    ])
    const calls = await sql`select from_number, contact_id from calls where business_id = ${ctx.businessId}`
    expect(new Map([...calls].map((row) => [row.from_number, row.contact_id]))).toEqual(
      new Map([
        ['+86282452253', null],
        ['sip:alice@2.55.201.10', null],
        ['sip:alice@2.55.201.11', null],
        ['+553188887777', today],
        ['+972501234567', good],
      ]),
    )
    const reports =
      await sql`select data from audit_log where business_id = ${ctx.businessId} and action = 'contacts.repair'`
    expect(reports[0]?.data).toMatchObject({ merged: 1, removed: 2 })
    expect(await repairContacts(ctx)).toMatchObject({ merged: 0, respelled: 0, detachedCalls: 0, numbersDropped: 0 })
  })

  test('are looked at by themselves twice a business, the second time for what an older process wrote meanwhile', async () => {
    await fresh()
    await repairAllContacts(domain.ctx)
    expect(await repairAllContacts(domain.ctx)).toBe(0)
    await former('+553188887777', null)
    await sql`update contact_repairs set last_run_at = now() - interval '1 hour'`
    expect(await repairAllContacts(domain.ctx)).toBeGreaterThan(0)
    expect((await people()).map(({ phone }) => phone)).toEqual(['+5531988887777'])
    await sql`update contact_repairs set last_run_at = now() - interval '1 hour'`
    expect(await repairAllContacts(domain.ctx)).toBe(0)
  })
})

test('many processes that meet a person under all spellings at once make one contact', async () => {
  await fresh()
  const spellings = PAIRS.flat().flatMap((phone) => [phone, phone, phone])
  await Promise.all(spellings.map((phone, index) => (index % 2 ? call(phone) : write(`whatsapp:${phone}`, 'hi'))))
  expect(await people()).toHaveLength(PAIRS.length)
})

test('contacts that are created at once under one id are one contact', async () => {
  await fresh()
  const asked = { id: newId(), name: 'Noa' }
  const answers = await Promise.all(Array.from({ length: 5 }, () => createContact(ctx, asked)))
  expect(new Set(answers.map((contact) => contact.id))).toEqual(new Set([asked.id]))
  expect(await people()).toHaveLength(1)
})

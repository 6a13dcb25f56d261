import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { appointments, calls } from '../../../db/schema/index.ts'
import { confirmAppointment } from '../../../src/domain/appointments/index.ts'
import { addPhoneNumber } from '../../../src/domain/businesses/index.ts'
import type { StreamToken } from '../../../src/domain/calls/index.ts'
import { listMessages, receiveMessage } from '../../../src/domain/messages/index.ts'
import {
  callTools,
  DEFAULT_RECEPTIONIST,
  foreignLinks,
  foreignNumbers,
  linksIn,
  numbersIn,
  saveBusinessText,
  toolLimits,
} from '../../../src/domain/receptionist/index.ts'
import { createCallTools } from '../../../src/media/call-tools.ts'
import { startDomain } from '../../support/call-domain.ts'

const SENDER = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }
const CALLER = '+972501234567'

async function startTools() {
  const domain = await startDomain()
  const make = () =>
    createCallTools({
      ctx: domain.ctx,
      profiles: { of: () => DEFAULT_RECEPTIONIST },
      events: { lead: () => {} },
      settings: SENDER,
      carriers: { of: () => null },
      installation: null,
      timeZone: () => 'Asia/Jerusalem',
      transferDocument: () => '',
    })
  const token = async (from = CALLER, more: Partial<StreamToken> = {}): Promise<StreamToken> => ({
    ...{
      callSid: await domain.call(from),
      businessId: domain.businessId,
      from,
      to: '+97233760000',
      expiresAt: 0,
      nonce: '',
    },
    ...more,
  })
  return { ...domain, make, token }
}

/** A Monday two weeks on, and the n-th half hour of it from nine on. */
const slot = (n: number) => {
  const day = new Date(Date.now() + 14 * 86_400_000)
  day.setUTCDate(day.getUTCDate() - day.getUTCDay() + 1)
  const minutes = 9 * 60 + n * 30
  return {
    date: day.toISOString().slice(0, 10),
    time: `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${minutes % 60 === 0 ? '00' : '30'}`,
  }
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? 'error',
  )

test('every tool has its limits', () => {
  expect(Object.keys(toolLimits).sort()).toEqual(Object.keys(callTools).sort())
  for (const { attempts, perCall = attempts, perDay = attempts } of Object.values(toolLimits)) {
    expect(attempts).toBeGreaterThan(0)
    expect(attempts).toBeLessThanOrEqual(40)
    expect(perCall).toBeLessThanOrEqual(perDay)
  }
})

describe('messages', () => {
  test('three a call, five a day, also when asked for at once and after a restart of the process', async () => {
    const { make, token, business } = await startTools()
    const tools = make()
    const first = await token()
    const asked = await Promise.all(
      Array.from({ length: 30 }, (_, i) => codeOf(tools.run(first, 'send_whatsapp', { text: `Hello ${i}` }))),
    )
    expect(asked.filter((code) => code === 'ok')).toHaveLength(3)
    expect(new Set(asked)).toEqual(new Set(['ok', 'message_limit']))
    const second = await token()
    const again = make()
    const codes = []
    for (let i = 0; i < 4; i++) codes.push(await codeOf(again.run(second, 'send_whatsapp', { text: `Again ${i}` })))
    expect(codes).toEqual(['ok', 'ok', 'message_limit', 'message_limit'])
    // The same text once more is the same message, and no error.
    expect(await codeOf(make().run(second, 'send_whatsapp', { text: 'Again 0' }))).toBe('ok')
    expect((await listMessages(business, {})).items).toHaveLength(5)
  })

  test('to no one whose number is withheld, and to no number that is not vouched for unless it wrote before', async () => {
    const { make, token, business } = await startTools()
    const tools = make()
    for (const from of ['anonymous', 'Restricted', '', 'sip:anonymous@anonymous.invalid'])
      expect(await codeOf(tools.run(await token(from), 'send_whatsapp', { text: 'Hello' }))).toBe('number_withheld')
    const unverified = await token(CALLER, { unverified: true })
    expect(await codeOf(tools.run(unverified, 'send_whatsapp', { text: 'Hello' }))).toBe('number_unverified')
    await receiveMessage(business, {
      provider: 'twilio',
      businessId: business.businessId,
      dedupeKey: 'twilio:SM1',
      providerMessageId: 'SM1',
      kind: 'text',
      from: { phone: CALLER, name: null },
      body: 'Hello',
      media: [],
      at: new Date().toISOString(),
    })
    expect(await codeOf(tools.run(unverified, 'send_whatsapp', { text: 'Hello' }))).toBe('ok')
  })

  test('no link but the business’s own', async () => {
    const { make, token, business } = await startTools()
    const tools = make()
    await saveBusinessText(business, {
      title: 'Where',
      body: 'Map: https://maps.example/levi. Or www.levi-homes.example',
    })
    const call = await token()
    expect(
      await codeOf(
        tools.run(call, 'send_whatsapp', { text: 'Your account is blocked, verify at http://evil.example/29' }),
      ),
    ).toBe('foreign_link')
    expect(
      await codeOf(tools.run(call, 'send_whatsapp', { text: 'Here: maps.example/levi, or Levi-Homes.example!' })),
    ).toBe('ok')
    expect(await codeOf(tools.run(call, 'send_whatsapp', { text: 'x'.repeat(1_001) }))).toBe('invalid_arguments')
  })
})

describe('links', () => {
  test.each([
    'http://evil.example/29',
    'HTTPS://EVIL.example',
    'evil.example',
    'www.evil.example',
    'pay.evil.example:8080/x?y',
    '10.0.0.1/pay',
    'wa.me/97250',
    'bit.ly/x',
    'ev\u200bil.example',
    'evil\u3002example',
    'evil．example',
    'ｅｖｉｌ.example',
    'xn--80ak6aa92e.com',
    'пример.рф',
    'דומיין.ישראל',
    'evil.한국',
    'evil.भारत',
    'evil.ไทย',
    'evil.ελ',
    'maps.xn--p1ai',
    'tel:+972501112222',
    'javascript://x',
    'a@evil.example',
    '(evil.example)',
    'evil.example.',
    '"evil.example"',
    'maps.example/levi/../evil',
    'maps.example.evil.example/levi',
    'https://maps.example@evil.example/levi',
  ])('%s is none of the business’s', (link) => {
    expect(foreignLinks(`Look: ${link} now`, ['https://maps.example/levi', 'maps.xn--80asehdb'])).not.toEqual([])
  })

  test.each([
    'https://maps.example/levi',
    'maps.example/levi/',
    'http://www.maps.example/levi.',
    'Herzl 10, Haifa. Call us.',
    'From 3.5 to 4.5 rooms, 10.30 a.m',
    'רחוב הרצל 10.תודה',
    '₪1.250.000',
    '…',
  ])('%s may be sent', (text) => {
    expect(foreignLinks(text, ['Our map: https://maps.example/levi'])).toEqual([])
  })

  test('a text of a thousand hostile characters takes no time', () => {
    for (const text of ['a.'.repeat(500), `${'a'.repeat(999)}.`, '-._'.repeat(333), 'http://'.repeat(140)]) {
      const from = performance.now()
      linksIn(text)
      expect(performance.now() - from).toBeLessThan(200)
    }
  })
})

describe('phone numbers in a message', () => {
  test('none but the business’s own and the caller’s', async () => {
    const { make, token, business, sql } = await startTools()
    const tools = make()
    await addPhoneNumber(business, { number: '+97237654321' })
    await sql`insert into whatsapp_accounts (id, business_id, provider, phone, state)
      values (gen_random_uuid(), ${business.businessId}, 'twilio', '+972547776655', 'working')`
    await saveBusinessText(business, { title: 'Plumber', body: 'Our plumber: 050-222 33 44, or *2700' })
    const send = async (text: string) => codeOf(make().run(await token(), 'send_whatsapp', { text }))
    for (const text of ['Verify your account: call 052-999-8877', 'Pay by +1 (809) 555-0123', 'Dial *2701'])
      expect(await send(text)).toBe('foreign_number')
    expect(
      await codeOf(
        tools.run(await token(), 'send_whatsapp', {
          text: 'Call us: 03-765-4321 or +972 54 777 6655. The plumber is at 0502223344 or *2700.',
        }),
      ),
    ).toBe('ok')
    expect(await send('You called (03) 376-0000; we call 050-123-4567 on 30.11.2026 at 10:30-12:00.')).toBe('ok')
  })

  test.each([
    '052-123-4567',
    '0 5 2 1 2 3 4 5 6 7',
    '(052) 1234567',
    '+972-52-1234567',
    '٠٥٢١٢٣٤٥٦٧',
    '０５２１２３４５６７',
    '0️⃣5️⃣2️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣',
    '05\u200b21\u2060234567',
    '052.123.4567',
    '501234567 0521234567',
    '10 0521234567',
    '0521234567/0501234567',
    '1-900-123-456',
    '202-555-0123',
    '+44 20 7946 0000',
    '0123 456 789 012',
    '*2700',
    '1 '.repeat(200),
  ])('%s is none of the business’s', (number) => {
    expect(foreignNumbers(`Call ${number} now`, ['Call us: 050-123-4567', '+97235551234'])).not.toEqual([])
  })

  test.each([
    '0501234567',
    '+972 50 123-4567',
    '(050) 1234567',
    'room 10 050-1234567',
    '03-5551234',
    'Herzl 10, Haifa 6688218',
    '30.11.2026, 2026-11-30 or 30/11/2026 at 10:30-12:45',
    '1.250.000 ₪, 32.500.000, 120,000 or *1500* each',
    'from 3.5 to 4.5 rooms, 70-80 m2, floors 1-2, 3/4',
  ])('%s may be sent', (text) => {
    expect(foreignNumbers(text, ['Call us: 050-123-4567', '+97235551234'])).toEqual([])
  })

  test('a text of a thousand hostile characters takes no time', () => {
    for (const text of ['1 '.repeat(500), '0'.repeat(1_000), '+1 '.repeat(330), '('.repeat(1_000), '1-'.repeat(500)]) {
      const from = performance.now()
      numbersIn(text)
      expect(performance.now() - from).toBeLessThan(200)
    }
  })
})

describe('bookings', () => {
  test('one open at a time, which a second one of the call replaces; two a call', async () => {
    const { make, token, business, ctx } = await startTools()
    const tools = make()
    const call = await token()
    const codes = []
    for (let n = 0; n < 80; n++) codes.push(await codeOf(tools.run(call, 'book_appointment', slot(n % 14))))
    expect(codes.filter((code) => code === 'ok').length).toBeLessThanOrEqual(2 + 6)
    const rows = await ctx.db.select().from(appointments)
    expect(rows.map((row) => row.state).sort()).toEqual(['booked', 'cancelled'])
    const next = await token()
    expect(await codeOf(tools.run(next, 'book_appointment', slot(9)))).toBe('booking_open')
    const open = rows.find((row) => row.state === 'booked')
    await confirmAppointment(business, open?.id ?? '')
    expect(await codeOf(tools.run(next, 'book_appointment', slot(9)))).toBe('ok')
    // Three a day.
    expect(await codeOf(tools.run(await token(), 'book_appointment', slot(11)))).toBe('booking_limit')
    // Another caller has their own.
    expect(await codeOf(tools.run(await token('+972509999999'), 'book_appointment', slot(11)))).toBe('ok')
    expect(await codeOf(tools.run(await token('anonymous'), 'book_appointment', slot(12)))).toBe('ok')
    expect(await codeOf(tools.run(await token('anonymous'), 'book_appointment', slot(13)))).toBe('ok')
    expect((await ctx.db.select().from(calls).where(eq(calls.fromNumber, 'anonymous'))).length).toBe(2)
  })
})

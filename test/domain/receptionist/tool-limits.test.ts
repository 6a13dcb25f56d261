import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { appointments, calls } from '../../../db/schema/index.ts'
import { confirmAppointment } from '../../../src/domain/appointments/index.ts'
import type { StreamToken } from '../../../src/domain/calls/index.ts'
import { listMessages, receiveMessage } from '../../../src/domain/messages/index.ts'
import {
  callTools,
  DEFAULT_RECEPTIONIST,
  foreignLinks,
  linksIn,
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

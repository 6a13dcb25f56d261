import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { z } from 'zod'
import { agentTools } from '../../src/domain/agent/tools.ts'
import {
  appointmentTools,
  bookSlot,
  cancelAppointment,
  createAppointment,
  offerSlots,
  saveBookingSettings,
  saveService,
} from '../../src/domain/appointments/index.ts'
import type { StreamToken } from '../../src/domain/calls/index.ts'
import { callTools, DEFAULT_RECEPTIONIST, engineTools } from '../../src/domain/receptionist/index.ts'
import { addDates, instantOf, wallClock } from '../../src/lib/local-time.ts'
import { createCallTools } from '../../src/media/call-tools.ts'
import type { ServedCall } from '../../src/media/media-session-ports.ts'
import { startDomain } from '../support/call-domain.ts'
import { say, withVoiceLine } from '../support/voice-line.ts'

setDefaultTimeout(60_000)

const ZONE = 'Asia/Jerusalem'
const CALLER = '+972501234567'
let domain: Awaited<ReturnType<typeof startDomain>>
let haircut = ''
beforeAll(async () => {
  domain = await startDomain()
  await saveBookingSettings(domain.business, { noticeMinutes: 0, aheadDays: 366 })
  haircut = await saveService(domain.business, { nameHe: 'תספורת', nameEn: 'Haircut', minutes: 45 })
  await saveService(domain.business, { nameHe: 'צבע', nameEn: 'Colour', minutes: 90 })
})

const toolsOfCalls = () =>
  createCallTools({
    ctx: domain.ctx,
    profiles: { of: () => DEFAULT_RECEPTIONIST },
    events: { lead: () => {} },
    settings: { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) },
    carriers: { of: () => null },
    installation: null,
    timeZone: () => ZONE,
    transferDocument: () => '',
  })

const served = async (from = CALLER, more: Partial<ServedCall> = {}): Promise<ServedCall> => {
  const token: StreamToken = {
    ...{ callSid: await domain.call(from), businessId: domain.businessId, from, to: '+97233760000' },
    ...{ expiresAt: 0, nonce: '' },
  }
  return { ...token, ...more }
}
const at = ({ date, time }: { date: string; time: string }) => ({ date, time })
/** A week of free times, some weeks on. */
const free = async (weeks: number) => {
  const from = addDates(wallClock(new Date(), ZONE).date, 7 * weeks)
  return (await offerSlots(domain.business, { serviceId: haircut }, { from, days: 7 })).map(at)
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? 'error',
  )
const rowsOf = async (from = CALLER) =>
  (
    await domain.sql<{ state: string; at: string }[]>`
      select state, local_date || ' ' || local_time as at from appointments join contacts on contacts.id = contact_id
      where phone = ${from} order by appointments.created_at`
  ).map(({ state, at }) => `${state} ${at}`)

test('a call and a conversation have the same appointment tools', () => {
  for (const [name, tool] of Object.entries(appointmentTools)) {
    expect(Object.entries(callTools)).toContainEqual([name, tool])
    const [, written] = Object.entries(agentTools).find(([each]) => each === name) ?? []
    expect(written?.description).toBe(tool.description)
    expect(Object.keys(written?.input.shape ?? {})).toEqual(Object.keys(tool.args.shape))
    expect(engineTools().find((each) => each.name === name)?.parameters).toMatchObject({ type: 'object' })
    // None takes a person: whose appointments they are about is not the model’s to say.
    expect(JSON.stringify(z.toJSONSchema(tool.args, { io: 'input' }))).not.toMatch(/phone|contact|_id/)
  }
})

test('a caller finds, books, moves and cancels over the media socket; each act asked for twice is done once', async () => {
  const tools = toolsOfCalls()
  const call = await served()
  const [first, , other] = await free(2)
  if (!first || !other) throw new Error('Nothing is free.')
  const booking = { ...first, service: 'a haircut', name: 'Dana' }
  const twice = (name: string, args: object) => [
    { tools: [{ name, args: { ...args } }] },
    { tools: [{ name, args: { ...args } }] },
  ]
  const steps = [
    { tools: [{ name: 'find_times', args: { date: first.date, service: 'haircut' } }] },
    ...twice('book_appointment', booking),
    { tools: [{ name: 'my_appointments', args: {} }] },
    ...twice('reschedule_appointment', other),
    ...twice('cancel_appointment', other),
    { say: 'Goodbye.', ms: 300, tools: [{ name: 'end_call', args: {} }] },
  ]
  // The line's calls are of no business: they are served as a call of this one.
  const line = {
    ...tools,
    list: () => tools.list(call),
    run: async (_: ServedCall, name: string, args: unknown) => await tools.run(call, name, args),
  }
  await withVoiceLine({ script: { heard: ['A haircut'], steps }, tools: line }, async ({ openai, call: place }) => {
    const { end } = await place({ script: [{ say: say(600) }], maxSeconds: 40 })
    expect(end?.reason).toBe('completed')
    const outputs = openai.sessions.flatMap(({ report }) => report.toolOutputs.map(({ output }) => JSON.parse(output)))
    const booked = { ok: true, ...first, appointment_id: expect.any(String) }
    expect(outputs.slice(0, 8)).toEqual([
      { times: expect.arrayContaining([first, other]), more: true },
      booked,
      { ...booked, note: 'It is booked already.' },
      { appointments: [{ ...first, service: 'Haircut' }] },
      { ok: true, from: first, ...other },
      { ok: true, ...other, note: 'It is at this time already.' },
      { ok: true, cancelled: true, ...other },
      { ok: true, cancelled: true, ...other, note: 'It is cancelled already.' },
    ])
  })
  expect(await rowsOf()).toEqual([`cancelled ${other.date} ${other.time}`])
  const done = await domain.sql<{ action: string }[]>`
    select action from audit_log where action like 'appointment.%' order by id`
  expect(done.map(({ action }) => action)).toEqual(['appointment.book', 'appointment.move', 'appointment.cancel'])
})

test('the service gives the length, and its name is asked for where there are several', async () => {
  const tools = toolsOfCalls()
  const call = await served('+972502222222')
  const [first] = await free(3)
  if (!first) throw new Error('Nothing is free.')
  expect(await codeOf(tools.run(call, 'find_times', { date: first.date }))).toBe('service_unclear')
  expect(await codeOf(tools.run(call, 'book_appointment', { ...first, service: 'xylophone' }))).toBe(
    'service_not_found',
  )
  await tools.run(call, 'book_appointment', { ...first, service: 'צבע' })
  const [row] = await domain.sql<{ minutes: number }[]>`
    select extract(epoch from ends_at - starts_at)::int / 60 as minutes from appointments where state = 'booked'`
  expect(row?.minutes).toBe(90)
  // As before there were services: one that names none has the length that it asks for.
  const [later] = await free(4)
  if (!later) throw new Error('Nothing is free.')
  const plain = { ...later, minutes: 60 }
  expect(await tools.run(await served('+972503333331'), 'book_appointment', plain)).toMatchObject({
    ok: true,
    ...later,
  })
  expect(await codeOf(tools.run(await served('+972503333332'), 'book_appointment', plain))).toBe('slot_taken')
})

test('only the caller’s own: not of a number that is withheld or not vouched for, nor of another caller', async () => {
  const tools = toolsOfCalls()
  const [first, , second] = await free(5)
  if (!first || !second) throw new Error('Nothing is free.')
  const theirs = '+972504444444'
  const [offer] = await offerSlots(domain.business, { serviceId: haircut }, { from: first.date, days: 1 })
  await createAppointment(domain.business, {
    ...{ startsAt: offer?.startsAt.toISOString() ?? '', minutes: 45, serviceId: haircut, phone: theirs },
  })
  const change = { from_date: first.date, from_time: first.time, ...second }
  const attempts: [string, object][] = [
    ['my_appointments', {}],
    ['cancel_appointment', first],
    ['reschedule_appointment', change],
  ]
  for (const [call, code] of [
    [await served('anonymous'), 'number_withheld'],
    [await served(theirs, { unverified: true }), 'number_unverified'],
  ] as const)
    for (const [name, args] of attempts) expect(await codeOf(tools.run(call, name, args))).toBe(code)
  const stranger = await served('+972505555555')
  expect(await tools.run(stranger, 'my_appointments', {})).toEqual({ appointments: [] })
  expect(await codeOf(tools.run(stranger, 'cancel_appointment', first))).toBe('no_appointment')
  expect(await rowsOf(theirs)).toEqual([`booked ${first.date} ${first.time}`])
  // What one booked in this very call can be taken back in it.
  const withheld = await served('anonymous')
  await tools.run(withheld, 'book_appointment', { ...second, service: 'haircut' })
  expect(await tools.run(withheld, 'cancel_appointment', {})).toMatchObject({ cancelled: true, ...second })
  // Whoever is known does it by telephone.
  expect(await tools.run(await served(theirs), 'reschedule_appointment', second)).toMatchObject({ ok: true, ...second })
  expect(await rowsOf(theirs)).toEqual([`booked ${second.date} ${second.time}`])
})

test('a caller waits for a time, and takes what is held for them by booking it', async () => {
  const tools = toolsOfCalls()
  const [first] = await free(7)
  if (!first) throw new Error('Nothing is free.')
  const day = await offerSlots(domain.business, { serviceId: haircut }, { from: first.date, days: 1 })
  const wait = { from_date: first.date, from_time: '00:00', to_time: '23:59', service: 'haircut' }
  const number = '+972506666666'
  const call = await served(number)
  expect(await codeOf(tools.run(call, 'join_waiting_list', wait))).toBe('times_free')
  const taken: string[] = []
  // Half an hour between starts, three quarters each: whatever is left is taken.
  for (const { startsAt } of day)
    await createAppointment(domain.business, {
      startsAt: startsAt.toISOString(),
      minutes: 45,
      serviceId: haircut,
    }).then(
      (id) => taken.push(id),
      () => {},
    )
  expect(await codeOf(tools.run(await served('anonymous'), 'join_waiting_list', wait))).toBe('number_withheld')
  for (let run = 0; run < 2; run += 1)
    expect(await tools.run(call, 'join_waiting_list', wait)).toMatchObject({ ok: true, waiting: true })
  expect(await domain.sql`select from waiting_list where state = 'waiting'`).toHaveLength(1)
  const noon = instantOf(addDates(wallClock(new Date(), ZONE).date, 1), '12:00', ZONE)
  await cancelAppointment(domain.business, taken[0] ?? '', noon)
  expect(await tools.run(call, 'my_appointments', {})).toEqual({
    appointments: [{ ...first, service: 'Haircut', held: true }],
  })
  expect(await tools.run(call, 'book_appointment', first)).toMatchObject({ ok: true, ...first })
  expect(await rowsOf(number)).toEqual([`booked ${first.date} ${first.time}`])
  expect(await domain.sql`select from waiting_list where state = 'booked'`).toHaveLength(1)
})

test('a caller who wants to think has the time kept; it is booked when they have decided, or given up for another', async () => {
  const tools = toolsOfCalls()
  const [first, , second, , third] = await free(8)
  if (!first || !second || !third) throw new Error('Nothing is free.')
  const number = '+972507777777'
  const call = await served(number)
  const kept = { ok: true, kept: true, ...first }
  for (let run = 0; run < 2; run += 1)
    expect(await tools.run(call, 'book_appointment', { ...first, service: 'haircut', hold: true })).toMatchObject(kept)
  expect(await rowsOf(number)).toEqual([`held ${first.date} ${first.time}`])
  expect(
    await codeOf(tools.run(await served('+972507777778'), 'book_appointment', { ...first, service: 'haircut' })),
  ).toBe('slot_taken')
  // They call again.
  expect(await tools.run(await served(number), 'book_appointment', first)).not.toHaveProperty('kept')
  expect(await rowsOf(number)).toEqual([`booked ${first.date} ${first.time}`])
  const other = await served('+972507777779')
  await tools.run(other, 'book_appointment', { ...second, service: 'haircut', hold: true })
  await tools.run(other, 'book_appointment', { ...third, service: 'haircut' })
  expect(await rowsOf('+972507777779')).toEqual([
    `cancelled ${second.date} ${second.time}`,
    `booked ${third.date} ${third.time}`,
  ])
  // A time of another week in writing gives up what a call keeps; the booking page, where anybody can type the number, does not.
  const [keptOne, , pageOne, , written] = await free(9)
  if (!keptOne || !pageOne || !written) throw new Error('Nothing is free.')
  const phone = '+972507777780'
  await tools.run(await served(phone), 'book_appointment', { ...keptOne, service: 'haircut', hold: true })
  const slotAt = async (wanted: { date: string; time: string }) => {
    const offers = await offerSlots(domain.business, { serviceId: haircut }, { from: wanted.date, days: 1 })
    return offers.find(({ time }) => time === wanted.time)?.slot ?? ''
  }
  await bookSlot(domain.business, { slot: await slotAt(pageOne), source: 'page', requestKey: 'kept-page', phone })
  expect((await rowsOf(phone))[0]).toBe(`held ${keptOne.date} ${keptOne.time}`)
  await bookSlot(domain.business, { slot: await slotAt(written), source: 'whatsapp', requestKey: 'kept-wa', phone })
  expect((await rowsOf(phone))[0]).toBe(`cancelled ${keptOne.date} ${keptOne.time}`)
  // No message is sent about what was only kept.
  const notices = await domain.sql`select from appointment_notices join appointments on appointments.id = appointment_id
    where appointments.state = 'cancelled' and contact_id in (select id from contacts where phone = '+972507777779')`
  expect(notices).toHaveLength(0)
})

test('a test call looks up free times, and changes nothing', async () => {
  const tools = toolsOfCalls()
  const [first] = await free(6)
  if (!first) throw new Error('Nothing is free.')
  const tried = await served(CALLER, { tried: { settings: DEFAULT_RECEPTIONIST, texts: [] } })
  const before = await domain.sql`select id, state, updated_at from appointments order by id`
  expect(await tools.run(tried, 'find_times', { date: first.date, service: 'haircut' })).toMatchObject({
    times: expect.arrayContaining([first]),
  })
  for (const [name, args] of [
    ['book_appointment', first],
    ['my_appointments', {}],
    ['reschedule_appointment', first],
    ['cancel_appointment', {}],
  ] as const)
    expect(await tools.run(tried, name, args)).toMatchObject({ note: expect.stringContaining('test call') })
  expect(await domain.sql`select id, state, updated_at from appointments order by id`).toEqual(before)
})

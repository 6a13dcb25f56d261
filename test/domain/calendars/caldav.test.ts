import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import {
  cancelAppointment,
  createAppointment,
  getAppointment,
  moveAppointment,
  offerSlots,
} from '../../../src/domain/appointments/index.ts'
import {
  type CalendarDeps,
  connectByForm,
  listConflicts,
  listConnections,
  pushConnection,
  syncConnection,
  updateConnection,
} from '../../../src/domain/calendars/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { createTestCalendars } from '../../support/calendars.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'
import { startRadicale } from '../../support/radicale.ts'

let domain: TestDomain
let deps: CalendarDeps
let server: Awaited<ReturnType<typeof startRadicale>>
let business: BusinessContext
let connectionId: string

beforeAll(async () => {
  domain = await openDomain()
  deps = createTestCalendars(domain.handle)
  server = await startRadicale()
  business = await domain.newBusiness()
  await domain.ctx.db.execute(sql`update businesses set timezone = 'Asia/Jerusalem' where id = ${business.businessId}`)
})
afterAll(() => domain.close())

const authorization = () => `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`
const ask = (path: string, method = 'GET', body?: string) =>
  fetch(`${server.calendarUrl}${path}`, {
    method,
    headers: { authorization: authorization(), ...(body ? { 'content-type': 'text/calendar' } : {}) },
    ...(body ? { body } : {}),
  })
const write = async (name: string, ...lines: string[]) => {
  const text = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:x', 'BEGIN:VEVENT', `UID:${name}`, 'DTSTAMP:20260101T000000Z']
  const answer = await ask(`${name}.ics`, 'PUT', [...text, ...lines, 'END:VEVENT', 'END:VCALENDAR', ''].join('\r\n'))
  expect(answer.ok).toBe(true)
}
const sync = () => syncConnection(business, connectionId, deps)
const push = () => pushConnection(business, connectionId, deps)
const freeTimes = async (from: string) =>
  (await offerSlots(business, { minutes: 30 }, { from, days: 1 }, new Date('2027-03-01T00:00:00Z'))).map(
    ({ time }) => time,
  )

test('a wrong password and an address without calendars are refused', async () => {
  const given = { kind: 'caldav' as const, url: server.url, username: server.username }
  await expect(connectByForm(business, { ...given, password: 'wrong' }, deps)).rejects.toMatchObject({
    code: 'calendar_refused',
    field: 'password',
  })
  await expect(
    connectByForm(business, { kind: 'ics', url: 'http://127.0.0.1:2/none.ics' }, deps),
  ).rejects.toMatchObject({ code: 'calendar_unreachable' })
  expect(await listConnections(business)).toEqual([])
})

test('series, changes and deletions are read in rounds that name only what changed', async () => {
  const { url, username, password } = server
  connectionId = await connectByForm(business, { kind: 'caldav', url, username, password }, deps)
  const weekly = (time: string) => [
    `DTSTART;TZID=Asia/Jerusalem:20270315T${time}`,
    'DURATION:PT1H',
    'RRULE:FREQ=WEEKLY;COUNT=4',
    'SUMMARY:Course',
  ]
  await write('weekly', ...weekly('090000'))
  expect(await sync()).toBe(true)
  // Over the change of the clocks on 26 March it is nine o'clock.
  for (const date of ['2027-03-15', '2027-03-29']) expect(await freeTimes(date)).not.toContain('09:00')
  expect(await freeTimes('2027-03-29')).toContain('10:00')
  await write('weekly', ...weekly('110000'))
  await write('free', 'DTSTART:20270315T100000Z', 'DTEND:20270315T103000Z', 'TRANSP:TRANSPARENT')
  await sync()
  const free = await freeTimes('2027-03-15')
  expect([free.includes('09:00'), free.includes('11:00'), free.includes('12:00')]).toEqual([true, false, true])
  expect((await ask('weekly.ics', 'DELETE')).ok).toBe(true)
  await sync()
  expect(await freeTimes('2027-03-15')).toContain('11:00')
})

test('an appointment is written, changed by both sides and removed, once each', async () => {
  const id = await createAppointment(business, { startsAt: '2027-03-16T10:00:00+02:00', minutes: 30, name: 'דנה לוי' })
  await push()
  const path = `${id}.ics`
  const text = await (await ask(path)).text()
  expect(text).toContain('DTSTART:20270316T080000Z')
  expect(text).not.toMatch(/ATTENDEE|ORGANIZER/)
  await sync()
  expect([await push(), await listConflicts(business)]).toEqual([0, []])
  expect(await domain.ctx.db.execute(sql`select 1 from outside_events where object_id like ${`%${id}%`}`)).toHaveLength(
    0,
  )
  // A process that ended after the event was written.
  await domain.ctx.db.execute(sql`update calendar_pushes set state = 'pending', content = null, etag = null`)
  await push()
  expect((await listConnections(business))[0]?.state).toBe('connected')

  // A person adds a reminder and moves it.
  const alarm = ['BEGIN:VALARM', 'ACTION:DISPLAY', 'TRIGGER:-PT10M', 'END:VALARM', 'END:VEVENT'].join('\r\n')
  const now = await (await ask(path)).text()
  const moved = now.replace('T080000Z', 'T093000Z').replace('T083000Z', 'T100000Z').replace('END:VEVENT', alarm)
  expect((await ask(path, 'PUT', moved)).ok).toBe(true)
  await updateConnection(business, connectionId, { onChange: 'apply' })
  await sync()
  expect((await getAppointment(business, id)).startsAt).toEqual(new Date('2027-03-16T09:30:00Z'))
  await push()
  await sync()
  expect(await getAppointment(business, id)).toEqual(
    expect.objectContaining({ revision: 2, startsAt: new Date('2027-03-16T09:30:00Z') }),
  )
  // They make it weekly: it stays where it is, and the later weeks are busy.
  const single = await (await ask(path)).text()
  expect((await ask(path, 'PUT', single.replace('SUMMARY', 'RRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY'))).ok).toBe(true)
  await sync()
  expect((await getAppointment(business, id)).revision).toBe(2)
  const weeks = () =>
    domain.ctx.db.execute<{ at: string }>(
      sql`select starts_at as at from outside_events where object_id like ${`%${id}%`} order by 1`,
    )
  expect((await weeks()).map(({ at }) => new Date(at).toISOString().slice(0, 10))).toEqual([
    '2027-03-23',
    '2027-03-30',
    '2027-04-06',
  ])
  // We move it: what the person added stays, but it is one again.
  await moveAppointment(business, id, { startsAt: '2027-03-29T10:00:00+03:00' })
  await push()
  const edited = await (await ask(path)).text()
  expect(edited).toContain('DTSTART:20270329T070000Z')
  expect(edited).toContain('TRIGGER:-PT10M')
  await sync()
  expect((await getAppointment(business, id)).revision).toBe(3)
  await cancelAppointment(business, id)
  await push()
  expect((await ask(path)).status).toBe(404)
  await sync()
  expect(await listConflicts(business)).toEqual([])
})

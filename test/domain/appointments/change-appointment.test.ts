import { beforeAll, expect, test } from 'bun:test'
import {
  cancelAppointment,
  confirmAppointment,
  createAppointment,
  DEFAULT_HOURS,
  getAppointment,
  lastClosing,
  listAppointments,
  moveAppointment,
  restoreAppointment,
  updateAppointment,
} from '../../../src/domain/appointments/index.ts'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
let hour = 0
beforeAll(async () => {
  domain = await startDomain()
})

/** A time that no test has taken. */
const free = () => new Date(Date.parse('2090-03-01T00:00:00Z') + ++hour * 7_200_000).toISOString()
const make = (startsAt = free(), more = {}) => createAppointment(domain.business, { startsAt, minutes: 30, ...more })

test('a member makes an appointment at any time that is free, confirmed, with its contact; asked again it is the same', async () => {
  const [id, startsAt] = [newId(), free()]
  const wanted = { id, phone: '+972501234567', name: 'Dana', note: 'Kitchen' }
  expect(await make(startsAt, wanted)).toBe(id)
  expect(await make(startsAt, wanted)).toBe(id)
  const found = await getAppointment(domain.business, id)
  expect(found).toMatchObject({ state: 'booked', name: 'Dana', note: 'Kitchen', phone: '+972501234567' })
  expect(found.confirmedAt).not.toBeNull()
  expect(found.endsAt.getTime() - found.startsAt.getTime()).toBe(1_800_000)
  await expect(make(new Date(Date.parse(startsAt) + 600_000).toISOString())).rejects.toMatchObject({
    code: 'slot_taken',
  })
})

test('two members who want the same time at once: one has it', async () => {
  const startsAt = free()
  const outcomes = await Promise.allSettled([make(startsAt), make(startsAt), make(startsAt)])
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('a move keeps the length, may overlap its own time, and not another', async () => {
  const [first, second] = [free(), free()]
  const id = await make(first)
  await make(second)
  await moveAppointment(domain.business, id, { startsAt: new Date(Date.parse(first) + 900_000).toISOString() })
  expect((await getAppointment(domain.business, id)).endsAt.getTime() - Date.parse(first)).toBe(2_700_000)
  await expect(moveAppointment(domain.business, id, { startsAt: second })).rejects.toMatchObject({ code: 'slot_taken' })
  await moveAppointment(domain.business, id, { startsAt: first, minutes: 60 })
  expect((await getAppointment(domain.business, id)).endsAt.getTime() - Date.parse(first)).toBe(3_600_000)
})

test('the name and the note are changed, each alone, and emptied; another business finds nothing', async () => {
  const id = await make(free(), { name: 'Dana', note: 'Kitchen' })
  await updateAppointment(domain.business, id, { note: 'Kitchen and hall' })
  expect(await getAppointment(domain.business, id)).toMatchObject({ name: 'Dana', note: 'Kitchen and hall' })
  await updateAppointment(domain.business, id, { name: ' Noa ', note: null })
  const changed = await getAppointment(domain.business, id)
  expect(changed).toMatchObject({ name: 'Noa', note: null, state: 'booked' })
  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Other', language: 'he' }))
  await expect(updateAppointment(other, id, { name: 'Mine' })).rejects.toMatchObject({ code: 'appointment_not_found' })
  await expect(updateAppointment(domain.business, id, { name: '' })).rejects.toThrow()
  expect(await getAppointment(domain.business, id)).toEqual(changed)
})

test('a cancellation is taken back while the time is free', async () => {
  const startsAt = free()
  const id = await make(startsAt)
  await cancelAppointment(domain.business, id)
  await expect(moveAppointment(domain.business, id, { startsAt: free() })).rejects.toMatchObject({
    code: 'appointment_cancelled',
  })
  await restoreAppointment(domain.business, id)
  expect(await getAppointment(domain.business, id)).toMatchObject({ state: 'booked' })
  await cancelAppointment(domain.business, id)
  await make(startsAt)
  await expect(restoreAppointment(domain.business, id)).rejects.toMatchObject({ code: 'slot_taken' })
})

test('a confirmation is taken back', async () => {
  const id = await make()
  await confirmAppointment(domain.business, id, false)
  expect((await getAppointment(domain.business, id)).confirmedAt).toBeNull()
  await confirmAppointment(domain.business, id)
  expect((await getAppointment(domain.business, id)).confirmedAt).not.toBeNull()
})

test('a list ends before `to`; another business has none of it', async () => {
  const [first, second] = [free(), free()]
  const id = await make(first)
  await make(second)
  const { items } = await listAppointments(domain.business, { from: first, to: second })
  expect(items.map((item) => item.id)).toEqual([id])
  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Other', language: 'en' }))
  await expect(moveAppointment(other, id, { startsAt: second })).rejects.toMatchObject({
    code: 'appointment_not_found',
  })
  await expect(getAppointment(other, id)).rejects.toMatchObject({ code: 'appointment_not_found' })
  await expect(createAppointment(other, { id, startsAt: second, minutes: 30 })).rejects.toMatchObject({
    code: 'id_taken',
  })
})

test('the last closing is yesterday’s in the morning, Thursday’s on a weekend, and that before a holiday', () => {
  const hours = { ...DEFAULT_HOURS, holidays: ['2026-11-24'] }
  const closing = (at: string) => lastClosing(hours, new Date(at), 'Asia/Jerusalem')?.toISOString()
  // Monday, 8:00 in Jerusalem.
  expect(closing('2026-11-23T06:00:00Z')).toBe('2026-11-22T15:00:00.000Z')
  expect(closing('2026-11-23T15:00:00Z')).toBe('2026-11-23T15:00:00.000Z')
  expect(closing('2026-11-28T10:00:00Z')).toBe('2026-11-26T15:00:00.000Z')
  expect(closing('2026-11-25T06:00:00Z')).toBe('2026-11-23T15:00:00.000Z')
  expect(lastClosing({ week: {}, holidays: [] }, new Date(), 'Asia/Jerusalem')).toBeNull()
})

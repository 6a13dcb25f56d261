import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { receptionistProfiles } from '../../../db/schema/index.ts'
import { DEFAULT_HOURS } from '../../../src/domain/appointments/index.ts'
import { getBusiness, updateBusiness } from '../../../src/domain/businesses/index.ts'
import { createProfileCache, getProfile, saveProfile } from '../../../src/domain/receptionist/index.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
beforeAll(async () => {
  domain = await openDomain()
})
afterAll(() => domain.close())

const MORNINGS = {
  sun: [
    ['09:00', '13:00'],
    ['16:00', '24:00'],
  ] as [string, string][],
}
const WEEK = {
  '0': [
    { from: '09:00', to: '13:00' },
    { from: '16:00', to: '24:00' },
  ],
}

test('the business’s hours are the receptionist’s, whichever door they are set by', async () => {
  const ctx = await domain.newBusiness()
  const cache = createProfileCache(domain.ctx.db, domain.ctx.log)
  const kept = async () => {
    await cache.refresh()
    const { settings } = await getProfile(ctx)
    expect(cache.of(ctx.businessId).hours).toEqual(settings.hours)
    return settings.hours
  }
  // None are set: the usual ones.
  expect(await kept()).toEqual(DEFAULT_HOURS)
  await updateBusiness(ctx, { hours: MORNINGS })
  expect(await kept()).toEqual({ week: WEEK, holidays: [] })

  // Other settings leave them alone.
  await saveProfile(ctx, { settings: { instructions: 'Be kind.' } })
  expect(await kept()).toEqual({ week: WEEK, holidays: [] })
  // What was read and is written back changes nothing.
  const { settings } = await getProfile(ctx)
  await saveProfile(ctx, { settings })
  const changes = () =>
    domain.handle.sql`select 1 from audit_log where business_id = ${ctx.businessId} and action = 'business.update'`
  expect((await changes()).length).toBe(1)

  await saveProfile(ctx, {
    settings: {
      hours: {
        week: {
          '5': [
            { from: '10:00', to: '12:00' },
            { from: '08:00', to: '09:00' },
          ],
        },
        holidays: ['2027-04-22'],
      },
    },
  })
  expect((await getBusiness(ctx)).hours).toEqual({
    fri: [
      ['08:00', '09:00'],
      ['10:00', '12:00'],
    ],
  })
  expect((await kept()).holidays).toEqual(['2027-04-22'])
  expect((await changes()).length).toBe(2)
  await updateBusiness(ctx, { hours: {} })
  expect(await kept()).toEqual({ week: {}, holidays: ['2027-04-22'] })

  const overlapping = {
    week: {
      '0': [
        { from: '09:00', to: '12:00' },
        { from: '11:00', to: '13:00' },
      ],
    },
  }
  await expect(saveProfile(ctx, { settings: { hours: overlapping } })).rejects.toMatchObject({ code: 'invalid_hours' })
})

test('hours from before they were one setting are taken over once, and what the business had said stays', async () => {
  const [old, said, closed, none] = [
    await domain.newBusiness(),
    await domain.newBusiness(),
    await domain.newBusiness(),
    await domain.newBusiness(),
  ]
  const { sql } = domain.handle
  const write = (businessId: string, version: number, week: Record<string, { from: string; to: string }[]>) =>
    domain.ctx.db
      .insert(receptionistProfiles)
      .values({ businessId, version, settings: { hours: { week, holidays: [] } } })
  await write(old.businessId, 1, { '3': [{ from: '01:00', to: '02:00' }] })
  await write(old.businessId, 2, {
    '0': [
      { from: '16:00', to: '19:00' },
      { from: '09:00', to: '13:00' },
      { from: '12:00', to: '14:00' },
      { from: '20:00', to: '18:00' },
    ],
    '6': [],
  })
  await updateBusiness(said, { hours: MORNINGS })
  await write(said.businessId, 1, { '1': [{ from: '10:00', to: '11:00' }] })
  await write(closed.businessId, 1, {})

  const migration = readFileSync(join(import.meta.dir, '../../../db/migrations/0009_business-hours.sql'), 'utf8')
  for (let run = 0; run < 2; run += 1) {
    await sql.unsafe(migration)
    expect((await getBusiness(old)).hours).toEqual({
      sun: [
        ['09:00', '13:00'],
        ['16:00', '19:00'],
      ],
    })
    expect((await getBusiness(said)).hours).toEqual(MORNINGS)
    expect((await getBusiness(closed)).hours).toEqual({})
    expect((await getBusiness(none)).hours).toBeNull()
  }
})

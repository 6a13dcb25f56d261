import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { migrateDatabase, migrationHashes } from '../../db/migrate.ts'
import { newId } from '../../src/lib/ids.ts'
import { createEmptyDatabase } from '../support/postgres.ts'

/** The position of the migration, by its name. */
const POSITION = readdirSync(join(import.meta.dir, '../../db/migrations'))
  .filter((name) => name.endsWith('.sql'))
  .sort()
  .findIndex((name) => name.endsWith('_services-staff-appointments.sql'))

test('a plain role migrates a database whose appointments overlap; the version before still writes; no seat is taken twice', async () => {
  const database = await createEmptyDatabase()
  const admin = postgres(database.url, { max: 1, onnotice: () => {} })
  const role = `plain_${newId().slice(-12)}`
  const [name] = await admin<{ current_database: string }[]>`select current_database()`
  await admin.unsafe(`create role ${role} login password 'plain' nosuperuser`)
  await admin.unsafe(`grant create, connect on database "${name?.current_database}" to ${role}`)
  await admin.unsafe(`grant all on schema public to ${role}`)
  const url = new URL(database.url)
  url.username = role
  url.password = 'plain'
  const sql = postgres(url.href, { max: 2, onnotice: () => {} })
  try {
    await migrateDatabase(url.href, { last: migrationHashes()[POSITION - 1] })
    const business = newId()
    await sql`insert into businesses (id, name) values (${business}, 'Former')`
    const add = (id: string, from: string, to: string, state = 'booked') =>
      sql`insert into appointments (id, business_id, starts_at, ends_at, state)
        values (${id}, ${business}, ${`2030-01-01T${from}:00Z`}, ${`2030-01-01T${to}:00Z`}, ${state})`
    const [first, second, third, cancelled] = [newId(), newId(), newId(), newId()]
    await add(first, '10:00', '11:00')
    await add(second, '10:30', '11:30')
    await add(third, '11:00', '12:00')
    await add(cancelled, '10:00', '12:00', 'cancelled')

    await migrateDatabase(url.href)

    const rows = await sql<{ id: string; seat: number; time: string; isDefault: boolean }[]>`
      select a.id, seat, local_time as time, is_default as "isDefault"
      from appointments a join staff on staff.id = staff_id order by starts_at, a.id`
    expect(Object.fromEntries(rows.map(({ id, seat }) => [id, seat]))).toEqual({
      [first]: 0,
      [cancelled]: 0,
      [second]: 1,
      [third]: 0,
    })
    expect(rows.find(({ id }) => id === first)).toMatchObject({ time: '12:00', isDefault: true })
    const listed = await sql`select entity_id from audit_log where action = 'appointment.overlap'`
    expect(new Set(listed.map((row) => row.entity_id))).toEqual(new Set([second, third]))

    // What the version before writes: nothing of staff. A business that it makes has none yet.
    const later = newId()
    await add(later, '14:00', '15:00')
    await sql`update appointments set starts_at = '2030-01-01T15:00Z', ends_at = '2030-01-01T16:00Z' where id = ${later}`
    const [moved] = await sql`select busy_from, local_time from appointments where id = ${later}`
    expect(moved).toMatchObject({ busy_from: new Date('2030-01-01T15:00Z'), local_time: '17:00' })
    await expect(add(newId(), '15:30', '16:30')).rejects.toMatchObject({
      code: '23P01',
      constraint_name: 'appointments_no_overlap',
    })
    const other = newId()
    await sql`insert into businesses (id, name) values (${other}, 'New')`
    await sql`insert into appointments (id, business_id, starts_at, ends_at)
      values (${newId()}, ${other}, '2030-01-01T10:00Z', '2030-01-01T11:00Z')`
    await sql`delete from businesses where id = ${other}`
    expect(await sql`select from staff where business_id = ${other}`).toHaveLength(0)
  } finally {
    await sql.end()
    await admin.unsafe(`drop owned by ${role} cascade`)
    await admin.unsafe(`drop role ${role}`)
    await admin.end()
    await database.drop()
  }
}, 60_000)

import { expect, test } from 'bun:test'
import { createDatabase } from '../../db/client.ts'
import { contacts, users } from '../../db/schema/index.ts'
import { AppError, errorMessage, stackFrames, toAppError } from '../../src/lib/errors.ts'
import { newId } from '../../src/lib/ids.ts'
import { describeError } from '../../src/lib/log.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { createTestDatabase } from '../support/postgres.ts'

test('a known error stays what it is', () => {
  const error = new AppError('conflict', 'number_taken', 'Another business answers it.', { field: 'number' })
  expect(toAppError(error)).toBe(error)
  expect(error.status).toBe(409)
  expect(error.toBody()).toEqual({ code: 'number_taken', message: 'Another business answers it.', field: 'number' })
})

test('an unknown error says nothing of its text and keeps its cause', () => {
  const cause = new Error('password=hunter2')
  const error = toAppError(cause)
  expect(error.status).toBe(500)
  expect(JSON.stringify(error.toBody())).not.toContain('hunter2')
  expect(error.cause).toBe(cause)
})

test('a failed statement is described without its data', async () => {
  const database = await createTestDatabase()
  const { db, close } = createDatabase(database.url)
  const failure = await db
    .insert(contacts)
    .values({ businessId: newId(), phone: '+972501234567', name: 'Dana' })
    .then(
      () => null,
      (error: unknown) => error,
    )
  expect(String(failure)).toContain('+972501234567')
  expect(errorMessage(failure)).toContain('violates foreign key constraint')
  for (const text of [errorMessage(failure), stackFrames(failure), JSON.stringify(describeError(failure))]) {
    expect(text).not.toContain('972501234567')
    expect(text).not.toContain('Dana')
  }
  await close()
  await database.drop()
})

test('a database that is away is unavailable, not broken', async () => {
  const { db, close } = createDatabase(`postgres://a:b@127.0.0.1:${await findFreePort('127.0.0.1')}/c`)
  const failure = await db
    .select()
    .from(users)
    .then(
      () => null,
      (error: unknown) => error,
    )
  expect(toAppError(failure)).toMatchObject({ kind: 'unavailable', code: 'database_unavailable', status: 503 })
  await close()
})

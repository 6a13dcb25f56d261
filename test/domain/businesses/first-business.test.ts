import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  createBusiness,
  createDirectory,
  ensureFirstBusiness,
  listBusinesses,
} from '../../../src/domain/businesses/index.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain

beforeAll(async () => {
  domain = await openDomain()
})

afterAll(() => domain.close())

test('the oldest business stays the first, whatever id a client chose for a later one', async () => {
  const { ctx } = domain
  const first = await ensureFirstBusiness(ctx, { name: 'First', language: 'en' })
  await createBusiness(ctx, { id: '00000000-0000-4000-8000-000000000001', name: 'Later', language: 'en' })
  const last = await createBusiness(ctx, {
    id: 'ffffffff-ffff-4fff-bfff-ffffffffffff',
    name: 'Last',
    language: 'en',
  })
  const directory = createDirectory(ctx.db, ctx.log)
  await directory.refresh()

  expect(directory.first()).toBe(first)
  const listed = await listBusinesses(ctx)
  expect([listed[0]?.id, listed[2]?.id]).toEqual([first, last])
  expect(await ensureFirstBusiness(ctx, { name: 'First', language: 'en' })).toBe(first)
})

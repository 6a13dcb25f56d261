import { beforeAll, expect, test } from 'bun:test'
import {
  addPhoneNumber,
  authenticateApiKey,
  blockBusiness,
  createApiKey,
  createBusiness,
  createDirectory,
  getBusiness,
  listPhoneNumbers,
  removePhoneNumber,
  revokeApiKey,
  setBootstrapKey,
  unblockBusiness,
  updateBusiness,
} from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

const another = async () => within(domain.ctx, await createBusiness(domain.ctx, { name: 'Another', language: 'he' }))

test('settings that are given change, the others stay; what is not valid changes nothing', async () => {
  await updateBusiness(domain.business, { greeting: 'Hello' })
  await updateBusiness(domain.business, { language: 'he' })
  await expect(updateBusiness(domain.business, { timezone: 'Mars/Olympus' })).rejects.toThrow()
  expect(await getBusiness(domain.business)).toMatchObject({ greeting: 'Hello', language: 'he', name: 'Levi Homes' })
})

test('a number belongs to one business, whatever its spelling', async () => {
  const number = await addPhoneNumber(domain.business, { number: '03-376-1111' })
  expect(number).toMatchObject({ e164: '+97233761111' })
  const other = await another()
  await expect(addPhoneNumber(other, { number: '+972 3 376 1111' })).rejects.toMatchObject({ kind: 'conflict' })
  await expect(addPhoneNumber(other, { number: 'no number' })).rejects.toMatchObject({ code: 'invalid_number' })
  await expect(removePhoneNumber(other, number.id)).rejects.toMatchObject({ code: 'number_not_found' })
  const directory = createDirectory(domain.ctx.db, domain.ctx.log)
  await directory.refresh()
  expect(directory.lookup('+97233761111')).toMatchObject({ business: { id: domain.businessId } })
  await removePhoneNumber(domain.business, number.id)
  expect(await listPhoneNumbers(domain.business)).toEqual([])
  await addPhoneNumber(other, { number: '03-376-1111' })
})

test('a key opens its business with its scope until it is revoked, and is kept as a hash alone', async () => {
  const { id, key } = await createApiKey(domain.business, { name: 'A key', scope: 'read' })
  expect(await authenticateApiKey(domain.ctx, key)).toMatchObject({
    id,
    businessId: domain.businessId,
    scope: 'read',
    operator: false,
  })
  expect(await authenticateApiKey(domain.ctx, `${key}x`)).toBeNull()
  expect(JSON.stringify(await domain.sql`select * from api_keys`)).not.toContain(key)
  await expect(revokeApiKey(await another(), id)).rejects.toMatchObject({ code: 'api_key_not_found' })
  await revokeApiKey(domain.business, id)
  expect(await authenticateApiKey(domain.ctx, key)).toBeNull()
})

test('another key of the installation replaces the earlier one; a revoked one does not come back', async () => {
  await setBootstrapKey(domain.business, 'the first key')
  expect(await setBootstrapKey(domain.business, 'the second key')).toEqual({ revoked: 1, state: 'valid' })
  expect(await authenticateApiKey(domain.ctx, 'the first key')).toBeNull()
  const current = await authenticateApiKey(domain.ctx, 'the second key')
  expect(current).toMatchObject({ scope: 'admin', operator: true })
  await revokeApiKey(domain.business, current?.id ?? '')
  expect((await setBootstrapKey(domain.business, 'the second key')).state).toBe('revoked')
  expect(await authenticateApiKey(domain.ctx, 'the second key')).toBeNull()
})

test('a business is blocked with a reason and unblocked', async () => {
  const business = await another()
  await blockBusiness(business, 'fraud')
  expect(await getBusiness(business)).toMatchObject({ blockedReason: 'fraud', blockedAt: expect.any(Date) })
  await unblockBusiness(business)
  expect(await getBusiness(business)).toMatchObject({ blockedReason: null, blockedAt: null })
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eq, sql } from 'drizzle-orm'
import { businessCredentials, businesses } from '../../../db/schema/index.ts'
import {
  type CredentialsInput,
  createKeyring,
  credentialsInput,
  listCredentials,
  removeCredentials,
  setCredentials,
} from '../../../src/domain/credentials/index.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { createSecretBox, deriveKey } from '../../../src/lib/secret-box.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

const SECRET = 'not-to-be-seen-anywhere'
const TWILIO: CredentialsInput = {
  provider: 'twilio',
  keys: { accountSid: `AC${'a'.repeat(31)}7`, authToken: SECRET, whatsappFrom: 'whatsapp:+14155550000' },
}
const TRANZILA: CredentialsInput = {
  provider: 'tranzila',
  keys: { terminal: 'dana', appKey: `app-${SECRET}`, secret: SECRET },
}

let domain: TestDomain
let api: TestApi
beforeAll(async () => {
  domain = await openDomain()
  api = await createTestApi()
})
afterAll(async () => {
  await domain.close()
  await api.close()
})

const keyringOf = (secret = 'a session secret', log = createLogger('silent')) =>
  createKeyring(domain.handle.db, createSecretBox(deriveKey(secret, 'business credentials')), log)

test('keys are sealed, shown by a hint, replaced, and taken away; another business has none', async () => {
  const keyring = keyringOf()
  const dana = await domain.newBusiness()
  const other = await domain.newBusiness()
  // Before the first reading the account's owner is unknown.
  expect(keyring.held(dana.businessId, 'twilio')).toEqual({ kind: 'unreadable' })
  await keyring.refresh()
  expect(keyring.held(dana.businessId, 'twilio')).toEqual({ kind: 'none' })

  const made = await setCredentials(dana, keyring, TWILIO)
  await setCredentials(dana, keyring, TRANZILA)
  expect(made).toMatchObject({ provider: 'twilio', hint: '…aaa7' })
  expect(await listCredentials(dana)).toMatchObject([
    { provider: 'tranzila', hint: 'dana' },
    { provider: 'twilio', hint: '…aaa7' },
  ])
  expect(await listCredentials(other)).toEqual([])
  expect(keyring.held(dana.businessId, 'twilio')).toEqual({ kind: 'own', keys: TWILIO.keys })
  expect(keyring.held(other.businessId, 'twilio')).toEqual({ kind: 'none' })
  expect(keyring.held(dana.businessId, 'openai')).toEqual({ kind: 'none' })
  expect(keyring.holders('tranzila')).toEqual([{ businessId: dana.businessId, keys: TRANZILA.keys }])

  await setCredentials(dana, keyring, { provider: 'tranzila', keys: { ...TRANZILA.keys, terminal: 'dana2' } })
  expect(await listCredentials(dana)).toMatchObject([{ hint: 'dana2' }, { provider: 'twilio' }])
  expect(keyring.held(dana.businessId, 'tranzila')).toMatchObject({ keys: { terminal: 'dana2', secret: SECRET } })

  await removeCredentials(dana, keyring, 'tranzila')
  expect(keyring.held(dana.businessId, 'tranzila')).toEqual({ kind: 'none' })
  await expect(removeCredentials(dana, keyring, 'tranzila')).rejects.toMatchObject({ code: 'credentials_not_found' })
  await expect(removeCredentials(other, keyring, 'twilio')).rejects.toMatchObject({ code: 'credentials_not_found' })
  expect(await listCredentials(dana)).toHaveLength(1)
})

test('no table holds a secret, and neither audit nor events know more than the provider', async () => {
  const keyring = keyringOf()
  const dana = await domain.newBusiness()
  await setCredentials(dana, keyring, TWILIO)
  const tables = await domain.ctx.db.execute<{ name: string }>(
    sql`select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  )
  const holding: string[] = []
  for (const { name } of tables) {
    const rows = await domain.ctx.db.execute(
      sql`select 1 from ${sql.identifier(name)} t where t::text like ${`%${SECRET}%`}`,
    )
    if (rows.length > 0) holding.push(name)
  }
  expect(holding).toEqual([])
  for (const [table, type] of [
    ['audit_log', 'action'],
    ['events', 'type'],
  ] as const) {
    const rows = await domain.ctx.db.execute<{ kind: string; entity_id: string; data: unknown }>(
      sql`select ${sql.identifier(type)} as kind, entity_id, data from ${sql.identifier(table)}
        where business_id = ${dana.businessId} and entity = 'credentials'`,
    )
    expect([...rows]).toEqual([{ kind: 'credentials.set', entity_id: 'twilio', data: null }])
  }
})

test('another process learns of a change by reading again; unchanged keys stay the same object', async () => {
  const here = keyringOf()
  const there = keyringOf()
  const dana = await domain.newBusiness()
  await there.refresh()
  await setCredentials(dana, here, TWILIO)
  expect(there.held(dana.businessId, 'twilio').kind).toBe('none')
  await there.refresh()
  const first = there.held(dana.businessId, 'twilio')
  await setCredentials(dana, here, TRANZILA)
  // Asked for many times at once, each sees what was written before it was asked.
  await Promise.all([there.refresh(), there.refresh(), there.refresh()])
  const second = there.held(dana.businessId, 'twilio')
  expect(there.held(dana.businessId, 'tranzila').kind).toBe('own')
  expect(first.kind === 'own' && second.kind === 'own' && first.keys === second.keys).toBe(true)
  await setCredentials(dana, here, { provider: 'twilio', keys: { ...TWILIO.keys, authToken: 'another' } })
  await there.refresh()
  expect(there.held(dana.businessId, 'twilio')).toMatchObject({ keys: { authToken: 'another' } })
})

test('under another session secret, or moved to another business, keys are unreadable: never none, never another’s', async () => {
  const keyring = keyringOf()
  const dana = await domain.newBusiness()
  const thief = await domain.newBusiness()
  await setCredentials(dana, keyring, TWILIO)
  await domain.ctx.db.execute(
    sql`insert into business_credentials (id, business_id, provider, sealed, hint)
      select gen_random_uuid(), ${thief.businessId}, provider, sealed, hint from business_credentials
      where business_id = ${dana.businessId}`,
  )
  await keyring.refresh()
  expect(keyring.held(thief.businessId, 'twilio')).toEqual({ kind: 'unreadable' })
  expect(keyring.holders('twilio').map(({ businessId }) => businessId)).not.toContain(thief.businessId)

  const lines: string[] = []
  const log = createLogger('silent')
  log.error = (...args: unknown[]) => void lines.push(JSON.stringify(args))
  const rotated = keyringOf('another session secret', log)
  await rotated.refresh()
  await rotated.refresh()
  expect(rotated.held(dana.businessId, 'twilio')).toEqual({ kind: 'unreadable' })
  // Said once for each, however often it is read.
  expect(lines.filter((line) => line.includes(dana.businessId))).toHaveLength(1)
  expect(lines.join()).not.toContain(SECRET)
})

test('they go with their business', async () => {
  const keyring = keyringOf()
  const dana = await domain.newBusiness()
  await setCredentials(dana, keyring, TWILIO)
  await domain.ctx.db.delete(businesses).where(eq(businesses.id, dana.businessId))
  const left = await domain.ctx.db
    .select()
    .from(businessCredentials)
    .where(eq(businessCredentials.businessId, dana.businessId))
  expect(left).toEqual([])
  await keyring.refresh()
  expect(keyring.held(dana.businessId, 'twilio')).toEqual({ kind: 'none' })
})

test('what does not fit is refused by field, and never quoted', () => {
  const cases: [unknown, string][] = [
    [{ provider: 'twilio', keys: { accountSid: SECRET, authToken: 'x' } }, 'keys.accountSid'],
    [{ provider: 'twilio', keys: { accountSid: `AC${'0'.repeat(32)}` } }, 'keys.authToken'],
    [{ provider: 'twilio', keys: { ...TWILIO.keys, whatsappFrom: SECRET } }, 'keys.whatsappFrom'],
    [{ provider: 'openai', keys: { apiKey: `${SECRET} and more` } }, 'keys.apiKey'],
    [{ provider: 'paypal', keys: { clientId: SECRET, clientSecret: SECRET } }, 'keys.webhookId'],
    [{ provider: 'tranzila', keys: { ...TRANZILA.keys, terminal: '../x' } }, 'keys.terminal'],
    [{ provider: 'tranzila', keys: { ...TRANZILA.keys, more: SECRET } }, 'keys'],
    [{ provider: 'tranzila', keys: { ...TRANZILA.keys, secret: `${SECRET}`.repeat(60) } }, 'keys.secret'],
    [{ provider: 'stripe', keys: {} }, 'provider'],
  ]
  for (const [input, field] of cases) {
    const { error, success } = credentialsInput.safeParse(input)
    expect([field, success]).toEqual([field, false])
    expect(error?.issues[0]?.path.join('.')).toBe(field)
    expect(JSON.stringify(error)).not.toContain(SECRET)
  }
})

test('by the API an owner sets, lists and removes them; the answer never holds a secret', async () => {
  const owner = api.as({})
  const set = await owner.credentials.set({ provider: 'openai', keys: { apiKey: `sk-${SECRET}-wxyz` } })
  const listed = await owner.credentials.list()
  expect(listed.items).toMatchObject([{ provider: 'openai', hint: '…wxyz' }])
  expect(api.services.api.keyring.held(api.businessId, 'openai')).toMatchObject({ kind: 'own' })
  expect(JSON.stringify([set, listed])).not.toContain(SECRET)
  await expect(api.as({ role: 'manager' }).credentials.list()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  const refused = await owner.credentials.set({ provider: 'openai', keys: { apiKey: `${SECRET} x` } }).catch((e) => e)
  expect(refused).toMatchObject({ code: 'BAD_REQUEST' })
  expect(String(refused) + JSON.stringify(refused)).not.toContain(SECRET)
  expect(await owner.credentials.remove({ provider: 'openai' })).toEqual({ ok: true })
  expect((await owner.credentials.list()).items).toEqual([])
})

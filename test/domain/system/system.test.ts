import { beforeAll, expect, test } from 'bun:test'
import { beat, leave, processesAlive, usersExist } from '../../../src/domain/system/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

const process = (pid: number, kind: 'web' | 'crm' = 'web') => ({ kind, host: 'a-host', pid, version: '1' })

test('a process counts while it beats, and no longer when it left or was silent for some time', async () => {
  await Promise.all([beat(domain.ctx, process(1)), beat(domain.ctx, process(2)), beat(domain.ctx, process(3, 'crm'))])
  await beat(domain.ctx, process(1))
  expect(await processesAlive(domain.ctx)).toEqual({ web: 2, whatsapp: 0, crm: 1, recordings: 0 })
  await leave(domain.ctx, process(2))
  await domain.sql`update heartbeats set seen_at = now() - interval '20 seconds' where kind = 'crm'`
  expect(await processesAlive(domain.ctx)).toEqual({ web: 1, whatsapp: 0, crm: 0, recordings: 0 })
})

test('a process that was silent for an hour is forgotten by the next beat of another', async () => {
  await domain.sql`update heartbeats set seen_at = now() - interval '2 hours'`
  await beat(domain.ctx, process(9))
  expect(await domain.sql`select pid from heartbeats`).toMatchObject([{ pid: 9 }])
})

test('whether anybody can log in', async () => {
  expect(await usersExist(domain.ctx)).toBe(false)
  await domain.sql`insert into auth_users (id, name, email) values (${newId()}, 'Dana', 'dana@example.com')`
  expect(await usersExist(domain.ctx)).toBe(true)
})

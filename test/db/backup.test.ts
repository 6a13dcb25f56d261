import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { LEFT_OUT } from '../../db/archive.ts'
import { backUp } from '../../db/backup.ts'
import { createDatabase } from '../../db/client.ts'
import { restore } from '../../db/restore.ts'
import { recordings } from '../../db/schema/index.ts'
import { createApiKey } from '../../src/domain/businesses/index.ts'
import { attachCallTrace, registerCall } from '../../src/domain/calls/index.ts'
import { audit } from '../../src/domain/context.ts'
import { receiveMessage } from '../../src/domain/messages/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { createFileStorage } from '../../src/providers/storage/file.ts'
import { createTestApi } from '../support/api.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { createTestDatabase } from '../support/postgres.ts'

test('a backup restored into an empty installation is the same, row by row and file by file', async () => {
  const api = await createTestApi()
  const directory = temporaryDirectory('backup')
  const storage = createFileStorage(mkdtempSync(join(directory, 'old-')))
  const owner = api.as({}, { userId: await api.addUser('owner') })
  const tricky = 'tab\tnewline\nback\\slash "quotes" \\N שלום 🙂'
  const contact = await owner.contacts.create({ phone: '+972501234567', name: tricky, custom: { a: tricky, n: null } })
  await owner.contacts.addNote({ id: contact.id, body: tricky })
  await owner.leads.create({ contactId: contact.id, name: tricky, valueAgorot: 9_007_199_254_740_991 })
  await owner.webhooks.create({ url: 'https://example.com/x', types: ['contact.*'] })
  await createApiKey(api.business, { name: 'k', scope: 'read' })
  for (let index = 0; index < 20; index += 1)
    await receiveMessage(api.business, {
      provider: 'baileys',
      businessId: api.businessId,
      dedupeKey: newId(),
      providerMessageId: String(index),
      kind: 'text',
      from: { phone: '+972501234567', lid: 'lid-1' },
      body: tricky,
      media: [],
      data: { raw: tricky },
      at: new Date().toISOString(),
    })
  const callId = await registerCall(api.business, {
    callSid: 'CA1',
    from: '+972501234567',
    to: '+97230000000',
    at: new Date(),
  })
  const wav = crypto.getRandomValues(new Uint8Array(100_000))
  for (const [sid, storageKey] of [
    ['RE1', 'recordings/one.wav'],
    ['RE2', 'recordings/lost.wav'],
  ] as const)
    await api.database.db
      .insert(recordings)
      .values({ businessId: api.businessId, callId, recordingSid: sid, storageKey, recordedAt: new Date() })
  await storage.put('recordings/one.wav', wav, 'audio/wav')
  await storage.put('calls/one/record.jsonl', wav.subarray(0, 500), 'application/x-ndjson')
  await attachCallTrace(api.business, { callSid: 'CA1', key: 'calls/one/record.jsonl', lines: 1 })

  // More than a stream holds before it asks the database to wait.
  for (let index = 0; index < 40; index += 1)
    await owner.contacts.addNote({ id: contact.id, body: `${index} ${tricky.repeat(60)}` })

  const path = join(directory, 'backup.tar')
  const steps: string[] = []
  const manifest = await backUp(api.database.sql, storage, path, {
    version: '0.1.0',
    progress: ({ what }) => void steps.push(what),
  })
  expect(manifest.missing).toEqual(['recordings/lost.wav'])
  expect(steps).toContain('messages')
  // Any tar opens it.
  const listing = await new Response(Bun.spawn(['tar', 'tf', path], { stdout: 'pipe' }).stdout).text()
  expect(listing).toContain('tables/messages.copy')

  const empty = await createTestDatabase()
  const target = createDatabase(empty.url, { max: 4 })
  const newStorage = createFileStorage(mkdtempSync(join(directory, 'new-')))

  // One flipped byte anywhere is noticed, and nothing is written.
  const damaged = readFileSync(path)
  const at = damaged.indexOf('שלום')
  damaged[at] = (damaged[at] ?? 0) ^ 1
  writeFileSync(join(directory, 'damaged.tar'), damaged)
  await expect(restore(empty.url, newStorage, join(directory, 'damaged.tar'))).rejects.toThrow()
  writeFileSync(join(directory, 'short.tar'), readFileSync(path).subarray(0, 5_000))
  await expect(restore(empty.url, newStorage, join(directory, 'short.tar'))).rejects.toThrow(/not a complete backup/)

  await restore(empty.url, newStorage, path)
  const tables = manifest.tables.filter((table) => table.rows > 0).map((table) => table.name)
  expect(tables.length).toBeGreaterThan(12)
  for (const table of manifest.tables) {
    const rows = (database: typeof target) =>
      database.sql.unsafe(
        `select to_jsonb(t) ${table.name === 'events' ? "- 'xid'" : ''} as row from "${table.name}" t order by t::text`,
      )
    const [before, after] = [await rows(api.database), await rows(target)]
    const plain = (list: Awaited<ReturnType<typeof rows>>) => list.map((row) => JSON.stringify(row.row)).sort()
    expect({ table: table.name, rows: plain(after) }).toEqual({ table: table.name, rows: plain(before) })
  }
  const restored = await newStorage.get('recordings/one.wav')
  expect(new Uint8Array((await restored?.body.arrayBuffer()) ?? new ArrayBuffer(0))).toEqual(wav)
  expect((await newStorage.get('calls/one/record.jsonl'))?.size).toBe(500)

  // The restored installation goes on: identities continue, events are readable.
  const ctx = { ...api.business, db: target.db }
  await target.db.transaction((tx) => audit(tx, ctx, { action: 'test.after', entity: 'test', entityId: '1' }))
  const [last] = await target.db.execute<{ type: string }>(sql`select type from events order by seq desc limit 1`)
  expect(last?.type).toBe('test.after')
  await expect(restore(empty.url, newStorage, path)).rejects.toThrow(/empty database/)
  await target.close()
  await empty.drop()
  await api.close()
}, 60_000)

/** Columns of the database that hold something secret by their names, and why a backup may have them. */
const SECRET_COLUMNS: Record<string, string> = {
  'auth_accounts.password': 'a slow hash',
  'auth_accounts.access_token': 'of logins by other services, which there are none of',
  'auth_accounts.refresh_token': 'of logins by other services, which there are none of',
  'auth_accounts.access_token_expires_at': 'a time',
  'auth_accounts.refresh_token_expires_at': 'a time',
  'auth_accounts.id_token': 'of logins by other services, which there are none of',
  'alert_members.phone_code': 'the fingerprint of a code that is valid for minutes',
  'auth_two_factors.secret': 'encrypted with SESSION_SECRET',
  'auth_two_factors.backup_codes': 'encrypted with SESSION_SECRET',
  'api_keys.hash': 'of a random key',
  'webhook_endpoints.secret': 'sealed',
  'business_credentials.sealed': 'sealed',
  'push_keys.sealed': 'sealed',
  'alert_channels.sealed': 'sealed',
  'agent_runs.input_tokens': 'a number',
  'agent_runs.output_tokens': 'a number',
  'calendar_connections.sealed': 'sealed',
  'messages.request_hash': 'of a request, to know a repetition',
  'messages.secret': 'sealed: opens the answers to one message',
  'payments.request_hash': 'of a request, to know a repetition',
  'imports.request_hash': 'of a request, to know a repetition',
  'knowledge_pages.hash': 'the fingerprint of a page of the business’s site',
  'messages.error_code': 'a vendor’s error',
  'whatsapp_links.restriction_code': 'WhatsApp’s reason',
  'whatsapp_links.pairing_code': 'valid for minutes, and only on the phone that it was made for',
}

test('a backup holds nothing that opens an account', async () => {
  const api = await createTestApi()
  const rows = await api.database.sql<{ name: string; table: string }[]>`
    select table_name || '.' || column_name as name, table_name as "table" from information_schema.columns
    where table_schema = 'public'
      and column_name ~ '(secret|token|password|passwd|hash|sealed|codes?$|credential|private|session)'`
  const kept = rows.filter(({ table }) => !LEFT_OUT.has(table)).map(({ name }) => name)
  expect(kept.toSorted()).toEqual(Object.keys(SECRET_COLUMNS).toSorted())
  const known = await api.database.sql<{ name: string }[]>`select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'`
  for (const name of LEFT_OUT) expect(known.map((row) => row.name)).toContain(name)

  const userId = await api.addUser('owner')
  const canary = 'CANARY'.repeat(6)
  await api.database
    .sql`insert into auth_sessions (id, user_id, token, expires_at) values ('s', ${userId}, ${canary}, now() + interval '1 day')`
  await api.database
    .sql`insert into auth_verifications (id, identifier, value, expires_at) values ('v', ${canary}, ${canary}, now() + interval '1 day')`
  await api.database
    .sql`insert into auth_password_resets (id, user_id, token_hash, expires_at) values (gen_random_uuid(), ${userId}, ${canary}, now())`
  await api.database.sql`insert into auth_rate_limits (id, key, count, last_request) values ('r', ${canary}, 1, 1)`
  const owner = api.as({}, { userId })
  const invitation = await owner.members.invite({ email: 'guest@example.com', role: 'agent' })
  const hook = await owner.webhooks.create({ url: 'https://example.com/x' })
  const path = join(temporaryDirectory('backup-secrets'), 'backup.tar')
  await backUp(api.database.sql, createFileStorage(temporaryDirectory('backup-files')), path, { version: '0.1.0' })
  const archive = readFileSync(path, 'utf8')
  for (const secret of [canary, hook.secret, invitation.link?.split('/').at(-1) ?? canary, 'guest@example.com'])
    expect(archive).not.toContain(secret)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  await api.close()
}, 60_000)

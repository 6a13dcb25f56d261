import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { getQuarantined, listQuarantine } from '../../src/domain/inbox/index.ts'
import { applyReceipts, getLink, reviveInbound, storeInbound } from '../../src/domain/whatsapp/index.ts'
import { AppError } from '../../src/lib/errors.ts'
import { newId } from '../../src/lib/ids.ts'
import { hasUnstorable } from '../../src/lib/text.ts'
import type { InboundEvent, ReceiptEvent } from '../../src/providers/whatsapp/port.ts'
import { applyOrSetAside, storeOrSetAside } from '../../src/whatsapp/store-attempts.ts'
import { type LinkedFixture, openLinkedFixture } from '../support/linked.ts'
import { testSeed } from '../support/seed.ts'

let fixture: LinkedFixture

beforeAll(async () => {
  fixture = await openLinkedFixture()
  await fixture.supervise()
})
afterAll(() => fixture.close())

/** Makes the database refuse messages that contain this. */
async function refuseMessages(word: string): Promise<() => Promise<void>> {
  const { sql } = fixture.domain.handle
  await sql.unsafe(`create or replace function refuse_word() returns trigger language plpgsql as $$ begin
    if new.body like '%${word}%' then raise exception 'refused' using errcode = '22P02'; end if; return new; end $$`)
  await sql`create trigger refuse_word before insert on messages for each row execute function refuse_word()`
  return async () => void (await sql`drop trigger refuse_word on messages`)
}

const bodies = async (accountId: string) =>
  (
    await fixture.domain.handle.sql<{ body: string }[]>`
    select body from messages where account_id = ${accountId} order by id`
  ).map(({ body }) => body)

test('a message that cannot be stored holds up none behind it, breaks no connection, and is stored once it can be', async () => {
  const { ctx, id } = await fixture.linked('+972501000201')
  const scope = { ...ctx, operator: false }
  const mend = await refuseMessages('POISON')
  const before = await getLink(ctx, id)
  const person = '+972501999001'
  for (const text of ['first', 'a POISON b', 'third', 'nul\0'])
    await fixture.sandbox.send({ from: person, to: '+972501000201' }, { kind: 'text', text })
  await fixture.until(async () => (await bodies(id)).length === 3, 'what stood behind it', 20_000)
  expect((await bodies(id)).sort()).toEqual(['first', 'nul', 'third'])
  await fixture.until(async () => (await listQuarantine(scope, {})).items.length > 0, 'the quarantine')
  const [item, ...more] = (await listQuarantine(scope, {})).items
  expect(more).toEqual([])
  expect(item).toMatchObject({ job: 'whatsapp.store', attempts: 3 })
  // The connection was never cut.
  expect(await getLink(ctx, id)).toMatchObject({ state: 'working', since: before.since })

  await mend()
  const { content } = await getQuarantined(scope, item?.id ?? '')
  const { accountId, event } = JSON.parse(content)
  await storeInbound(ctx, accountId, reviveInbound(event))
  expect((await bodies(id)).sort()).toEqual(['a POISON b', 'first', 'nul', 'third'])
}, 60_000)

const eventOf = (accountId: string, text: string, more: Partial<InboundEvent> = {}): InboundEvent => {
  const id = newId()
  return {
    provider: 'baileys',
    account: accountId,
    id,
    dedupeKey: `${accountId}/chat/in/${id}`,
    direction: 'in',
    contact: { phone: '+972501999002', lid: null, name: null },
    group: null,
    at: new Date(),
    source: 'live',
    replyTo: null,
    content: { kind: 'text', text },
    ...more,
  }
}

test('random Unicode in every text of an inbound event and a receipt is stored without what cannot be', async () => {
  const { ctx, id } = await fixture.linked('+972501000202')
  const hostile = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a\0', '\ud800', '\udc00b', '👨\ud83d'))
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, hostile, async (text, name, reply, key) => {
      const event = eventOf(id, text, {
        contact: { phone: '+972501999002', lid: null, name },
        replyTo: reply,
        extras: { mentions: [key] },
      })
      const other = {
        ...eventOf(id, ''),
        content: { kind: 'location', latitude: 1, longitude: 2, name: text, address: name } as const,
      }
      for (const each of [event, other]) await storeInbound(ctx, id, each)
      const receipt: ReceiptEvent = {
        account: id,
        providerMessageId: key,
        status: 'failed',
        errorCode: text,
        at: new Date(),
      }
      await applyReceipts(ctx, id, [receipt])
    }),
    { numRuns: 60, seed: testSeed() },
  )
  const rows = await fixture.domain.handle.sql`select body, reply_to, data from messages where account_id = ${id}`
  expect(rows).toHaveLength(120)
  expect(rows.filter((row) => hasUnstorable(JSON.stringify(row)))).toEqual([])
  await expect(storeOrSetAside(ctx, id, eventOf(id, 'x'), async () => {})).resolves.toBeUndefined()
  expect((await listQuarantine({ ...ctx, operator: false }, {})).items).toEqual([])
}, 60_000)

test('while the database is away nothing is set aside: it comes again', async () => {
  const { ctx, id } = await fixture.linked('+972501000203')
  const away = new AppError('unavailable', 'database_unavailable', 'away')
  await expect(storeOrSetAside(ctx, id, eventOf(id, 'x'), () => Promise.reject(away))).rejects.toBe(away)
  const receipt: ReceiptEvent = { account: id, providerMessageId: 'x', status: 'read', errorCode: null, at: new Date() }
  await expect(applyOrSetAside(ctx, id, [receipt], () => Promise.reject(away))).rejects.toBe(away)
  expect((await listQuarantine({ ...ctx, operator: false }, {})).items).toEqual([])
  // A refused receipt does not affect the rest of its batch.
  const applied: string[] = []
  const bad = { ...receipt, providerMessageId: 'bad' }
  await applyOrSetAside(ctx, id, [bad, receipt], async (events) => {
    if (events.includes(bad)) throw Object.assign(new Error('refused'), { code: '22P02' })
    applied.push(...events.map((event) => event.providerMessageId))
  })
  expect(applied).toEqual(['x'])
  expect((await listQuarantine({ ...ctx, operator: false }, {})).items).toMatchObject([
    { job: 'message.status', attempts: 3 },
  ])
}, 60_000)

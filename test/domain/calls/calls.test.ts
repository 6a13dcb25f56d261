import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { saveAgentSettings } from '../../../src/domain/agent/index.ts'
import {
  type CallEndReason,
  claimStream,
  createStreamToken,
  decideAfterStream,
  endAbandonedCalls,
  finishCall,
  getCall,
  getSummary,
  recordCallStatus,
  recordStreamEvent,
  registerCall,
  rejectStream,
  saveTurn,
  saveTurns,
  summarizeCall,
  verifyStreamToken,
} from '../../../src/domain/calls/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { saveLead } from '../../../src/domain/leads/index.ts'
import { saveCallTurns } from '../../../workers/handlers/calls.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'
import { quietFor } from '../../support/wait.ts'

let domain: TestDomain
let ctx: BusinessContext
let last = 0
const at = new Date('2026-01-01T10:00:00Z')

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

const newCall = () => ({ callSid: `CA${++last}`, from: '+972501234567', to: '+97233760000', at })
type Call = ReturnType<typeof newCall>

const finish = (call: Call, reason: CallEndReason) =>
  finishCall(ctx, { ...call, reason, durationMs: 1_234.6, metrics: { greetingMs: 3 } })
const status = (call: Call, word: string) =>
  recordCallStatus(domain.ctx, { callSid: call.callSid, status: word, durationSeconds: 5, at: at.toISOString() })
/** What the events say of a call's end. */
const endsOf = async ({ callSid }: Call) => {
  const rows = await domain.handle.sql<{ data: unknown }[]>`
    select data from events where type = 'call.end'
      and entity_id = (select id::text from calls where call_sid = ${callSid}) order by seq`
  return rows.map(({ data }) => data)
}
const claim = (call: Call, streamSid = 'MZ1') => claimStream(ctx, { ...call, streamSid, serverId: 'web@here:1' })

/** Every order of the events. */
function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items]
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))
}

/** As a queue runs it: again until it finds what it needs. */
async function insist(run: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const done = await run()
    if (done !== null && done !== false) return
    await Bun.sleep(5)
  }
  throw new Error('It never found its call.')
}

describe('in whatever order the events of a call arrive, each twice, the record is the same', () => {
  const order = ['register', 'finish', 'lead', 'status'] as const
  test.each(permutations([...order]).map((each) => [each.join(' '), each] as const))('%s', async (_, names) => {
    const call = newCall()
    await claim(call)
    const events: Record<(typeof order)[number], () => Promise<unknown>> = {
      register: () => registerCall(ctx, { ...call, callerName: 'Dana' }),
      finish: () => finish(call, 'completed').then(() => true),
      lead: () => saveLead(ctx, { ...call, source: 'call', inquiry: 'a haircut' }),
      status: () => status(call, 'completed'),
    }
    for (const name of names) for (let time = 0; time < 2; time += 1) await events[name]()
    const found = await getCall(ctx, call.callSid)
    expect(found).toMatchObject({
      state: 'ended',
      endReason: 'completed',
      carrierStatus: 'completed',
      carrierSeconds: 5,
      durationMs: 1_235,
      contactName: 'Dana',
      lead: { inquiry: 'a haircut', source: 'call', contactId: found.contactId },
    })
    expect(found.contactId).not.toBeNull()
    const audits = await domain.handle.sql`select action from audit_log where entity_id = ${found.id}`
    expect(audits.map((row) => row.action).toSorted()).toEqual(['call.end', 'call.register'])
  })

  test('a call of a withheld number is registered once, however often its event comes', async () => {
    const call = { ...newCall(), from: 'anonymous' }
    await Promise.all([registerCall(ctx, call), registerCall(ctx, call)])
    const id = await registerCall(ctx, { ...call, at: new Date(at.getTime() + 60_000) })
    const audits = await domain.handle.sql`select action from audit_log where entity_id = ${id}`
    expect(audits.map((row) => row.action)).toEqual(['call.register'])
    expect(await getCall(ctx, call.callSid)).toMatchObject({ from: 'anonymous', contactId: null, startedAt: at })
  })

  test('all at once, as many workers run them', async () => {
    for (let round = 0; round < 15; round += 1) {
      const call = newCall()
      const run = [
        () => registerCall(ctx, call),
        () => finish(call, 'completed').then(() => true),
        () => saveLead(ctx, { ...call, source: 'call' }),
        () => status(call, 'completed'),
        () => claim(call).then(() => true),
        () =>
          saveTurn(ctx, {
            ...call,
            businessId: ctx.businessId,
            index: 0,
            role: 'agent',
            text: 'hi',
            startMs: 0,
            endMs: 9,
            interrupted: false,
          }),
      ]
      await Promise.all([...run, ...run].map(insist))
      const found = await getCall(ctx, call.callSid)
      expect(found).toMatchObject({ state: 'ended', endReason: 'completed' })
      expect(found.turns).toHaveLength(1)
      expect(found.lead?.contactId).toBe(found.contactId ?? 'none')
      expect(await domain.handle.sql`select 1 from calls where call_sid = ${call.callSid}`).toHaveLength(1)
    }
    expect(await domain.handle.sql`select 1 from contacts where business_id = ${ctx.businessId}`).toHaveLength(1)
  })
})

test('turns and summaries are kept without card numbers, and without what the business has masked', async () => {
  const own = await domain.newBusiness()
  await saveAgentSettings(own, { masked: ['id_number', 'phone'] })
  const call = { ...newCall(), businessId: own.businessId }
  await claimStream(own, { ...call, streamSid: 'MZ9', serverId: 'web@here:1' })
  const text =
    'card 4580 4580 4580 4580, id 123456782, wife 052-3334444, me 050-1234567, you 03-376-0000, order 123456782'
  const turn = { ...call, index: 0, role: 'caller' as const, text, question: 'inquiry' }
  await saveTurn(own, { ...turn, startMs: 0, endMs: 9, interrupted: false })
  const kept =
    'card [card number removed], id [ID number removed], wife [phone number removed], me 050-1234567, you 03-376-0000, order 123456782'
  const { id, turns } = await getCall(own, call.callSid)
  expect(turns).toMatchObject([{ text: kept }])
  await saveLead(own, { ...call, inquiry: 'call 052-3334444', source: 'call' })
  await summarizeCall(own, call.callSid, null)
  const summary = await getSummary(own, id)
  expect(summary?.fields.inquiry).toBe('call [phone number removed]')
  expect(JSON.stringify(summary)).not.toContain('3334444')
  // The lead is what the business acts on.
  expect((await getCall(own, call.callSid)).lead?.inquiry).toBe('call 052-3334444')
})

describe('turns of many calls, written together', () => {
  const turnOf = (call: Call, businessId: string, index: number, text: string | null = 'hi') => ({
    ...{ callSid: call.callSid, businessId, index, role: 'caller' as const, text },
    ...{ startMs: 0, endMs: 9.4, interrupted: false, audioKey: `turns/${call.callSid}/${index}` },
  })
  const eventsOf = async (ids: string[]) =>
    await domain.handle.sql<{ type: string; businessId: string }[]>`
      select type, business_id as "businessId" from events
      where data->>'turnId' in ${domain.handle.sql(ids)} order by seq`

  test('each goes to its own business; the same again makes no event, a correction one', async () => {
    const other = await domain.newBusiness()
    const [mine, theirs] = [newCall(), newCall()]
    await claim(mine)
    await claimStream(other, { ...theirs, streamSid: 'MZ2', serverId: 'web@here:1' })
    const turns = [
      turnOf(mine, ctx.businessId, 1, null),
      turnOf(theirs, other.businessId, 0),
      turnOf(mine, ctx.businessId, 0),
      // Of a call that another business has, and of one that is not there.
      turnOf(theirs, ctx.businessId, 1),
      turnOf(newCall(), ctx.businessId, 0),
    ]
    const saved = await saveTurns(domain.ctx, turns)
    expect(saved.map((each) => each?.untranscribed ?? null)).toEqual([true, false, false, null, null])
    const ids = saved.flatMap((each) => each?.id ?? [])
    expect((await eventsOf(ids)).map(({ businessId }) => businessId).toSorted()).toEqual(
      [ctx.businessId, ctx.businessId, other.businessId].toSorted(),
    )
    expect((await getCall(ctx, mine.callSid)).turns.map(({ index, text, endMs }) => [index, text, endMs])).toEqual([
      [0, 'hi', 9],
      [1, null, 9],
    ])
    expect((await getCall(other, theirs.callSid)).turns).toHaveLength(1)

    const again = await Promise.all([saveTurns(domain.ctx, turns), saveTurns(domain.ctx, turns.toReversed())])
    expect(again.map((each) => each.flatMap((found) => found?.id ?? []).toSorted())).toEqual([
      ids.toSorted(),
      ids.toSorted(),
    ])
    expect(await eventsOf(ids)).toHaveLength(3)
    await saveTurns(domain.ctx, [turnOf(mine, ctx.businessId, 1, 'heard')])
    expect(await eventsOf(ids)).toHaveLength(4)
  })

  test('one that the database refuses costs the others nothing: it becomes an event of its own', async () => {
    const call = newCall()
    await claim(call)
    const bad = { ...turnOf(call, ctx.businessId, 1), startMs: 1e12 }
    const turns = [turnOf(call, ctx.businessId, 0), bad, turnOf(newCall(), ctx.businessId, 0)]
    await saveCallTurns(domain.ctx, turns)
    const waiting = await domain.handle.sql<{ key: string }[]>`
      select key from inbound_events where job = 'call.turn' and key like ${`%${call.callSid}:%`} order by key`
    // All that came with it are judged alone.
    expect(waiting.map(({ key }) => key)).toEqual([0, 1].map((index) => `call.turn:${call.callSid}:${index}`))
    await saveCallTurns(domain.ctx, [turnOf(call, ctx.businessId, 0), turnOf(call, ctx.businessId, 2)])
    expect((await getCall(ctx, call.callSid)).turns.map(({ index }) => index)).toEqual([0, 2])
  })
})

describe('why a call ended', () => {
  const reasonOf = async (call: Call) => (await getCall(ctx, call.callSid)).endReason

  test('the first reason stands', async () => {
    const call = newCall()
    await finish(call, 'engine_failed')
    await finish(call, 'completed')
    expect(await reasonOf(call)).toBe('engine_failed')
  })

  test('what was concluded from outside is corrected by the server that had the call', async () => {
    const call = newCall()
    await registerCall(ctx, call)
    await claim(call)
    await status(call, 'completed')
    expect(await reasonOf(call)).toBe('server_lost')
    await finish(call, 'caller_hung_up')
    expect(await reasonOf(call)).toBe('caller_hung_up')
  })

  test('concluded from what happened: no stream, a stream error, voicemail', async () => {
    const [plain, failed, voicemail] = [newCall(), newCall(), newCall()]
    await registerCall(ctx, plain)
    await status(plain, 'no-answer')
    expect(await reasonOf(plain)).toBe('abandoned')
    await registerCall(ctx, failed)
    await recordStreamEvent(domain.ctx, {
      callSid: failed.callSid,
      streamSid: 'MZ9',
      event: 'stream-error',
      error: '31920',
      at: at.toISOString(),
    })
    await status(failed, 'completed')
    expect(await reasonOf(failed)).toBe('stream_failed')
    await registerCall(ctx, { ...voicemail, answeredBy: 'voicemail', voicemailReason: 'no_capacity' })
    await status(voicemail, 'completed')
    expect(await getCall(ctx, voicemail.callSid)).toMatchObject({ endReason: 'voicemail', endDetail: 'no_capacity' })
  })

  test('the sweep ends the calls of a server that is gone, and no others', async () => {
    const [orphan, alive, ringing] = [newCall(), newCall(), newCall()]
    for (const call of [orphan, alive, ringing]) await registerCall(ctx, { ...call, at: new Date() })
    await claimStream(ctx, { ...orphan, streamSid: 'MZ1', serverId: 'web@gone:1' })
    await claimStream(ctx, { ...alive, streamSid: 'MZ1', serverId: 'web@here:2' })
    await domain.handle.sql`insert into heartbeats (id, kind, host, pid, version, seen_at)
      values ('web@here:2', 'web', 'here', 2, '0', now())`
    expect(await endAbandonedCalls(domain.ctx)).toBeGreaterThanOrEqual(1)
    expect(await reasonOf(orphan)).toBe('server_lost')
    // Its outcome is still published.
    const summed = domain.queued.filter((job) => job.name === 'call.summarize')
    expect(summed.map((job) => job.payload)).toContainEqual({
      callSid: orphan.callSid,
      businessId: ctx.businessId,
      fallback: true,
    })
    expect(JSON.stringify(summed)).not.toContain(alive.callSid)
    expect(await reasonOf(alive)).toBeNull()
    expect(await reasonOf(ringing)).toBeNull()
    expect(await endAbandonedCalls(domain.ctx)).toBe(0)
    // Its start was published, so its end is too, once.
    expect(await endsOf(orphan)).toEqual([{ reason: 'server_lost' }])
    expect(await endsOf(alive)).toEqual([])
  })

  test('the end of a call that never had a stream is published too, once', async () => {
    const call = newCall()
    await registerCall(ctx, call)
    for (let run = 0; run < 2; run += 1) await status(call, 'no-answer')
    expect(await endsOf(call)).toEqual([{ reason: 'abandoned' }])
  })
})

test('of two statuses at the same moment the terminal one stays, whoever is slower', async () => {
  const call = newCall()
  await registerCall(ctx, call)
  let late: Promise<unknown> = Promise.resolve()
  await domain.ctx.db.transaction(async (tx) => {
    await tx.execute(sql`update calls set carrier_status = 'completed' where call_sid = ${call.callSid}`)
    // Begun before the other is committed, done after it.
    late = status(call, 'in-progress')
    await quietFor(300, 'the later status would have overtaken the transaction')
  })
  expect(await late).toBe(true)
  expect((await getCall(ctx, call.callSid)).carrierStatus).toBe('completed')
})

describe('the claim of a stream', () => {
  test('one stream has the call; it may ask again', async () => {
    const call = newCall()
    const claims = await Promise.all(['MZa', 'MZb', 'MZc'].map((sid) => claim(call, sid)))
    expect(claims.filter(Boolean)).toHaveLength(1)
    const winner = ['MZa', 'MZb', 'MZc'][claims.indexOf(true)] ?? ''
    expect(await claim(call, winner)).toBe(true)
  })

  test('a call that is over has no stream any more', async () => {
    const call = newCall()
    await claim(call)
    await finish(call, 'caller_hung_up')
    expect(await claim(call, 'MZlate')).toBe(false)
  })

  test("another business cannot touch the call by the carrier's id", async () => {
    const call = newCall()
    await registerCall(ctx, call)
    const other = await domain.newBusiness()
    const stranger = { ...call, streamSid: 'MZx', serverId: 'web@here:1' }
    await expect(claimStream(other, stranger)).rejects.toMatchObject({ code: 'call_of_another_business' })
    await expect(registerCall(other, call)).rejects.toMatchObject({ code: 'call_of_another_business' })
    await expect(getCall(other, call.callSid)).rejects.toMatchObject({ code: 'call_not_found' })
    expect(await saveLead(other, { ...call, source: 'call' })).toBeNull()
  })
})

describe('a stream that is refused', () => {
  const refuse = (call: Call) => rejectStream(domain.ctx, { callSid: call.callSid, detail: 'no token', at })

  test('ends its call, once; one that has no row yet, one that another stream has, one that is over: left alone', async () => {
    const [refused, unknown, live, over] = [newCall(), newCall(), newCall(), newCall()]
    await registerCall(ctx, refused)
    expect(await refuse(refused)).toBe('refused')
    expect(await refuse(refused)).toBe('left_alone')
    expect(await getCall(ctx, refused.callSid)).toMatchObject({
      state: 'ended',
      endReason: 'bad_token',
      endDetail: 'no token',
    })
    expect(await decideAfterStream(domain.ctx, { callSid: refused.callSid, knownReason: null })).toEqual({
      next: 'voicemail',
      businessId: ctx.businessId,
    })
    expect(await refuse(unknown)).toBeNull()
    await claim(live)
    expect(await refuse(live)).toBe('left_alone')
    expect((await getCall(ctx, live.callSid)).endReason).toBeNull()
    await finish(over, 'caller_hung_up')
    expect(await refuse(over)).toBe('left_alone')
    expect((await getCall(ctx, over.callSid)).endReason).toBe('caller_hung_up')
  })
})

describe('the token of a stream', () => {
  const secret = 'a-secret-of-the-tests'
  const about = {
    callSid: 'CA1',
    businessId: '019d0000-0000-7000-8000-000000000001',
    from: '+972501234567',
    to: '+97233760000',
  }

  test('says again what it was made of, for a minute', () => {
    const token = createStreamToken(secret, about, 1_000_000)
    expect(verifyStreamToken(secret, token, 'CA1', 1_000_000)).toMatchObject(about)
    expect(verifyStreamToken(secret, token, 'CA1', 1_059_000)).toMatchObject(about)
    expect(verifyStreamToken(secret, token, 'CA1', 1_061_000)).toBeNull()
  })

  test('says when a call came over the installation’s account', () => {
    const read = (more: { viaInstallation?: true }) =>
      verifyStreamToken(secret, createStreamToken(secret, { ...about, ...more }, 1_000_000), 'CA1', 1_000_000)
    expect(read({})).not.toHaveProperty('viaInstallation')
    expect(read({ viaInstallation: true })).toMatchObject({ ...about, viaInstallation: true })
  })

  test('is no other twice', () => {
    expect(createStreamToken(secret, about)).not.toBe(createStreamToken(secret, about))
  })

  test('is refused when a single character of it is another', () => {
    const token = createStreamToken(secret, about)
    for (let index = 0; index < token.length; index += 1) {
      const other = token[index] === 'A' ? 'B' : 'A'
      const forged = token.slice(0, index) + other + token.slice(index + 1)
      // The last character of base64 holds bits that mean nothing.
      const same = Buffer.from(forged.split('.')[1] ?? '', 'base64url').equals(
        Buffer.from(token.split('.')[1] ?? '', 'base64url'),
      )
      if (forged.split('.')[0] === token.split('.')[0] && same) continue
      expect([index, verifyStreamToken(secret, forged, 'CA1')]).toEqual([index, null])
    }
  })

  test('stays under 500 characters whatever the numbers are', () => {
    const long = createStreamToken(secret, {
      ...about,
      callSid: 'C'.repeat(200),
      from: 'ש'.repeat(200),
      to: 'ש'.repeat(200),
      viaInstallation: true,
    })
    expect(long.length + 'token'.length).toBeLessThan(500)
  })
})

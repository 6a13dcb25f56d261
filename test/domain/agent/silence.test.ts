import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  answerNow,
  getAgentState,
  noteTyping,
  pauseAgent,
  pruneAgentRuns,
  resumeAgent,
  saveAgentSettings,
  sendDraft,
  turnAgentOff,
  watchTyping,
} from '../../../src/domain/agent/index.ts'
import { blockBusiness, unblockBusiness } from '../../../src/domain/businesses/index.ts'
import { findContactByPhone, mergeContacts } from '../../../src/domain/contacts/index.ts'
import { type BusinessContext, within } from '../../../src/domain/context.ts'
import { deliverMessage, requestMessage } from '../../../src/domain/messages/index.ts'
import { eraseContact, setRetention } from '../../../src/domain/privacy/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import type { WhatsAppSender } from '../../../src/providers/whatsapp/port.ts'
import { type TestAgent, TWILIO_SENDING, testAgent } from '../../support/agent.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'
import { eventually } from '../../support/wait.ts'

let domain: TestDomain
let ctx: BusinessContext
let agent: TestAgent
let member: BusinessContext
let next = 0
const newPhone = () => `+97250223${String(1000 + next++)}`
const MINUTE = 60

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
  agent = testAgent(domain, ctx)
  member = within(ctx, ctx.businessId, { kind: 'user', id: 'someone' })
  await saveAgentSettings(ctx, { enabled: true })
  await domain.handle.sql`update agent_settings set enabled_at = now() - interval '1 hour'`
})
afterAll(() => domain.close())

async function conversationOf(phone: string): Promise<string> {
  const [row] = await domain.handle.sql<{ id: string }[]>`
    select conversations.id from conversations join contacts on contacts.id = contact_id
    where phone = ${phone} and contacts.business_id = ${ctx.businessId}`
  return row?.id ?? ''
}
const reasonFor = async (phone: string) => (await agent.lastRun(phone)).reason

test('a burst is answered once, when it has settled, and twelve seconds after its first at the latest', async () => {
  const phone = newPhone()
  await agent.say(phone, 'hello')
  await agent.say(phone, 'are you open')
  const last = await agent.say(phone, 'on sunday?')
  expect(await agent.run(1)).toEqual(['agent.answer: more may be written'])
  // It goes on being written: the first of it is twelve seconds old.
  await domain.handle.sql`update messages set created_at = now() - interval '13 seconds'
    where id = (select min(id::text)::uuid from messages where conversation_id = ${await conversationOf(phone)})`
  expect(await agent.run(0)).toEqual(['answered'])
  expect(await agent.run(60)).toEqual([])
  expect(await agent.sentTo(phone)).toHaveLength(1)
  const answered = await domain.handle.sql`select distinct run_id from agent_answers
    where message_id in (select id from messages where conversation_id = ${await conversationOf(phone)})`
  expect(answered).toHaveLength(1)
  const [sent] = await domain.handle
    .sql`select written_by, status from messages where direction = 'out' and conversation_id = ${await conversationOf(phone)}`
  expect(sent).toEqual({ written_by: 'agent', status: 'queued' })
  expect(last).toBeTruthy()
})

test('a contact who is seen typing is waited for, until 25 seconds after the first', async () => {
  const phone = newPhone()
  await agent.say(phone, 'hello')
  const id = await conversationOf(phone)
  const typing = await watchTyping((channel, onNotice) => domain.handle.sql.listen(channel, onNotice))
  const waiting = testAgent(domain, ctx, { typing })
  expect(typing.until(id)).toBeNull()
  await noteTyping(ctx, { phone, lid: null }, true)
  const until = await eventually(() => typing.until(id), 'the notice')
  expect(until.getTime() - Date.now()).toBeGreaterThan(4_500)
  expect(await waiting.run(4.5)).toEqual(['agent.answer: more may be written'])
  // However long it is typed.
  const always = testAgent(domain, ctx, { typing: { until: () => new Date(Date.now() + 60 * MINUTE * 1_000) } })
  expect(await always.run(20)).toEqual(['agent.answer: more may be written'])
  await noteTyping(ctx, { phone, lid: null }, false)
  await eventually(() => typing.until(id) === null, 'the end of it')
  expect(await always.run(26)).toEqual(['answered'])
  // No one listens where the agent is off, or to strangers.
  const other = await domain.newBusiness()
  await noteTyping(other, { phone, lid: null }, true)
  await noteTyping(ctx, { phone: newPhone(), lid: 'x@lid' }, true)
  await noteTyping(ctx, { phone: null, lid: 'x@lid' }, true)
  expect(typing.until(id)).toBeNull()
})

test('a message that comes while it is made throws the answer away, and both are answered', async () => {
  const phone = newPhone()
  await agent.say(phone, 'hello')
  let meanwhile: (() => Promise<unknown>) | null = () => agent.say(phone, 'what are your opening hours?')
  const interrupted = testAgent(domain, ctx, {
    respond: async (_ctx, situation) => {
      await meanwhile?.()
      meanwhile = null
      return {
        ...{
          text: situation.burst.map(({ body }) => body).join('+'),
          engine: 'model',
          language: 'en',
          handover: null,
          notify: null,
        },
        ...{ tools: [], sources: [], guard: [], gaps: [], dialogue: null },
      }
    },
  })
  expect(await interrupted.run()).toEqual(['agent.answer: something was written meanwhile'])
  expect(await agent.sentTo(phone)).toEqual([])
  expect(await interrupted.run()).toEqual(['answered'])
  expect(await agent.sentTo(phone)).toEqual(['hello+what are your opening hours?'])
})

test('a person who writes while it is made has the last word', async () => {
  const phone = newPhone()
  await agent.say(phone, 'hello')
  const interrupted = testAgent(domain, ctx, {
    respond: async (_ctx, situation) => {
      if (situation.recent.every(({ direction }) => direction === 'in'))
        await requestMessage(member, { to: phone, text: 'I am here' }, TWILIO_SENDING)
      return {
        ...{ text: 'late', engine: 'model', language: 'en', handover: null, notify: null },
        ...{ tools: [], sources: [], guard: [], gaps: [], dialogue: null },
      }
    },
  })
  await interrupted.run()
  expect(await interrupted.run()).toEqual(['silent'])
  expect(await agent.sentTo(phone)).toEqual(['I am here'])
})

test('a person of the business pauses it, from the console and from the phone, until it is given back or the time is over', async () => {
  for (const write of [
    (phone: string) => requestMessage(member, { to: phone, text: 'I will look' }, TWILIO_SENDING),
    (phone: string) => agent.say(phone, 'I will look', { own: true }),
  ]) {
    const phone = newPhone()
    await agent.say(phone, 'hello')
    await agent.run()
    await write(phone)
    await agent.say(phone, 'thank you, and the price?')
    expect(await agent.run()).toEqual(['silent'])
    expect(await reasonFor(phone)).toBe('person_wrote')
    const id = await conversationOf(phone)
    expect(await getAgentState(ctx, id)).toMatchObject({ mode: 'paused', pausedBecause: 'person_wrote', waiting: 0 })
    // What the customer writes does not end the pause; the customer who asks for the assistant does.
    await agent.say(phone, 'anyone?')
    expect(await agent.run()).toEqual(['silent'])
    await agent.say(phone, 'assistant')
    expect(await agent.run()).toEqual(['answered'])
    await write(phone)
    await resumeAgent(ctx, id)
    await agent.pass(phone)
    await agent.say(phone, 'and now?')
    expect(await agent.run()).toEqual(['answered'])
    await write(phone)
    await agent.say(phone, 'still there?', { at: new Date(Date.now() + 13 * 3_600_000).toISOString() })
    expect(await agent.run(13 * 60 * MINUTE)).toEqual(['answered'])
  }
})

test('what was silent is answered when a member asks for it', async () => {
  const phone = newPhone()
  await agent.say(phone, 'when are you open?')
  const id = await conversationOf(phone)
  await pauseAgent(ctx, id, {})
  expect(await agent.run()).toEqual(['silent'])
  expect(await getAgentState(ctx, id)).toMatchObject({ mode: 'paused', pausedBecause: 'by_hand' })
  await answerNow(ctx, id)
  expect(await agent.run()).toEqual(['answered'])
  await expect(answerNow(ctx, id)).rejects.toMatchObject({ code: 'nothing_to_answer' })
  await turnAgentOff(ctx, id)
  await agent.say(phone, 'hello again')
  expect(await agent.run()).toEqual(['silent'])
  expect(await reasonFor(phone)).toBe('off_here')
})

test('off for a contact lasts: through a pause, the request for the assistant, and a merge with another contact', async () => {
  const [off, on] = [newPhone(), newPhone()]
  for (const phone of [off, on]) {
    await agent.say(phone, 'hello')
    await agent.run()
  }
  const id = await conversationOf(off)
  await turnAgentOff(ctx, id)
  expect(await pauseAgent(ctx, id, {})).toMatchObject({ mode: 'off' })
  await agent.pass(off)
  await agent.say(off, 'assistant')
  expect(await agent.run()).toEqual(['silent'])
  const [keep, gone] = await Promise.all([on, off].map((phone) => findContactByPhone(ctx.db, ctx, phone)))
  const kept = await conversationOf(on)
  expect((await getAgentState(ctx, kept)).mode).toBe('on')
  await mergeContacts(ctx, keep ?? '', gone ?? '')
  expect((await getAgentState(ctx, kept)).mode).toBe('off')
  // The stricter state stays also where it is the other's.
  const third = newPhone()
  await agent.say(third, 'hello')
  await agent.run()
  await pauseAgent(ctx, await conversationOf(third), {})
  await mergeContacts(ctx, keep ?? '', (await findContactByPhone(ctx.db, ctx, third)) ?? '')
  expect((await getAgentState(ctx, kept)).mode).toBe('off')
  expect((await resumeAgent(ctx, kept)).mode).toBe('on')
})

test('it never answers what is no question to it', async () => {
  const old = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString()
  const alreadyOurs = '+972500000001'
  await domain.handle
    .sql`insert into phone_numbers (id, business_id, e164) values (${newId()}, ${ctx.businessId}, ${alreadyOurs})`
  const cases: [string, string, () => Promise<unknown>, string][] = [
    [
      'group',
      '',
      () =>
        agent.say('', 'hi all', {
          from: { phone: null, externalId: '1-2@g.us' },
          data: { author: { phone: '+972500000009', lid: null } },
        }),
      'group',
    ],
    ['no number', '', () => agent.say('', 'hi', { from: { phone: null, lid: '123456@lid' } }), 'no_number'],
    ['own number', alreadyOurs, () => agent.say(alreadyOurs, 'hi'), 'own_number'],
    ['consent word', newPhone(), async () => {}, 'consent_word'],
    ['history', newPhone(), async () => {}, 'history'],
    ['reaction', newPhone(), async () => {}, 'nothing_to_answer'],
    ['after an outage', newPhone(), async () => {}, 'too_old'],
  ]
  for (const [what, phone, write, reason] of cases) {
    if (what === 'consent word') await agent.say(phone, 'STOP')
    else if (what === 'history') await agent.say(phone, 'hello', { history: true, at: old(60) })
    else if (what === 'reaction') await agent.say(phone, '👍', { kind: 'reaction', replyTo: 'wamid.1' })
    else if (what === 'after an outage') await agent.say(phone, 'hello', { at: old(31 * MINUTE) })
    else await write()
    expect([what, await agent.run()]).toEqual([what, ['silent']])
    const [run] = await domain.handle.sql`select reason from agent_runs order by id desc limit 1`
    expect([what, run?.reason]).toEqual([what, reason])
  }
  // Members hear of what waited through an outage.
  const alerts = await domain.handle.sql`select 1 from push_notices join events on events.seq = event_seq
    where type = 'agent.handover' and data->>'reason' = 'too_old'`
  expect(alerts).toHaveLength(1)
})

test('two automatic parties do not write to each other for ever', async () => {
  const [same, quick, many] = [newPhone(), newPhone(), newPhone()]
  for (const _ of [1, 2]) {
    await agent.say(same, 'We are closed now and will get back to you soon.')
    await agent.run()
    await agent.pass(same)
  }
  expect([await reasonFor(same), (await agent.sentTo(same)).length]).toEqual(['loop', 1])
  for (let i = 0; i < 4; i++) {
    await agent.say(quick, `automatic answer number ${i}`)
    await agent.run()
  }
  expect([await reasonFor(quick), (await agent.sentTo(quick)).length]).toEqual(['loop', 3])
  for (let i = 0; i < 9; i++) {
    await agent.say(many, `what about the thing ${'abcdefghi'[i]}?`)
    await agent.run()
    await agent.pass(many)
    await resumeIfHandedOver(many)
  }
  expect((await agent.sentTo(many)).length).toBeLessThanOrEqual(8)
})

async function resumeIfHandedOver(phone: string): Promise<void> {
  await domain.handle.sql`update agent_states set mode = 'on', paused_until = null
    where conversation_id = ${await conversationOf(phone)} and paused_because = 'handover'`
}

test('outside the hours that the business allows, blocked, and off it is silent', async () => {
  const phone = newPhone()
  await saveAgentSettings(ctx, { answers: 'closed' })
  await domain.handle
    .sql`update businesses set hours = ${JSON.stringify(Object.fromEntries(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'].map((day) => [day, [['00:00', '24:00']]])))}::text::jsonb where id = ${ctx.businessId}`
  await agent.say(phone, 'hello')
  expect([await agent.run(), await reasonFor(phone)]).toEqual([['silent'], 'outside_hours'])
  await saveAgentSettings(ctx, { answers: 'always' })
  await blockBusiness(ctx, 'unpaid')
  await agent.say(phone, 'hello?')
  expect([await agent.run(), await reasonFor(phone)]).toEqual([['silent'], 'business_blocked'])
  await unblockBusiness(ctx)
  await saveAgentSettings(ctx, { enabled: false })
  await agent.say(phone, 'hello!')
  expect(await agent.run()).toEqual([])
  // What came while it was off is not answered afterwards.
  await saveAgentSettings(ctx, { enabled: true })
  expect(await agent.run()).toEqual([])
})

test('an answer that waits to be sent is withdrawn when a person writes first; one that a member has sent is not', async () => {
  const left: string[] = []
  const sender: WhatsAppSender = {
    provider: 'twilio',
    async send({ id }) {
      left.push(id)
      return { outcome: 'accepted', providerMessageId: newId(), status: 'sent' }
    },
    reconcile: async () => ({ outcome: 'undecided' }),
  }
  const deliver = async (id: string) => {
    const deps = { pool: domain.handle.sql, senderOf: () => sender, settings: TWILIO_SENDING }
    await deliverMessage(ctx, id, deps)
    const [row] = await domain.handle.sql`select status, error_code from messages where id = ${id}`
    return row
  }
  const answerTo = async (phone: string) => {
    await agent.say(phone, 'hello')
    expect(await agent.run()).toEqual(['answered'])
    const [row] = await domain.handle.sql<{ id: string }[]>`select id from messages
      where direction = 'out' and conversation_id = ${await conversationOf(phone)}`
    return row?.id ?? ''
  }
  const [first, second] = [newPhone(), newPhone()]
  const overtaken = await answerTo(first)
  await requestMessage(member, { to: first, text: 'I am here' }, TWILIO_SENDING)
  expect(await deliver(overtaken)).toEqual({ status: 'failed', error_code: 'person_wrote' })
  const inTime = await answerTo(second)
  expect(await deliver(inTime)).toEqual({ status: 'sent', error_code: null })
  await requestMessage(member, { to: second, text: 'I am here' }, TWILIO_SENDING)

  await saveAgentSettings(ctx, { approveFirst: true })
  const third = newPhone()
  await agent.say(third, 'hello')
  expect(await agent.run()).toEqual(['draft'])
  const { draft } = await getAgentState(ctx, await conversationOf(third))
  const sent = await sendDraft(member, { id: draft?.id ?? '' }, TWILIO_SENDING)
  await requestMessage(member, { to: third, text: 'and one thing more' }, TWILIO_SENDING)
  expect(await deliver(sent.id)).toEqual({ status: 'sent', error_code: null })
  expect(left).toEqual([inTime, sent.id])
  await saveAgentSettings(ctx, { approveFirst: false })
})

test('after an answer that failed the agent can be asked to answer again, with another message', async () => {
  const phone = newPhone()
  await agent.say(phone, 'hello')
  expect(await agent.run()).toEqual(['answered'])
  const id = await conversationOf(phone)
  await expect(answerNow(ctx, id)).rejects.toMatchObject({ code: 'nothing_to_answer' })
  await domain.handle.sql`update messages set status = 'failed' where direction = 'out' and conversation_id = ${id}`
  await answerNow(ctx, id)
  expect(await agent.run()).toEqual(['answered'])
  const rows = await domain.handle.sql`select status from messages
    where direction = 'out' and conversation_id = ${id} order by id`
  expect(rows.map(({ status }) => status)).toEqual(['failed', 'queued'])
  expect(await agent.run()).toEqual([])
})

test('an answer leaves from the linked phone that was written to', async () => {
  const [old, fresh] = [newId(), newId()]
  for (const [id, phone] of [
    [old, '+972501111001'],
    [fresh, '+972501111002'],
  ] as const)
    await domain.handle.sql`insert into whatsapp_accounts (id, business_id, provider, phone, state, linked_at)
      values (${id}, ${ctx.businessId}, 'baileys', ${phone}, 'working', now())`
  const phone = newPhone()
  for (const accountId of [old, fresh]) {
    await agent.say(phone, `hello ${accountId}`, { provider: 'baileys', accountId })
    expect(await agent.run()).toEqual(['answered'])
    await agent.pass(phone)
    const [sent] = await domain.handle.sql`select account_id from messages
      where direction = 'out' and conversation_id = ${await conversationOf(phone)} order by id desc limit 1`
    expect(sent).toEqual({ account_id: accountId })
  }
  await domain.handle.sql`delete from whatsapp_accounts where id in ${domain.handle.sql([old, fresh])}`
})

test('what the agent did goes with its contact, and with the messages that are not kept', async () => {
  const [kept, erased] = [newPhone(), newPhone()]
  for (const phone of [kept, erased]) {
    await agent.say(phone, 'hello')
    await agent.run()
  }
  const runsOf = async (phone: string) =>
    (await domain.handle.sql`select 1 from agent_runs join contacts on contacts.id = contact_id where phone = ${phone}`)
      .length
  expect([await runsOf(kept), await runsOf(erased)]).toEqual([1, 1])
  const [contact] = await domain.handle.sql<{ id: string }[]>`select id from contacts where phone = ${erased}`
  await eraseContact(ctx, contact?.id ?? '')
  await setRetention(ctx, { messageDays: 30, callDays: null, recordingDays: null })
  await domain.handle.sql`update agent_runs set created_at = now() - interval '20 days'`
  await pruneAgentRuns(domain.ctx)
  expect([await runsOf(kept), await runsOf(erased)]).toEqual([1, 0])
  await domain.handle.sql`update agent_runs set created_at = now() - interval '31 days'`
  await pruneAgentRuns(domain.ctx)
  expect(await runsOf(kept)).toBe(0)
})

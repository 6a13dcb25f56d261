import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createRespond, saveAgentSettings } from '../../../src/domain/agent/index.ts'
import { addNote, createContact } from '../../../src/domain/contacts/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { createLead } from '../../../src/domain/leads/index.ts'
import { createUploadLinks } from '../../../src/domain/messages/index.ts'
import { removeBusinessText, saveBusinessText } from '../../../src/domain/receptionist/index.ts'
import { AppError, errorMessage } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import type { ModelAnswer, ModelRequest, TextModels } from '../../../src/providers/models/port.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { type TestAgent, TWILIO_SENDING, testAgent } from '../../support/agent.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'
import { INJECTIONS, type Injection } from './injections.ts'

let domain: TestDomain
let ctx: BusinessContext
let agent: TestAgent
let next = 0
const newPhone = () => `+97250323${String(1000 + next++)}`
type Step = {
  calls?: { name: string; input: unknown }[]
  says: string
  end?: ModelAnswer['end']
  /** After its tools. */
  fails?: AppError
}
/** What the model does next; the last step is repeated. */
let script: (Step | AppError)[] = []
let requests: ModelRequest[] = []

/** A model that does what its script says, whatever it is asked: no good will is counted on. */
const models: TextModels = {
  availableFor: async () => true,
  async generate(request) {
    requests.push(request)
    const step = script.length > 1 ? script.shift() : script[0]
    if (!step || step instanceof AppError) throw step ?? new Error('The script is empty.')
    const toolCalls = []
    for (const { name, input } of step.calls ?? []) {
      const tool = request.tools?.find((each) => each.name === name)
      const call = { name, input }
      try {
        if (!tool) throw new Error('There is no such tool.')
        toolCalls.push({ ...call, output: await tool.execute(input, { signal: AbortSignal.timeout(5_000) }) })
      } catch (error) {
        toolCalls.push({ ...call, error: errorMessage(error) })
      }
    }
    if (step.fails) throw step.fails
    return {
      ...{
        text: step.says,
        end: step.end ?? 'answered',
        steps: [{ text: step.says, toolCalls }],
        model: 'test:scripted',
      },
      ...{ usage: { inputTokens: 10, cachedTokens: 0, outputTokens: 5, estimated: false }, costMicros: 7, totalMs: 1 },
    }
  },
}

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
  agent = testAgent(domain, ctx, { respond: createRespond({ models, readFile: async () => new Uint8Array() }) })
  const week = Object.fromEntries(
    ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'].map((day) => [day, [['06:00', '20:00']]]),
  )
  await domain.handle
    .sql`update businesses set hours = ${JSON.stringify(week)}::text::jsonb where id = ${ctx.businessId}`
  await saveAgentSettings(ctx, { enabled: true })
  await saveBusinessText(ctx, {
    title: 'Prices',
    body: 'A visit costs 250 NIS. Call 03-376-0000 or see https://acme.example/prices.',
  })
  await createContact(ctx, { phone: '+972559999999', name: 'Another customer' })
})
afterAll(() => domain.close())

async function ask(phone: string, text: string, ...steps: (Step | AppError)[]): Promise<string> {
  script = steps
  requests = []
  await agent.say(phone, text)
  await agent.run()
  const answer = await agent.lastTo(phone)
  await agent.pass(phone)
  return answer
}

describe('what the model says is sent when a tool or what is known backs it', () => {
  test('a price, a number and a link of the business’s texts', async () => {
    const phone = newPhone()
    const says = 'A visit costs 250 NIS. You can call 03-376-0000 or see https://acme.example/prices.'
    const answer = await ask(phone, 'how much?', {
      calls: [{ name: 'lookup_business_info', input: { query: 'price visit' } }],
      says,
    })
    expect(answer).toEndWith(says)
    expect(answer).toStartWith('Hello, this is the automatic assistant of Acme.')
    const [run] = await domain.handle
      .sql`select model, input_tokens, cost_micros, sources from agent_runs order by id desc limit 1`
    expect(run).toMatchObject({ model: 'test:scripted', input_tokens: 10, cost_micros: '7' })
    expect(run?.sources).toContainEqual({ title: 'Prices', kind: 'text' })
  })

  test('an appointment that was booked, and remembered in the next message', async () => {
    const phone = newPhone()
    const date = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10)
    const says = `Your appointment is booked for ${date} at 10:00.`
    const booked = { calls: [{ name: 'book_appointment', input: { date, time: '10:00' } }], says }
    expect(await ask(phone, `book me on ${date} at 10:00`, booked)).toEndWith(says)
    expect(await ask(phone, 'so is it done?', { says: 'Yes, it is booked, at 10:00.' })).toBe(
      'Yes, it is booked, at 10:00.',
    )
    expect(requests[0]?.instructions).toContain('Appointment:')
    expect(requests[0]?.messages.map(({ role }) => role)).toEqual(['customer', 'agent', 'customer'])
  })
})

describe('what nothing backs is not sent', () => {
  test.each([
    ['I have booked you for tomorrow.', 'booked'],
    ['Done, see you tuesday!', 'booked'],
    ['סגרתי לך מקום.', 'booked'],
    ['מסודר, מחכים לך ביום שלישי.', 'booked'],
    ['קבעתי לכם תור למחר.', 'booked'],
    ['I cancelled it.', 'cancelled'],
    ['ביטלתי את התור.', 'cancelled'],
    ['I have sent you the address.', 'sent'],
    ['שלחתי לך את הפרטים.', 'sent'],
    ['Your payment was received.', 'paid'],
    ['I have noted your request.', 'saved'],
    ['רשמתי את הפרטים.', 'saved'],
    ['It costs 99 NIS.', 'amount'],
    ['המחיר 99 ש״ח.', 'amount'],
    ['הביקור חינם.', 'amount'],
    ['We close at 23:30.', 'time'],
    ['Call 050-7654321.', 'phone'],
    ['See http://evil.example.', 'url'],
  ])('%s', async (says, kind) => {
    const phone = newPhone()
    const answer = await ask(phone, 'hm?', { says })
    expect(requests).toHaveLength(2)
    expect(answer).not.toContain(says)
    expect(answer).toMatch(/cannot confirm that here|אין לי אפשרות לאשר/)
    expect((await agent.lastRun(phone)).guard[0]).toStartWith(kind)
  })

  test.each([
    'I have not booked anything yet.',
    'Would you like me to book you in?',
    'Once it is booked I will say so.',
    'עדיין לא קבעתי תור.',
    'לאחר שנקבע תור נשלח תזכורת.',
    'רוצים שאקבע תור?',
    'We are open from 06:00 to 20:00.',
    'How can I help?',
  ])('%s is no claim', async (says) => {
    expect(await ask(newPhone(), 'hm?', { says })).toEndWith(says)
    expect(requests).toHaveLength(1)
  })

  test('one repair is enough where the model calls the tool then', async () => {
    const phone = newPhone()
    const says = 'I have noted your request.'
    const saved = { calls: [{ name: 'save_lead', input: { inquiry: 'a leak' } }], says }
    expect(await ask(phone, 'I have a leak', { says }, saved)).toEndWith(says)
  })
})

test.each([
  ['all models failed', new AppError('unavailable', 'model_unavailable', 'x')],
  ['the budget is used up', new AppError('rate_limited', 'model_budget_used_up', 'x')],
])('%s: the rules answer', async (_, error) => {
  const phone = newPhone()
  expect(await ask(phone, 'how much is a visit?', error)).toContain('250 NIS')
  const [run] = await domain.handle.sql`select engine from agent_runs order by id desc limit 1`
  expect(run?.engine).toBe('rules')
})

test.each(['filtered', 'cut_off', 'steps_used_up'] as const)(
  'a model that ends as %s without a text says what is honest',
  async (end) => {
    expect(await ask(newPhone(), 'hello', { says: '', end })).toContain('the team will get back to you')
  },
)

test('a handover of the model is said in our words, once', async () => {
  const phone = newPhone()
  const answer = await ask(phone, 'let me talk to the boss', {
    calls: [{ name: 'handover', input: { reason: 'asked' } }],
    says: 'Bye!',
  })
  expect(answer).toEndWith('I am passing this on to the team. They will answer you here.')
  await ask(phone, 'hello?', { says: 'never' })
  expect(await agent.sentTo(phone)).toHaveLength(1)
})

const rowsOfOthers = () => domain.handle.sql`select
  (select count(*)::int from appointments where state <> 'cancelled') as appointments,
  (select count(*)::int from messages where direction = 'out') as sent,
  (select array_agg(name order by phone) from contacts where phone = '+972559999999') as other,
  (select count(*)::int from payments) as payments`

test('at least sixty injections are tried', () => {
  expect(INJECTIONS.length).toBeGreaterThanOrEqual(60)
})

test.each(INJECTIONS.map((each, i) => [i, each.by, each.text.slice(0, 40), each] as const))(
  'injection %i by %s: %s',
  async (_, __, ___, injection) => {
    const phone = newPhone()
    const [before] = await rowsOfOthers()
    const { message, undo } = await place(injection, phone)
    script = [{ ...(injection.calls ? { calls: injection.calls } : {}), says: injection.says }]
    requests = []
    await agent.say(phone, message.body, message.more)
    expect(await agent.run()).toEqual(['answered'])
    await undo()
    const [after] = await rowsOfOthers()
    // One answer to the person alone, and nothing else was written for anybody.
    expect(after).toEqual({ ...before, sent: (before?.sent ?? 0) + 1 })
    const answer = await agent.lastTo(phone)
    expect(answer).not.toContain(injection.says)
    expect(answer).not.toMatch(/evil|bit\.ly|9999999|4111|07:15|06:30|SYSTEM|@all|Use tools for every/)
    const run = await agent.lastRun(phone)
    for (const { name } of run.tools.filter(({ error }) => error === undefined))
      expect(['take_message', 'lookup_business_info', 'handover']).toContain(name)
    for (const { messages } of requests)
      for (const { text } of messages)
        expect([text.length < 9_000, /4111 1111|[\u202e\u200b]/.test(text)]).toEqual([true, false])
  },
)

type Placed = { message: { body: string; more: Parameters<TestAgent['say']>[2] }; undo(): Promise<void> }

/** Puts the text of an injection where it stands. */
async function place({ by, text }: Injection, phone: string): Promise<Placed> {
  const undo = async () => {}
  const asks = { body: 'hello, a question', more: {} }
  switch (by) {
    case 'message':
      return { message: { body: text, more: {} }, undo }
    case 'contact name':
      return { message: { ...asks, more: { from: { phone, name: text } } }, undo }
    case 'file name': {
      const media = [{ url: null, contentType: 'application/pdf', fileName: text, kind: 'document' as const }]
      return { message: { ...asks, more: { kind: 'document', media } }, undo }
    }
    case 'quoted text':
      await agent.say(phone, text, { providerMessageId: `quoted-${phone}` })
      return { message: { ...asks, more: { replyTo: `quoted-${phone}` } }, undo }
    case 'card':
      return {
        message: { body: text, more: { kind: 'contacts', data: { contacts: [{ name: text, phones: [] }] } } },
        undo,
      }
    case 'location':
      return {
        message: { body: text, more: { kind: 'location', data: { latitude: 1, longitude: 1, name: text } } },
        undo,
      }
    case 'knowledge': {
      const id = await saveBusinessText(ctx, { title: 'A page', body: text })
      return { message: asks, undo: () => removeBusinessText(ctx, id) }
    }
    case 'note': {
      const contact = await createContact(ctx, { phone })
      await addNote(ctx, { contactId: contact.id, body: text })
      return { message: asks, undo }
    }
    case 'lead': {
      await createLead(ctx, { phone, inquiry: text, source: 'manual' })
      return { message: asks, undo }
    }
  }
}

describe('a voice note is answered by voice note, where the business wants it', () => {
  let spoken: string[] = []
  let failsOnce: Error | null = null
  const links = createUploadLinks('a secret', 'http://localhost:5000/files')
  const storage = createFileStorage(temporaryDirectory('voice-answers'))
  const speaker = {
    async speakVoiceNote({ text }: { text: string }) {
      const fails = failsOnce
      failsOnce = null
      if (fails) throw fails
      spoken.push(text)
      return new TextEncoder().encode(`OggS${text}`)
    },
  }
  /** What was sent to a person: its text, its files as the provider is given them, and what is kept of them. */
  const sent = async (phone: string) => {
    const [row] = await domain.handle.sql<
      {
        provider: string
        body: string
        files: { voice?: boolean; contentType?: string }[] | null
        transcript: string | null
      }[]
    >`select provider, body, outbound_media as files, file.transcript from messages
      left join message_media as file on file.message_id = messages.id
      where direction = 'out' and messages.contact_id = (select id from contacts
        where phone = ${phone} and business_id = ${ctx.businessId}) order by messages.id desc limit 1`
    return row
  }
  async function answerTo(
    phone: string,
    words: string | null,
    says: string,
    provider: 'twilio' | 'baileys' = 'twilio',
  ) {
    spoken = []
    script = [{ calls: [{ name: 'lookup_business_info', input: { query: 'price visit' } }], says }]
    const byVoice = testAgent(domain, ctx, {
      respond: createRespond({ models, readFile: async () => null }),
      messages: { ...TWILIO_SENDING, uploads: links },
      voice: { speaker, storage, links },
    })
    const message = await byVoice.say(phone, words === null ? '' : words, { provider })
    if (words === null)
      await domain.handle
        .sql`insert into message_media (id, business_id, message_id, index, kind, content_type, state, transcript, processed_at)
        values (${newId()}, ${ctx.businessId}, ${message}, 0, 'voice', 'audio/ogg', 'stored', 'when are you open?', now())`
    expect(await byVoice.run()).toEqual(['answered'])
    expect(await byVoice.run(60)).toEqual([])
    await byVoice.pass(phone)
    return await sent(phone)
  }
  const OPEN = 'We are open from 06:00 to 20:00.'

  test('off until it is turned on', async () => {
    expect(await answerTo(newPhone(), null, OPEN)).toMatchObject({ body: expect.stringContaining(OPEN), files: null })
    expect(spoken).toEqual([])
    await saveAgentSettings(ctx, { answersByVoice: true })
  })

  test('the voice note is sent alone, its words are its transcript, and the next turn knows them', async () => {
    const phone = newPhone()
    const found = await answerTo(phone, null, OPEN)
    expect(found).toMatchObject({
      body: '',
      files: [{ voice: true, contentType: expect.stringContaining('audio/ogg') }],
    })
    expect(found?.transcript).toEndWith(OPEN)
    expect(spoken).toEqual([found?.transcript ?? ''])
    // What was said before backs it, spoken or written; so do the customer's own words in a question.
    expect(await answerTo(phone, 'sure?', OPEN)).toMatchObject({ body: OPEN, files: null })
    const before = requests.at(-1)?.messages.find(({ role }) => role === 'agent')
    expect(before?.text).toEndWith(OPEN)
  })

  test.each([
    ['asked in writing', 'when are you open?', OPEN],
    ['a link', null, 'See https://acme.example/prices.'],
    ['a number to copy', null, 'Call 03-376-0000.'],
    ['a list', null, '- a visit\n- a repair\n- a check'],
  ])('as text: %s', async (_, words, says) => {
    const found = await answerTo(newPhone(), words, says)
    expect(found?.files).toBeNull()
    expect(found?.body).toContain(says.slice(0, 12))
    expect(spoken).toEqual([])
  })

  test('once, as text, when it cannot be made', async () => {
    failsOnce = new Error('The voice died.')
    const phone = newPhone()
    expect(await answerTo(phone, null, OPEN)).toMatchObject({ body: expect.stringContaining(OPEN), files: null })
    expect(await agent.sentTo(phone)).toHaveLength(1)
  })
})

test('what a business has masked is not in what is kept of a run, nor in what the agent remembers', async () => {
  const masked = ['id_number', 'email', 'phone', 'bank_account'] as const
  await saveAgentSettings(ctx, { masked: [...masked] })
  const phone = newPhone()
  const secrets = ['123456782', 'dana@acme.example', '052-3334444', '12-345-678901']
  const asked = `my wife is 052-3334444, id 123456782, dana@acme.example, bank 12-345-678901, mine is ${phone}`
  const answer = await ask(phone, asked, {
    calls: [{ name: 'take_message', input: { message: asked } }],
    says: 'I have noted it.',
  })
  expect(answer).toEndWith('I have noted it.')
  const [row] = await domain.handle.sql<{ run: string; bodies: string; lead: string }[]>`
    select agent_runs::text as run, (select string_agg(body, ' ') from messages where contact_id = agent_runs.contact_id) as bodies,
      (select leads::text from leads where contact_id = agent_runs.contact_id) as lead
    from agent_runs order by id desc limit 1`
  for (const secret of secrets) expect(row?.run).not.toContain(secret)
  expect(row?.run).toContain(phone)
  // The messages and the lead are the business's own record.
  for (const secret of secrets) expect(`${row?.bodies} ${row?.lead}`).toContain(secret)
  await ask(phone, 'thanks', { says: 'ok' })
  for (const secret of secrets) expect(requests.at(-1)?.instructions).not.toContain(secret)
  await saveAgentSettings(ctx, { masked: [] })
})

test('what tools did before every model failed is in the record, and in the answer', async () => {
  const phone = newPhone()
  const date = new Date(Date.now() + 4 * 86_400_000).toISOString().slice(0, 10)
  const answer = await ask(phone, `book me on ${date} at 11:00`, {
    calls: [{ name: 'book_appointment', input: { date, time: '11:00' } }],
    says: '',
    fails: new AppError('unavailable', 'model_unavailable', 'All models failed.'),
  })
  expect((await agent.lastRun(phone)).tools[0]).toMatchObject({ name: 'book_appointment', output: { ok: true } })
  expect(answer).toContain('11:00')
  expect(answer).not.toContain('not free')
  const [count] = await domain.handle.sql`select count(*)::int as n from appointments
    where contact_id = (select id from contacts where phone = ${phone} and business_id = ${ctx.businessId})`
  expect(count).toEqual({ n: 1 })
})

test('a time that was spoken backs the question about it, and is agreed to', async () => {
  const phone = newPhone()
  const message = await agent.say(phone, '', { provider: 'twilio' })
  await domain.handle
    .sql`insert into message_media (id, business_id, message_id, index, kind, content_type, state, transcript, processed_at)
    values (${newId()}, ${ctx.businessId}, ${message}, 0, 'voice', 'audio/ogg', 'stored', 'can I come at 10:45?', now())`
  script = [{ says: 'Do you mean 10:45?' }]
  expect(await agent.run()).toEqual(['answered'])
  expect(await agent.lastTo(phone)).toEndWith('Do you mean 10:45?')
})

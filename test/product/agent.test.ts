import { afterAll, beforeAll, expect, test } from 'bun:test'
import { within } from '../../src/domain/context.ts'
import { saveBusinessText } from '../../src/domain/receptionist/index.ts'
import { sendInboundWhatsApp } from '../../src/sandbox/carrier/inbound-whatsapp.ts'
import type { WhatsAppSandbox } from '../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../src/sandbox/whatsapp/server.ts'
import { eventually, type Product, startProduct, WHATSAPP_SENDER } from '../support/product.ts'
import { quietFor } from '../support/wait.ts'

/** `AGENT_SOAK=300` for the big one. */
const CONVERSATIONS = Number(process.env.AGENT_SOAK ?? 16)
const KILLS = CONVERSATIONS > 100 ? 6 : 1
const PATIENCE = 60_000 + CONVERSATIONS * 1_500
/** The business's linked phone. */
const PHONE = '+972501000177'
const AT_ONCE = { gapMs: 0, jitterMs: 0, typingMsPerChar: 0, newContactsPerDay: null }

let product: Product
let whatsapp: WhatsAppSandbox

beforeAll(async () => {
  whatsapp = await startWhatsAppSandbox({ port: 0 })
  product = await startProduct({
    queue: 'redis',
    agent: true,
    env: { BAILEYS_WEBSOCKET_URL: whatsapp.wsUrl },
    prepare: async (ctx, businessId) => {
      await saveBusinessText(within(ctx, businessId), { title: 'מחירון', body: 'תספורת עולה 120 ש״ח.' })
    },
  })
  const trpc = product.trpc()
  const { id } = await trpc.whatsapp.create.mutate(AT_ONCE)
  const view = () => trpc.whatsapp.get.query({ id })
  const qr = await eventually(async () => (await view()).qr, 'a QR code', 60_000)
  await whatsapp.scan(qr, PHONE)
  await eventually(async () => (await view()).state === 'working', 'the linked account', 60_000)
}, 180_000)
afterAll(async () => {
  await product.stop()
  await whatsapp.close()
})

/** Each provider as its people see it. */
const PROVIDERS = {
  twilio: {
    receive: (from: string, body: string) =>
      sendInboundWhatsApp({
        carrier: product.carrier,
        webhookUrl: `${product.publicBaseUrl}/webhook/whatsapp/twilio`,
        ...{ to: WHATSAPP_SENDER, from, body },
      }),
    sentTo: (from: string) =>
      [...product.carrier.messages.values()]
        .filter(({ direction, to }) => direction === 'outbound-api' && to === `whatsapp:${from}`)
        .map(({ body }) => body),
    /** A member writes in the console. */
    async writeAsPerson(to: string) {
      const sent = await product.send({ to, text: BY_PERSON })
      expect(sent.ok).toBe(true)
      const { id } = (await sent.json()) as { id: string }
      await product.sql`update messages set written_by = 'person' where id = ${id}`
    },
  },
  baileys: {
    receive: (from: string, text: string) => whatsapp.send({ from, to: PHONE }, { kind: 'text', text }),
    // Sent again after a kill it has the same id, and a phone shows it once.
    sentTo: (from: string) => [
      ...new Map(
        whatsapp
          .inbox(from)
          .map(({ id, message }) => [id, message.conversation ?? message.extendedTextMessage?.text ?? '']),
      ).values(),
    ],
    /** The owner writes on the business's phone itself. */
    async writeAsPerson(to: string) {
      await whatsapp.sendAsOwner({ from: PHONE, to }, { kind: 'text', text: BY_PERSON })
    },
  },
}
const BY_PERSON = 'אני כאן'
type Person = { phone: string; how: (typeof PROVIDERS)[keyof typeof PROVIDERS]; number: number; byPerson: boolean }

test('a question on WhatsApp is answered from the business’s texts', async () => {
  const from = '+972507000001'
  const { receive, sentTo } = PROVIDERS.twilio
  await receive(from, 'שלום')
  await receive(from, 'כמה עולה תספורת?')
  const [answer] = await eventually(() => (sentTo(from).length > 0 ? sentTo(from) : null), 'the answer', 60_000)
  expect(answer).toMatch(/העוזר האוטומטי של מספרת דנה.*120 ש״ח/s)
  const [run] = await product.sql`select outcome, engine, settled_ms, thinking_ms from agent_runs`
  expect(run).toMatchObject({ outcome: 'answered', engine: 'rules' })
})

const peopleFrom = (first: number, count: number): Person[] =>
  Array.from({ length: count }, (_, i) => ({
    phone: `+97250${7_100_000 + first + i}`,
    how: i % 2 === 0 ? PROVIDERS.twilio : PROVIDERS.baileys,
    number: first + i,
    byPerson: i % 8 === 2 || i % 8 === 5,
  }))

/** @param withinMs they begin at random moments of this time */
async function writeAll(people: Person[], withinMs = 0): Promise<void> {
  await Promise.all(
    people.map(async ({ phone, how, number, byPerson }) => {
      await quietFor(Math.random() * withinMs, 'people do not all write at one moment')
      await how.receive(phone, 'שלום')
      await how.receive(phone, `כמה עולה תספורת? ${number}`)
      if (byPerson) await how.writeAsPerson(phone)
    }),
  )
}

async function untilAllAnswered(people: Person[]): Promise<void> {
  const received = () => product.sql<{ n: number }[]>`select count(*)::int as n from messages
    where direction = 'in' and contact_id in (select id from contacts where phone in ${product.sql(people.map(({ phone }) => phone))})`
  await eventually(async () => (await received())[0]?.n === people.length * 2, 'every message to come', PATIENCE)
  await eventually(
    async () => {
      const [left] = await product.sql<{ n: number }[]>`select count(*)::int as n from messages
        where direction = 'in' and not exists (select from agent_answers where message_id = messages.id)`
      return left?.n === 0
    },
    'every message to be dealt with',
    PATIENCE,
  )
  const open = () => product.sql`select 1 from messages where direction = 'out' and status in ('queued', 'sending')`
  await eventually(async () => (await open()).length === 0, 'every answer to be sent', PATIENCE)
}

/** @param killed whether workers were killed meanwhile: a burst may then come in two parts, further apart than the agent waits */
async function expectEachOnce(people: Person[], killed: boolean): Promise<void> {
  const most = killed ? 2 : 1
  const wrong = people.flatMap(({ phone, how, byPerson }) => {
    const sent = how.sentTo(phone).filter((text) => text !== BY_PERSON)
    return sent.length > most || (!byPerson && sent.length === 0) || new Set(sent).size < sent.length
      ? [[phone, ...sent]]
      : []
  })
  expect(wrong).toEqual([])
  // Whoever a person wrote to got no answer after that.
  const late = await product.sql`select answer.id from messages answer join messages written
      on written.conversation_id = answer.conversation_id and written.written_by = 'person'
    where answer.written_by = 'agent' and answer.id > written.id and answer.occurred_at > written.occurred_at`
  expect(late).toHaveLength(0)
  // No message has two runs, no run answers twice, and what was written stands in its order, as threads show it.
  const twice = await product.sql`select sent_message_id from agent_runs where sent_message_id is not null
    group by 1 having count(*) > 1`
  expect(twice).toHaveLength(0)
  if (killed) return
  // Twilio's webhooks keep no order; a linked account's messages do.
  const disordered =
    await product.sql`select contact_id from messages where provider = 'baileys' and direction = 'in' and body = 'שלום'
    and exists (select from messages other where other.contact_id = messages.contact_id and other.direction = 'in'
      and other.body <> 'שלום' and (other.occurred_at, other.id) < (messages.occurred_at, messages.id))`
  expect(disordered).toHaveLength(0)
}

test('over both providers each burst is answered once; what is added to settling and thinking is little', async () => {
  const people = peopleFrom(0, Math.ceil(CONVERSATIONS / 4))
  // Two a second of many: otherwise the queue for two processors is what is measured.
  await writeAll(people, people.length * 500)
  await untilAllAnswered(people)
  await expectEachOnce(people, false)
  const rows = await product.sql<{ added: number }[]>`
    select extract(epoch from sent.created_at - greatest(
        least(max(received.created_at) + interval '4 seconds', min(received.created_at) + interval '12 seconds'),
        max(received.created_at))) * 1000 - run.thinking_ms as added
    from agent_runs run join messages sent on sent.id = run.sent_message_id
    join agent_answers answered on answered.run_id = run.id join messages received on received.id = answered.message_id
    where run.outcome = 'answered' group by run.id, sent.id order by added`
  const added = rows.map((row) => Number(row.added))
  const at = (share: number) => Math.round(added[Math.ceil(added.length * share) - 1] ?? Number.NaN)
  console.log(`added to settling and thinking: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms of ${added.length} answers`)
  expect(added.length).toBeGreaterThan(0)
}, 600_000)

test('with workers killed at random each message is answered once, and none after a person wrote', async () => {
  const people = peopleFrom(1_000, Math.floor((CONVERSATIONS * 3) / 4))
  const killing = (async () => {
    for (let round = 0; round < KILLS; round++)
      for (const name of ['crm', 'whatsapp'] as const) {
        await quietFor(400 + Math.random() * 1_200, 'work in progress is what a kill is about')
        for (const worker of product.workersOf(name)) worker.kill('SIGKILL')
        await product.startWorker(name)
      }
  })()
  await writeAll(people)
  await killing
  await untilAllAnswered(people)
  await expectEachOnce(people, true)
}, 1_200_000)

test('a voice note that was understood is answered by one voice note, over both providers', async () => {
  const settings = product.trpc().agent.saveSettings
  await settings.mutate({ answersByVoice: true, settleSeconds: 10 })
  const [onTwilio, onPhone] = ['+972507000011', '+972507000012']
  const VOICE = Buffer.from('OggS')
  await sendInboundWhatsApp({
    carrier: product.carrier,
    webhookUrl: `${product.publicBaseUrl}/webhook/whatsapp/twilio`,
    ...{ to: WHATSAPP_SENDER, from: onTwilio, media: [{ bytes: VOICE, contentType: 'audio/ogg' }] },
  })
  await whatsapp.send({ from: onPhone, to: PHONE }, { kind: 'voice', data: VOICE })
  // In place of a service that transcribes.
  const heard = () => product.sql`update message_media set transcript = 'כמה עולה תספורת?'
    where kind = 'voice' and transcript is null and message_id in (select id from messages where direction = 'in') returning id`
  let count = 0
  await eventually(
    async () => {
      count += (await heard()).length
      return count === 2
    },
    'both voice notes',
    8_000,
  )
  const sent = () => product.sql<
    { phone: string; status: string; body: string; kind: string; transcript: string; bytes: number }[]
  >`select contacts.phone, status, body, media.kind, transcript, bytes from messages
    join contacts on contacts.id = contact_id join message_media media on media.message_id = messages.id
    where direction = 'out' and phone in (${onTwilio}, ${onPhone}) order by phone`
  const rows = await eventually(
    async () => {
      const found = await sent()
      return found.length === 2 && found.every(({ status }) => !['queued', 'sending'].includes(status)) ? found : null
    },
    'both answers',
    60_000,
  )
  for (const row of rows) {
    expect(row).toMatchObject({ body: '', kind: 'voice' })
    expect(row.status).toMatch(/^(sent|delivered|read)$/)
    expect(row.transcript).toContain('120')
    expect(row.bytes).toBeGreaterThan(3_000)
  }
  const [note, ...more] = whatsapp.inbox(onPhone)
  expect(more).toEqual([])
  expect(note?.message.audioMessage).toMatchObject({ ptt: true, mimetype: 'audio/ogg; codecs=opus' })
  const received = Buffer.from(await whatsapp.receivedMedia(onPhone, note?.id ?? ''))
  expect([received.subarray(0, 4).toString(), received.includes('OpusHead')]).toEqual(['OggS', true])
  const overTwilio = [...product.carrier.messages.values()].filter(({ to }) => to === `whatsapp:${onTwilio}`)
  expect(overTwilio.map(({ body, mediaUrls }) => [body, mediaUrls.length])).toEqual([['', 1]])
  const fetched = await fetch(new URL(new URL(overTwilio[0]?.mediaUrls[0] ?? '').pathname, product.url()))
  expect(fetched.headers.get('content-type')).toStartWith('audio/ogg')
  expect((await fetched.bytes()).length).toBe(rows.find(({ phone }) => phone === onTwilio)?.bytes ?? 0)
  await settings.mutate({ answersByVoice: false, settleSeconds: 4 })
}, 120_000)

test('who booked hears of it at once, and so does who answers the reminder, long before the next sweep', async () => {
  const from = '+972521000091'
  const { receive, sentTo } = PROVIDERS.twilio
  const trpc = product.trpc()
  const hours = { from: '00:00', to: '23:59', followUpAfter: null }
  await trpc.booking.saveSettings.mutate({ reminders: { before: [1_440], ...hours } })
  await receive(from, 'שלום')
  await eventually(() => sentTo(from).length > 0, 'the greeting', 60_000)
  const startsAt = new Date(Date.now() + 40 * 3_600_000).toISOString()
  const within10 = async (what: string, is: () => boolean | Promise<boolean>) => await eventually(is, what, 10_000)
  const { id } = await trpc.appointments.create.mutate({ startsAt, minutes: 30, phone: from, name: 'Ruth' })
  await within10('the word of the booking', () => sentTo(from).some((text) => text.includes('נקבע')))
  await product.sql`update appointment_notices set due_at = now() where appointment_id = ${id} and kind = 'reminder'`
  // Anything that happens; by itself the reminder goes with the next sweep, as its time comes.
  await trpc.contacts.create.mutate({ name: 'Gila', phone: '+972521000092' })
  await within10('the reminder', () => sentTo(from).some((text) => text.includes('תזכורת')))
  await receive(from, '1')
  await within10('the answer', () => sentTo(from).some((text) => text.startsWith('תודה, נתראה')))
  expect((await trpc.appointments.get.query({ id })).customerConfirmedAt).not.toBeNull()
}, 120_000)

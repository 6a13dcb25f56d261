import { beforeAll, expect, test } from 'bun:test'
import { eq, sql } from 'drizzle-orm'
import { calls, contacts, erasedIdentities, messageMedia, pendingDeletions } from '../../../db/schema/index.ts'
import { bookAppointment, DEFAULT_HOURS } from '../../../src/domain/appointments/index.ts'
import {
  claimStream,
  finishCall,
  recordCallStatus,
  recordStreamEvent,
  registerCall,
  rejectStream,
  saveTurn,
  summarizeCall,
  upsertCall,
} from '../../../src/domain/calls/index.ts'
import { getImport, importInput, runImport, startImport } from '../../../src/domain/imports/index.ts'
import { saveLead } from '../../../src/domain/leads/index.ts'
import { changeMessage, fetchMessageMedia, receiveMessage, requestMessage } from '../../../src/domain/messages/index.ts'
import { type PaymentDeps, requestPayment } from '../../../src/domain/payments/index.ts'
import { deletePending, eraseContact, forgetMentions, pruneTombstones } from '../../../src/domain/privacy/index.ts'
import { saveProfile, sendFollowUp } from '../../../src/domain/receptionist/index.ts'
import { fetchRecording } from '../../../src/domain/recordings/index.ts'
import { storeInbound } from '../../../src/domain/whatsapp/index.ts'
import type { InboundMessage } from '../../../src/jobs/registry.ts'
import { isErased } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createPayPal } from '../../../src/providers/payments/paypal.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { startDomain } from '../../support/call-domain.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'

const NAME = 'Ephemeral Person'
const storage = createFileStorage(temporaryDirectory('late-jobs'))
// Never asked here: a payment is written down before its provider hears of it.
const PAYPAL = createPayPal({ clientId: 'c', clientSecret: 's', webhookId: 'w', apiBaseUrl: 'http://127.0.0.1:1' })
const settings = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }
let domain: Awaited<ReturnType<typeof startDomain>>
let people = 0

beforeAll(async () => {
  domain = await startDomain()
  await saveProfile(domain.business, { settings: { followUp: { en: 'Thank you, {name}.' } } })
})

function newPerson() {
  people += 1
  const phone = `+9725099${String(people).padStart(5, '0')}`
  return { phone, lid: `lid-${people}`, callSid: `CAperson${people}` }
}
type Person = ReturnType<typeof newPerson>

const ago = (ms: number) => new Date(Date.now() - ms)

function messageOf(person: Pick<Person, 'phone'>, at: Date, text = `${NAME} wrote`): InboundMessage {
  return {
    provider: 'twilio',
    businessId: domain.businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: person.phone, name: NAME },
    body: text,
    media: [],
    at: at.toISOString(),
  }
}

const callOf = (person: Person, at: Date, callSid = person.callSid) => ({
  callSid,
  from: person.phone,
  to: '+97233760000',
  callerName: NAME,
  at,
})

const turnOf = (callSid: string, audioKey: string | null = null) => ({
  callSid,
  businessId: domain.businessId,
  index: 0,
  role: 'caller' as const,
  text: `${NAME} said`,
  startMs: 0,
  endMs: 1,
  interrupted: false,
  audioKey,
})

const answersOf = (callSid: string) => ({ callSid, source: 'call' as const, name: NAME, inquiry: NAME, at: new Date() })

async function contactOf(phone: string): Promise<string | null> {
  const [row] = await domain.ctx.db.select({ id: contacts.id }).from(contacts).where(eq(contacts.phone, phone))
  return row?.id ?? null
}

/** A person with a call and a message, erased, and the names forgotten that finished jobs were looked through for. */
async function erase(person: Person): Promise<void> {
  await registerCall(domain.business, callOf(person, ago(60_000)))
  await receiveMessage(domain.business, messageOf(person, ago(50_000)))
  const contactId = await contactOf(person.phone)
  if (!contactId) throw new Error('no contact')
  await eraseContact(domain.business, contactId)
  await forgetMentions(domain.ctx, async () => 0)
}

/** Tables with a row that names the person. */
async function traces(phone: string): Promise<string[]> {
  const tables = await domain.ctx.db.execute<{ name: string }>(sql`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`)
  const found: string[] = []
  for (const { name } of tables) {
    const [row] = await domain.ctx.db.execute<{ there: boolean }>(sql`
      select exists (select from ${sql.identifier(name)} t where t::text like ${`%${phone}%`} or t::text like ${`%${NAME}%`}) as there`)
    if (row?.there) found.push(name)
  }
  return found
}

async function deleteWrittenDown(): Promise<string[]> {
  const carrier: string[] = []
  for (const { id } of await domain.ctx.db.select().from(pendingDeletions))
    await deletePending(domain.business, id, {
      storage,
      deleteCarrierRecording: async (sid) => void carrier.push(sid),
    })
  return carrier
}

const refused = async (work: Promise<unknown>) => {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => error,
  )
  expect(outcome).toSatisfy(isErased)
}

test('what the queue still carried of an erased person is not written back, however often it runs', async () => {
  const person = newPerson()
  await erase(person)
  const { business, ctx } = domain
  await storage.put('turns/late', new Uint8Array([1]), 'audio/wav')
  for (let run = 0; run < 2; run += 1) {
    await refused(registerCall(business, callOf(person, ago(60_000))))
    await refused(saveTurn(business, turnOf(person.callSid, 'turns/late')))
    await refused(saveLead(business, answersOf(person.callSid)))
    await refused(
      finishCall(business, { ...callOf(person, ago(10_000)), reason: 'completed', durationMs: 1, metrics: {} }),
    )
    await refused(recordCallStatus(ctx, { callSid: person.callSid, status: 'completed', at: new Date().toISOString() }))
    await refused(
      recordStreamEvent(ctx, {
        callSid: person.callSid,
        streamSid: 'MZ1',
        event: 'stream-stopped',
        at: new Date().toISOString(),
      }),
    )
    await refused(rejectStream(ctx, { callSid: person.callSid, detail: 'bad', at: new Date() }))
    await refused(summarizeCall(business, person.callSid, null))
    await refused(receiveMessage(business, messageOf(person, ago(10_000))))
    await refused(
      sendFollowUp(
        business,
        { callSid: person.callSid, from: person.phone, name: NAME, businessName: 'Levi', language: 'en' },
        settings,
      ),
    )
    await refused(requestMessage(business, { to: person.phone, text: NAME }, settings, person.callSid))
    await refused(
      bookAppointment(
        business,
        { date: '2027-01-03', time: '10:00', minutes: 30, name: NAME, callSid: person.callSid },
        { hours: DEFAULT_HOURS, timeZone: 'Asia/Jerusalem', now: new Date('2027-01-02T10:00:00Z') },
      ),
    )
  }
  // A stream that comes late gets no call.
  expect(await claimStream(business, { ...callOf(person, new Date()), streamSid: 'MZ2', serverId: 'a server' })).toBe(
    false,
  )
  expect(await traces(person.phone)).toEqual([])
  await deleteWrittenDown()
  expect(await storage.get('turns/late')).toBeNull()
})

test('who comes back is a new contact, and what is late of before stays out', async () => {
  const person = newPerson()
  await erase(person)
  await registerCall(domain.business, callOf(person, new Date(), 'CAback'))
  expect(await saveTurn(domain.business, turnOf('CAback'))).not.toBeNull()
  await saveLead(domain.business, answersOf('CAback'))
  const back = await receiveMessage(domain.business, messageOf(person, new Date(), 'hello again'))
  // By both ways of taking a message in: the person is known now.
  await refused(receiveMessage(domain.business, messageOf(person, ago(10_000))))
  await refused(receiveMessage(domain.business, { ...messageOf(person, ago(10_000)), body: 'STOP' }))
  await refused(requestMessage(domain.business, { to: person.phone, text: 'late' }, settings, person.callSid))
  const rows = await domain.ctx.db.execute<{ id: string; body: string }>(sql`
    select messages.id, body from messages join contacts on contacts.id = contact_id where phone = ${person.phone}`)
  expect([...rows]).toEqual([{ id: back, body: 'hello again' }])
  const [call] = await domain.ctx.db.select().from(calls).where(eq(calls.callSid, 'CAback'))
  expect(call?.contactId).toBe(await contactOf(person.phone))
  await requestMessage(domain.business, { to: person.phone, text: 'welcome back' }, settings)
  // They may be erased again.
  const before = new Date()
  await eraseContact(domain.business, (await contactOf(person.phone)) ?? '')
  await forgetMentions(domain.ctx, async () => 0)
  await refused(receiveMessage(domain.business, messageOf(person, before)))
  expect(await traces(person.phone)).toEqual([])
})

test('another business knows nothing of the erasure', async () => {
  const person = newPerson()
  await erase(person)
  const other = await startDomain()
  await registerCall(other.business, callOf(person, ago(60_000)))
  await receiveMessage(other.business, { ...messageOf(person, ago(60_000)), businessId: other.businessId })
  const [row] = await other.ctx.db.select().from(contacts).where(eq(contacts.phone, person.phone))
  expect(row?.name).toBe(NAME)
})

test('a call of which only the number was not known yet goes with all that was written of it', async () => {
  const person = newPerson()
  // The end of the call was faster than its registration.
  const callSid = 'CAovertaken'
  await finishCall(domain.business, {
    callSid,
    from: '',
    to: '',
    reason: 'completed',
    durationMs: 1,
    metrics: {},
    at: ago(30_000),
  })
  await saveTurn(domain.business, turnOf(callSid))
  await saveLead(domain.business, answersOf(callSid))
  await erase(person)
  await refused(registerCall(domain.business, callOf(person, ago(40_000), callSid)))
  await forgetMentions(domain.ctx, async () => 0)
  await refused(saveTurn(domain.business, turnOf(callSid)))
  expect(await traces(person.phone)).toEqual([])
})

test('a recording and a file that come late, or are on their way during the erasure, are deleted', async () => {
  const person = newPerson()
  const job = (recordingSid: string) => ({
    businessId: domain.businessId,
    callSid: person.callSid,
    recordingSid,
    at: new Date().toISOString(),
  })
  await registerCall(domain.business, callOf(person, ago(60_000)))
  const message = messageOf(person, ago(50_000))
  message.media = [{ url: 'https://api.twilio.com/a', contentType: 'image/png' }]
  const messageId = await receiveMessage(domain.business, message)
  const [media] = await domain.ctx.db.select().from(messageMedia).where(eq(messageMedia.messageId, messageId))
  const contactId = await contactOf(person.phone)
  if (!media || !contactId) throw new Error('no message')
  const data = new Uint8Array([1, 2, 3])
  const source = {
    // The erasure is done while the bytes come in.
    downloadRecording: async () => {
      if (await contactOf(person.phone)) await eraseContact(domain.business, contactId)
      return { data, contentType: 'audio/wav' }
    },
    downloadMedia: async () => ({ data, contentType: 'image/png' }),
    deleteRecording: async () => {},
  }
  const slow = {
    downloadMedia: async () => {
      await fetchRecording(domain.business, job('RElate1'), source, storage, () => null).catch((error: unknown) => {
        expect(error).toSatisfy(isErased)
      })
      return { data, contentType: 'image/png' }
    },
  }
  await fetchMessageMedia(domain.business, media.id, slow, storage)
  // Tries that died after they had stored the file, run again; and one that the erasure knew nothing of.
  const keys = [`recordings/${domain.businessId}/RElate1.wav`, `media/${domain.businessId}/${media.id}`]
  for (const key of keys) {
    expect(await storage.get(key)).toBeNull()
    await storage.put(key, data, 'audio/wav')
  }
  for (const sid of ['RElate1', 'RElate2'])
    await refused(fetchRecording(domain.business, job(sid), source, storage, () => null))
  await fetchMessageMedia(domain.business, media.id, source, storage)
  expect((await deleteWrittenDown()).sort()).toEqual(['RElate1', 'RElate2'])
  for (const key of keys) expect(await storage.get(key)).toBeNull()
  await forgetMentions(domain.ctx, async () => 0)
  expect(await traces(person.phone)).toEqual([])
})

test('a payment that was asked for, a file that was handed in, and what the phone still shows bring no one back', async () => {
  const person = newPerson()
  await registerCall(domain.business, callOf(person, ago(60_000)))
  const contactId = await contactOf(person.phone)
  const handedIn = await startImport(
    domain.business,
    importInput.parse({ kind: 'contacts', csv: `phone,name\n${person.phone},${NAME}\n+972501112233,Another Person\n` }),
  )
  const askedAt = new Date()
  await eraseContact(domain.business, contactId ?? '')
  await forgetMentions(domain.ctx, async () => 0)

  const means: PaymentDeps = {
    providersOf: () => ({ paypal: PAYPAL, tranzila: null }),
    accountOf: async () => PAYPAL,
    installation: { paypal: PAYPAL, tranzila: null },
    ownAccounts: () => [],
    urls: { page: String, returned: String, canceled: String, notify: String },
    messages: settings,
    pool: domain.sql,
  }
  for (const contact of [person.phone, contactId ?? ''])
    await refused(requestPayment(domain.business, { contact, amount: 100, description: NAME }, means, askedAt))
  await runImport(domain.business, handedIn.id)
  expect(await getImport(domain.business, handedIn.id)).toMatchObject({ created: 1, rejected: 1 })
  expect(
    await changeMessage(domain.business, {
      provider: 'baileys',
      accountId: newId(),
      direction: 'in',
      providerMessageId: 'gone',
      contact: { phone: person.phone, name: NAME },
      at: new Date(),
      text: 'edited',
    }),
  ).toBe(false)
  await storeInbound(domain.business, newId(), {
    provider: 'baileys',
    account: newId(),
    id: 'history-1',
    dedupeKey: 'history-1',
    direction: 'in',
    source: 'history',
    contact: { phone: person.phone, lid: null, name: NAME },
    group: null,
    at: ago(86_400_000),
    replyTo: null,
    content: { kind: 'text', text: NAME },
  })
  expect(await traces(person.phone)).toEqual([])
})

test('jobs and the erasure at the same moment, many times: nothing of the person is left', async () => {
  for (let round = 0; round < 12; round += 1) {
    const person = newPerson()
    const early = ago(5_000)
    await registerCall(domain.business, callOf(person, early))
    const contactId = (await contactOf(person.phone)) ?? ''
    const second = `${person.callSid}x`
    const work = [
      () => saveTurn(domain.business, turnOf(person.callSid)),
      () => saveLead(domain.business, answersOf(person.callSid)),
      () => receiveMessage(domain.business, messageOf(person, early)),
      () => registerCall(domain.business, callOf(person, early, second)),
      () => saveTurn(domain.business, turnOf(second)),
      () => summarizeCall(domain.business, person.callSid, null),
      () => requestMessage(domain.business, { to: person.phone, text: NAME }, settings, person.callSid),
    ]
    /** As the queue does it: what failed is tried again, until it is done or there is nothing to do. */
    const persist = async (run: () => Promise<unknown>) => {
      for (let attempt = 0; attempt < 20; attempt += 1)
        try {
          return await run()
        } catch (error) {
          if (isErased(error)) return null
          await Bun.sleep(5)
        }
      throw new Error('never done')
    }
    await Promise.all([...work.map(persist), Bun.sleep(round % 6).then(() => eraseContact(domain.business, contactId))])
    for (const run of work) await persist(run)
    await forgetMentions(domain.ctx, async () => 0)
    expect(await traces(person.phone)).toEqual([])
  }
}, 60_000)

test('what a crash left of an erasure the sweep does: the names, their jobs, and files that only those knew of', async () => {
  const person = newPerson()
  await registerCall(domain.business, callOf(person, ago(60_000)))
  await eraseContact(domain.business, (await contactOf(person.phone)) ?? '')
  await storage.put('turns/failed', new Uint8Array([1]), 'audio/wav')
  const asked: string[][] = []
  const failing = forgetMentions(domain.ctx, async () => {
    throw new Error('the queue is away')
  })
  await expect(failing).rejects.toThrow('away')
  await failing.catch(() => undefined)
  const forget = async (
    _: string,
    mentions: string[],
    before: (jobs: { name: string; data: unknown }[]) => Promise<void>,
  ) => {
    asked.push(mentions)
    await before([
      { name: 'call.turn', data: turnOf(person.callSid, 'turns/failed') },
      { name: 'call.status', data: {} },
    ])
  }
  expect(await forgetMentions(domain.ctx, forget)).toBe(3)
  expect(asked.flat()).toEqual(expect.arrayContaining([person.phone, person.callSid]))
  expect(await forgetMentions(domain.ctx, forget)).toBe(0)
  await deleteWrittenDown()
  expect(await storage.get('turns/failed')).toBeNull()
  expect(await traces(person.phone)).toEqual([])

  await domain.ctx.db
    .update(erasedIdentities)
    .set({ erasedAt: ago(31 * 86_400_000) })
    .where(eq(erasedIdentities.kind, 'contact'))
  expect(await pruneTombstones(domain.ctx)).toBeGreaterThan(0)
})

test('a call is upserted by whoever is first, but never again after it was erased', async () => {
  const person = newPerson()
  await erase(person)
  await refused(domain.ctx.db.transaction((tx) => upsertCall(tx, domain.business, callOf(person, new Date()))))
})

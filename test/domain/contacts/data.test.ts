import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { callTurns, messageMedia, pendingDeletions, recordings } from '../../../db/schema/index.ts'
import { attachCallTrace, registerCall, saveTurn } from '../../../src/domain/calls/index.ts'
import { within } from '../../../src/domain/context.ts'
import { getImport, runImport } from '../../../src/domain/imports/index.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import { deletePending, requeueDeletions, sweepRetention } from '../../../src/domain/privacy/index.ts'
import { deliverWebhook, queueDeliveries, signDelivery } from '../../../src/domain/webhooks/index.ts'
import { redactPayload, redactReason } from '../../../src/jobs/redact.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createSecretBox, deriveKey } from '../../../src/lib/secret-box.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { createPublicPost, isPublicAddress } from '../../../src/providers/webhooks/public-post.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { insertAppointment } from '../../support/appointments.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'

let api: TestApi

beforeAll(async () => {
  api = await createTestApi()
})

afterAll(() => api.close())

/** A business with nothing in it, and a way to run its imports to their end. */
async function ownBusiness() {
  const businessId = await api.addBusiness('Fresh')
  const business = within(api.ctx, businessId)
  return {
    owner: api.as({}, { businessId }),
    run: async (id: string) => {
      await runImport(business, id)
      return await getImport(business, id)
    },
  }
}

describe('a CSV import', () => {
  const csv = [
    'טלפון;שם;תגיות;עיר;הערות',
    "'+972501000001;דנה;vip,new;חיפה;לקוחה ותיקה",
    '050-100-0002;יוסי;;תל אביב;',
    'not a number;רות;;;',
    ';;;;',
    '0501000001;דנה שוב;old;;',
  ].join('\r\n')

  test('is shown first: columns, rows, and what is wrong in which row', async () => {
    const preview = await api.as({}).imports.preview({ kind: 'contacts', csv: `\ufeff${csv}` })
    expect(preview.mapping).toEqual({ טלפון: 'phone', שם: 'name', תגיות: 'tags', הערות: 'note' })
    expect(preview).toMatchObject({ total: 5, valid: 3, created: 2, updated: 1, existing: 0, rejected: 1, blank: 1 })
    expect(preview.rows.map(({ outcome }) => outcome)).toEqual(['created', 'created', 'rejected', 'blank', 'updated'])
    expect(preview.notices).toEqual(['Not read: “עיר”.'])
    expect(preview.rows[0]).toMatchObject({ row: 2, phone: '+972501000001', tags: ['vip', 'new'] })
    expect(preview.errors).toEqual([
      {
        row: 4,
        column: 'טלפון',
        code: 'import_phone',
        message: 'no phone number; write it as +972… or 05x-…',
      },
    ])
  })

  test('is taken in once, however often it is asked for and run', async () => {
    const owner = api.as({})
    const id = newId()
    const mapping = { טלפון: 'phone', שם: 'name', תגיות: 'tags', הערות: 'note', עיר: 'custom:city' }
    await owner.imports.create({ id, kind: 'contacts', csv, mapping })
    await owner.imports.create({ id, kind: 'contacts', csv, mapping })
    expect(api.jobs.filter((job) => job.jobId === `import-${id}`)).toHaveLength(2)
    await runImport(api.business, id)
    await runImport(api.business, id)
    expect(await getImport(api.business, id)).toMatchObject({
      state: 'done',
      processed: 5,
      created: 2,
      updated: 1,
      rejected: 1,
      blank: 1,
    })
    const { items } = await owner.contacts.list({})
    expect(items.map(({ name, phone, tags, custom }) => ({ name, phone, tags, custom })).reverse()).toEqual([
      { name: 'דנה', phone: '+972501000001', tags: ['new', 'old', 'vip'], custom: { city: 'חיפה' } },
      { name: 'יוסי', phone: '+972501000002', tags: [], custom: { city: 'תל אביב' } },
    ])
    await expect(owner.imports.create({ id, kind: 'contacts', csv: 'name\nother\n' })).rejects.toThrow(/another import/)
    // The file is not kept once it has done its work.
    const [row] = await api.database.db.execute(sql`select csv from imports where id = ${id}`)
    expect(row?.csv).toBeNull()
  })

  test('that died in the middle goes on where its last commit was', async () => {
    const owner = api.as({})
    const lines = Array.from({ length: 450 }, (_, index) => `Lead ${index},${index},new`)
    const { id } = await owner.imports.create({ kind: 'leads', csv: ['name,value,stage', ...lines].join('\n') })
    const failing = { ...api.business, db: Object.create(api.database.db) }
    let batches = 0
    failing.db.transaction = (run: Parameters<typeof api.database.db.transaction>[0]) => {
      batches += 1
      if (batches > 2) throw new Error('the process died')
      return api.database.db.transaction(run)
    }
    await expect(runImport(failing, id)).rejects.toThrow(/died/)
    await runImport(api.business, id)
    expect(await getImport(api.business, id)).toMatchObject({ processed: 450, created: 450, rejected: 0 })
    const board = await owner.leads.board({ perStage: 1 })
    expect(board.columns.find(({ stage }) => stage.key === 'new')?.count).toBe(450)
  })

  test('of leads makes none twice: not by the same file, not by one with more rows, not by two at once', async () => {
    const { owner, run } = await ownBusiness()
    const rows = ['050-300-0001,דנה,דירה בחיפה,1200', ',Walk-in,,', '0503000001,דנה,דירה בחיפה,1200', ',Walk-in,,']
    const file = (extra: string[] = []) =>
      ['phone,name,inquiry,value,note', ...rows.map((row) => `${row},said`), ...extra].join('\n')
    const start = (text: string) => owner.imports.create({ kind: 'leads', csv: text })
    const [first, second] = await Promise.all([start(file()), start(file())])
    // Two people press the button at once; whoever is second finds the other's.
    const both = await Promise.all([run(first.id), run(second.id)])
    expect(both.map((state) => state.created).reduce((sum, count) => sum + count)).toBe(4)
    expect(both.map((state) => state.existing).reduce((sum, count) => sum + count)).toBe(4)
    // Written in another way, under other headings, and with one that is new.
    const again = await start(
      ['נייד;שם;בקשה;סכום', '+972503000001;דנה;דירה בחיפה;₪1,200', ';Walk-in;;', ';Person New;;'].join('\n'),
    )
    expect(await run(again.id)).toMatchObject({ created: 1, existing: 2, updated: 0, rejected: 0 })
    const { items } = await owner.leads.list({})
    expect(items.map((lead) => lead.name).sort()).toEqual(['Person New', 'Walk-in', 'Walk-in', 'דנה', 'דנה'])
    const [contact] = (await owner.contacts.list({})).items
    expect((await owner.contacts.notes({ id: contact?.id ?? '' })).items).toHaveLength(2)
    // What was changed by hand is still known; what was thrown away may come again.
    const [walkIn, other] = items.filter((lead) => lead.name === 'Walk-in')
    await owner.leads.update({ id: walkIn?.id ?? '', name: 'Walk-in Wanda' })
    await owner.leads.remove({ id: other?.id ?? '' })
    expect(await run((await start(file())).id)).toMatchObject({ created: 1, existing: 3 })
  })

  test('of contacts without a number makes none twice either', async () => {
    const { owner, run } = await ownBusiness()
    const text = 'name,email,note\nרות,ruth@example.com,hello\nPerson Else,,\n'
    const take = async (csv: string) => run((await owner.imports.create({ kind: 'contacts', csv })).id)
    expect(await take(text)).toMatchObject({ created: 2, updated: 0 })
    expect(await take(text)).toMatchObject({ created: 0, existing: 2 })
    const { items } = await owner.contacts.list({})
    expect(items.map((contact) => contact.name).sort()).toEqual(['Person Else', 'רות'])
    const ruth = items.find((contact) => contact.email)
    expect((await owner.contacts.notes({ id: ruth?.id ?? '' })).items).toHaveLength(1)
  })

  test('comes out again as it went in', async () => {
    const { csv: text } = await api.as({}).exports.csv({ kind: 'contacts' })
    expect(text).toContain("'+972501000001")
    const preview = await api.as({}).imports.preview({ kind: 'contacts', csv: text })
    expect(preview.rows.map((row) => row.phone).sort()).toEqual(['+972501000001', '+972501000002'])
  })
})

describe('an erasure', () => {
  test('leaves no row, no file and no word of the person', async () => {
    const storage = createFileStorage(temporaryDirectory('erasure'))
    const phone = '+972509998877'
    const mark = 'ErasedPerson'
    const owner = api.as({})
    const messageId = await receiveMessage(api.business, {
      provider: 'twilio',
      businessId: api.businessId,
      dedupeKey: newId(),
      providerMessageId: 'm',
      kind: 'image',
      from: { phone, name: mark },
      body: `${mark} wrote`,
      media: [{ url: 'https://example.com/a', contentType: 'image/png' }],
      at: new Date().toISOString(),
    })
    const callId = await registerCall(api.business, {
      callSid: 'CA-erase',
      from: phone,
      to: '+97230000000',
      at: new Date(),
    })
    await saveTurn(api.business, {
      callSid: 'CA-erase',
      businessId: api.businessId,
      index: 0,
      role: 'caller',
      text: `${mark} said`,
      startMs: 0,
      endMs: 1,
      interrupted: false,
      audioKey: 'turns/a',
    })
    await api.database.db.update(messageMedia).set({ storageKey: 'media/a', state: 'stored' })
    await api.database.db.insert(recordings).values({
      businessId: api.businessId,
      callId,
      recordingSid: 'RE-erase',
      storageKey: 'recordings/a',
      state: 'stored',
      recordedAt: new Date(),
    })
    for (const key of ['turns/a', 'media/a', 'recordings/a']) await storage.put(key, new Uint8Array([1]), 'audio/wav')
    await storage.put('calls/record', new Uint8Array([1]), 'application/x-ndjson')
    expect(await attachCallTrace(api.business, { callSid: 'CA-erase', key: 'calls/record', lines: 1 })).toBe(true)
    const [contact] = (await owner.search.all({ q: phone })).contacts
    if (!contact) throw new Error('no contact')
    await owner.contacts.addNote({ id: contact.id, body: mark })
    await owner.leads.create({ contactId: contact.id, name: mark })

    for (const [hour, link] of [
      [10, { contactId: contact.id }],
      [11, { callId }],
    ] as const)
      await insertAppointment(api.database.db, {
        businessId: api.businessId,
        ...link,
        startsAt: new Date(`2027-01-03T${hour}:00:00Z`),
        endsAt: new Date(`2027-01-03T${hour}:30:00Z`),
        name: mark,
        note: phone,
      })
    const timeline = await owner.conversations.timeline({ contactId: contact.id })
    expect(timeline.items.find((item) => item.kind === 'appointment')?.data).toMatchObject({
      startsAt: expect.stringContaining('2027-01-03T10:00:00'),
      state: 'booked',
      name: mark,
    })

    const erased = await owner.privacy.eraseContact({ id: contact.id })
    expect(erased).toEqual({ messages: 1, calls: 1, leads: 1, notes: 1, appointments: 2, files: 5 })
    const carrier: string[] = []
    for (const job of api.jobs.filter(({ name }) => name === 'privacy.delete'))
      if ('deletionId' in job.payload)
        for (let run = 0; run < 2; run += 1)
          await deletePending(api.business, job.payload.deletionId, {
            storage,
            deleteCarrierRecording: async (sid) => void carrier.push(sid),
          })
    for (const key of ['turns/a', 'media/a', 'recordings/a', 'calls/record']) expect(await storage.get(key)).toBeNull()
    expect(carrier).toEqual(['RE-erase'])
    expect(await api.database.db.select().from(pendingDeletions)).toEqual([])

    const tables = await api.database.db.execute<{ name: string }>(
      sql`select table_name as name from information_schema.tables where table_schema in ('public') and table_type = 'BASE TABLE'`,
    )
    for (const { name } of tables) {
      const [row] = await api.database.db.execute<{ count: number }>(
        sql`select count(*)::int as count from ${sql.identifier(name)} t where t::text like ${`%${mark}%`} or t::text like ${`%${phone}%`}`,
      )
      expect({ name, count: row?.count }).toEqual({ name, count: 0 })
    }
    await expect(owner.messages.get({ id: messageId })).rejects.toThrow(/no such message/)
    // A deletion that was not queued is found by the sweep.
    await api.database.db.insert(pendingDeletions).values({
      businessId: api.businessId,
      kind: 'file',
      ref: 'left/behind',
      updatedAt: new Date(Date.now() - 3_600_000),
    })
    expect(await requeueDeletions(api.ctx)).toBe(1)
  })

  test('retention deletes what is too old and nothing else', async () => {
    const owner = api.as({})
    const write = (key: string, days: number) =>
      receiveMessage(api.business, {
        provider: 'twilio',
        businessId: api.businessId,
        dedupeKey: key,
        providerMessageId: key,
        kind: 'text',
        from: { phone: '+972507777777' },
        body: key,
        media: [],
        at: new Date(Date.now() - days * 86_400_000).toISOString(),
      })
    const old = await write('old', 31)
    const young = await write('young', 29)
    await sweepRetention(api.ctx)
    expect((await owner.messages.get({ id: old })).body).toBe('old')
    await owner.privacy.setRetention({ messageDays: 30, callDays: null, recordingDays: 30 })
    expect(await sweepRetention(api.ctx)).toBe(1)
    await expect(owner.messages.get({ id: old })).rejects.toThrow(/no such message/)
    expect((await owner.messages.get({ id: young })).body).toBe('young')
    expect(await api.database.db.select().from(callTurns)).toEqual([])
  })
})

describe('a webhook out', () => {
  const post = createPublicPost(true)
  const box = createSecretBox(deriveKey('a secret of the tests', 'webhook secrets'))

  test('is signed, tried again when refused, and replayed', async () => {
    const owner = api.as({})
    const received: { headers: Headers; body: string }[] = []
    let answer = 500
    const receiver = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request) {
        received.push({ headers: request.headers, body: await request.text() })
        return new Response('ok', { status: answer })
      },
    })
    const hook = await owner.webhooks.create({ url: `http://127.0.0.1:${receiver.port}/in`, types: ['contact.*'] })
    const contact = await owner.contacts.create({ name: 'Published' })
    await owner.leads.create({ name: 'left out' })
    const [pending] = (await owner.webhooks.deliveries({ id: hook.id })).items
    if (!pending) throw new Error('no delivery')
    expect((await owner.webhooks.deliveries({ id: hook.id })).items).toHaveLength(1)
    expect(await queueDeliveries(api.ctx)).toBe(1)
    const job = api.jobs.at(-1)
    expect(job).toMatchObject({ name: 'webhook.deliver', jobId: `hook-${hook.id}-${pending.eventId}-0` })
    const ref = { endpointId: hook.id, eventId: pending.eventId }
    await expect(deliverWebhook(api.business, ref, { post, box })).rejects.toThrow(/answered 500/)
    while (received.length < 1) await Bun.sleep(5)
    answer = 204
    await Bun.sleep(20)
    expect(await deliverWebhook(api.business, ref, { post, box })).toBe('delivered')
    expect(await deliverWebhook(api.business, ref, { post, box })).toBe('delivered')
    expect(received).toHaveLength(2)
    const last = received.at(-1)
    if (!last) throw new Error('nothing came')
    const timestamp = Number(last.headers.get('webhook-timestamp'))
    expect(last.headers.get('webhook-signature')).toBe(
      signDelivery(hook.secret, last.headers.get('webhook-id') ?? '', timestamp, last.body),
    )
    expect(JSON.parse(last.body)).toMatchObject({ type: 'contact.create', entityId: contact.id })
    expect(last.body).not.toContain('Published')
    expect((await owner.webhooks.deliveries({ id: hook.id })).items[0]).toMatchObject({
      state: 'delivered',
      attempts: 2,
    })
    await owner.webhooks.replay({ id: hook.id, eventId: pending.eventId })
    await queueDeliveries(api.ctx)
    expect(api.jobs.at(-1)?.jobId).toBe(`hook-${hook.id}-${pending.eventId}-1`)
    expect(await deliverWebhook(api.business, ref, { post, box })).toBe('delivered')
    expect(received).toHaveLength(3)
    await receiver.stop(true)
  })

  test('is switched off when its receiver is gone, or has taken nothing of many events', async () => {
    const owner = api.as({})
    const hook = await owner.webhooks.create({ url: 'https://example.com/off', types: ['contact.*'] })
    const ask = async () => (await owner.webhooks.list({})).items.find(({ id }) => id === hook.id)?.enabled
    const refuse = async (status: number) => {
      const { id } = await owner.contacts.create({ name: 'x' })
      await api.database.db.execute(sql`update webhook_deliveries set attempts = 11
        where endpoint_id = ${hook.id} and event_seq = (select max(seq) from events where entity_id = ${id})`)
      const [delivery] = (await owner.webhooks.deliveries({ id: hook.id, state: 'pending' })).items
      if (!delivery) throw new Error('no delivery')
      const ref = { endpointId: hook.id, eventId: delivery.eventId }
      expect(await deliverWebhook(api.business, ref, { post: async () => status, box })).toBe('failed')
      return ref
    }
    const taken = await refuse(500)
    await owner.webhooks.replay({ id: hook.id, eventId: taken.eventId })
    expect(await deliverWebhook(api.business, taken, { post: async () => 204, box })).toBe('delivered')
    for (let count = 0; count < 20; count += 1) await refuse(503)
    // It took one within the last days.
    expect(await ask()).toBe(true)
    await api.database.db.execute(
      sql`update webhook_deliveries set delivered_at = now() - interval '4 days' where endpoint_id = ${hook.id} and state = 'delivered'`,
    )
    await refuse(500)
    expect(await ask()).toBe(false)
    const events = await api.database.db.execute<{ data: unknown }>(
      sql`select data from audit_log where entity_id = ${hook.id} and action = 'webhook.disable'`,
    )
    expect([...events].map((row) => row.data)).toEqual([{ reason: 'refused' }])

    await owner.webhooks.update({ id: hook.id, enabled: true })
    await refuse(410)
    expect(await ask()).toBe(false)
  })

  test('never leads inside', async () => {
    const strict = createPublicPost(false)
    for (const url of [
      'http://127.0.0.1:5432/',
      'http://localhost/',
      'http://169.254.169.254/latest/meta-data',
      'http://[::1]/',
      'http://[::ffff:10.0.0.1]/',
      'http://0x7f000001/',
      'http://2130706433/',
      'https://192.168.1.1/',
    ])
      await expect(strict(url, '{}', {})).rejects.toThrow(/public address/)
    expect(
      ['8.8.8.8', '2606:4700::1111', '100.64.0.1', 'fd00::1', '2002:7f00:1::', 'nonsense'].map(isPublicAddress),
    ).toEqual([true, true, false, false, false, false])
  })
})

test('what people see of a job hides what is said and who said it', () => {
  expect(
    redactPayload({
      businessId: 'b',
      body: 'secret text',
      from: { phone: '+972501234567' },
      media: [1],
      at: 'now',
      name: null,
    }),
  ).toEqual({
    businessId: 'b',
    body: '[hidden, 11 characters]',
    from: '[hidden]',
    media: '[hidden, 1 items]',
    at: 'now',
    name: null,
  })
  expect(
    redactReason('401 for Bearer abc123 of dana@example.com at +972501234567 via postgres://user:pw@host/db'),
  ).toBe('401 for Bearer [hidden] of [e-mail] at …567 via postgres://[hidden]@host/db')
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { auditLog } from '../../db/schema/index.ts'
import { registerCall, saveTurn } from '../../src/domain/calls/index.ts'
import { receiveMessage } from '../../src/domain/messages/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { createTestApi, type TestApi } from '../support/api.ts'

let api: TestApi

beforeAll(async () => {
  api = await createTestApi()
})

afterAll(() => api.close())

const receive = (phone: string, body: string, key: string = newId(), at = new Date()) =>
  receiveMessage(api.business, {
    provider: 'twilio',
    businessId: api.businessId,
    dedupeKey: key,
    providerMessageId: key,
    kind: 'text',
    from: { phone },
    body,
    media: [],
    at: at.toISOString(),
  })

const audited = async (action: string) =>
  (await api.database.db.select().from(auditLog).where(sql`action = ${action}`)).length

describe('contacts', () => {
  test('are made once under a client’s id, changed, tagged, and found by tag', async () => {
    const owner = api.as({})
    const id = newId()
    const first = await owner.contacts.create({ id, phone: '050-123-4567', name: 'דנה', tags: ['vip'] })
    const again = await owner.contacts.create({ id, phone: '050-123-4567', name: 'דנה' })
    expect(again).toEqual(first)
    expect(first.phone).toBe('+972501234567')
    const changed = await owner.contacts.update({ id, email: 'dana@example.com', custom: { city: 'חיפה', age: 40 } })
    expect(changed.custom).toEqual({ city: 'חיפה', age: 40 })
    expect((await owner.contacts.update({ id, custom: { age: null } })).custom).toEqual({ city: 'חיפה' })
    await owner.contacts.tag({ id, add: ['new', 'vip'], remove: ['none'] })
    expect((await owner.contacts.list({ tag: 'new' })).items.map((item) => item.id)).toEqual([id])
    expect(await owner.contacts.tags()).toEqual({
      items: [
        { tag: 'new', contacts: 1 },
        { tag: 'vip', contacts: 1 },
      ],
      nextCursor: null,
    })
    await expect(owner.contacts.create({ phone: '+972501234567' })).rejects.toThrow(/merge the two/)
  })

  test('merged, everything of the one is the other’s', async () => {
    const owner = api.as({})
    const keep = await owner.contacts.create({ phone: '+972521111111', tags: ['a'] })
    await receive('+972522222222', 'from the second number')
    await receive('+972521111111', 'from the first number')
    const [gone] = (await owner.search.all({ q: '+972522222222' })).contacts
    if (!gone) throw new Error('the sender has no contact')
    await owner.contacts.tag({ id: gone.id, add: ['a', 'b'] })
    await owner.contacts.addNote({ id: gone.id, body: 'a note' })
    const merged = await owner.contacts.merge({ id: keep.id, duplicateId: gone.id })
    expect(merged.tags).toEqual(['a', 'b'])
    const timeline = await owner.conversations.timeline({ contactId: keep.id })
    expect(timeline.items.map((item) => item.kind).sort()).toEqual(['message', 'message', 'note'])
    await expect(owner.contacts.get({ id: gone.id })).rejects.toThrow(/no such contact/)
    expect(await audited('contact.merge')).toBe(1)
  })

  test('who opted out gets no message', async () => {
    const owner = api.as({})
    const contact = await owner.contacts.create({ phone: '+972523333333' })
    await owner.contacts.optOut({ id: contact.id, optedOut: true })
    await expect(owner.messages.send({ to: '+972523333333', text: 'hello', provider: 'twilio' })).rejects.toThrow(
      /not to be written to/,
    )
    await owner.contacts.optOut({ id: contact.id, optedOut: false })
    const sent = await owner.messages.send({ to: '+972523333333', text: 'hello', provider: 'twilio' })
    expect(sent.status).toBe('queued')
  })
})

describe('conversations', () => {
  test('are assigned, snoozed, closed, and opened again by the contact', async () => {
    const owner = api.as({})
    const agent = await api.addUser('agent')
    await receive('+972524444444', 'שלום')
    const [contact] = (await owner.search.all({ q: '052-444-4444' })).contacts
    const { items } = await owner.conversations.list({ unread: true })
    const thread = items.find((item) => item.contactId === contact?.id)
    if (!thread) throw new Error('no conversation')
    expect(thread.unread).toBe(1)
    expect((await owner.conversations.assign({ id: thread.id, assigneeId: agent })).assigneeId).toBe(agent)
    await expect(owner.conversations.assign({ id: thread.id, assigneeId: 'a stranger' })).rejects.toThrow(/no member/)
    expect((await api.as({}, { userId: agent }).conversations.list({ assignee: 'me' })).items).toHaveLength(1)
    const until = new Date(Date.now() + 60_000).toISOString()
    expect((await owner.conversations.snooze({ id: thread.id, until })).status).toBe('snoozed')
    expect((await owner.conversations.close({ id: thread.id })).status).toBe('closed')
    await receive('+972524444444', 'שוב אני')
    const after = await owner.conversations.get({ id: thread.id })
    expect(after).toMatchObject({ status: 'open', unread: 1, assigneeId: agent })
    expect((await owner.conversations.mark({ id: thread.id, unread: false })).unread).toBe(0)
  })

  test('a timeline pages over every kind without loss or repeat', async () => {
    const owner = api.as({})
    const phone = '+972525555555'
    const start = Date.now() - 100_000
    for (let index = 0; index < 7; index += 1)
      await receive(phone, `message ${index}`, newId(), new Date(start + index * 1_000))
    for (let index = 0; index < 4; index += 1)
      await registerCall(api.business, {
        callSid: `CA-timeline-${index}`,
        from: phone,
        to: '+97233760000',
        // Two things at the very same moment must not hide each other.
        at: new Date(start + index * 1_000),
      })
    const [contact] = (await owner.search.all({ q: phone })).contacts
    if (!contact) throw new Error('no contact')
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await owner.conversations.timeline({
        contactId: contact.id,
        limit: 3,
        ...(cursor ? { cursor } : {}),
      })
      seen.push(...page.items.map((item) => item.id))
      cursor = page.nextCursor ?? undefined
    } while (cursor)
    expect(seen).toHaveLength(11)
    expect(new Set(seen).size).toBe(11)
    await expect(owner.conversations.timeline({ contactId: contact.id, cursor: 'bm9uc2Vuc2U' })).rejects.toThrow(
      /cursor/,
    )
  })
})

describe('leads', () => {
  test('move over the board, keep their order and their history', async () => {
    const owner = api.as({})
    const make = (name: string) => owner.leads.create({ name, valueAgorot: 150_00, phone: '+972526666666' })
    const a = await make('a')
    const b = await make('b')
    const c = await make('c')
    for (const lead of [a, b, c]) await owner.leads.move({ id: lead.id, stage: 'contacted' })
    await owner.leads.move({ id: c.id, stage: 'contacted', afterId: a.id })
    await owner.leads.move({ id: b.id, stage: 'contacted', afterId: null })
    const board = await owner.leads.board({ perStage: 10 })
    const column = board.columns.find(({ stage }) => stage.key === 'contacted')
    expect(column?.items.map((lead) => lead.name)).toEqual(['b', 'a', 'c'])
    expect(column).toMatchObject({ count: 3, valueAgorot: 450_00 })
    expect((await owner.leads.column({ stage: 'contacted', cursor: b.id, limit: 1 })).items[0]?.name).toBe('a')
    await owner.leads.update({ id: a.id, valueAgorot: 99_00 })
    expect(
      (await owner.leads.history({ id: a.id })).items.map(({ field, before, after }) => [field, before, after]),
    ).toEqual([
      ['valueAgorot', '15000', '9900'],
      ['stage', 'new', 'contacted'],
    ])
    await expect(owner.leads.move({ id: a.id, stage: 'nowhere' })).rejects.toThrow(/no stage/)
  })

  test('a place between two neighbours is found however often it is halved', async () => {
    const owner = api.as({})
    const [top, ...rest] = await Promise.all(
      Array.from({ length: 3 }, (_, index) => owner.leads.create({ name: `tight ${index}`, stage: 'qualified' })),
    )
    const [x, y] = rest
    if (!top || !x || !y) throw new Error('three leads')
    await owner.leads.move({ id: top.id, stage: 'qualified', afterId: null })
    for (let index = 0; index < 70; index += 1) {
      const moved = index % 2 ? x : y
      await owner.leads.move({ id: moved.id, stage: 'qualified', afterId: top.id })
      const { items } = await owner.leads.column({ stage: 'qualified' })
      expect(items.map((lead) => lead.id)).toEqual([top.id, moved.id, (index % 2 ? y : x).id])
    }
  })

  test('stages are the business’s own; one that leads stand in cannot go', async () => {
    const owner = api.as({})
    const { items: stages } = await owner.leads.stages()
    await expect(owner.leads.saveStages({ stages: stages.filter(({ key }) => key !== 'contacted') })).rejects.toThrow(
      /contacted/,
    )
    const saved = await owner.leads.saveStages({ stages: [...stages, { key: 'later', name: 'אחר כך', kind: 'open' }] })
    expect(saved.items.at(-1)).toEqual({ key: 'later', name: 'אחר כך', kind: 'open' })
  })
})

describe('search', () => {
  test('finds Hebrew behind its prefixes, English by its beginning, and numbers in any spelling', async () => {
    const owner = api.as({})
    await receive('+972541234567', 'אפשר לקבוע פגישה למחר?')
    await receive('+972541234567', 'תודה על הפגישה, it was wonderful')
    await registerCall(api.business, {
      callSid: 'CA-search',
      from: '+972541234567',
      to: '+97233760000',
      at: new Date(),
    })
    await saveTurn(api.business, {
      callSid: 'CA-search',
      businessId: api.businessId,
      index: 1,
      role: 'caller',
      text: 'אני צריך אינסטלטור',
      startMs: 0,
      endMs: 1,
      interrupted: false,
    })
    expect((await owner.search.all({ q: 'פגישה' })).messages).toHaveLength(2)
    expect((await owner.search.all({ q: 'WONDER' })).messages).toHaveLength(1)
    expect((await owner.search.all({ q: 'פגישה wonderful' })).messages).toHaveLength(1)
    expect((await owner.search.all({ q: 'אינסטל' })).calls).toHaveLength(1)
    for (const q of ['+972541234567', '054-123-4567', '0541234567', '(054) 123 4567', '1234567', '00972541234567'])
      expect((await owner.search.all({ q })).contacts.map((contact) => contact.phone)).toContain('+972541234567')
    // What looks like query syntax is only text.
    expect((await owner.search.all({ q: "' | !& :* )(" })).messages).toEqual([])
  })
})

describe('businesses', () => {
  test('settings are checked and kept', async () => {
    const owner = api.as({ operator: true })
    const hours = {
      sun: [
        ['09:00', '13:00'],
        ['14:00', '18:00'],
      ] as [string, string][],
    }
    expect((await owner.businesses.update({ hours, timezone: 'Asia/Jerusalem' })).hours).toEqual(hours)
    await expect(owner.businesses.update({ hours: { sun: [['18:00', '09:00']] } })).rejects.toThrow(/spans in order/)
    await expect(owner.businesses.update({ timezone: 'Mars/Olympus' })).rejects.toThrow(/time zone/)
    const number = await owner.businesses.addNumber({ number: '03-376-0000', label: 'Desk' })
    expect(await owner.businesses.addNumber({ number: '+97233760000' })).toEqual(number)
    const other = await api.addBusiness('Other')
    await expect(
      api.as({ operator: true }, { businessId: other }).businesses.addNumber({ number: '+97233760000' }),
    ).rejects.toThrow(/Another business/)
    await owner.businesses.removeNumber({ numberId: number.id })
    expect((await owner.businesses.numbers()).items).toEqual([])
  })

  test('the last owner stays', async () => {
    const business = await api.addBusiness('Members')
    const user = await api.addUser('owner', business)
    const owner = api.as({}, { businessId: business, userId: user })
    const [self] = (await owner.members.list()).items
    if (!self) throw new Error('no member')
    await expect(owner.members.setRole({ id: self.id, role: 'viewer' })).rejects.toThrow(/last owner/)
    await expect(owner.members.remove({ id: self.id })).rejects.toThrow(/last owner/)
    await api.addUser('owner', business)
    expect((await owner.members.setRole({ id: self.id, role: 'viewer' })).role).toBe('viewer')
  })
})

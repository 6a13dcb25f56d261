import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { businessTexts } from '../../../db/schema/index.ts'
import { updateBusiness } from '../../../src/domain/businesses/index.ts'
import { type BusinessContext, within } from '../../../src/domain/context.ts'
import {
  discardDraft,
  getDraft,
  getProfile,
  getProfileVersion,
  listBusinessTexts,
  listProfiles,
  publishDraft,
  rebaseDraft,
  removeBusinessText,
  restoreVersion,
  saveBusinessText,
  saveDraft,
  saveProfile,
} from '../../../src/domain/receptionist/index.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
beforeAll(async () => {
  domain = await openDomain()
})
afterAll(() => domain.close())

const titles = async (ctx: BusinessContext) => (await listBusinessTexts(ctx)).map(({ title }) => title)
const actions = async (ctx: BusinessContext) =>
  (await domain.handle.sql`select action from audit_log where business_id = ${ctx.businessId} order by id`).map(
    ({ action }) => action,
  )

test('a draft changes nothing for callers until it is published, and is gone then', async () => {
  const ctx = await domain.newBusiness()
  await saveBusinessText(ctx, { title: 'Prices', body: '90' })
  const none = await getDraft(ctx)
  expect(none).toMatchObject({ revision: 0, exists: false, live: { version: 1 } })
  const draft = await saveDraft(ctx, {
    revision: 0,
    settings: { instructions: 'Be brief.', transferNumber: '050-123-4567' },
    saveTexts: [{ title: 'Address', body: 'Herzl 10' }],
    removeTexts: ['Prices'],
  })
  expect(draft).toMatchObject({ revision: 1, exists: true, outdated: false, by: { kind: 'system', id: 'test' } })
  expect(draft.content.settings.transferNumber).toBe('+972501234567')
  expect(draft.content.texts).toEqual([{ title: 'Address', body: 'Herzl 10' }])
  expect((await getProfile(ctx)).settings.instructions).toBe('')
  expect(await titles(ctx)).toEqual(['Prices'])

  expect(await publishDraft(ctx, { revision: 1, note: 'Shorter' })).toBe(2)
  expect((await getProfile(ctx)).settings.instructions).toBe('Be brief.')
  expect(await titles(ctx)).toEqual(['Address'])
  expect(await getDraft(ctx)).toMatchObject({ revision: 2, exists: false, live: { version: 2 } })
  expect((await listProfiles(ctx, {})).items).toMatchObject([
    { version: 2, note: 'Shorter', actorKind: 'system', actorId: 'test' },
    { version: 1, note: null },
  ])
  await expect(publishDraft(ctx, { revision: 2 })).rejects.toMatchObject({ code: 'no_draft' })
  expect(await actions(ctx)).toEqual([
    'business.create',
    'business_text.save',
    'receptionist_draft.begin',
    'receptionist.publish',
  ])
})

test('of two editors the second is refused and loses nothing; a discarded draft’s revision opens no other', async () => {
  const ctx = await domain.newBusiness()
  await saveDraft(ctx, { revision: 0, settings: { instructions: 'First' } })
  await expect(saveDraft(ctx, { revision: 0, settings: { instructions: 'Second' } })).rejects.toMatchObject({
    code: 'draft_conflict',
  })
  const both = await Promise.allSettled(
    ['A', 'B'].map((instructions) => saveDraft(ctx, { revision: 1, settings: { instructions } })),
  )
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect((await discardDraft(ctx, 2)).exists).toBe(false)
  expect((await getDraft(ctx)).content.settings.instructions).toBe('')
  await expect(saveDraft(ctx, { revision: 1, settings: {} })).rejects.toMatchObject({ code: 'draft_conflict' })
  expect((await saveDraft(ctx, { revision: 3, settings: { instructions: 'Third' } })).revision).toBe(4)
  await expect(publishDraft(ctx, { revision: 3 })).rejects.toMatchObject({ code: 'draft_conflict' })
})

test('a draft from an older version is published after it took the newer one’s changes, field by field', async () => {
  const ctx = await domain.newBusiness()
  await saveBusinessText(ctx, { title: 'Prices', body: '90' })
  await saveDraft(ctx, {
    revision: 0,
    settings: { instructions: 'Mine', greeting: { he: 'שלום' } },
    saveTexts: [{ title: 'Address', body: 'Herzl 10' }],
  })
  await saveProfile(ctx, { settings: { instructions: 'Theirs', greeting: { en: 'Hello' }, appointmentMinutes: 45 } })
  await saveBusinessText(ctx, { title: 'Prices', body: '100' })
  expect(await getDraft(ctx)).toMatchObject({ outdated: true, content: { settings: { instructions: 'Mine' } } })
  await expect(publishDraft(ctx, { revision: 1 })).rejects.toMatchObject({ code: 'version_conflict' })
  const { draft, overlaps } = await rebaseDraft(ctx, 1)
  expect(overlaps).toEqual(['settings.instructions'])
  expect(draft).toMatchObject({ revision: 2, outdated: false })
  expect(draft.content).toMatchObject({
    settings: { instructions: 'Mine', greeting: { he: 'שלום', en: 'Hello' }, appointmentMinutes: 45 },
    texts: [
      { title: 'Address', body: 'Herzl 10' },
      { title: 'Prices', body: '100' },
    ],
  })
  expect(await publishDraft(ctx, { revision: 2 })).toBe(4)
})

test('hours that were set elsewhere meanwhile stay, unless the draft changed that day', async () => {
  const ctx = await domain.newBusiness()
  const { content } = await getDraft(ctx)
  await saveDraft(ctx, { revision: 0, settings: { ...content.settings, instructions: 'Kind' } })
  await updateBusiness(ctx, { hours: { fri: [['08:00', '12:00']] } })
  await publishDraft(ctx, { revision: 1 })
  expect((await getProfile(ctx)).settings.hours.week).toEqual({ '5': [{ from: '08:00', to: '12:00' }] })
  const week = { '5': [{ from: '08:00', to: '13:00' }] }
  const hours = { week, holidays: ['2027-04-22'] }
  const bad = { '5': [...week['5'], { from: '12:00', to: '14:00' }] }
  await expect(saveDraft(ctx, { revision: 2, settings: { hours: { week: bad, holidays: [] } } })).rejects.toMatchObject(
    { code: 'invalid_hours' },
  )
  await saveDraft(ctx, { revision: 2, settings: { hours } })
  await publishDraft(ctx, { revision: 3 })
  expect((await getProfile(ctx)).settings.hours).toEqual(hours)
})

test('nothing that does not differ is published', async () => {
  const ctx = await domain.newBusiness()
  await saveDraft(ctx, { revision: 0, saveTexts: [{ title: 'A', body: 'b' }] })
  await saveDraft(ctx, { revision: 1, removeTexts: ['A'] })
  await expect(publishDraft(ctx, { revision: 2 })).rejects.toMatchObject({ code: 'nothing_changed' })
})

test('every change is a version with its settings and texts, and each can be restored', async () => {
  const ctx = await domain.newBusiness()
  const prices = await saveBusinessText(ctx, { title: 'Prices', body: '90' })
  expect(await saveBusinessText(ctx, { title: 'Prices', body: '90' })).toBe(prices)
  await saveProfile(ctx, { settings: { instructions: 'Be kind.', hours: { week: {}, holidays: ['2027-01-01'] } } })
  await saveBusinessText(ctx, { title: 'Prices', body: '100' })
  await removeBusinessText(ctx, prices)
  expect((await listProfiles(ctx, {})).items.map(({ version }) => version)).toEqual([4, 3, 2, 1])
  const read = async (version: number) => {
    const { settings, texts } = await getProfileVersion(ctx, version)
    return [settings.instructions, settings.hours.holidays, texts.map(({ body }) => body)]
  }
  const all = [0, 1, 2, 3, 4].map(read)
  expect(await Promise.all(all)).toEqual([
    ['', [], []],
    ['', [], ['90']],
    ['Be kind.', ['2027-01-01'], ['90']],
    ['Be kind.', ['2027-01-01'], ['100']],
    ['Be kind.', ['2027-01-01'], []],
  ])
  await expect(restoreVersion(ctx, { version: 1, basedOn: 3 })).rejects.toMatchObject({ code: 'version_conflict' })
  await expect(restoreVersion(ctx, { version: 9 })).rejects.toMatchObject({ code: 'profile_not_found' })
  expect(await restoreVersion(ctx, { version: 2, basedOn: 4 })).toBe(5)
  expect(await read(5)).toEqual(['Be kind.', ['2027-01-01'], ['90']])
  expect((await listProfiles(ctx, { limit: 1 })).items).toMatchObject([{ version: 5, restoredFrom: 2 }])
  expect(await restoreVersion(ctx, { version: 0 })).toBe(6)
  expect(await read(6)).toEqual(['', [], []])
  expect(await titles(ctx)).toEqual([])
  // Versions that were restored from are what they were.
  expect(await read(3)).toEqual(['Be kind.', ['2027-01-01'], ['100']])
})

test('a business sees no draft and no version of another', async () => {
  const ctx = await domain.newBusiness()
  const other = await domain.newBusiness()
  await saveBusinessText(ctx, { title: 'Secret', body: 'x' })
  await saveDraft(ctx, { revision: 0, settings: { instructions: 'Secret' } })
  expect(await getDraft(other)).toMatchObject({ exists: false, content: { texts: [], settings: { instructions: '' } } })
  await expect(getProfileVersion(other, 1)).rejects.toMatchObject({ code: 'profile_not_found' })
  expect((await getProfileVersion(within(domain.ctx, other.businessId), 0)).texts).toEqual([])
})

test('texts from before texts had versions count as having been in all of them', async () => {
  const ctx = await domain.newBusiness()
  await saveProfile(ctx, { settings: { instructions: 'Old' } })
  await domain.ctx.db.insert(businessTexts).values({ businessId: ctx.businessId, title: 'Prices', body: '90' })
  const folder = join(import.meta.dir, '../../../db/migrations')
  const file = readdirSync(folder).find((name) => name.endsWith('_receptionist-drafts.sql')) ?? ''
  const migration = readFileSync(join(folder, file), 'utf8').split('--> statement-breakpoint')
  await domain.handle.sql.unsafe(`${migration.at(-1)?.replace(';', '')} where business_id = '${ctx.businessId}'`)
  expect((await getProfileVersion(ctx, 1)).texts).toEqual([{ title: 'Prices', body: '90' }])
  await saveProfile(ctx, { settings: { instructions: 'New' } })
  await restoreVersion(ctx, { version: 1 })
  expect(await titles(ctx)).toEqual(['Prices'])
})

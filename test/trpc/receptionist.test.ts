import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { calls } from '../../db/schema/index.ts'
import { finishCall } from '../../src/domain/calls/index.ts'
import { type BusinessContext, within } from '../../src/domain/context.ts'
import { newId } from '../../src/lib/ids.ts'
import { createTestApi, type TestApi } from '../support/api.ts'

let api: TestApi

beforeAll(async () => {
  api = await createTestApi()
})
afterAll(() => api.close())

/** An owner of a business of its own. */
async function newOwner() {
  const businessId = await api.addBusiness(`Business ${newId()}`)
  return { businessId, ctx: within(api.ctx, businessId), owner: api.as({}, { businessId }) }
}

describe('the prompt of a business', () => {
  test('is versioned: each save is one more, none is lost, and a save over another member’s is refused', async () => {
    const { owner } = await newOwner()
    expect(await owner.receptionist.get()).toMatchObject({ version: 0, settings: { instructions: '', voice: null } })
    expect(await owner.receptionist.versions()).toEqual({ items: [], nextCursor: null })
    const first = await owner.receptionist.save({ settings: { instructions: 'Be brief.' }, note: 'first', basedOn: 0 })
    const second = await owner.receptionist.save({
      settings: { instructions: 'Be warm.', transferNumber: '050-123-4567', voice: 'cedar' },
      basedOn: first.version,
    })
    expect([first.version, second.version]).toEqual([1, 2])
    await expect(owner.receptionist.save({ settings: { instructions: 'Mine.' }, basedOn: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
    })
    expect(await owner.receptionist.get()).toMatchObject({
      version: 2,
      settings: { instructions: 'Be warm.', transferNumber: '+972501234567', voice: 'cedar' },
    })
    expect((await owner.receptionist.version({ version: 1 })).settings.instructions).toBe('Be brief.')
    expect((await owner.receptionist.versions()).items).toMatchObject([
      { version: 2, note: null },
      { version: 1, note: 'first' },
    ])
    await expect(owner.receptionist.version({ version: 3 })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('is refused whole when a part of it is wrong, and nothing is saved', async () => {
    const { owner } = await newOwner()
    for (const settings of [
      { transferNumber: 'not a number' },
      { instructions: 'x'.repeat(12_001) },
      { greeting: { he: 'x'.repeat(2_001) } },
      { appointmentMinutes: 3 },
    ])
      await expect(owner.receptionist.save({ settings })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect((await owner.receptionist.get()).version).toBe(0)
  })

  test('holds no control characters, however it was typed: the lines stay', async () => {
    const { owner } = await newOwner()
    const typed = 'Dana\u0007 Flowers,\r\nhel\u001blo!\u0085\u200fשלום\u007f\ttab'
    const clean = 'Dana Flowers,\nhello!\n\u200fשלום\ttab'
    await owner.receptionist.save({
      settings: { greeting: { en: typed }, consentNotice: { he: `\u0002${typed}` }, instructions: typed },
    })
    const { settings } = await owner.receptionist.get()
    expect(settings).toMatchObject({ greeting: { en: clean }, consentNotice: { he: clean }, instructions: clean })
    await owner.receptionist.saveText({ title: 'Opening\u0000hours'.replace('\u0000', '\u0001'), body: typed })
    expect((await owner.receptionist.texts()).items).toMatchObject([{ title: 'Openinghours', body: clean }])
    // Nothing is left of it: as good as empty.
    await expect(owner.receptionist.saveText({ title: '\u0001', body: 'x' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
  })

  test('is previewed before it is saved, in either language, with the notice in front of the greeting', async () => {
    const { owner } = await newOwner()
    const settings = {
      instructions: 'Ask for the city.',
      greeting: { en: 'Levi Homes, good day.', he: 'לוי נדל"ן, שלום.' },
      consentNotice: { en: 'This call is recorded.' },
      languages: ['he' as const, 'en' as const],
      transferNumber: '+972501234567',
    }
    const english = await owner.receptionist.preview({ settings, language: 'en' })
    expect(english.greeting.indexOf('This call is recorded.')).toBeLessThan(english.greeting.indexOf('Levi Homes'))
    expect(english.greeting.indexOf('This call is recorded.')).toBeGreaterThanOrEqual(0)
    expect(english.instructions).toContain('Ask for the city.')
    expect(english.instructions).toContain('Speak English; switch to Hebrew')
    expect(english.instructions).toContain('transfer_to_human')
    const hebrew = await owner.receptionist.preview({ settings, language: 'he' })
    expect(hebrew.greeting).toContain('לוי נדל"ן, שלום.')
    expect(hebrew.greeting).not.toContain('recorded')
    expect(hebrew.instructions).toContain('Speak Hebrew; switch to English')
    // It was looked at, not saved; without settings those that count are shown.
    expect((await owner.receptionist.get()).version).toBe(0)
    expect((await owner.receptionist.preview()).instructions).not.toContain('Ask for the city.')
    await owner.receptionist.save({ settings })
    expect((await owner.receptionist.preview({ language: 'en' })).greeting).toBe(english.greeting)
  })

  test('its texts are kept, changed, and removed; another business’s are not there', async () => {
    const { owner } = await newOwner()
    const stranger = (await newOwner()).owner
    const { id } = await owner.receptionist.saveText({ title: 'Prices', body: 'A haircut is 90 shekels.' })
    expect(await owner.receptionist.saveText({ title: 'Prices', body: 'A haircut is 100 shekels.' })).toEqual({ id })
    expect((await owner.receptionist.texts()).items).toMatchObject([{ id, body: 'A haircut is 100 shekels.' }])
    await stranger.receptionist.saveText({ title: 'Prices', body: 'Ours.' })
    expect((await stranger.receptionist.texts()).items).toMatchObject([{ body: 'Ours.' }])
    await expect(stranger.receptionist.removeText({ id })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect((await owner.receptionist.texts()).items).toHaveLength(1)
    await expect(owner.receptionist.saveText({ title: '', body: '' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await owner.receptionist.removeText({ id })
    expect((await owner.receptionist.texts()).items).toEqual([])
  })
})

describe('the figures of a business’s calls', () => {
  let serial = 0
  async function call(ctx: BusinessContext, metrics: Record<string, number | null>, daysAgo = 0) {
    const callSid = `CAfigures${++serial}`
    const at = new Date(Date.now() - daysAgo * 86_400_000)
    const about = { callSid, from: '+972501234567', to: '+97233760000', reason: 'completed' as const }
    await finishCall(ctx, { ...about, durationMs: 1, metrics, at })
    await api.database.db.update(calls).set({ startedAt: at }).where(eq(calls.callSid, callSid))
  }

  test('are the medians and 95th percentiles of what was measured, its own calls of those days alone', async () => {
    const { ctx, owner } = await newOwner()
    expect(await owner.calls.stats()).toMatchObject({
      days: 30,
      calls: 0,
      costMicroUsd: null,
      bargeIns: 0,
      engineFailures: 0,
      measures: { greetingMs: { p50: null, p95: null } },
    })
    for (let i = 1; i <= 21; i++)
      await call(ctx, {
        greetingMs: i,
        responseMedianMs: i === 1 ? null : 100 * i,
        clearP95Ms: i / 10,
        bargeIns: i % 2,
        engineFailures: i === 7 ? 2 : 0,
        costMicroUsd: 1_000,
      })
    await call(ctx, { greetingMs: 9_999, costMicroUsd: 9_999 }, 8)
    await call((await newOwner()).ctx, { greetingMs: 7_777, costMicroUsd: 7_777 })

    const week = await owner.calls.stats({ days: 7 })
    expect(week).toMatchObject({ days: 7, calls: 21, costMicroUsd: 21_000, bargeIns: 11, engineFailures: 2 })
    expect(week.measures.greetingMs).toEqual({ p50: 11, p95: 20 })
    // A call that measured nothing counts for nothing.
    expect(week.measures.responseMedianMs).toEqual({ p50: 1_150, p95: 2_005 })
    expect(week.measures.clearP95Ms?.p50).toBeCloseTo(1.1)
    expect(week.measures.relayInP95Us).toEqual({ p50: null, p95: null })
    expect(await owner.calls.stats({ days: 30 })).toMatchObject({ calls: 22, costMicroUsd: 30_999 })
    for (const days of [0, 367, 1.5])
      await expect(owner.calls.stats({ days })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })
})

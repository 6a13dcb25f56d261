import { describe, expect, test } from 'bun:test'
import { getSummary, saveTurn, summarizeCall } from '../../../src/domain/calls/index.ts'
import { listContacts } from '../../../src/domain/contacts/index.ts'
import { listLeads, saveLead } from '../../../src/domain/leads/index.ts'
import { listMessages } from '../../../src/domain/messages/index.ts'
import {
  buildInstructions,
  createProfileCache,
  DEFAULT_RECEPTIONIST,
  engineTools,
  getProfile,
  listProfiles,
  receptionistSettings,
  saveProfile,
  sendFollowUp,
} from '../../../src/domain/receptionist/index.ts'
import { createCallTools } from '../../../src/media/call-tools.ts'
import { createModelConnection } from '../../../src/providers/models/connection.ts'
import { createOpenAiTranscriber, restBaseOf } from '../../../src/providers/speech/openai-realtime/transcriber.ts'
import { restPlan } from '../../../src/sandbox/openai/rest.ts'
import { startDomain } from '../../support/call-domain.ts'
import { openTextModels } from '../../support/models.ts'
import { OPENAI_KEY, startTestOpenAi } from '../../support/realtime.ts'

const SENDER = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }

describe('settings', () => {
  test('every save is a version; a save over another’s is a conflict; the cache has the newest', async () => {
    const { ctx, business, businessId } = await startDomain()
    expect(await getProfile(business)).toEqual({ version: 0, settings: DEFAULT_RECEPTIONIST })
    expect(await saveProfile(business, { settings: { instructions: 'Be kind.' }, basedOn: 0 })).toBe(1)
    expect(await saveProfile(business, { settings: { instructions: 'Be brief.' }, basedOn: 1 })).toBe(2)
    await expect(saveProfile(business, { settings: {}, basedOn: 1 })).rejects.toMatchObject({
      code: 'version_conflict',
    })
    expect((await listProfiles(business, {})).items.map((each) => each.version)).toEqual([2, 1])
    const first = await listProfiles(business, { limit: 1 })
    expect([first.items[0]?.version, first.nextCursor]).toEqual([2, '2'])
    const second = await listProfiles(business, { limit: 1, cursor: first.nextCursor ?? '' })
    expect([second.items[0]?.version, second.nextCursor]).toEqual([1, null])
    const cache = createProfileCache(ctx.db, ctx.log)
    await cache.refresh()
    expect(cache.of(businessId).instructions).toBe('Be brief.')
    expect(cache.of('another business')).toBe(DEFAULT_RECEPTIONIST)
  })

  test('a transfer number is a number; hours are times', () => {
    expect(receptionistSettings.parse({ transferNumber: '03-3760000' }).transferNumber).toBe('+97233760000')
    expect(receptionistSettings.safeParse({ transferNumber: 'Dana' }).success).toBe(false)
    expect(receptionistSettings.safeParse({ hours: { week: { 0: [{ from: '9', to: '17:00' }] } } }).success).toBe(false)
  })

  test('the instructions name the business, the time on its walls, its hours and its rules', () => {
    const text = buildInstructions({
      businessName: 'Levi Homes',
      language: 'he',
      timeZone: 'Asia/Jerusalem',
      settings: receptionistSettings.parse({ instructions: 'Never quote prices.', languages: ['en'] }),
      now: new Date('2026-11-22T08:00:00Z'),
    })
    for (const part of [
      'Levi Homes',
      'Speak Hebrew; switch to English',
      'Sunday, 2026-11-22, 10:00',
      'Sunday 09:00-17:00',
      'Never quote prices.',
    ])
      expect(text).toContain(part)
  })

  test('every tool has a schema that a model can read', () => {
    for (const tool of engineTools()) {
      expect(tool.parameters.type).toBe('object')
      expect(tool.description.length).toBeGreaterThan(20)
    }
    expect(engineTools(['transfer_to_human']).some((each) => each.name === 'transfer_to_human')).toBe(false)
  })
})

test('the tools of a call do their work once, however often they are called', async () => {
  const { ctx, business, businessId, call } = await startDomain()
  const callSid = await call()
  const token = { callSid, businessId, from: '+972501234567', to: '+97233760000', expiresAt: 0, nonce: '' }
  const leads: unknown[] = []
  const tools = createCallTools({
    ctx,
    profiles: { of: () => DEFAULT_RECEPTIONIST },
    events: { lead: (_, answers) => void leads.push(answers) },
    settings: SENDER,
    carriers: { of: () => null },
    installation: null,
    timeZone: () => 'Asia/Jerusalem',
    transferDocument: () => '',
  })
  const next = new Date(Date.now() + 14 * 86_400_000)
  next.setUTCDate(next.getUTCDate() - next.getUTCDay() + 1)
  const date = next.toISOString().slice(0, 10)
  for (let i = 0; i < 2; i++) {
    expect(await tools.run(token, 'send_whatsapp', { text: 'Herzl 10' })).toMatchObject({ ok: true })
    expect(await tools.run(token, 'book_appointment', { date, time: '10:00' })).toMatchObject({
      ok: true,
      date,
      time: '10:00',
    })
    expect(await tools.run(token, 'update_contact', { name: 'Dana Levi' })).toEqual({ ok: true })
    expect(await tools.run(token, 'take_message', { message: 'Call me.' })).toEqual({ ok: true })
  }
  expect((await listMessages(business, {})).items).toHaveLength(1)
  expect((await listContacts(business, {})).items[0]?.name).toBe('Dana Levi')
  expect(leads[0]).toEqual({ inquiry: 'Call me.' })
  await expect(tools.run(token, 'book_appointment', { date: 'tomorrow', time: '10' })).rejects.toMatchObject({
    code: 'invalid_arguments',
  })
  await expect(tools.run(token, 'make_coffee', {})).rejects.toMatchObject({ code: 'unknown_tool' })
  expect(tools.canTransfer(token)).toBe(false)
  expect(await tools.transfer(token)).toContain('can be reached')
  expect(await tools.run(token, 'lookup_business_info', { query: 'prices' })).toMatchObject({ texts: [] })
})

describe('after a call', () => {
  test('a summary by rules, then by the model; a model that fails leaves the rules’; the lead’s gaps are filled', async () => {
    const { business, businessId, call } = await startDomain()
    const callSid = await call()
    await saveLead(business, { callSid, source: 'call', name: 'Dana', at: new Date() })
    const turn = { callSid, businessId, startMs: 0, endMs: 900, interrupted: false }
    await saveTurn(business, { ...turn, index: 0, role: 'agent', text: 'Hello' })
    await saveTurn(business, { ...turn, index: 1, role: 'caller', text: 'Dana, a flat in Haifa' })
    const openai = startTestOpenAi({})
    const base = restBaseOf(openai.realtimeUrl)
    const { candidate } = createModelConnection({ provider: 'openai', apiKey: OPENAI_KEY, baseUrl: base })
    const { models } = openTextModels([candidate('gpt-5-mini')])
    openai.rest = restPlan.parse({
      failures: [500],
      completions: [
        JSON.stringify({
          summary: 'Dana wants a flat in Haifa.',
          inquiry: 'A flat',
          area: 'Haifa',
          sentiment: 'positive',
          next_step: 'Call back.',
        }),
      ],
      transcripts: [' Hello there '],
    })
    try {
      await expect(summarizeCall(business, callSid, models)).rejects.toMatchObject({ code: 'model_unavailable' })
      const found = await summarizeCall(business, callSid, null)
      const byRules = await getSummary(business, found?.callId ?? '')
      expect(byRules).toMatchObject({
        madeBy: 'rules',
        summary: 'Dana called. Area: Haifa.',
        nextStep: 'Call back.',
      })
      await summarizeCall(business, callSid, models)
      expect(await getSummary(business, found?.callId ?? '')).toMatchObject({
        madeBy: 'model',
        sentiment: 'positive',
        fields: { name: 'Dana', inquiry: 'A flat', area: 'Haifa' },
      })
      expect((await listLeads(business, {})).items[0]).toMatchObject({ name: 'Dana', inquiry: 'A flat' })
      // Run once more, without the model's help: what it understood stays.
      await summarizeCall(business, callSid, null)
      expect(await getSummary(business, found?.callId ?? '')).toMatchObject({
        madeBy: 'model',
        summary: 'Dana wants a flat in Haifa.',
      })
      const transcriber = createOpenAiTranscriber({ baseUrl: base, apiKey: OPENAI_KEY, model: 'gpt-transcribe' })
      expect(await transcriber.transcribe({ wav: new Uint8Array(100), language: 'en' })).toEqual({
        text: 'Hello there',
        confidence: 'high',
      })
    } finally {
      await openai.close()
    }
  })

  test('the message after a call goes once, in the business’s words, and only when it wants one', async () => {
    const { business, call } = await startDomain()
    const callSid = await call()
    const who = { callSid, from: '+972501234567', name: 'Dana', businessName: 'Levi Homes', language: 'en' as const }
    expect(await sendFollowUp(business, who, SENDER)).toBe(false)
    await saveProfile(business, { settings: { followUp: { en: 'Thank you, {name}. {business}' } } })
    expect(await sendFollowUp(business, who, SENDER)).toBe(true)
    expect(await sendFollowUp(business, who, SENDER)).toBe(true)
    const messages = (await listMessages(business, {})).items
    expect(messages.map((each) => each.body)).toEqual(['Thank you, Dana. Levi Homes'])
    // A name is what the caller said, and may be meant for the person whose number they claim.
    for (const name of ['call 052-999-8877', 'see evil.example'])
      await sendFollowUp(business, { ...who, callSid: await call(), name }, SENDER)
    const bodies = (await listMessages(business, {})).items.map((each) => each.body)
    expect(bodies.slice(0, 2)).toEqual(['Thank you. Levi Homes', 'Thank you. Levi Homes'])
    expect(await sendFollowUp(business, { ...who, from: 'anonymous' }, SENDER)).toBe(false)
  })
})

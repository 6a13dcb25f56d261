import { beforeAll, expect, test } from 'bun:test'
import { renderCallAudio as render } from '../../../src/audio/call-audio.ts'
import { readWav, writeWavMulaw } from '../../../src/audio/wav.ts'
import {
  editSummary,
  finishCall,
  getCallAudio,
  getCallAudioKey,
  getSummary,
  renderCallAudio,
  requeueCallAudio,
  saveTurn,
  summarizeCall,
} from '../../../src/domain/calls/index.ts'
import { eraseContact, setRetention, sweepRetention } from '../../../src/domain/privacy/index.ts'
import { turnAudioKey } from '../../../src/domain/storage-keys.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { startDomain } from '../../support/call-domain.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'

const storage = createFileStorage(temporaryDirectory('call-audio'))
let domain: Awaited<ReturnType<typeof startDomain>>
let callers = 0
beforeAll(async () => {
  domain = await startDomain()
})

async function addTurn(callSid: string, index: number, role: 'agent' | 'caller') {
  const audioKey = turnAudioKey(domain.businessId, callSid, index)
  await storage.put(audioKey, writeWavMulaw(new Uint8Array(4_000).fill(0x10)), 'audio/wav')
  const [startMs, endMs] = [index * 1_000, index * 1_000 + 500]
  const { businessId, business } = domain
  await saveTurn(business, {
    callSid,
    businessId,
    index,
    role,
    text: 'Hello',
    startMs,
    endMs,
    interrupted: false,
    audioKey,
  })
}

/** A call that ended, with a turn of each side. */
async function newCall() {
  const from = `+97252${String(1_000_000 + ++callers)}`
  const callSid = await domain.call(from)
  await addTurn(callSid, 0, 'agent')
  await addTurn(callSid, 1, 'caller')
  const end = { callSid, from, to: '', reason: 'completed' as const, durationMs: 2_000, metrics: {}, at: new Date() }
  await finishCall(domain.business, end)
  return callSid
}

const make = (callSid: string) => renderCallAudio(domain.business, callSid, storage, render)

test('the audio of both sides and its peaks are made of the turns, once; a page that asks before gets them requested', async () => {
  const callSid = await newCall()
  domain.jobs.length = 0
  expect(await getCallAudio(domain.business, callSid, storage)).toMatchObject({ state: 'rendering', caller: [] })
  expect(domain.jobs).toEqual([{ name: 'call.render_audio', payload: { callSid, businessId: domain.businessId } }])
  expect(await make(callSid)).toBe(true)
  expect(await getCallAudio(domain.business, callSid, storage)).toMatchObject({ state: 'ready', durationMs: 1_500 })
  const file = await storage.get(await getCallAudioKey(domain.business, callSid))
  expect(readWav(new Uint8Array((await file?.body.arrayBuffer()) ?? new ArrayBuffer()))).toMatchObject({ channels: 2 })
  expect(domain.jobs).toHaveLength(1)
})

test('a turn that comes late has the audio made again', async () => {
  const callSid = await newCall()
  await make(callSid)
  domain.jobs.length = 0
  await addTurn(callSid, 2, 'agent')
  expect(domain.jobs.map(({ name }) => name)).toEqual(['call.render_audio'])
  await make(callSid)
  expect(await getCallAudio(domain.business, callSid, storage)).toMatchObject({ durationMs: 2_500 })
})

test('a call without audio has none, and another business has no such call', async () => {
  const callSid = await domain.call()
  expect(await getCallAudio(domain.business, callSid, storage)).toMatchObject({ state: 'none' })
  expect(await make(callSid)).toBe(false)
  const other = { ...domain.business, businessId: crypto.randomUUID() }
  await expect(getCallAudio(other, callSid, storage)).rejects.toMatchObject({ code: 'call_not_found' })
  await expect(getCallAudioKey(domain.business, callSid)).rejects.toMatchObject({ code: 'audio_not_found' })
})

test('the sweep asks for the audio of a call that has none', async () => {
  const callSid = await newCall()
  await domain.sql`update calls set stream_sid = 'MZ1' where call_sid = ${callSid}`
  domain.jobs.length = 0
  expect(await requeueCallAudio(domain.ctx, -1_000)).toBeGreaterThan(0)
  expect(domain.jobs.map(({ payload }) => payload)).toContainEqual({ callSid, businessId: domain.businessId })
})

test('an erasure of the person and the end of the retention take the audio and its peaks along', async () => {
  const [erased, expired] = [await newCall(), await newCall()]
  await make(erased)
  await make(expired)
  const pending = async (callSid: string) =>
    (await domain.sql<{ ref: string }[]>`select ref from pending_deletions where ref like ${`%${callSid}%`}`)
      .map(({ ref }) => ref.split('/').at(-1))
      .sort()
  const [row] = await domain.sql`select contact_id from calls where call_sid = ${erased}`
  await eraseContact(domain.business, String(row?.contact_id))
  expect(await pending(erased)).toEqual(['heard.wav', 'peaks.json', 'turn-0.wav', 'turn-1.wav'])

  await domain.sql`update call_turns set created_at = now() - interval '10 days'
    where call_id = (select id from calls where call_sid = ${expired})`
  await setRetention(domain.business, { messageDays: null, callDays: null, recordingDays: 5 })
  await sweepRetention(domain.ctx)
  await setRetention(domain.business, { messageDays: null, callDays: null, recordingDays: null })
  expect(await pending(expired)).toEqual(['heard.wav', 'peaks.json', 'turn-0.wav', 'turn-1.wav'])
  expect(await getCallAudio(domain.business, expired, storage)).toMatchObject({ state: 'none' })
})

test('what a member writes of a call stays, whatever a later summary says', async () => {
  const callSid = await newCall()
  const made = await summarizeCall(domain.business, callSid, null)
  const id = made?.callId ?? ''
  const edited = await editSummary(domain.business, id, {
    summary: 'Wants a kitchen.',
    nextStep: 'Send a quote',
    fields: { name: 'Dana Levi', budget: '' },
  })
  expect(edited).toMatchObject({ summary: 'Wants a kitchen.', madeBy: 'member', fields: { name: 'Dana Levi' } })
  await summarizeCall(domain.business, callSid, null)
  expect(await getSummary(domain.business, id)).toMatchObject({ summary: 'Wants a kitchen.', nextStep: 'Send a quote' })
  await expect(editSummary(domain.business, crypto.randomUUID(), { summary: 'x', fields: {} })).rejects.toMatchObject({
    code: 'call_not_found',
  })
})

import { beforeAll, expect, test } from 'bun:test'
import { measureWav } from '../../../src/audio/peaks.ts'
import { writeWavMulaw } from '../../../src/audio/wav.ts'
import {
  deleteRemoteRecording,
  fetchRecording,
  getRecording,
  listRecordings,
  requeueRemoteDeletions,
} from '../../../src/domain/recordings/index.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { startDomain } from '../../support/call-domain.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'

const storage = createFileStorage(temporaryDirectory('recordings'))
const audio = writeWavMulaw(new Uint8Array(16_000))

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

/** The carrier's side of recordings: what it has, and what was asked of it. */
function carrier(data: Uint8Array | AppError = audio) {
  const asked: string[] = []
  return {
    asked,
    async downloadRecording(sid: string) {
      asked.push(`download ${sid}`)
      if (data instanceof AppError) throw data
      return { data, contentType: 'audio/wav' }
    },
    deleteRecording: async (sid: string) => void asked.push(`delete ${sid}`),
  }
}

async function newJob() {
  const callSid = await domain.call()
  const recordingSid = `RE${newId().replaceAll('-', '')}`
  return { businessId: domain.businessId, callSid, recordingSid, durationSeconds: 1, at: new Date().toISOString() }
}

const byCall = async (callSid: string) =>
  (await domain.sql`select r.* from recordings r join calls c on c.id = r.call_id where c.call_sid = ${callSid}`)[0]

test('a message that a caller left is stored once, however often the job runs, and makes a lead', async () => {
  const job = await newJob()
  const source = carrier()
  await fetchRecording(domain.business, job, source, storage, measureWav)
  await fetchRecording(domain.business, job, source, storage, measureWav)
  expect(source.asked).toEqual([`download ${job.recordingSid}`])
  const row = await byCall(job.callSid)
  // What was measured counts, not what the carrier said.
  expect(row?.peaks.stepMs).toBe(20)
  expect(row?.peaks.values).toHaveLength(100)
  expect(row).toMatchObject({ state: 'stored', duration_ms: 2_000, bytes: String(audio.byteLength) })
  const stored = await storage.get(row?.storage_key)
  expect(new Uint8Array(await new Response(stored?.body ?? null).arrayBuffer())).toEqual(new Uint8Array(audio))
  const leads = await domain.sql`select source from leads join calls on calls.id = leads.call_id
    where call_sid = ${job.callSid}`
  expect(leads.map((lead) => lead.source)).toEqual(['voicemail'])
  const [call] = await domain.sql`select state, end_reason from calls where call_sid = ${job.callSid}`
  expect(call).toMatchObject({ state: 'ended', end_reason: 'voicemail' })
})

test('a recording that is not ready is tried again, one that the carrier no longer has is given up', async () => {
  const job = await newJob()
  const notReady = new AppError('unavailable', 'recording_not_ready', 'Not yet.')
  await expect(fetchRecording(domain.business, job, carrier(notReady), storage, measureWav)).rejects.toMatchObject({
    code: 'recording_not_ready',
  })
  expect((await byCall(job.callSid))?.state).toBe('pending')
  const lost = new AppError('gone', 'recording_gone', 'The carrier has no such recording.')
  await fetchRecording(domain.business, job, carrier(lost), storage, measureWav)
  expect(await byCall(job.callSid)).toMatchObject({ state: 'failed', error: 'recording_gone' })
})

test('a recording belongs to one business alone', async () => {
  const job = await newJob()
  await fetchRecording(domain.business, job, carrier(), storage, measureWav)
  const row = await byCall(job.callSid)
  const stranger = { ...domain.business, businessId: newId() }
  await expect(getRecording(stranger, row?.id)).rejects.toMatchObject({ code: 'recording_not_found' })
  expect((await listRecordings(stranger, { limit: 10 })).items).toEqual([])
  expect((await listRecordings(domain.business, { limit: 10 })).items.map((each) => each.id)).toContain(row?.id)
})

test('the carrier’s copy is deleted where the business wants so, once; a lost job is queued again', async () => {
  const kept = await newJob()
  await fetchRecording(domain.business, kept, carrier(), storage, measureWav)
  expect(domain.jobs.filter(({ name }) => name === 'recording.delete_remote')).toEqual([])
  await domain.sql`update businesses set delete_remote_recordings = true`
  const job = await newJob()
  const source = carrier()
  await fetchRecording(domain.business, job, source, storage, measureWav)
  const id = (await byCall(job.callSid))?.id
  expect(domain.jobs.at(-1)).toEqual({
    name: 'recording.delete_remote',
    payload: { businessId: domain.businessId, recordingId: id },
  })
  await domain.sql`update recordings set recorded_at = now() - interval '1 hour' where id = ${id}`
  expect(await requeueRemoteDeletions(domain.ctx)).toBe(1)
  for (const _ of [1, 2]) await deleteRemoteRecording(domain.business, id, source.deleteRecording)
  expect(source.asked).toEqual([`download ${job.recordingSid}`, `delete ${job.recordingSid}`])
  expect(await requeueRemoteDeletions(domain.ctx)).toBe(0)
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { saveAgentSettings, wakeAgent } from '../../src/domain/agent/index.ts'
import { runAlerts, testDevice } from '../../src/domain/alerts/index.ts'
import { queuePushes, queueSyncs } from '../../src/domain/calendars/index.ts'
import { requeueCallAudio, requeueSummaries, requeueTranscripts } from '../../src/domain/calls/index.ts'
import type { BusinessContext } from '../../src/domain/context.ts'
import { requeueDeletions } from '../../src/domain/erasures/index.ts'
import { requeueImports, startImport } from '../../src/domain/imports/index.ts'
import { insertEvents, requeueEvents } from '../../src/domain/inbox/index.ts'
import { addSite, queueSources } from '../../src/domain/knowledge/index.ts'
import { queueMail, requeueMails } from '../../src/domain/mails/index.ts'
import {
  receiveMessage,
  requestMessage,
  requeueLostMessages,
  requeueMedia,
  requeueUnprocessedMedia,
} from '../../src/domain/messages/index.ts'
import { sweepPayments } from '../../src/domain/payments/index.ts'
import { requeueRemoteDeletions } from '../../src/domain/recordings/index.ts'
import { requeueScenarioRuns, runScenarios, saveScenario } from '../../src/domain/scenarios/index.ts'
import { addEndpoint, queueDeliveries } from '../../src/domain/webhooks/index.ts'
import { isDurable, type JobName, jobs, type RestoredBy } from '../../src/jobs/registry.ts'
import { newId } from '../../src/lib/ids.ts'
import { createSecretBox, deriveKey } from '../../src/lib/secret-box.ts'
import { createTestApi, type TestApi } from '../support/api.ts'
import { insertAppointment } from '../support/appointments.ts'
import { insertConnection } from '../support/calendars.ts'

/**
 * Every job of the catalogue is put back by something when the queue has lost it. Each way is tried on rows as they stand when nothing
 * else remembers the work: the sweep must ask for the very job. A new job must say what restores it, and a new way must be tried here.
 */
let api: TestApi
let business: BusinessContext
const box = createSecretBox(deriveKey('a secret of the tests', 'webhook secrets'))
const sender = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }

beforeAll(async () => {
  api = await createTestApi()
  business = api.business
})
afterAll(() => api.close())

/** A call that ended an hour ago, with a turn that waits for a transcript and a recording whose copy is to be deleted. */
async function writeCall(): Promise<{ turnId: string; recordingId: string; callSid: string }> {
  const [id, turnId, recordingId] = [newId(), newId(), newId()]
  const callSid = `CA${id}`
  const ago = sql`now() - interval '1 hour'`
  const { db } = api.ctx
  await db.execute(sql`update businesses set delete_remote_recordings = true where id = ${business.businessId}`)
  await db.execute(sql`insert into calls (id, business_id, call_sid, from_number, to_number, state, end_reason, stream_sid, started_at, ended_at)
    values (${id}, ${business.businessId}, ${callSid}, 'anonymous', '', 'ended', 'completed', 'MZ1', ${ago}, ${ago})`)
  await db.execute(sql`insert into call_turns (id, business_id, call_id, index, role, transcript, start_ms, end_ms, audio_key, created_at)
    values (${turnId}, ${business.businessId}, ${id}, 0, 'caller', 'untranscribed', 0, 1, 'turns/one', ${ago})`)
  await db.execute(sql`insert into recordings (id, business_id, call_id, recording_sid, state, recorded_at)
    values (${recordingId}, ${business.businessId}, ${id}, ${`RE${id}`}, 'stored', ${ago})`)
  return { turnId, recordingId, callSid }
}

/** What each way asks for, by job. */
const ways: Record<Exclude<RestoredBy, 'inbound_events' | 'schedule'>, (name: JobName) => Promise<object>> = {
  async calls(name) {
    const { callSid } = await writeCall()
    if (name === 'call.render_audio') await requeueCallAudio(api.ctx)
    else await requeueSummaries(api.ctx)
    return { callSid }
  },
  async call_turns() {
    const { turnId } = await writeCall()
    await requeueTranscripts(api.ctx, () => true)
    return { turnId }
  },
  async recordings() {
    const { recordingId } = await writeCall()
    await requeueRemoteDeletions(api.ctx)
    return { recordingId }
  },
  async message_media(name) {
    const messageId = await receiveMessage(business, {
      provider: 'twilio',
      businessId: business.businessId,
      dedupeKey: newId(),
      providerMessageId: newId(),
      kind: 'image',
      from: { phone: '+972501234567' },
      body: '',
      media: [{ url: 'https://api.twilio.com/file', contentType: 'image/png' }],
      at: new Date().toISOString(),
    })
    api.jobs.length = 0
    const [file] = await api.ctx.db.execute<{ id: string }>(
      sql`update message_media set created_at = now() - interval '1 hour' where message_id = ${messageId} returning id`,
    )
    if (name === 'message.process_media') {
      await api.ctx.db.execute(
        sql`update message_media set state = 'stored', updated_at = now() - interval '1 hour' where id = ${file?.id}`,
      )
      await requeueUnprocessedMedia(api.ctx)
    } else await requeueMedia(api.ctx)
    return { mediaId: file?.id }
  },
  async messages() {
    const { id } = await requestMessage(business, { to: '+972501234567', text: 'hello', provider: 'twilio' }, sender)
    api.jobs.length = 0
    await requeueLostMessages(api.ctx, -1_000)
    return { messageId: id }
  },
  async agent_answers() {
    await saveAgentSettings(business, { enabled: true })
    const messageId = await receiveMessage(business, {
      provider: 'twilio',
      businessId: business.businessId,
      dedupeKey: newId(),
      providerMessageId: newId(),
      kind: 'text',
      from: { phone: '+972501234560' },
      body: 'hello',
      media: [],
      at: new Date().toISOString(),
    })
    api.jobs.length = 0
    await wakeAgent(api.ctx, { sweep: true })
    return { messageId }
  },
  async webhook_deliveries() {
    const hook = await addEndpoint(business, { url: 'https://example.com/hook' }, box)
    await receiveMessage(business, {
      provider: 'twilio',
      businessId: business.businessId,
      dedupeKey: newId(),
      providerMessageId: newId(),
      kind: 'text',
      from: { phone: '+972501234567' },
      body: 'x',
      media: [],
      at: new Date().toISOString(),
    })
    api.jobs.length = 0
    await queueDeliveries(api.ctx)
    return { endpointId: hook.id }
  },
  async imports() {
    const { id } = await startImport(business, {
      kind: 'contacts',
      csv: 'name,phone\nDana,0501234567\n',
      heading: true,
    })
    api.jobs.length = 0
    await requeueImports(api.ctx, -1_000)
    return { importId: id }
  },
  async scenario_runs() {
    await saveScenario(business, {
      source: 'name: a\nchannels: [chat]\ngiven: {}\nscript: [{ send: Hello, expect: { replies: 1 } }]\n',
    })
    const { id } = await runScenarios(business, { draft: false })
    api.jobs.length = 0
    await requeueScenarioRuns(api.ctx, -1_000)
    return { runId: id }
  },
  async mails() {
    const mailId = await queueMail(api.ctx.db, box, {
      kind: 'invitation',
      subjectId: newId(),
      expiresAt: new Date(Date.now() + 3_600_000),
      content: { to: 'dana@example.com', subject: 'x', text: 'x', html: 'x' },
    })
    await api.ctx.db.execute(sql`update mails set updated_at = now() - interval '1 hour' where id = ${mailId}`)
    await requeueMails(api.ctx)
    return { mailId }
  },
  async alert_deliveries() {
    const deviceId = newId()
    await api.ctx.db.execute(sql`insert into push_devices
        (id, business_id, endpoint_hash, sealed, label, language, kinds)
      values (${deviceId}, ${business.businessId}, ${deviceId}, 'x', 'A telephone', 'he', '{lead}')`)
    await testDevice(business, deviceId, new Date())
    const [made] = await api.ctx.db.execute<{ id: string }>(
      sql`update alert_deliveries set queued_at = now() - interval '1 hour', not_before = now() - interval '1 hour' returning id`,
    )
    await runAlerts(api.ctx, { mail: false, carrier: () => false }, new Date())
    return { deliveryId: made?.id }
  },
  async calendar_connections(name) {
    const appointmentId = await insertAppointment(api.ctx.db, {
      businessId: business.businessId,
      startsAt: name === 'calendar.push' ? new Date('2091-01-01T08:00:00Z') : new Date('2092-01-01T08:00:00Z'),
      endsAt: name === 'calendar.push' ? new Date('2091-01-01T09:00:00Z') : new Date('2092-01-01T09:00:00Z'),
    })
    const { connectionId } = await insertConnection(api.ctx.db, business.businessId, appointmentId)
    if (name === 'calendar.push') await queuePushes(api.ctx)
    else await queueSyncs(api.ctx, new Date(Date.now() + 60_000))
    return { connectionId }
  },
  async knowledge_sources() {
    const sourceId = await addSite(business, { url: 'https://example.com/' })
    api.jobs.length = 0
    await queueSources(api.ctx, new Date(Date.now() + 60_000))
    return { sourceId }
  },
  async pending_deletions() {
    const id = newId()
    await api.ctx.db.execute(sql`insert into pending_deletions (id, business_id, kind, ref, updated_at)
      values (${id}, ${business.businessId}, 'file', 'files/one', now() - interval '1 hour')`)
    await requeueDeletions(api.ctx)
    return { deletionId: id }
  },
  async payments() {
    const id = newId()
    await api.ctx.db.execute(sql`insert into payments
        (id, business_id, provider, amount, currency, description, state, receipt, idempotency_key, request_hash, expires_at,
          paid_at, updated_at)
      values (${id}, ${business.businessId}, 'paypal', 100, 'ILS', 'x', 'paid', 'due', ${id}, '', now() + interval '1 day',
        now(), now() - interval '1 hour')`)
    await sweepPayments(api.ctx)
    return { paymentId: id }
  },
}

describe.each(Object.keys(jobs) as JobName[])('%s', (name) => {
  test(`is put back by ${jobs[name].restoredBy}`, async () => {
    const { restoredBy } = jobs[name]
    api.jobs.length = 0
    if (restoredBy === 'inbound_events') {
      expect(isDurable(name)).toBe(true)
      const id = newId()
      const event = { id, key: `${name}:${id}`, job: name, businessId: null, payload: '{}', delayMs: -3_600_000 }
      await insertEvents(api.ctx, [event])
      const asked: { id: string; job: string }[] = []
      await requeueEvents(api.ctx, async (found) => void asked.push(found))
      expect(asked.find((found) => found.id === id)).toMatchObject({ job: name })
      return
    }
    if (restoredBy === 'schedule') {
      // The producer makes a schedule anew that the queue has lost: see the queue's conformance tests.
      expect(name).toMatch(/\.(sweep|watch)$/)
      return
    }
    const expected = await ways[restoredBy](name)
    expect(api.jobs.filter((job) => job.name === name)).toContainEqual(
      expect.objectContaining({ payload: expect.objectContaining(expected) }),
    )
  })
})

import { expect, test } from 'bun:test'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { createLead } from '../../../src/domain/leads/index.ts'
import { handleMessage, listMessages, receiveMessage } from '../../../src/domain/messages/index.ts'
import { readOvernight } from '../../../src/domain/receptionist/index.ts'
import { listRecordings, markHeard } from '../../../src/domain/recordings/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

test('what came in since closing is counted for one business alone', async () => {
  const domain = await startDomain()
  const { business, businessId, sql } = domain
  const [answered, missed, before] = [await domain.call(), await domain.call(), await domain.call()]
  const now = new Date()
  await sql`update calls set stream_started_at = now() where call_sid = ${answered}`
  await sql`update calls set answered_by = 'voicemail' where call_sid = ${missed}`
  await sql`insert into recordings (id, business_id, call_id, recording_sid, state, recorded_at)
    select ${newId()}, ${businessId}, id, 'RE1', 'stored', now() from calls where call_sid = ${missed}`
  await sql`update calls set started_at = now() - interval '20 days' where call_sid = ${before}`
  await createLead(business, { name: 'Dana', phone: '+972501234567' })
  await receiveMessage(business, {
    provider: 'twilio',
    businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: '+972501234567' },
    body: 'Hello',
    media: [],
    at: now.toISOString(),
  })
  await sql`update businesses set hours = '{}'::jsonb where id = ${businessId}`
  const seen = await readOvernight(business, new Date(now.getTime() + 1_000))
  expect(seen).toMatchObject({ calls: 2, answered: 1, voicemails: 1, leads: 1, messages: 1 })
  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Other', language: 'en' }))
  expect(await readOvernight(other)).toMatchObject({ calls: 0, answered: 0, voicemails: 0, leads: 0, messages: 0 })

  const [recording] = (await listRecordings(business, { heard: false })).items
  expect(recording).toMatchObject({ from: '+972501234567', heardAt: null })
  await markHeard(business, recording?.id ?? '', true)
  expect((await listRecordings(business, { heard: false })).items).toEqual([])
  await markHeard(business, recording?.id ?? '', false)
  expect((await listRecordings(business, { heard: false })).items).toHaveLength(1)
  await expect(markHeard(other, recording?.id ?? '', true)).rejects.toMatchObject({ code: 'recording_not_found' })

  const [message] = (await listMessages(business, {})).items
  await expect(handleMessage(business, message?.id ?? '', true)).rejects.toMatchObject({ code: 'message_not_failed' })
  await sql`update messages set status = 'failed', direction = 'out' where id = ${message?.id ?? ''}`
  await handleMessage(business, message?.id ?? '', true)
  expect((await listMessages(business, { status: 'failed', handled: false })).items).toEqual([])
  await handleMessage(business, message?.id ?? '', false)
  expect((await listMessages(business, { status: 'failed', handled: false })).items).toHaveLength(1)
})

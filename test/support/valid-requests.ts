import { eq } from 'drizzle-orm'
import { calls, callTurns, messageMedia, payments, recordings } from '../../db/schema/index.ts'
import { attachCallTrace, registerCall } from '../../src/domain/calls/index.ts'
import { createContact } from '../../src/domain/contacts/index.ts'
import { within } from '../../src/domain/context.ts'
import { receiveMessage } from '../../src/domain/messages/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { traceOfCall } from './call-trace.ts'
import type { TestServer } from './server.ts'

/** A valid request of a route that is written by hand. `refusal` is the domain's answer where its state cannot be made here. */
export type ValidRequest = {
  path: string
  body?: Record<string, unknown>
  refusal?: { status: number; code: string; because: string }
}

/** What a business's routes need, made in the business. Answers a valid request for each of them. */
export async function prepareBusinessRequests(
  web: TestServer,
  businessId: string,
): Promise<Record<string, () => ValidRequest>> {
  const ctx = within(web.deps.ctx, businessId)
  const { db } = ctx
  let serial = 0
  const phone = () => `+97250${businessId.replace(/\D/g, '').slice(-4).padStart(4, '1')}${100 + ++serial}`
  const stored = async (bytes: Uint8Array, contentType: string) => {
    const storageKey = `test/${newId()}`
    await web.deps.storage.put(storageKey, bytes, contentType)
    return storageKey
  }
  const contact = await createContact(ctx, { phone: phone(), name: 'Dana' })
  const messageId = await receiveMessage(ctx, {
    provider: 'twilio',
    businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'image',
    from: { phone: phone() },
    body: 'Hello',
    media: [],
    at: new Date().toISOString(),
  })
  const picture = new Uint8Array([0xff, 0xd8, 0xff, 0xe0])
  const mediaId = newId()
  await db.insert(messageMedia).values({
    id: mediaId,
    businessId,
    messageId,
    index: 0,
    kind: 'image',
    contentType: 'image/jpeg',
    state: 'stored',
    storageKey: await stored(picture, 'image/jpeg'),
    thumbnail: Buffer.from(picture).toString('base64'),
  })
  const callSid = `CA${newId()}`
  const callId = await registerCall(ctx, { callSid, from: phone(), to: '+97233330000', at: new Date() })
  const trace = new TextEncoder().encode(traceOfCall({ callSid, businessId, said: 'Hello' }))
  await attachCallTrace(ctx, { callSid, key: await stored(trace, 'application/x-ndjson'), lines: 1 })
  const audio = new TextEncoder().encode('RIFF')
  await db
    .update(calls)
    .set({ audioKey: await stored(audio, 'audio/wav') })
    .where(eq(calls.id, callId))
  const turnId = newId()
  const turn = { id: turnId, businessId, callId, index: 0, role: 'caller' as const, startMs: 0, endMs: 10 }
  await db.insert(callTurns).values({ ...turn, audioKey: await stored(audio, 'audio/wav') })
  const recordingId = newId()
  const storageKey = await stored(audio, 'audio/wav')
  const recording = { id: recordingId, businessId, callId, recordingSid: `RE${newId()}`, recordedAt: new Date() }
  await db.insert(recordings).values({ ...recording, state: 'stored', storageKey })
  const paymentId = newId()
  const payment = { id: paymentId, businessId, contactId: contact.id, amount: 100, currency: 'ILS' as const }
  const expiresAt = new Date(Date.now() + 3_600_000)
  await db
    .insert(payments)
    .values({ ...payment, description: 'A repair', provider: 'paypal', requestHash: '', expiresAt })

  const at = (path: string) => () => ({ path })
  return {
    'GET /api/openapi.json': at('/api/openapi.json'),
    'GET /api/docs': at('/api/docs'),
    'GET /calendars/oauth/:kind': () => ({
      path: '/calendars/oauth/google',
      refusal: {
        ...{ status: 501, code: 'calendar_not_configured' },
        because: 'Only an installation with a client at Google leads there.',
      },
    }),
    'GET /api/docs/docs.js': at('/api/docs/docs.js'),
    'POST /api/whatsapp/send': () => ({
      path: '/api/whatsapp/send',
      body: { to: phone(), text: 'Hello', provider: 'twilio' },
    }),
    'GET /api/whatsapp/status/:id': at(`/api/whatsapp/status/${messageId}`),
    'GET /api/whatsapp/list': at('/api/whatsapp/list'),
    'GET /api/whatsapp/status': at('/api/whatsapp/status'),
    'POST /api/payments': () => ({
      path: '/api/payments',
      body: { contact: contact.id, amount: 100, description: 'A repair', idempotencyKey: newId() },
    }),
    'GET /api/payments': at('/api/payments'),
    'GET /api/payments/:id': at(`/api/payments/${paymentId}`),
    'POST /api/payments/:id/refund': () => ({
      path: `/api/payments/${paymentId}/refund`,
      refusal: { status: 409, code: 'payment_not_paid', because: 'Only a payment provider makes a payment paid.' },
    }),
    'POST /api/v1/uploads': () => ({ path: '/api/v1/uploads?fileName=order.json', body: { order: 1042 } }),
    'GET /api/v1/media/:id': at(`/api/v1/media/${mediaId}`),
    'GET /api/v1/media/:id/thumbnail': at(`/api/v1/media/${mediaId}/thumbnail`),
    'GET /api/v1/recordings/:id/audio': at(`/api/v1/recordings/${recordingId}/audio`),
    'GET /api/v1/turns/:id/audio': at(`/api/v1/turns/${turnId}/audio`),
    'GET /api/v1/calls/:id/audio': at(`/api/v1/calls/${callSid}/audio`),
    'GET /api/v1/calls/:id/trace': at(`/api/v1/calls/${callSid}/trace`),
    'GET /api/v1/exports/:file{.+\\.csv}': at('/api/v1/exports/contacts.csv'),
  }
}

/** A valid request for each route of a person who is logged in; `token` is the one of the session that asks. */
export function sessionRequests(password: string, token: string): Record<string, () => ValidRequest> {
  const refusal = (code: string) => ({
    status: 400,
    code,
    because: 'Only a code of an authenticator turns the second factor on.',
  })
  const post = (path: string, body: Record<string, unknown> = {}) => ({ path: `/api/auth${path}`, body })
  return {
    'POST /api/auth/change-password': () =>
      post('/change-password', { currentPassword: password, newPassword: `${password}, changed` }),
    'POST /api/auth/update-user': () => post('/update-user', { name: 'Dana' }),
    'GET /api/auth/list-sessions': () => ({ path: '/api/auth/list-sessions' }),
    'POST /api/auth/revoke-session': () => post('/revoke-session', { token }),
    'POST /api/auth/revoke-sessions': () => post('/revoke-sessions'),
    'POST /api/auth/revoke-other-sessions': () => post('/revoke-other-sessions'),
    'POST /api/auth/two-factor/enable': () => post('/two-factor/enable', { password }),
    'POST /api/auth/two-factor/disable': () => post('/two-factor/disable', { password }),
    'POST /api/auth/two-factor/get-totp-uri': () => ({
      ...post('/two-factor/get-totp-uri', { password }),
      refusal: refusal('TOTP_NOT_ENABLED'),
    }),
    'POST /api/auth/two-factor/generate-backup-codes': () => ({
      ...post('/two-factor/generate-backup-codes', { password }),
      refusal: refusal('TWO_FACTOR_NOT_ENABLED'),
    }),
    'GET /admin': () => ({ path: '/admin' }),
  }
}

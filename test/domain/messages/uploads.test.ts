import { beforeAll, expect, test } from 'bun:test'
import { deletePending, requeueDeletions } from '../../../src/domain/erasures/index.ts'
import {
  createUploadLinks,
  decideMessage,
  getMediaFile,
  getMessage,
  listTemplates,
  requestMessage,
  type SendSettings,
  storeUpload,
  uploadKey,
} from '../../../src/domain/messages/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { createTwilioWhatsApp } from '../../../src/providers/whatsapp/twilio.ts'
import { startCarrier } from '../../../src/sandbox/carrier/server.ts'
import { startDomain } from '../../support/call-domain.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'

const BASE = 'http://localhost:5000/files'
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const links = createUploadLinks('a secret', BASE)
const settings: SendSettings = {
  twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }),
  uploads: links,
}
const storage = createFileStorage(temporaryDirectory('uploads'))

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

let people = 0
const phone = () => `+97250${String(4_000_000 + ++people)}`
const upload = (file: Partial<Parameters<typeof storeUpload>[1]> = {}) =>
  storeUpload(
    domain.business,
    { data: PNG, contentType: 'image/png', fileName: 'roof.png', voice: false, ...file },
    { storage, links },
  )
const send = (url: string, more: { text?: string; idempotencyKey?: string } = {}) =>
  requestMessage(domain.business, { to: phone(), provider: 'twilio', media: [{ url }], ...more }, settings)

test('an uploaded picture is sent with its words, belongs to the message, and is fetched by a signed link', async () => {
  const { url, contentType, bytes, providers } = await upload()
  expect({ contentType, bytes, providers }).toEqual({
    contentType: 'image/png',
    bytes: PNG.byteLength,
    providers: ['twilio', 'baileys'],
  })
  expect(links.verify(url.slice(BASE.length + 1))).toMatchObject({ contentType: 'image/png', fileName: 'roof.png' })
  const { id } = await send(url, { text: 'The roof' })
  const message = await getMessage(domain.business, id)
  expect(message).toMatchObject({ body: 'The roof', kind: 'media', status: 'queued' })
  expect(message.media).toMatchObject([{ kind: 'image', state: 'stored', fileName: 'roof.png', bytes }])
  const file = await getMediaFile(domain.business, message.media[0]?.id ?? '')
  expect((await storage.get(file.storageKey))?.size).toBe(PNG.byteLength)
  expect(domain.jobs).toContainEqual({
    name: 'message.process_media',
    payload: { businessId: domain.businessId, mediaId: file.id },
  })
})

test('a file that is not sent is deleted after a day; one that is sent stays', async () => {
  const [unsent, sent] = [await upload(), await upload()]
  await send(sent.url)
  expect(await requeueDeletions(domain.ctx)).toBe(0)
  await domain.sql`update pending_deletions set updated_at = updated_at - interval '25 hours'`
  expect(await requeueDeletions(domain.ctx)).toBe(1)
  const [row] = await domain.sql<{ id: string }[]>`select id from pending_deletions`
  await deletePending(domain.business, row?.id ?? '', { storage, deleteCarrierRecording: null })
  const keyOf = (url: string) => uploadKey(links.read(url) ?? { businessId: '', id: '' })
  expect(await storage.get(keyOf(unsent.url))).toBeNull()
  expect(await storage.get(keyOf(sent.url))).not.toBeNull()
  await expect(send(unsent.url)).rejects.toMatchObject({ code: 'upload_expired' })
})

test('the same request is one message; another one with the same file is refused, and writes nothing', async () => {
  const { url } = await upload()
  const to = phone()
  const request = { to, provider: 'twilio', media: [{ url }], idempotencyKey: newId() }
  const ids = await Promise.all([1, 2, 3].map(() => requestMessage(domain.business, request, settings)))
  expect(new Set(ids.map(({ id }) => id)).size).toBe(1)
  const other = phone()
  await expect(
    requestMessage(domain.business, { to: other, provider: 'twilio', media: [{ url }] }, settings),
  ).rejects.toMatchObject({ code: 'upload_expired' })
  expect(await domain.sql`select 1 from contacts where phone = ${other}`).toHaveLength(0)
})

test('the type is what the bytes are; what Twilio does not take is said at the upload and refused when it is sent', async () => {
  const page = await upload({ data: Buffer.from('<html><script>alert(1)</script>'), contentType: 'text/html' })
  expect(page).toMatchObject({ contentType: 'application/octet-stream', providers: ['baileys'] })
  await expect(send(page.url)).rejects.toMatchObject({ code: 'media_type_not_supported' })
  await expect(upload({ data: new Uint8Array() })).rejects.toMatchObject({ code: 'empty_file' })
})

test('a forged link is no upload, nor is one of another secret', async () => {
  const { url } = await upload()
  const [body = '', signature = ''] = url.slice(BASE.length + 1).split('.')
  const changed = Buffer.from(Buffer.from(body, 'base64url').toString().replace('roof', 'door')).toString('base64url')
  expect(links.verify(`${changed}.${signature}`)).toBeNull()
  expect(createUploadLinks('another secret', BASE).read(url)).toBeNull()
  expect(links.read('https://example.com/roof.png')).toBeNull()
})

test('a message of unknown outcome is decided once: it arrived, or it is sent again under a job of its own', async () => {
  const unknown = async () => {
    const { id } = await requestMessage(domain.business, { to: phone(), text: 'Hello', provider: 'twilio' }, settings)
    await domain.sql`update messages set status = 'unknown' where id = ${id}`
    return id
  }
  const arrived = await unknown()
  expect(await decideMessage(domain.business, arrived, true)).toMatchObject({ status: 'sent' })
  await expect(decideMessage(domain.business, arrived, false)).rejects.toMatchObject({ code: 'message_not_unknown' })
  const again = await unknown()
  domain.jobs.length = 0
  expect(await decideMessage(domain.business, again, false)).toMatchObject({ status: 'queued' })
  expect(domain.jobs).toEqual([{ name: 'whatsapp.send', payload: { businessId: domain.businessId, messageId: again } }])
})

test('the templates that WhatsApp approved are listed with their variables', async () => {
  const carrier = startCarrier({ port: 0, accountSid: `AC${'0'.repeat(32)}`, authToken: 'token-of-the-tests' })
  const source = createTwilioWhatsApp({
    accountSid: carrier.accountSid,
    authToken: carrier.authToken,
    apiBaseUrl: carrier.url,
    statusCallbackUrl: 'http://127.0.0.1:9/webhook/whatsapp/status',
  })
  const templates = await listTemplates(domain.business, source)
  expect(templates.map(({ name, variables }) => ({ name, variables }))).toEqual([
    { name: 'appointment_reminder_he', variables: ['1', '2'] },
    { name: 'appointment_reminder_en', variables: ['1', '2'] },
  ])
  await carrier.close()
  await expect(listTemplates(domain.business, source)).rejects.toMatchObject({ code: 'templates_unavailable' })
  expect(await listTemplates(domain.business, null)).toEqual([])
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { messageMedia } from '../../../db/schema/index.ts'
import { fetchMessageMedia, receiveMessage } from '../../../src/domain/messages/index.ts'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
beforeAll(async () => {
  domain = await openDomain()
})
afterAll(() => domain.close())

test('a page or nothing in a picture’s place is asked for again, and the picture is kept', async () => {
  const ctx = await domain.newBusiness()
  const storage = createFileStorage(temporaryDirectory('media'))
  const messageId = await receiveMessage(ctx, {
    provider: 'twilio',
    businessId: ctx.businessId,
    dedupeKey: 'one',
    providerMessageId: 'MM1',
    kind: 'image',
    from: { phone: '+972501234567' },
    body: '',
    media: [{ url: 'https://api.twilio.com/media/1', contentType: 'image/png' }],
    at: new Date().toISOString(),
  })
  const find = async () => {
    const [row] = await domain.ctx.db.select().from(messageMedia).where(eq(messageMedia.messageId, messageId))
    if (!row) throw new Error('no media')
    return row
  }
  const { id } = await find()
  const fetchAs = (data: Uint8Array, contentType: string) =>
    fetchMessageMedia(ctx, id, { downloadMedia: async () => ({ data, contentType }) }, storage)
  const page = new TextEncoder().encode('<html>sign in</html>')
  for (const garbage of [fetchAs(page, 'text/html; charset=utf-8'), fetchAs(new Uint8Array(), 'image/png')])
    await expect(garbage).rejects.toMatchObject({ kind: 'unavailable', code: 'media_garbled' })
  expect((await find()).state).toBe('pending')

  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  )
  await fetchAs(png, 'image/png')
  const stored = await find()
  expect(stored).toMatchObject({ state: 'stored', contentType: 'image/png', bytes: png.length })
  expect((await storage.get(stored.storageKey ?? ''))?.size).toBe(png.length)
})

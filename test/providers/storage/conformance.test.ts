import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createFileStorage } from '../../../src/providers/storage/file.ts'
import type { ObjectStorage } from '../../../src/providers/storage/port.ts'
import { createS3Storage } from '../../../src/providers/storage/s3.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { startS3 } from '../../support/s3.ts'

const directory = temporaryDirectory('storage')
const s3 = startS3()
const bytes = (text: string) => new TextEncoder().encode(text)

const adapters: Record<string, ObjectStorage> = {
  file: createFileStorage(directory),
  s3: createS3Storage({ endpoint: s3.endpoint, bucket: s3.bucket, accessKeyId: 'key-id', secretAccessKey: 'secret' }),
}

for (const [name, storage] of Object.entries(adapters)) {
  describe(`object storage on ${name}`, () => {
    test('what was put comes back, whole and in part', async () => {
      await storage.put('calls/a/turn-0.wav', bytes('0123456789'), 'audio/wav')
      const whole = await storage.get('calls/a/turn-0.wav')
      expect(whole?.size).toBe(10)
      expect(await whole?.body.text()).toBe('0123456789')
      const part = await storage.get('calls/a/turn-0.wav', { start: 2, end: 4 })
      expect(await part?.body.text()).toBe('234')
      expect(part?.size).toBe(10)
    })

    test('put again, the newer stands', async () => {
      await storage.put('same', bytes('old and long'), 'text/plain')
      await storage.put('same', bytes('new'), 'text/plain')
      expect(await (await storage.get('same'))?.body.text()).toBe('new')
    })

    test('what is not there is null, and deleting it is fine', async () => {
      expect(await storage.get('nothing/here')).toBeNull()
      await storage.delete('nothing/here')
      await storage.put('gone', bytes('x'), 'text/plain')
      await storage.delete('gone')
      expect(await storage.get('gone')).toBeNull()
    })

    test('the check says whether it can be used', async () => {
      await storage.check()
    })
  })
}

test('a file key cannot leave its directory, and nothing half-written stays', async () => {
  const storage = createFileStorage(join(directory, 'inner'))
  await expect(storage.put('../outside', bytes('x'), 'text/plain')).rejects.toThrow('leaves the storage')
  await storage.put('whole', bytes('x'), 'text/plain')
  expect(readdirSync(join(directory, 'inner'))).toEqual(['whole'])
})

test('the check reports an S3 that refuses the credentials', async () => {
  const storage = createS3Storage({
    endpoint: s3.endpoint,
    bucket: s3.bucket,
    accessKeyId: 'another',
    secretAccessKey: 'secret',
  })
  await expect(storage.check()).rejects.toThrow()
})

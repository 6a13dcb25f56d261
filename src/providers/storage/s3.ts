import { S3Client } from 'bun'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { ObjectStorage } from './port.ts'

export function createS3Storage(options: {
  endpoint: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
}): ObjectStorage {
  const client = new S3Client(options)
  return {
    async put(key, data, contentType) {
      await client.write(key, data, { type: contentType })
      // A proxy may answer 200 too, and the caller may delete the source after a store.
      const { size } = await client.stat(key)
      if (size !== data.byteLength) throw unexpected('keep an object as it was given')
    },
    async get(key, range) {
      if (!(await client.exists(key))) return null
      const { size } = await client.stat(key)
      const file = client.file(key)
      return { body: range ? file.slice(range.start, range.end + 1) : file, size }
    },
    async delete(key) {
      await client.delete(key)
      if (await client.exists(key)) throw unexpected('delete an object')
    },
    async check() {
      const key = `.check/${newId()}`
      await this.put(key, new Uint8Array([1]), 'application/octet-stream')
      await this.delete(key)
    },
  }
}

function unexpected(what: string): AppError {
  return new AppError('unavailable', 'storage_unexpected', `The storage did not ${what}.`)
}

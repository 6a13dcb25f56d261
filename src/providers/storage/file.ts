import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { PRIVATE_DIRECTORY, PRIVATE_FILE } from '../../lib/file-modes.ts'
import { newId } from '../../lib/ids.ts'
import type { ObjectStorage } from './port.ts'

export function createFileStorage(directory: string): ObjectStorage {
  const pathOf = (key: string) => {
    const path = normalize(join(directory, key))
    if (!path.startsWith(`${normalize(directory)}/`))
      throw new AppError('invalid', 'invalid_storage_key', 'The storage key leaves the storage directory.')
    return path
  }
  return {
    async put(key, data) {
      const path = pathOf(key)
      await mkdir(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY })
      // Rename is atomic: a reader or a crash never sees half a file.
      const draft = `${path}.${newId()}.part`
      try {
        await writeDurably(draft, data)
        await rename(draft, path)
        await syncDirectory(dirname(path))
      } finally {
        await rm(draft, { force: true })
      }
    },
    async get(key, range) {
      const file = Bun.file(pathOf(key))
      if (!(await file.exists())) return null
      return { body: range ? file.slice(range.start, range.end + 1) : file, size: file.size }
    },
    async delete(key) {
      await rm(pathOf(key), { force: true })
    },
    async check() {
      const key = `.check/${newId()}`
      await this.put(key, new Uint8Array([1]), 'application/octet-stream')
      await this.delete(key)
    },
  }
}

/** Durable on the disk: the caller may delete the source after a store. */
async function writeDurably(path: string, data: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', PRIVATE_FILE)
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes a rename survive a power failure. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

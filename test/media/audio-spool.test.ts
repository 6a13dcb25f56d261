import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../src/lib/log.ts'
import { type AudioSpool, createFileSpool, memorySpool, SPOOL_BLOCK_BYTES } from '../../src/media/audio-spool.ts'
import { ItemAudio } from '../../src/media/item-audio.ts'

const root = await mkdtemp(join(tmpdir(), 'audio-spool-'))
afterAll(() => rm(root, { recursive: true, force: true }))

/** 20 ms, of its number alone. */
const piece = (index: number) => new Uint8Array(160).fill(index % 251)
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const pieces = (count: number) => Buffer.concat(Array.from({ length: count }, (_, i) => piece(i)))
const open = () => createFileSpool(join(root, crypto.randomUUID()), createLogger('silent'))

test('an item of the engine comes back as far as it was heard, from the memory or from the disk', async () => {
  const spool = open()
  for (const [name, kept] of [
    ['memory', memorySpool],
    ['file', spool],
  ] as const)
    for (const heardMs of [0, 20, 1_999, 2_000, 2_001, 7_990, 8_000, 9_000]) {
      const item = new ItemAudio(kept, 120_000)
      for (let i = 0; i < 400; i++) item.append(base64(piece(i)))
      const heard = await item.take(heardMs)()
      expect({
        name,
        heardMs,
        same: pieces(400)
          .subarray(0, heardMs * 8)
          .equals(heard),
      }).toEqual({ name, heardMs, same: true })
    }
  await spool.close()
})

test('audio of the product, pieces longer than a block, and the bound of an item', async () => {
  const spool = open()
  const long = pieces(150)
  const item = new ItemAudio(spool, 10_000)
  item.append(base64(piece(7)))
  item.appendBytes(piece(8))
  item.append(long.toString('base64'))
  item.append(base64(piece(9)))
  const heard = await item.take(60_000)()
  expect(Buffer.concat([piece(7), piece(8), long, piece(9)]).equals(heard)).toBe(true)
  for (let i = 0; i < 2_000; i++) item.append(base64(piece(i)))
  expect(pieces(500).equals(await item.take(60_000)())).toBe(true)
  await spool.close()
})

test('many items at once keep to themselves, and room that was freed is used again', async () => {
  const dir = join(root, 'rounds')
  const spool = createFileSpool(dir, createLogger('silent'))
  for (let round = 0; round < 3; round++) {
    const items = Array.from({ length: 40 }, () => new ItemAudio(spool, 120_000))
    for (let i = 0; i < 300; i++) for (const [n, item] of items.entries()) item.append(base64(piece(i + n)))
    // Some end without having been heard, while their blocks may still be on their way.
    for (const item of items.splice(0, 10)) item.drop()
    const heard = await Promise.all(items.map((item) => item.take(6_000)()))
    for (const [n, audio] of heard.entries())
      expect([audio[0], audio[160 * 299]]).toEqual([(n + 10) % 251, (n + 309) % 251])
  }
  // The file has no name: nothing outlives the process.
  expect(await readdir(dir)).toEqual([])
  await spool.close()
})

test('a disk that takes nothing costs no audio', async () => {
  const inTheWay = join(root, 'a-file')
  await writeFile(inTheWay, '')
  const spool = createFileSpool(join(inTheWay, 'below'), createLogger('silent'))
  const item = new ItemAudio(spool, 120_000)
  for (let i = 0; i < 400; i++) item.append(base64(piece(i)))
  expect(pieces(400).equals(await item.take(8_000)())).toBe(true)
})

test('a disk that does not return what it took rejects, and lets the item go', async () => {
  let freed = 0
  const broken: AudioSpool = {
    block: () => Buffer.alloc(SPOOL_BLOCK_BYTES),
    put: (_, used) => ({ used, read: () => Promise.reject(new Error('EIO')), free: () => void freed++ }),
  }
  const item = new ItemAudio(broken, 120_000)
  for (let i = 0; i < 250; i++) item.append(base64(piece(i)))
  await expect(item.take(5_000)()).rejects.toThrow('EIO')
  expect(freed).toBe(3)
})

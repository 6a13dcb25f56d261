import { expect, test } from 'bun:test'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { createThumbnailer } from '../../../src/providers/images/sharp.ts'

const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const
const PROGRESSIVE = [[0, 0, 1, 1]] as const

/** A transparent PNG with 16 bits for each of its four channels. */
function pngOf(side: number, interlaced: boolean): Uint8Array<ArrayBuffer> {
  const passes = interlaced ? ADAM7 : PROGRESSIVE
  const bytes = passes.reduce((sum, [x, y, dx, dy]) => {
    const columns = Math.ceil((side - x) / dx)
    return sum + Math.ceil((side - y) / dy) * (1 + columns * 8)
  }, 0)
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([16, 6, 0, 0, interlaced ? 1 : 0], 8)
  const chunk = (type: string, data: Uint8Array) => {
    const named = Buffer.concat([Buffer.from(type), data])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(named))
    return Buffer.concat([length, named, sum])
  }
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.alloc(bytes), { level: 1 })),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  )
}

test('a picture that unpacks to hundreds of megabytes in memory is not drawn', async () => {
  const { makeThumbnail } = createThumbnailer()
  // Some 200 MB that a decoder has to hold at once, in a file of two.
  const bomb = pngOf(5_200, true)
  expect(bomb.length).toBeLessThan(3_000_000)
  const drawn = makeThumbnail(bomb).catch((error: unknown) => error)
  expect(await drawn).toMatchObject({ kind: 'invalid', code: 'picture_unreadable' })
}, 60_000)

test('a WebP counts with its full frame, since it is not read line by line', async () => {
  const { makeThumbnail } = createThumbnailer()
  const webpOf = async (side: number) => {
    const create = { width: side, height: side, channels: 3 as const, background: '#336699' }
    return new Uint8Array(await sharp({ create }).webp({ effort: 0, quality: 1 }).toBuffer())
  }
  const bomb = await webpOf(7_200)
  expect(bomb.length).toBeLessThan(3_000_000)
  await expect(makeThumbnail(bomb)).rejects.toMatchObject({ kind: 'invalid', code: 'picture_unreadable' })
  expect((await makeThumbnail(await webpOf(1_000))).length).toBeGreaterThan(0)
}, 60_000)

test('one of the same size that is read line by line is, and a small interlaced one', async () => {
  const { makeThumbnail } = createThumbnailer()
  for (const picture of [pngOf(5_200, false), pngOf(500, true)]) {
    const [first, second] = await makeThumbnail(picture)
    expect([first, second]).toEqual([0xff, 0xd8])
  }
}, 60_000)

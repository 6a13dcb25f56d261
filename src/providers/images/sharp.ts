import type { Metadata } from 'sharp'
import { AppError } from '../../lib/errors.ts'
import type { Thumbnailer } from './port.ts'

const SIDE = 256
/** More than any phone's camera takes; a decompression bomb of a few kilobytes unpacks to billions. */
const MAX_PIXELS = 120_000_000
const TIMEOUT_SECONDS = 20
/** For a picture that cannot be read line by line: libvips decodes all of it at once. */
const MAX_DECODED_BYTES = 192 * 1024 * 1024
/** Formats whose parser is hardened against hostile files; that of SVG, PDF and others is not. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((format) => `VipsForeignLoad${format}Buffer`)

export function createThumbnailer(): Thumbnailer {
  return {
    async makeThumbnail(picture) {
      // Loaded only in the process that makes thumbnails: the library is 20 MB.
      const { default: sharp } = await import('sharp')
      sharp.block({ operation: ['VipsForeignLoad'] })
      sharp.unblock({ operation: LOADERS })
      sharp.cache(false)
      const options = { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true } as const
      try {
        const bytes = decodedBytes(await sharp(picture, options).metadata())
        if (bytes > MAX_DECODED_BYTES) throw new Error(`The picture takes ${bytes} bytes of memory.`)
        return await sharp(picture, options)
          .timeout({ seconds: TIMEOUT_SECONDS })
          .rotate()
          .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
          .flatten({ background: '#ffffff' })
          .jpeg({ quality: 70 })
          .toBuffer()
      } catch (cause) {
        throw new AppError('invalid', 'picture_unreadable', 'The file is not a picture that can be decoded.', { cause })
      }
    },
  }
}

/**
 * The memory that the decoder needs for the whole picture. Interlaced PNG and progressive JPEG are complete only with their
 * last byte, GIF and WebP are decoded to a full frame; the others are read in strips.
 */
function decodedBytes({ format, width, height, channels, depth, isProgressive }: Metadata): number {
  const pixels = width * height
  if (format === 'gif' || format === 'webp') return pixels * 4
  if (!isProgressive) return 0
  // A JPEG's coefficients have two bytes each.
  return pixels * channels * (format === 'jpeg' || depth === 'ushort' ? 2 : 1)
}

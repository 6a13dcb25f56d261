import { AppError } from '../../lib/errors.ts'
import type { Thumbnailer } from './port.ts'

const SIDE = 256
/** More than any phone's camera takes; a bomb of a few kilobytes unpacks to billions. */
const MAX_PIXELS = 120_000_000
const TIMEOUT_SECONDS = 20
/** Formats with a parser that is hardened against hostile files; SVG, PDF and the like have none. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((format) => `VipsForeignLoad${format}Buffer`)

/** Thumbnails by libvips. */
export function createThumbnailer(): Thumbnailer {
  return {
    async makeThumbnail(picture) {
      // Loaded by the process that makes them alone: the library is 20 MB.
      const { default: sharp } = await import('sharp')
      sharp.block({ operation: ['VipsForeignLoad'] })
      sharp.unblock({ operation: LOADERS })
      sharp.cache(false)
      try {
        return await sharp(picture, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true })
          .timeout({ seconds: TIMEOUT_SECONDS })
          .rotate()
          .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
          .flatten({ background: '#ffffff' })
          .jpeg({ quality: 70 })
          .toBuffer()
      } catch (cause) {
        throw new AppError('invalid', 'picture_unreadable', 'The file is no picture that can be drawn.', { cause })
      }
    },
  }
}

import { AppError } from '../../lib/errors.ts'
import { createSafeFetch, SafeFetchError, type SafeFetchSettings } from '../../lib/safe-fetch.ts'
import type { ProbeMedia } from './port.ts'

const TIMEOUT_MS = 30_000
const MAX_BYTES = 64 * 1_048_576
const MAX_REDIRECTS = 5

/**
 * Makes a function that fetches a file that a message names: at most 64 MiB, within 30 s, from a public address.
 * @throws AppError `bad_media_url`; `media_not_fetchable` for any other failure; `media_missing`, `media_unreachable` when its
 * server said so; `file_too_large`
 */
export function createMediaFetcher(settings: SafeFetchSettings) {
  const fetchSafely = createSafeFetch(settings)
  return async (media: { url: string }): Promise<{ data: Uint8Array; contentType: string }> => {
    const url = URL.parse(media.url)
    if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
      throw new AppError('invalid', 'bad_media_url', 'Media to send needs an http or https address.')
    const request = { maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS, maxRedirects: MAX_REDIRECTS }
    const { status, data, contentType } = await fetchSafely(media.url, request).catch((error: unknown) => {
      throw error instanceof SafeFetchError ? notFetchable(error) : error
    })
    if (status >= 500 || status === 429)
      throw new AppError(
        'unavailable',
        'media_unreachable',
        'The server of the media address is not available. Try again later.',
      )
    if (status < 200 || status > 299)
      throw new AppError('not_found', 'media_missing', 'There is no file at the media address. Give another address.')
    return { data, contentType: contentType ?? 'application/octet-stream' }
  }
}

const LOOK_MS = 3_000

/** Asks a file's server for its type and size without fetching it; null when it cannot be asked now: only sending tells. */
export function createMediaProbe(settings: SafeFetchSettings): ProbeMedia {
  const fetchSafely = createSafeFetch(settings)
  return async (url) => {
    try {
      const { status, contentType, length } = await fetchSafely(url, {
        maxBytes: null,
        timeoutMs: LOOK_MS,
        maxRedirects: MAX_REDIRECTS,
      })
      if (status === 404 || status === 410) return { missing: true }
      return status >= 200 && status <= 299 ? { missing: false, contentType, bytes: length } : null
    } catch (error) {
      if (error instanceof SafeFetchError) return null
      throw error
    }
  }
}

function notFetchable(error: SafeFetchError): AppError {
  if (error.problem === 'too_large')
    return new AppError('too_large', 'file_too_large', `The file is larger than ${MAX_BYTES} bytes.`, { cause: error })
  // One answer for all, which does not reveal what is there; a URL that was never fetched is not retried.
  return new AppError(
    error.problem === 'not_allowed' ? 'invalid' : 'unavailable',
    'media_not_fetchable',
    'The media address could not be fetched; it must be a public http or https address that answers with the file.',
    { cause: error },
  )
}

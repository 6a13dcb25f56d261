import { fileTypeFromBuffer } from 'file-type'

const SAME_CONTAINER = [
  /^(audio|video)\/(mp4|x-m4a|m4a|x-m4v|quicktime|3gpp2?)$/,
  /^(audio|video)\/(webm|x-matroska|matroska)$/,
  /^((audio|video)\/ogg|application\/ogg|audio\/opus)$/,
  /^audio\/(wav|x-wav|wave|vnd\.wave)$/,
  /^audio\/(mpeg|mp3)$/,
  /^application\/(zip|vnd\.[\w.+-]+|epub\+zip|x-cfb|msword)$/,
]
const ACTIVE = /html|xml|svg|javascript|ecmascript/
/** Texts have no magic bytes, and do no harm unless they are shown as a page. */
const TEXTS = new Set(['text/plain', 'text/csv', 'text/vcard', 'text/x-vcard', 'text/calendar'])

/**
 * The type under which a file is served: by its bytes where they tell. What could run (HTML), or claims to be shown but is
 * not by its bytes, is served as bytes to save.
 */
export async function trustedType(said: string, data: Uint8Array): Promise<string> {
  const claimed = bareType(said)
  // A damaged archive can make the detector throw: then the bytes do not tell.
  const found = await fileTypeFromBuffer(data).catch(() => undefined)
  if (found) {
    const actual = bareType(found.mime)
    if (ACTIVE.test(actual)) return 'application/octet-stream'
    if (claimed === actual) return said.toLowerCase().trim()
    const same = SAME_CONTAINER.some((container) => container.test(claimed) && container.test(actual))
    return same && !ACTIVE.test(withoutOffice(claimed)) ? claimed : actual
  }
  if (TEXTS.has(claimed)) return claimed
  const harmless = claimed.startsWith('application/') && claimed !== 'application/pdf' && !ACTIVE.test(claimed)
  return harmless ? claimed : 'application/octet-stream'
}

/** Office documents have `xml` in their names and are archives. */
function withoutOffice(type: string): string {
  return type.replace('openxmlformats', '')
}

export function bareType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase()
}

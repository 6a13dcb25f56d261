/** How far into a page its encoding may be named (HTML, 13.2.3.2: within 1024 bytes; pages of people name it later). */
const META_WITHIN = 4_096

/**
 * A page as text: byte order mark, then HTTP header, then `<meta>`, as the HTML standard has it. Where what was named cannot be
 * true (UTF-8 that is none, or Latin text whose bytes are Hebrew letters), the bytes decide.
 */
export function decodePage(bytes: Uint8Array, contentType: string | null): string {
  const mark = markOf(bytes)
  if (mark) return new TextDecoder(mark).decode(bytes)
  const named = charsetIn(contentType ?? '') ?? charsetIn(metaOf(bytes))
  const decoder = named ? decoderOf(named) : null
  const latin = decoder?.encoding === 'windows-1252'
  if (decoder && decoder.encoding !== 'utf-8' && !latin) return decoder.decode(bytes)
  const utf8 = strict('utf-8', bytes)
  if (utf8 !== null) return utf8
  return latin && !hasHebrewBytes(bytes) ? decoder.decode(bytes) : mostlyUtf8(bytes)
}

function markOf(bytes: Uint8Array): string | null {
  const [first, second, third] = bytes
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8'
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  return first === 0xfe && second === 0xff ? 'utf-16be' : null
}

function charsetIn(text: string): string | null {
  return /charset\s*=\s*["']?\s*([\w:.-]{2,40})/i.exec(text)?.[1] ?? null
}

function metaOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, META_WITHIN)).toString('latin1')
  return /<meta[^>]{0,300}charset[^>]{0,300}>/i.exec(head)?.[0] ?? ''
}

function decoderOf(name: string): TextDecoder | null {
  try {
    // ISO-8859-8 of pages is logical order, as all browsers treat it but by the name “visual”.
    return new TextDecoder(name.toLowerCase())
  } catch {
    return null
  }
}

function strict(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

/** A long page with a few broken bytes is UTF-8 still; other bytes are the old Hebrew encoding. */
function mostlyUtf8(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes)
  const broken = text.match(/\ufffd/g)?.length ?? 0
  const foreign = text.match(/[^\0-\u007f]/g)?.length ?? 0
  return broken * 10 < foreign ? text : new TextDecoder('windows-1255').decode(bytes)
}

/** Alef to tav of windows-1255 beside each other: accented Latin letters stand beside plain ones. */
function hasHebrewBytes(bytes: Uint8Array): boolean {
  let pairs = 0
  for (let at = 1; at < bytes.length; at += 1) {
    const [before = 0, here = 0] = [bytes[at - 1], bytes[at]]
    if (before >= 0xe0 && before <= 0xfa && here >= 0xe0 && here <= 0xfa) pairs += 1
  }
  return pairs >= 8
}

const ASCII = (text: string) => [...Buffer.from(text, 'latin1')]

/** First bytes of the file types that a browser shows or plays, with where they stand. */
const SIGNATURES: { type: string; family: string; at: number; bytes: number[] }[] = [
  { type: 'image/jpeg', family: 'image', at: 0, bytes: [0xff, 0xd8, 0xff] },
  { type: 'image/png', family: 'image', at: 0, bytes: [0x89, ...ASCII('PNG')] },
  { type: 'image/gif', family: 'image', at: 0, bytes: ASCII('GIF8') },
  { type: 'image/webp', family: 'image', at: 8, bytes: ASCII('WEBP') },
  { type: 'audio/ogg', family: 'audio', at: 0, bytes: ASCII('OggS') },
  { type: 'audio/mpeg', family: 'audio', at: 0, bytes: ASCII('ID3') },
  { type: 'audio/mpeg', family: 'audio', at: 0, bytes: [0xff, 0xfb] },
  { type: 'audio/aac', family: 'audio', at: 0, bytes: [0xff, 0xf1] },
  { type: 'audio/amr', family: 'audio', at: 0, bytes: ASCII('#!AMR') },
  { type: 'audio/wav', family: 'audio', at: 8, bytes: ASCII('WAVE') },
  { type: 'application/pdf', family: 'application', at: 0, bytes: ASCII('%PDF-') },
  // One container for sound and film.
  { type: 'video/mp4', family: 'video', at: 4, bytes: ASCII('ftyp') },
  { type: 'audio/mp4', family: 'audio', at: 4, bytes: ASCII('ftyp') },
  { type: 'video/webm', family: 'video', at: 0, bytes: [0x1a, 0x45, 0xdf, 0xa3] },
]

/**
 * The type under which a file from outside may be served. A sender may call anything an image: what says that it is shown
 * or played, and is not by its first bytes, is served as bytes to be saved; so is everything that could run, such as HTML.
 */
export function trustedType(said: string, data: Uint8Array): string {
  const [bare = ''] = said.toLowerCase().split(';')
  const [family = ''] = bare.trim().split('/')
  const fits = SIGNATURES.filter(({ at, bytes }) => bytes.every((byte, index) => data[at + index] === byte))
  if (family === 'image' || family === 'audio' || family === 'video') {
    const match = fits.find((entry) => entry.type === bare) ?? fits.find((entry) => entry.family === family)
    if (!match) return 'application/octet-stream'
    return match.type === bare ? said.toLowerCase() : match.type
  }
  if (bare === 'application/pdf') return fits.some(({ type }) => type === bare) ? bare : 'application/octet-stream'
  const harmless = family === 'application' && !/html|xml|svg|javascript/.test(bare)
  return harmless || bare === 'text/plain' ? bare : 'application/octet-stream'
}

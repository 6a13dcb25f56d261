import { gunzipSync } from 'node:zlib'

const MAX_LOCATIONS = 5_000
const MAX_UNPACKED = 20e6

/** The addresses that a sitemap names (sitemaps.org): of pages, or of other sitemaps where it is an index. */
export function readSitemap(data: Uint8Array): { index: boolean; locations: string[] } {
  const text = textOf(data)
  const locations: string[] = []
  for (const [, found = ''] of text.matchAll(/<loc>\s*(?:<!\[CDATA\[)?\s*([^<\]\s]{1,2000})/gi)) {
    locations.push(found.replaceAll('&amp;', '&').replaceAll('&apos;', "'").replaceAll('&quot;', '"'))
    if (locations.length >= MAX_LOCATIONS) break
  }
  return { index: /<sitemapindex[\s>]/i.test(text.slice(0, 4_096)), locations }
}

function textOf(data: Uint8Array): string {
  const zipped = data[0] === 0x1f && data[1] === 0x8b
  try {
    return new TextDecoder().decode(zipped ? gunzipSync(data, { maxOutputLength: MAX_UNPACKED }) : data)
  } catch {
    // A broken or endless archive: the site has links too.
    return ''
  }
}

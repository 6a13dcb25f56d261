import { cleanTyped, cutText } from '../../lib/text.ts'

/** Characters that are not seen: zero-width ones, soft hyphens, tags (U+E0000), and those that turn the text around them. */
const UNSEEN = /[\u00ad\u180e\u200b\u2060-\u2064\ufeff\u{e0000}-\u{e007f}]|\p{Bidi_Control}/gu
/** More of one file or page is not kept: some 500 printed pages. */
export const MAX_SOURCE_CHARS = 1_500_000

/** The text of a file or a page as it is stored: without control and unseen characters, with single spaces and blank lines. */
export function cleanSource(text: string): string {
  // Letters with points, which fonts order as they like, are compared by their bytes.
  const seen = cleanTyped(text).replace(UNSEEN, '').normalize('NFC')
  const lines = seen.split('\n').map((line) => line.replace(/[\t\p{Zs}]+/gu, ' ').trim())
  const clean = lines.join('\n').replace(/\n{3,}/g, '\n\n')
  return cutText(clean, MAX_SOURCE_CHARS).trim()
}

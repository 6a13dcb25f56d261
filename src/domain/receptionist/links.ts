import { cleanText } from '../../lib/text.ts'

/** Characters that show nothing and can be put into a link to hide it. */
const INVISIBLE = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\ufe00-\ufe0f]/g
/** Ends of host names: ASCII ones, and any of other scripts; Hebrew words often stand behind a full stop without a space. */
const TOP =
  '(?:xn--[a-z0-9-]{2,59}|[a-z]{2,24}|\\p{Script=Hebrew}{5,}|(?:(?![a-z]|\\p{Script=Hebrew})[\\p{L}\\p{M}]){2,})'
const LINK = new RegExp(
  `[a-z][a-z0-9+.-]*://[^\\s<>"]+|(?:mailto|tel|sms|whatsapp|intent):[^\\s<>"]+|(?:[\\p{L}\\p{N}_-]+\\.)+${TOP}(?![\\p{L}\\p{N}])(?::\\d+)?(?:[/?#][^\\s<>"]*)?|(?:\\d{1,3}\\.){3}\\d{1,3}(?::\\d+)?(?:[/?#][^\\s<>"]*)?`,
  'giu',
)

/** Links in a text, in a form that can be compared: what a messenger would make a person able to tap on. */
export function linksIn(text: string): string[] {
  const plain = cleanText(text)
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .replace(/[\u2024\u3002\uff0e\uff61]/g, '.')
  return [...new Set([...plain.matchAll(LINK)].map(([link]) => comparable(link)))]
}

/** The links of a text that none of the business's own texts has. */
export function foreignLinks(text: string, own: readonly string[]): string[] {
  const known = new Set(own.flatMap(linksIn))
  return linksIn(text).filter((link) => !known.has(link))
}

/** Without what does not change where it leads, and the punctuation of the sentence around it. */
function comparable(link: string): string {
  const bare = link
    .replace(/[.,;:!?'"״׳)\]}]+$/u, '')
    .replace(/^https?:\/\//i, '')
    .replace(/^www\./i, '')
  const [, host = '', rest = ''] = /^([^/?#]*)(.*)$/s.exec(bare) ?? []
  return host.toLowerCase() + rest.replace(/\/$/, '')
}

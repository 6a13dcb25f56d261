import { cutText } from '../text.ts'

/** Content-Disposition of a download (RFC 6266): an ASCII name, and the full one in UTF-8. */
export function attachment(fileName: string): string {
  const name = cutText(fileName.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}/\\]/gu, '_'), 200) || 'file'
  const ascii = name.replace(/[^\x20-\x7e]|["%]/g, '_')
  if (ascii === name) return `attachment; filename="${name}"`
  // RFC 5987 allows fewer characters than encodeURIComponent leaves.
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

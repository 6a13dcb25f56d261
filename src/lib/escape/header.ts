import { cutText } from '../text.ts'

/** The value of Content-Disposition for a file to be saved (RFC 6266): an ASCII name, and the true one beside it. */
export function attachment(fileName: string): string {
  const name = cutText(fileName.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}/\\]/gu, '_'), 200) || 'file'
  const ascii = name.replace(/[^\x20-\x7e]|["%]/g, '_')
  if (ascii === name) return `attachment; filename="${name}"`
  // RFC 5987 leaves fewer characters as they are than encodeURIComponent does.
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

import type { Context } from 'hono'

type Language = 'he' | 'en'

/** The language that the reader chose; else `usual`; else what the browser prefers. */
export function languageOf(c: Context, usual?: Language): Language {
  const chosen = c.req.query('lang')
  if (chosen === 'he' || chosen === 'en') return chosen
  if (usual) return usual
  const first = /\b(he|iw|en)\b/i.exec(c.req.header('accept-language') ?? '')?.[1]?.toLowerCase()
  return first === 'he' || first === 'iw' ? 'he' : 'en'
}

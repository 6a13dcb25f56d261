import { decodePage } from './decode-page.ts'
import { parseDocument, textOf } from './html-text.ts'
import { factsOf } from './structured-data.ts'

/** Links of one page that are followed at most. */
const MAX_LINKS = 500
const MAX_TITLE = 300

export type PageReading = {
  title: string
  text: string
  /** Absolute, in the order of the page; a refresh of the page counts as one. */
  links: string[]
  canonical: string | null
  noindex: boolean
  nofollow: boolean
}

/** Reads a page that was fetched from `url`. */
export function readPage(bytes: Uint8Array, contentType: string | null, url: string): PageReading {
  const document = parseDocument(decodePage(bytes, contentType))
  const robots = [...document.querySelectorAll('meta')]
    .filter((meta) => meta.getAttribute('name')?.toLowerCase() === 'robots')
    .map((meta) => meta.getAttribute('content') ?? '')
    .join(',')
    .toLowerCase()
  const none = /\bnone\b/.test(robots)
  const base = document.querySelector('base[href]')?.getAttribute('href')
  const from = (base && URL.parse(base, url)?.href) || url
  const canonical = document.querySelector('link[rel="canonical"]')?.getAttribute('href')
  const facts = factsOf(
    [...document.querySelectorAll('script[type="application/ld+json"]')].map((script) => script.textContent ?? ''),
  )
  const text = textOf(document)
  return {
    title: titleOf(document).slice(0, MAX_TITLE),
    text: facts.length > 0 ? `${text}\n\n${facts.join('\n')}` : text,
    links: linksOf(document, from),
    canonical: canonical ? (URL.parse(canonical, from)?.href ?? null) : null,
    noindex: none || /\bnoindex\b/.test(robots),
    nofollow: none || /\bnofollow\b/.test(robots),
  }
}

function titleOf(document: Document): string {
  const title = document.querySelector('title')?.textContent || document.querySelector('h1')?.textContent || ''
  return title.replace(/\s+/g, ' ').trim()
}

function linksOf(document: Document, from: string): string[] {
  const links = new Set<string>()
  const add = (href: string | null | undefined) => {
    const url = href ? URL.parse(href, from) : null
    if (url && /^https?:$/.test(url.protocol) && links.size < MAX_LINKS) links.add(url.href)
  }
  for (const meta of document.querySelectorAll('meta[http-equiv]'))
    if (meta.getAttribute('http-equiv')?.toLowerCase() === 'refresh')
      add(/url\s*=\s*["']?([^"']{1,2000})/i.exec(meta.getAttribute('content') ?? '')?.[1])
  for (const link of document.querySelectorAll('a[href], area[href]'))
    if (!/\bnofollow\b/i.test(link.getAttribute('rel') ?? '')) add(link.getAttribute('href'))
  return [...links]
}

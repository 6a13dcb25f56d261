/** Parameters that only say where a visitor came from. */
const TRACKING =
  /^(?:utm_\w+|gclid|gbraid|wbraid|fbclid|msclkid|mc_[ce]id|_ga|_gl|igshid|yclid|ref|replytocom|share|PHPSESSID|jsessionid|sid)$/i
/** Not pages. */
const FILES =
  /\.(?:jpe?g|png|gif|webp|avif|svg|ico|bmp|tiff?|css|js|mjs|json|xml|rss|atom|txt|pdf|docx?|xlsx?|pptx?|csv|zip|rar|7z|gz|tar|exe|dmg|apk|mp3|mp4|m4a|mov|avi|webm|ogg|wav|woff2?|ttf|eot|ics|vcf)$/i
/** Parts of a site that say nothing of the business: carts, logins, machinery. */
const PLACES =
  /(?:^|\/)(?:wp-(?:admin|json|login\.php|content|includes)|cart|checkout|my-account|login|logout|register|search|feed|cdn-cgi|xmlrpc\.php)(?:\/|$)/i
const MAX_URL = 600
const MAX_SEGMENTS = 12
const MAX_PARAMETERS = 3
/** The same segment again and again: a relative link that leads into itself. */
const MAX_REPEATS = 2

/** The place that a site is: its name without `www.`, and its port. `http` and `https` are one site. */
export function siteOf(url: URL): string {
  const port = url.port === '' || url.port === '443' || url.port === '80' ? '' : `:${url.port}`
  return url.hostname.replace(/^www\./, '') + port
}

/** What the owner typed as the address of the site, or null. `example.co.il` is `https://example.co.il/`. */
export function parseSiteUrl(typed: string): URL | null {
  const text = typed.trim()
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`)
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.href.length > MAX_URL) return null
  if (!url.hostname.includes('.') && url.hostname !== 'localhost' && !url.hostname.startsWith('[')) return null
  url.hash = ''
  return url
}

/** The one address of a page: without fragment, tracking and the order of parameters. */
export function pageAddress(link: string, base?: string): URL | null {
  const url = URL.parse(link, base)
  if (!url) return null
  url.hash = ''
  for (const name of [...url.searchParams.keys()]) if (TRACKING.test(name)) url.searchParams.delete(name)
  url.searchParams.sort()
  return url
}

/** Whether a link can be a page of the site, by its address alone. */
export function isPageOf(url: URL, site: string): boolean {
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || siteOf(url) !== site) return false
  const segments = url.pathname.split('/').filter(Boolean)
  const counts = new Map<string, number>()
  for (const segment of segments) counts.set(segment, (counts.get(segment) ?? 0) + 1)
  return (
    url.href.length <= MAX_URL &&
    segments.length <= MAX_SEGMENTS &&
    [...counts.values()].every((count) => count <= MAX_REPEATS) &&
    [...url.searchParams].length <= MAX_PARAMETERS &&
    !FILES.test(url.pathname) &&
    !PLACES.test(url.pathname)
  )
}

/** The key under which addresses that one program makes are counted: `/calendar/2027/01` and `/calendar/2027/02` are alike. */
export function shapeOf(url: URL): string {
  const path = url.pathname.replace(/\d+/g, '0')
  return `${path}?${[...url.searchParams.keys()].join('&')}`
}

/** The same page under http and https, with `www.` and without, with and without the last slash. */
export function pageKey(url: URL): string {
  return `${siteOf(url)}${url.pathname.replace(/\/+$/, '') || '/'}${url.search}`
}

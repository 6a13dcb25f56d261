import { setTimeout as sleep } from 'node:timers/promises'
import { sha256Hex } from '../../../lib/ids.ts'
import type { SafeFetch, SafeResponse } from '../../../lib/safe-fetch.ts'
import type { PageAnswer } from '../files/read-in-child.ts'
import { Unreadable, type UnreadableReason } from '../unreadable.ts'
import { type Robots, readRobots } from './robots.ts'
import { createSiteClient, type Fetched, type SiteClient, validatorOf } from './site-client.ts'
import { isPageOf, pageAddress, pageKey, shapeOf, siteOf } from './site-urls.ts'
import { readSitemap } from './sitemap.ts'

export type CrawlLimits = {
  pages: number
  /** Requests for pages, with those that gave none. */
  requests: number
  pageBytes: number
  bytes: number
  pageMs: number
  totalMs: number
  depth: number
  delayMs: number
}

export const CRAWL_LIMITS: CrawlLimits = {
  pages: 200,
  requests: 400,
  pageBytes: 2_000_000,
  bytes: 80_000_000,
  pageMs: 20_000,
  totalMs: 30 * 60_000,
  depth: 6,
  delayMs: 1_000,
}

const MAX_SITEMAPS = 10
const SITEMAP_BYTES = 5_000_000
/** Addresses of one shape, such as the months of a calendar. */
const MAX_BY_NUMBER = 60
const MAX_BY_QUERY = 25
const MAX_QUEUE = 5_000
/** Then the site is down, or does not want us. */
const MAX_FAILURES = 8

export type KnownPage = { url: string; etag: string | null; hash: string }
export type CrawledPage = { url: string; title: string; text: string; hash: string; etag: string | null }
export type CrawlResult = {
  /** Pages as they are now. */
  pages: CrawledPage[]
  /** Addresses of known pages that the server said did not change. */
  unchanged: string[]
  /** Addresses of known pages that are no longer there, or not for us. */
  gone: string[]
  /** The site was ended by a limit: it has more pages. */
  cut: boolean
}

export type CrawlDeps = {
  fetch: SafeFetch
  readPage: (bytes: Uint8Array, url: string, contentType: string | null) => Promise<PageAnswer>
  limits: CrawlLimits
  /** Asked before each request: false ends the crawl, which then throws `stopped`. */
  goOn: (pages: number) => Promise<boolean>
  signal: AbortSignal
}

/**
 * Reads the pages of one site: its own host, robots.txt respected, one request after the other with a pause, within limits.
 * @throws Unreadable when there is nothing to read: why the first page or robots.txt could not be read, or `stopped`
 */
export async function crawlSite(start: URL, known: readonly KnownPage[], deps: CrawlDeps): Promise<CrawlResult> {
  try {
    return await new Crawl(start, known, deps).run()
  } catch (error) {
    // Many small sites have no https; only where the owner's address cannot be connected to at all.
    if (
      !(error instanceof Unreadable) ||
      error.reason !== 'unreachable' ||
      start.protocol !== 'https:' ||
      start.port !== ''
    )
      throw error
    return await new Crawl(new URL(`http:${start.href.slice(6)}`), known, deps).run()
  }
}

type Place = { url: URL; depth: number; rank: number }

class Crawl {
  readonly #site: string
  readonly #client: SiteClient
  readonly #known: Map<string, KnownPage>
  readonly #queue: Place[] = []
  readonly #seen = new Set<string>()
  readonly #shapes = new Map<string, number>()
  readonly #pages = new Map<string, CrawledPage>()
  readonly #hashes = new Set<string>()
  readonly #unchanged: string[] = []
  readonly #gone: string[] = []
  readonly #startedAt = performance.now()
  #robots: Robots = { allows: () => true, delayMs: 0, sitemaps: [] }
  #requests = 0
  #bytes = 0
  #failures = 0
  #lastAt = 0

  constructor(
    readonly start: URL,
    known: readonly KnownPage[],
    readonly deps: CrawlDeps,
  ) {
    this.#site = siteOf(start)
    this.#client = createSiteClient(deps.fetch, this.#site, (url) => this.#robots.allows(url))
    this.#known = new Map(known.map((page) => [keyOf(page.url), page]))
  }

  async run(): Promise<CrawlResult> {
    await this.#pause()
    this.#robots = await readRobots(this.#client, this.start)
    if (!this.#robots.allows(this.start)) throw new Unreadable('robots')
    this.#add(this.start, 0, 0)
    for (const { url } of this.#known.values()) this.#add(URL.parse(url), 1, 1)
    await this.#visitNext()
    await this.#readSitemaps()
    while (this.#queue.length > 0 && !this.#isOver()) await this.#visitNext()
    if (this.#pages.size === 0 && this.#unchanged.length === 0) throw new Unreadable('no_pages')
    return {
      pages: [...this.#pages.values()],
      unchanged: this.#unchanged,
      gone: this.#gone,
      cut: this.#queue.length > 0,
    }
  }

  #isOver(): boolean {
    const { pages, requests, bytes, totalMs } = this.deps.limits
    return (
      this.#pages.size + this.#unchanged.length >= pages ||
      this.#requests >= requests ||
      this.#bytes >= bytes ||
      this.#failures >= MAX_FAILURES ||
      performance.now() - this.#startedAt >= totalMs
    )
  }

  /** Takes an address into the queue, unless it is no page of the site, known, or one of too many alike. */
  #add(found: URL | null, depth: number, rank: number): void {
    const url = found ? pageAddress(found.href) : null
    if (!url || !isPageOf(url, this.#site) || depth > this.deps.limits.depth || this.#queue.length >= MAX_QUEUE) return
    const key = pageKey(url)
    if (this.#seen.has(key)) return
    const shape = shapeOf(url)
    const alike = (this.#shapes.get(shape) ?? 0) + 1
    if (url.search !== '' ? alike > MAX_BY_QUERY : /\d/.test(url.pathname) && alike > MAX_BY_NUMBER) return
    this.#shapes.set(shape, alike)
    this.#seen.add(key)
    this.#queue.push({ url, depth, rank })
  }

  /** What the first page links to is read before what only a sitemap names. */
  #next(): Place | undefined {
    let best = 0
    for (const [index, place] of this.#queue.entries()) if (place.rank < (this.#queue[best]?.rank ?? 0)) best = index
    return this.#queue.splice(best, 1)[0]
  }

  async #pause(): Promise<void> {
    if (!(await this.deps.goOn(this.#pages.size + this.#unchanged.length)) || this.deps.signal.aborted)
      throw new Unreadable('stopped')
    const delay = Math.max(this.deps.limits.delayMs, this.#robots.delayMs) * (1 + this.#failures)
    const rest = this.#lastAt + delay - performance.now()
    if (this.#lastAt > 0 && rest > 0)
      await sleep(rest, undefined, { signal: this.deps.signal }).catch(() => {
        throw new Unreadable('stopped')
      })
    this.#lastAt = performance.now()
  }

  async #readSitemaps(): Promise<void> {
    const open = [...this.#robots.sitemaps, new URL('/sitemap.xml', this.start).href]
    const read = new Set<string>()
    for (const address of open) {
      const url = URL.parse(address, this.start)
      if (!url || siteOf(url) !== this.#site || read.has(url.href) || !this.#robots.allows(url)) continue
      if (read.size >= MAX_SITEMAPS || this.#isOver()) return
      read.add(url.href)
      await this.#pause()
      const fetched = await this.#client(url, { maxBytes: SITEMAP_BYTES, timeoutMs: this.deps.limits.pageMs })
      if (fetched.kind !== 'answer' || fetched.response.status !== 200) continue
      this.#bytes += fetched.response.data.byteLength
      const { index, locations } = readSitemap(fetched.response.data)
      if (index) open.push(...locations.slice(0, MAX_SITEMAPS))
      else for (const location of locations) this.#add(URL.parse(location), 1, 3)
    }
  }

  async #visitNext(): Promise<void> {
    const place = this.#next()
    if (!place) return
    const known = this.#known.get(pageKey(place.url))
    if (!this.#robots.allows(place.url)) return this.#lose(known)
    await this.#pause()
    this.#requests += 1
    const { pageBytes, pageMs } = this.deps.limits
    const fetched = await this.#client(place.url, { maxBytes: pageBytes, timeoutMs: pageMs, etag: known?.etag ?? null })
    const problem = problemOf(fetched)
    if (problem && place.depth === 0) throw new Unreadable(problem)
    if (fetched.kind === 'left') return this.#lose(known)
    if (fetched.kind === 'failed')
      return this.#fail(fetched.problem === 'unreachable' || fetched.problem === 'too_slow')
    const { response, url } = fetched
    this.#bytes += response.data.byteLength
    if (response.status === 304 && known) {
      this.#failures = 0
      this.#unchanged.push(known.url)
      return
    }
    if (response.status === 404 || response.status === 410) return this.#lose(known)
    if (response.status !== 200) return this.#fail(response.status === 429 || response.status >= 500)
    this.#failures = 0
    if (isHtml(response)) await this.#take(place, url, response, known)
  }

  async #take(place: Place, url: URL, response: SafeResponse, known: KnownPage | undefined): Promise<void> {
    const page = await this.deps.readPage(response.data, url.href, response.contentType).catch((error: unknown) => {
      if (!(error instanceof Unreadable)) throw error
      if (place.depth === 0) throw error
      return null
    })
    if (!page) return
    const header = String(response.headers['x-robots-tag'] ?? '').toLowerCase()
    if (!page.nofollow && !/\b(?:nofollow|none)\b/.test(header))
      for (const link of page.links) this.#add(URL.parse(link), place.depth + 1, place.depth + 2)
    if (page.noindex || /\b(?:noindex|none)\b/.test(header)) return this.#lose(known)
    const address = this.#addressOf(place.url, url, page.canonical)
    const hash = sha256Hex(`${page.title}\n${page.text}`)
    // A page under many addresses is one page.
    if (page.text === '' || this.#hashes.has(hash) || this.#pages.has(pageKey(address))) return this.#lose(known)
    this.#hashes.add(hash)
    this.#pages.set(pageKey(address), {
      url: address.href,
      title: page.title || address.pathname,
      text: page.text,
      hash,
      etag: pageKey(address) === pageKey(place.url) ? validatorOf(response) : null,
    })
    if (known && pageKey(address) !== pageKey(place.url)) this.#lose(known)
  }

  /** The address that the page names as its own, when it is one of the site that was not read yet; else where it was found. */
  #addressOf(asked: URL, found: URL, canonical: string | null): URL {
    const named = canonical ? pageAddress(canonical) : null
    if (named && isPageOf(named, this.#site) && this.#robots.allows(named) && !this.#pages.has(pageKey(named))) {
      const key = pageKey(named)
      // A site whose every page names the first one: that one is itself.
      if (key === pageKey(found) || key === pageKey(asked) || !this.#seen.has(key)) {
        this.#seen.add(key)
        return named
      }
    }
    this.#seen.add(pageKey(found))
    return pageAddress(found.href) ?? found
  }

  #lose(known: KnownPage | undefined): void {
    if (known) this.#gone.push(known.url)
  }

  #fail(grave: boolean): void {
    if (grave) this.#failures += 1
  }
}

function keyOf(address: string): string {
  const url = URL.parse(address)
  return url ? pageKey(url) : address
}

/** Why nothing is read of a site whose first page is answered so. */
function problemOf(fetched: Fetched): UnreadableReason | null {
  if (fetched.kind === 'left') return 'left_host'
  if (fetched.kind === 'failed') return fetched.problem
  const { status } = fetched.response
  if (status === 304) return null
  if (status !== 200) return 'http_error'
  return isHtml(fetched.response) ? null : 'no_pages'
}

function isHtml({ contentType }: SafeResponse): boolean {
  return contentType === null || /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(contentType)
}

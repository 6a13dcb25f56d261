import robotsParser from 'robots-parser'
import { Unreadable } from '../unreadable.ts'
import { CRAWLER, type SiteClient } from './site-client.ts'

/** RFC 9309, 2.5: at least 500 KiB are to be read. */
const MAX_ROBOTS = 512_000
const TIMEOUT_MS = 20_000
/** Matching with wildcards takes time; a file with more or longer ones is there to take it. */
const MAX_WILD_RULES = 300
const MAX_WILD_LENGTH = 300
const MAX_DELAY_MS = 30_000

export type Robots = { allows: (url: URL) => boolean; delayMs: number; sitemaps: string[] }

const OPEN: Robots = { allows: () => true, delayMs: 0, sitemaps: [] }

/**
 * What a site lets a crawler read (RFC 9309): all of it when there is no such file, none when its server fails.
 * @throws Unreadable `robots_unavailable`, and why the site cannot be reached
 */
export async function readRobots(client: SiteClient, start: URL): Promise<Robots> {
  const url = new URL('/robots.txt', start)
  const fetched = await client(url, { maxBytes: MAX_ROBOTS, timeoutMs: TIMEOUT_MS })
  if (fetched.kind === 'left') return OPEN
  if (fetched.kind === 'failed')
    throw new Unreadable(fetched.problem === 'too_large' ? 'robots_unavailable' : fetched.problem)
  const { status, data } = fetched.response
  if (status === 429 || status >= 500)
    throw new Unreadable('robots_unavailable', `robots.txt was answered with ${status}.`)
  return status >= 200 && status < 300 ? parseRobots(start, new TextDecoder().decode(data)) : OPEN
}

/** @throws Unreadable `robots_unavailable` when the rules cannot be matched in a short time */
export function parseRobots(start: URL, text: string): Robots {
  const wild = text.split(/\r\n?|\n/).filter((line) => line.includes('*') && /^\s*(?:dis)?allow\s*:/i.test(line))
  if (wild.length > MAX_WILD_RULES || wild.some((line) => line.length > MAX_WILD_LENGTH))
    throw new Unreadable('robots_unavailable', 'The rules of robots.txt have too many wildcards.')
  // The library compares scheme and port with those of the file: for http and https, with www. and without, one file is asked here.
  const rules = robotsParser(new URL('/robots.txt', start).href, text)
  const seconds = rules.getCrawlDelay(CRAWLER) ?? 0
  return {
    allows: (url) => rules.isAllowed(new URL(`${url.pathname}${url.search}`, start).href, CRAWLER) !== false,
    delayMs: Number.isFinite(seconds) ? Math.min(MAX_DELAY_MS, Math.max(0, seconds * 1_000)) : 0,
    sitemaps: rules.getSitemaps().slice(0, 20),
  }
}

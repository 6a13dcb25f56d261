import { and, asc, eq, inArray, lt, ne } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { knowledgePages } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import type { CrawledPage, CrawlResult, KnownPage } from './site/crawl-site.ts'
import { type Part, splitText } from './split.ts'

const GONE_DAYS = 60
/** A line on this many pages, and on this share of them, is a header or a footer. */
const REPEATED_PAGES = 3
const REPEATED_SHARE = 0.4

export async function knownPages(ctx: BusinessContext, sourceId: string): Promise<KnownPage[]> {
  return await ctx.db
    .select({ url: knowledgePages.url, etag: knowledgePages.etag, hash: knowledgePages.hash })
    .from(knowledgePages)
    .where(and(ofSource(ctx, sourceId), ne(knowledgePages.change, 'gone')))
    .orderBy(asc(knowledgePages.url))
}

function ofSource(ctx: BusinessContext, sourceId: string) {
  return and(eq(knowledgePages.businessId, ctx.businessId), eq(knowledgePages.sourceId, sourceId))
}

/** Writes what a crawl found: pages with what changed, and the parts of all of them. */
export async function saveSite(
  tx: Executor,
  ctx: BusinessContext,
  sourceId: string,
  result: CrawlResult,
  replaceParts: (parts: (Part & { pageId: string })[]) => Promise<void>,
): Promise<{ changed: boolean; pages: number; characters: number; cut: boolean }> {
  const now = new Date()
  const had = new Map(
    (await tx.select().from(knowledgePages).where(ofSource(ctx, sourceId))).map((row) => [row.url, row]),
  )
  let changed = false
  for (const page of result.pages) {
    const before = had.get(page.url)
    if (before && before.change !== 'gone' && before.hash === page.hash) await keepPage(tx, ctx, before.id, page)
    else {
      await writePage(tx, ctx, sourceId, page, before && before.change !== 'gone' ? before.body : null, now)
      changed = true
    }
  }
  const here = new Set(result.pages.map(({ url }) => url))
  for (const url of result.gone) {
    const before = had.get(url)
    if (!before || before.change === 'gone' || here.has(url)) continue
    await tx
      .update(knowledgePages)
      .set({ change: 'gone', before: before.body, body: '', etag: null, changedAt: now })
      .where(and(ofSource(ctx, sourceId), eq(knowledgePages.id, before.id)))
    changed = true
  }
  await tx
    .delete(knowledgePages)
    .where(
      and(
        ofSource(ctx, sourceId),
        eq(knowledgePages.change, 'gone'),
        lt(knowledgePages.changedAt, new Date(now.getTime() - GONE_DAYS * 86_400_000)),
      ),
    )
  const pages = await tx
    .select({ id: knowledgePages.id, url: knowledgePages.url, title: knowledgePages.title, body: knowledgePages.body })
    .from(knowledgePages)
    .where(and(ofSource(ctx, sourceId), inArray(knowledgePages.change, ['new', 'changed'])))
  if (changed) await replaceParts(partsOf(pages))
  return {
    changed,
    pages: pages.length,
    characters: pages.reduce((sum, { body }) => sum + body.length, 0),
    cut: result.cut,
  }
}

async function keepPage(tx: Executor, ctx: BusinessContext, id: string, page: CrawledPage): Promise<void> {
  await tx
    .update(knowledgePages)
    .set({ etag: page.etag })
    .where(and(eq(knowledgePages.businessId, ctx.businessId), eq(knowledgePages.id, id)))
}

async function writePage(
  tx: Executor,
  ctx: BusinessContext,
  sourceId: string,
  { url, title, text: body, hash, etag }: CrawledPage,
  before: string | null,
  now: Date,
): Promise<void> {
  const change = before === null ? ('new' as const) : ('changed' as const)
  const values = { title, body, hash, etag, change, before, changedAt: now }
  await tx
    .insert(knowledgePages)
    .values({ businessId: ctx.businessId, sourceId, url, ...values })
    .onConflictDoUpdate({ target: [knowledgePages.sourceId, knowledgePages.url], set: values })
}

type SavedPage = { id: string; url: string; title: string; body: string }

/**
 * The parts of all pages. What every page repeats (the header, the footer with address and hours) counts on one page alone, the one
 * with the shortest address: it would be found as often as the site has pages.
 */
export function partsOf(pages: SavedPage[]): (Part & { pageId: string })[] {
  const sorted = pages.toSorted((a, b) => a.url.length - b.url.length || (a.url < b.url ? -1 : 1))
  const counts = new Map<string, number>()
  for (const { body } of sorted)
    for (const line of new Set(body.split('\n'))) counts.set(line, (counts.get(line) ?? 0) + 1)
  const isRepeated = (line: string) => {
    const count = counts.get(line) ?? 0
    return line !== '' && count >= REPEATED_PAGES && count > sorted.length * REPEATED_SHARE
  }
  const shown = new Set<string>()
  return sorted.flatMap(({ id, title, body }) => {
    const lines = body.split('\n').filter((line) => !isRepeated(line) || !shown.has(line))
    for (const line of lines) if (isRepeated(line)) shown.add(line)
    return splitText(title, lines.join('\n')).map((part) => ({ ...part, pageId: id }))
  })
}

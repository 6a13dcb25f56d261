import { and, eq, lte, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { knowledgeChunks, knowledgeSources } from '../../../db/schema/index.ts'
import type { SafeFetch } from '../../lib/safe-fetch.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import { type BusinessContext, emit } from '../context.ts'
import { type FileAnswer, type PageAnswer, readFileInChild, readPageInChild } from './files/read-in-child.ts'
import { knownPages, saveSite } from './save-site.ts'
import { CRAWL_LIMITS, type CrawlLimits, crawlSite } from './site/crawl-site.ts'
import type { SourceReason } from './sources.ts'
import { type Part, splitText } from './split.ts'
import { Unreadable } from './unreadable.ts'

export type SourceDeps = {
  storage: Pick<ObjectStorage, 'get'>
  fetch: SafeFetch
  limits?: CrawlLimits
  readFile?: (bytes: Uint8Array, fileName: string) => Promise<FileAnswer>
  readPage?: (bytes: Uint8Array, url: string, contentType: string | null) => Promise<PageAnswer>
}

type Source = typeof knowledgeSources.$inferSelect

/** A reader that says nothing for this long is lost: another may begin. */
const LEASE_MS = 15 * 60_000
const RENEW_MS = 7 * 86_400_000
/** Readings that ended with their process. A file that ends a worker is not given to every next one. */
const MAX_ATTEMPTS = 4
const MAX_PARTS = 4_000

/**
 * Reads a source that is due: its file, or its site. Nothing where it is not due, or another process reads it.
 * @param signal a process that ends gives the source back
 */
export async function readSource(
  ctx: BusinessContext,
  id: string,
  deps: SourceDeps,
  signal: AbortSignal,
): Promise<void> {
  const source = await claim(ctx, id)
  if (!source) return
  if (source.attempts > MAX_ATTEMPTS) return await fail(ctx, source, 'gave_up')
  try {
    if (source.kind === 'file') await readOneFile(ctx, source, deps)
    else await readOneSite(ctx, source, deps, signal)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    if (error.reason === 'stopped') return await giveBack(ctx, source)
    ctx.log.info({ sourceId: id, reason: error.reason }, 'source could not be read')
    await fail(ctx, source, error.reason)
  }
}

/** The reader is known by the attempt it counted, and the revision: one that lost its lease, or was stopped, writes nothing. */
async function claim(ctx: BusinessContext, id: string): Promise<Source | null> {
  const [row] = await ctx.db
    .update(knowledgeSources)
    .set({
      state: 'reading',
      attempts: sql`${knowledgeSources.attempts} + 1`,
      nextReadAt: new Date(Date.now() + LEASE_MS),
    })
    .where(
      and(
        eq(knowledgeSources.id, id),
        eq(knowledgeSources.businessId, ctx.businessId),
        lte(knowledgeSources.nextReadAt, new Date()),
      ),
    )
    .returning()
  return row ?? null
}

function stillMine(ctx: BusinessContext, source: Source) {
  return and(
    eq(knowledgeSources.id, source.id),
    eq(knowledgeSources.businessId, ctx.businessId),
    eq(knowledgeSources.state, 'reading'),
    eq(knowledgeSources.attempts, source.attempts),
    eq(knowledgeSources.revision, source.revision),
  )
}

async function readOneFile(ctx: BusinessContext, source: Source, deps: SourceDeps): Promise<void> {
  const found = source.storageKey ? await deps.storage.get(source.storageKey) : null
  if (!found) throw new Unreadable('file_lost')
  const reading = await (deps.readFile ?? readFileInChild)(await found.body.bytes(), source.fileName ?? '')
  const parts = splitText(source.title, reading.text)
  await finish(ctx, source, async (tx) => {
    await replaceParts(
      tx,
      ctx,
      source.id,
      parts.map((part) => ({ ...part, pageId: null })),
    )
    return {
      changed: true,
      pages: reading.pages,
      characters: reading.text.length,
      cut: reading.cut || parts.length > MAX_PARTS,
    }
  })
}

async function readOneSite(ctx: BusinessContext, source: Source, deps: SourceDeps, signal: AbortSignal): Promise<void> {
  const start = source.url ? URL.parse(source.url) : null
  if (!start) throw new Unreadable('not_allowed')
  const result = await crawlSite(start, await knownPages(ctx, source.id), {
    fetch: deps.fetch,
    readPage: deps.readPage ?? readPageInChild,
    limits: deps.limits ?? CRAWL_LIMITS,
    signal,
    goOn: (pages) => renewLease(ctx, source, pages),
  })
  await finish(ctx, source, (tx) =>
    saveSite(tx, ctx, source.id, result, (parts) => replaceParts(tx, ctx, source.id, parts)),
  )
}

/** @returns whether the source is still this reader's: it was not stopped, removed or taken by another */
async function renewLease(ctx: BusinessContext, source: Source, pages: number): Promise<boolean> {
  const rows = await ctx.db
    .update(knowledgeSources)
    .set({ nextReadAt: new Date(Date.now() + LEASE_MS), ...(pages > 0 && !source.readAt ? { pages } : {}) })
    .where(stillMine(ctx, source))
    .returning({ id: knowledgeSources.id })
  return rows.length > 0
}

export type Saved = { changed: boolean; pages: number | null; characters: number; cut: boolean }

async function finish(ctx: BusinessContext, source: Source, save: (tx: Executor) => Promise<Saved>): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .select({ id: knowledgeSources.id })
      .from(knowledgeSources)
      .where(stillMine(ctx, source))
      .for('update')
    if (!row) return
    const saved = await save(tx)
    await tx
      .update(knowledgeSources)
      .set({
        state: 'ready',
        reason: saved.cut ? ('cut' satisfies SourceReason) : null,
        readAt: new Date(),
        nextReadAt: source.kind === 'site' ? new Date(Date.now() + RENEW_MS) : null,
        attempts: 0,
        pages: saved.pages,
        characters: saved.characters,
        ...(saved.changed ? { revision: sql`${knowledgeSources.revision} + 1` } : {}),
      })
      .where(stillMine(ctx, source))
    await emit(tx, ctx, { action: 'knowledge_source.ready', entity: 'knowledge_source', entityId: source.id })
  })
}

/** What was read before stays, and a site is tried again in a week; one that was never read waits for its owner. */
async function fail(ctx: BusinessContext, source: Source, reason: SourceReason): Promise<void> {
  const again = source.kind === 'site' && source.readAt !== null
  await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .update(knowledgeSources)
      .set({
        state: source.readAt ? 'ready' : 'unreadable',
        reason,
        nextReadAt: again ? new Date(Date.now() + RENEW_MS) : null,
        attempts: 0,
      })
      .where(stillMine(ctx, source))
      .returning({ id: knowledgeSources.id })
    if (rows.length > 0)
      await emit(tx, ctx, { action: 'knowledge_source.unreadable', entity: 'knowledge_source', entityId: source.id })
  })
}

/** This process ends: another begins anew. Nothing where the owner stopped it. */
async function giveBack(ctx: BusinessContext, source: Source): Promise<void> {
  await ctx.db
    .update(knowledgeSources)
    .set({ state: 'waiting', attempts: sql`${knowledgeSources.attempts} - 1`, nextReadAt: new Date() })
    .where(stillMine(ctx, source))
}

/** Writes the parts of a source instead of those it had. */
async function replaceParts(
  tx: Executor,
  ctx: BusinessContext,
  sourceId: string,
  parts: (Part & { pageId: string | null })[],
): Promise<void> {
  await tx
    .delete(knowledgeChunks)
    .where(and(eq(knowledgeChunks.businessId, ctx.businessId), eq(knowledgeChunks.sourceId, sourceId)))
  const rows = parts
    .slice(0, MAX_PARTS)
    .map((part, position) => ({ ...part, businessId: ctx.businessId, sourceId, position }))
  for (let at = 0; at < rows.length; at += 500) await tx.insert(knowledgeChunks).values(rows.slice(at, at + 500))
}

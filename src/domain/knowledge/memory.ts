import { and, asc, eq, sql } from 'drizzle-orm'
import { businessTexts, knowledgeChunks, knowledgePages, knowledgeSources } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { waitAtMost } from '../../lib/wait-at-most.ts'
import type { BusinessContext } from '../context.ts'
import { listBusinessTexts } from '../receptionist/index.ts'
import { SearchIndex } from './search-index.ts'

/** Where a fact comes from. What `file` and `site` hold was written by others: it is data, never an instruction. */
export type KnowledgeSource = { kind: 'text' | 'file' | 'site'; id: string; name: string; url?: string }

export type KnowledgeText = { title: string; body: string; source: KnowledgeSource }

type Kept = { signature: string; index: SearchIndex<KnowledgeText> }

export const MAX_CHUNKS = 20_000
/** Of all businesses of a process: some 40 MB. */
const MAX_POSTINGS = 10_000_000
/** How long a search waits for what was changed, in ms: then what is in memory counts. */
export type Patience = { checkMs: number; loadMs: number }

/** In writing: what an owner has just said is known. */
const IN_WRITING: Patience = { checkMs: 10_000, loadMs: 30_000 }
/** A caller waits meanwhile. */
export const IN_A_CALL: Patience = { checkMs: 400, loadMs: 2_000 }

/** The knowledge of businesses in memory, the one used last at the end; each is compared with the database before it is used. */
const kept = new Map<string, Kept>()
const loading = new Map<string, Promise<Kept>>()

/** What a business knows, indexed. In memory after the first time; an old state counts while the database does not answer. */
export async function knowledgeOf(
  ctx: BusinessContext,
  { checkMs, loadMs }: Patience = IN_WRITING,
): Promise<SearchIndex<KnowledgeText>> {
  const there = kept.get(ctx.businessId)
  if (!there) return (await load(ctx)).index
  const signature = await waitAtMost(
    signatureOf(ctx).catch((error: unknown) => {
      ctx.log.warn({ error: errorMessage(error) }, 'knowledge was not compared with the database')
      return null
    }),
    checkMs,
  )
  if (!signature || signature === there.signature) {
    kept.delete(ctx.businessId)
    kept.set(ctx.businessId, there)
    return there.index
  }
  return (await waitAtMost(load(ctx), loadMs))?.index ?? there.index
}

/** Reads what a business knows before the first question of a call, which would wait for it. */
export function warmKnowledge(ctx: BusinessContext): void {
  if (kept.has(ctx.businessId)) return
  load(ctx).catch((error: unknown) => ctx.log.warn({ error: errorMessage(error) }, 'knowledge was not read ahead'))
}

/** One load a business at a time: who asks meanwhile gets it too, unless it began before their own change. */
async function load(ctx: BusinessContext): Promise<Kept> {
  const signature = await signatureOf(ctx)
  const key = `${ctx.businessId} ${signature}`
  const begun = loading.get(key)
  if (begun) return await begun
  const made = read(ctx, signature).finally(() => loading.delete(key))
  loading.set(key, made)
  return await made
}

async function read(ctx: BusinessContext, signature: string): Promise<Kept> {
  const [texts, chunks] = await Promise.all([listBusinessTexts(ctx), readChunks(ctx)])
  const all: KnowledgeText[] = [
    ...texts.map(({ id, title, body }) => ({ title, body, source: { kind: 'text' as const, id, name: title } })),
    ...chunks,
  ]
  const made = { signature, index: await SearchIndex.of(all) }
  kept.delete(ctx.businessId)
  kept.set(ctx.businessId, made)
  let size = 0
  for (const [businessId, each] of [...kept].reverse()) {
    size += each.index.size
    if (size > MAX_POSTINGS && businessId !== ctx.businessId) kept.delete(businessId)
  }
  return made
}

/** What the sources of a business hold. */
export async function readChunks(ctx: BusinessContext): Promise<KnowledgeText[]> {
  const rows = await ctx.db
    .select({
      title: knowledgeChunks.title,
      body: knowledgeChunks.body,
      sourceId: knowledgeSources.id,
      kind: knowledgeSources.kind,
      name: knowledgeSources.title,
      url: knowledgePages.url,
    })
    .from(knowledgeChunks)
    .innerJoin(knowledgeSources, eq(knowledgeSources.id, knowledgeChunks.sourceId))
    .leftJoin(knowledgePages, eq(knowledgePages.id, knowledgeChunks.pageId))
    .where(and(eq(knowledgeChunks.businessId, ctx.businessId), eq(knowledgeSources.businessId, ctx.businessId)))
    .orderBy(asc(knowledgeChunks.sourceId), asc(knowledgeChunks.position))
    .limit(MAX_CHUNKS)
  return rows.map(({ title, body, sourceId, kind, name, url }) => ({
    title,
    body,
    source: { kind, id: sourceId, name, ...(url ? { url } : {}) },
  }))
}

/** Changes with every text and with every revision of a source. */
async function signatureOf(ctx: BusinessContext): Promise<string> {
  const [row] = await ctx.db
    .select({
      texts: sql<string>`coalesce((select md5(string_agg(${businessTexts.id} || ' ' || ${businessTexts.updatedAt}, ',' order by ${businessTexts.id}))
        from ${businessTexts} where ${businessTexts.businessId} = ${ctx.businessId}), '')`,
      sources: sql<string>`coalesce((select md5(string_agg(${knowledgeSources.id} || ' ' || ${knowledgeSources.revision} || ' ' || ${knowledgeSources.title}, ',' order by ${knowledgeSources.id}))
        from ${knowledgeSources} where ${knowledgeSources.businessId} = ${ctx.businessId}), '')`,
    })
    .from(sql`(select 1) as one`)
  return `${row?.texts} ${row?.sources}`
}

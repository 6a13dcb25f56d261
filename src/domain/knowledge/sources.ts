import { and, asc, desc, eq, isNotNull, ne, sql } from 'drizzle-orm'
import { z } from 'zod'
import {
  knowledgeChunks,
  knowledgePages,
  knowledgeSources,
  PAGE_CHANGES,
  SOURCE_KINDS,
  SOURCE_STATES,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { nameText } from '../../lib/text.ts'
import { audit, type BusinessContext } from '../context.ts'
import { keepFiles, noteDeletions, queueDeletions } from '../erasures/index.ts'
import { type UploadLinks, uploadKey } from '../messages/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { parseSiteUrl } from './site/site-urls.ts'
import { queueSource } from './source-queue.ts'
import { UNREADABLE_REASONS } from './unreadable.ts'

const MAX_FILES = 100
const MAX_SITES = 3
const MAX_TITLE = 200
/** What the list of changes shows of a page, in characters. */
const EXCERPT = 4_000

/** `cut`: it was read, but not all of it. */
export const SOURCE_REASONS = [...UNREADABLE_REASONS, 'cut'] as const
export type SourceReason = (typeof SOURCE_REASONS)[number]

const sourceId = z.uuid()

export const sourceView = z.object({
  id: z.uuid(),
  kind: z.enum(SOURCE_KINDS),
  title: z.string(),
  state: z.enum(SOURCE_STATES),
  reason: z.enum(SOURCE_REASONS).nullable(),
  url: z.string().nullable(),
  fileName: z.string().nullable(),
  bytes: z.number().nullable(),
  /** Pages of a document, or of a site so far. */
  pages: z.number().nullable(),
  characters: z.number().nullable(),
  readAt: z.date().nullable(),
  /** When the site is read again; null: not by itself. */
  nextReadAt: z.date().nullable(),
  createdAt: z.date(),
})

export const partView = z.object({ id: z.uuid(), title: z.string(), body: z.string(), url: z.string().nullable() })
export const sitePageView = z.object({
  id: z.uuid(),
  url: z.string(),
  title: z.string(),
  change: z.enum(PAGE_CHANGES),
  changedAt: z.date(),
  /** The text as it is, and as it was before it changed; their beginnings. */
  body: z.string(),
  before: z.string().nullable(),
})

const titleInput = nameText(MAX_TITLE).optional()
export const fileInput = z.object({ upload: z.url().max(4_000), title: titleInput })
export const siteInput = z.object({ url: z.string().trim().min(1).max(600), title: titleInput })

const columns = {
  id: knowledgeSources.id,
  kind: knowledgeSources.kind,
  title: knowledgeSources.title,
  state: knowledgeSources.state,
  reason: sql<SourceReason | null>`${knowledgeSources.reason}`,
  url: knowledgeSources.url,
  fileName: knowledgeSources.fileName,
  bytes: knowledgeSources.bytes,
  pages: knowledgeSources.pages,
  characters: knowledgeSources.characters,
  readAt: knowledgeSources.readAt,
  // While it is read this is the lease of the reader.
  nextReadAt: sql`case when ${knowledgeSources.state} = 'ready' then ${knowledgeSources.nextReadAt} end`.mapWith(
    knowledgeSources.nextReadAt,
  ),
  createdAt: knowledgeSources.createdAt,
}

export async function listSources(ctx: BusinessContext, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(knowledgeSources.id, page, eq(knowledgeSources.businessId, ctx.businessId))
  const rows = await ctx.db
    .select(columns)
    .from(knowledgeSources)
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `source_not_found` */
export async function getSource(ctx: BusinessContext, id: string): Promise<z.output<typeof sourceView>> {
  const [row] = await ctx.db.select(columns).from(knowledgeSources).where(mine(ctx, id))
  if (!row) throw noSource()
  return row
}

/**
 * Takes a file that was uploaded as a source; a worker reads it. The same bytes are one source.
 * @throws AppError `file_not_found`, `upload_expired`, `too_many_sources`
 */
export async function addFile(
  ctx: BusinessContext,
  input: z.input<typeof fileInput>,
  links: UploadLinks | undefined,
): Promise<string> {
  const { upload: address, title } = fileInput.parse(input)
  const upload = links?.read(address)
  if (upload?.businessId !== ctx.businessId)
    throw new AppError('not_found', 'file_not_found', 'There is no file at this address.', { field: 'upload' })
  const key = uploadKey(upload)
  const { fileName, contentType, bytes, sha256 } = upload
  const source = {
    ...due(ctx),
    kind: 'file' as const,
    title: title ?? nameOf(fileName),
    fileName,
    contentType,
    bytes,
    sha256,
  }
  const id = await ctx.db.transaction(async (tx) => {
    // Two requests at once would both find room.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtext(${`knowledge sources ${ctx.businessId}`}))`)
    const rows = await tx
      .select({ id: knowledgeSources.id, sha256: knowledgeSources.sha256 })
      .from(knowledgeSources)
      .where(and(eq(knowledgeSources.businessId, ctx.businessId), eq(knowledgeSources.kind, 'file')))
    const same = rows.find((row) => row.sha256 === sha256)
    if (same) return same.id
    if (rows.length >= MAX_FILES) throw tooManySources(MAX_FILES)
    if (!(await keepFiles(tx, ctx, [key]))) throw uploadExpired()
    await tx.insert(knowledgeSources).values({ ...source, storageKey: key })
    await audit(tx, ctx, { action: 'knowledge_source.add', entity: 'knowledge_source', entityId: source.id })
    return source.id
  })
  if (id === source.id) await queueSource(ctx, source)
  return id
}

/** Takes the site of the business as a source; a worker reads it, and again each week. @throws AppError `invalid_site`, `too_many_sources` */
export async function addSite(ctx: BusinessContext, input: z.input<typeof siteInput>): Promise<string> {
  const { url: typed, title } = siteInput.parse(input)
  const url = parseSiteUrl(typed)
  if (!url)
    throw new AppError(
      'invalid',
      'invalid_site',
      'This is not the address of a site. Write it like https://example.co.il.',
      {
        field: 'url',
      },
    )
  const source = { ...due(ctx), kind: 'site' as const, title: title ?? url.hostname, url: url.href }
  const id = await ctx.db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtext(${`knowledge sources ${ctx.businessId}`}))`)
    const rows = await tx
      .select({ id: knowledgeSources.id, url: knowledgeSources.url })
      .from(knowledgeSources)
      .where(and(eq(knowledgeSources.businessId, ctx.businessId), eq(knowledgeSources.kind, 'site')))
    const same = rows.find((row) => row.url === url.href)
    if (same) return same.id
    if (rows.length >= MAX_SITES) throw tooManySources(MAX_SITES)
    await tx.insert(knowledgeSources).values(source)
    await audit(tx, ctx, { action: 'knowledge_source.add', entity: 'knowledge_source', entityId: source.id })
    return source.id
  })
  if (id === source.id) await queueSource(ctx, source)
  return id
}

function due(ctx: BusinessContext) {
  return { id: newId(), businessId: ctx.businessId, state: 'waiting' as const, attempts: 0, nextReadAt: new Date() }
}

/** Has a source read now: a file again, a site again or for the first time after it was stopped. @throws AppError `source_not_found` */
export async function readAgain(ctx: BusinessContext, id: string): Promise<void> {
  const source = await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(knowledgeSources)
      .set({ state: 'waiting', reason: null, attempts: 0, nextReadAt: new Date() })
      // One that is being read goes on.
      .where(and(mine(ctx, id), ne(knowledgeSources.state, 'reading')))
      .returning()
    if (row) await audit(tx, ctx, { action: 'knowledge_source.read', entity: 'knowledge_source', entityId: id })
    return row
  })
  if (source) await queueSource(ctx, source)
  else await getSource(ctx, id)
}

/** Ends the reading of a source, and that it is read again by itself. What was read stays. @throws AppError `source_not_found` */
export async function stopSource(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(knowledgeSources)
      .set({
        state: sql`case when ${knowledgeSources.readAt} is null then 'unreadable' else 'ready' end`,
        reason: sql`case when ${knowledgeSources.state} in ('waiting', 'reading') then 'stopped' else ${knowledgeSources.reason} end`,
        nextReadAt: null,
        attempts: 0,
        // A reader that goes on still does not take a later reading for its own.
        revision: sql`${knowledgeSources.revision} + 1`,
      })
      .where(and(mine(ctx, id), isNotNull(knowledgeSources.nextReadAt)))
      .returning({ id: knowledgeSources.id })
    if (row) await audit(tx, ctx, { action: 'knowledge_source.stop', entity: 'knowledge_source', entityId: id })
    else await getSource(ctx, id)
  })
}

/** Removes a source with all that was read of it, and its file. @throws AppError `source_not_found` */
export async function removeSource(ctx: BusinessContext, id: string): Promise<void> {
  const files = await ctx.db.transaction(async (tx) => {
    const [row] = await tx.delete(knowledgeSources).where(mine(ctx, id)).returning({ key: knowledgeSources.storageKey })
    if (!row) throw noSource()
    await audit(tx, ctx, { action: 'knowledge_source.remove', entity: 'knowledge_source', entityId: id })
    return row.key ? await noteDeletions(tx, ctx, [{ kind: 'file', ref: row.key }]) : []
  })
  await queueDeletions(ctx, files)
}

export const partsInput = z.object({ id: sourceId, limit: z.coerce.number().int().min(1).max(200).default(50) })

/** The first parts of a source as they are found and quoted: the owner sees how it reads. @throws AppError `source_not_found` */
export async function listParts(ctx: BusinessContext, input: z.input<typeof partsInput>) {
  const { id, limit } = partsInput.parse(input)
  await getSource(ctx, id)
  return await ctx.db
    .select({
      id: knowledgeChunks.id,
      title: knowledgeChunks.title,
      body: knowledgeChunks.body,
      url: knowledgePages.url,
    })
    .from(knowledgeChunks)
    .leftJoin(
      knowledgePages,
      and(eq(knowledgePages.id, knowledgeChunks.pageId), eq(knowledgePages.businessId, knowledgeChunks.businessId)),
    )
    .where(and(eq(knowledgeChunks.businessId, ctx.businessId), eq(knowledgeChunks.sourceId, id)))
    .orderBy(asc(knowledgeChunks.position))
    .limit(limit)
}

export const sitePagesInput = z.object({
  id: sourceId,
  change: z.enum(PAGE_CHANGES).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(200),
})

/** The pages of a site, what changed last first: new, changed with the text before, gone. @throws AppError `source_not_found` */
export async function listSitePages(ctx: BusinessContext, input: z.input<typeof sitePagesInput>) {
  const { id, change, limit } = sitePagesInput.parse(input)
  await getSource(ctx, id)
  return await ctx.db
    .select({
      id: knowledgePages.id,
      url: knowledgePages.url,
      title: knowledgePages.title,
      change: knowledgePages.change,
      changedAt: knowledgePages.changedAt,
      body: sql<string>`left(${knowledgePages.body}, ${EXCERPT})`,
      before: sql<string | null>`left(${knowledgePages.before}, ${EXCERPT})`,
    })
    .from(knowledgePages)
    .where(
      and(
        eq(knowledgePages.businessId, ctx.businessId),
        eq(knowledgePages.sourceId, id),
        change ? eq(knowledgePages.change, change) : undefined,
      ),
    )
    .orderBy(desc(knowledgePages.changedAt), asc(knowledgePages.url))
    .limit(limit)
}

function mine(ctx: BusinessContext, id: string) {
  return and(eq(knowledgeSources.id, id), eq(knowledgeSources.businessId, ctx.businessId))
}

function nameOf(fileName: string | null): string {
  const name = (fileName ?? '').replace(/\.[a-z0-9]{2,8}$/i, '').trim()
  const parsed = nameText(MAX_TITLE).safeParse(name)
  return parsed.success ? parsed.data : 'File'
}

const noSource = () => new AppError('not_found', 'source_not_found', 'There is no such source.')
const uploadExpired = () =>
  new AppError('gone', 'upload_expired', 'The file was used before or is no longer here. Upload it again.', {
    field: 'upload',
  })
const tooManySources = (limit: number) =>
  new AppError('conflict', 'too_many_sources', `A business has at most ${limit} of these. Remove one first.`)

import { z } from 'zod'
import {
  addFile,
  addSite,
  fileInput,
  getSource,
  listParts,
  listSitePages,
  listSources,
  partsInput,
  partView,
  readAgain,
  removeSource,
  siteInput,
  sitePagesInput,
  sitePageView,
  sourceView,
  stopSource,
} from '../domain/knowledge/index.ts'
import { pageInput } from '../domain/paging.ts'
import type { RestMeta } from './rest-meta.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

function route(
  method: RestMeta['method'],
  path: RestMeta['path'],
  summary: string,
  more: Pick<RestMeta, 'description' | 'example' | 'status'> = {},
) {
  const openapi: RestMeta = { method, path, tag: 'Knowledge', summary, ...more }
  return { openapi }
}

export const knowledgeSourcesRouter = router({
  list: businessProcedure
    .meta(route('GET', '/knowledge-sources', 'List the files and sites that the agent answers from'))
    .input(pageInput.prefault({}))
    .output(pageOf(sourceView))
    .query(({ ctx, input }) => listSources(ctx.business, input)),
  get: businessProcedure
    .meta(route('GET', '/knowledge-sources/{id}', 'Get a file or site that the agent answers from'))
    .input(byId)
    .output(sourceView)
    .query(({ ctx, input }) => getSource(ctx.business, input.id)),
  parts: businessProcedure
    .meta(
      route('GET', '/knowledge-sources/{id}/parts', 'List what was read of a file or site', {
        description: 'The parts as they are found and quoted, in their order.',
      }),
    )
    .input(partsInput)
    .output(z.object({ items: z.array(partView), nextCursor: z.null() }))
    .query(async ({ ctx, input }) => onePage(await listParts(ctx.business, input))),
  pages: businessProcedure
    .meta(
      route('GET', '/knowledge-sources/{id}/pages', 'List the pages of a site and what changed', {
        description: 'What changed last first: new pages, changed ones with the text before, and pages that are gone.',
      }),
    )
    .input(sitePagesInput)
    .output(z.object({ items: z.array(sitePageView), nextCursor: z.null() }))
    .query(async ({ ctx, input }) => onePage(await listSitePages(ctx.business, input))),
  addFile: businessProcedure
    .meta(
      route('POST', '/knowledge-sources/files', 'Answer from a file', {
        description:
          'A PDF, Word or Excel file, CSV, Markdown or plain text that was sent to `/uploads` before; `upload` is the address that was answered. It is read in the background.',
        example: { upload: 'https://example.com/files/eyJp.x1', title: 'Price list' },
        status: 201,
      }),
    )
    .input(fileInput)
    .output(sourceView)
    .mutation(async ({ ctx, input }) =>
      getSource(ctx.business, await addFile(ctx.business, input, ctx.settings.uploads)),
    ),
  addSite: businessProcedure
    .meta(
      route('POST', '/knowledge-sources/sites', 'Answer from a site', {
        description:
          'The pages of its own host that its robots.txt allows are read in the background, slowly, and again each week.',
        example: { url: 'https://example.com/' },
        status: 201,
      }),
    )
    .input(siteInput)
    .output(sourceView)
    .mutation(async ({ ctx, input }) => getSource(ctx.business, await addSite(ctx.business, input))),
  read: businessProcedure
    .meta(route('POST', '/knowledge-sources/{id}/read', 'Read a file or site again'))
    .input(byId)
    .output(sourceView)
    .mutation(async ({ ctx, input }) => {
      await readAgain(ctx.business, input.id)
      return getSource(ctx.business, input.id)
    }),
  stop: businessProcedure
    .meta(
      route('POST', '/knowledge-sources/{id}/stop', 'Stop reading a file or site', {
        description: 'It is not read again by itself. What was read stays.',
      }),
    )
    .input(byId)
    .output(sourceView)
    .mutation(async ({ ctx, input }) => {
      await stopSource(ctx.business, input.id)
      return getSource(ctx.business, input.id)
    }),
  remove: businessProcedure
    .meta(route('DELETE', '/knowledge-sources/{id}', 'Remove a file or site and what was read of it'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeSource(ctx.business, input.id)
      return OK
    }),
})

import { z } from 'zod'
import {
  exportRejects,
  getImport,
  importInput,
  importPreview,
  importView,
  listImports,
  previewImport,
  previewInput,
  rejectsInput,
  rejectsPage,
  startImport,
} from '../domain/imports/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, byId, pageOf, router } from './trpc.ts'

const exampleFile = { kind: 'contacts', csv: 'name,phone\nNoa Levi,050-123-4567\n', heading: true }

export const importsRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/imports', tag: 'Imports', summary: 'List imports' } })
    .input(pageInput.prefault({}))
    .output(pageOf(importView))
    .query(({ ctx, input }) => listImports(ctx.business, input)),
  get: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/imports/{id}', tag: 'Imports', summary: 'Get an import' } })
    .input(byId)
    .output(importView)
    .query(({ ctx, input }) => getImport(ctx.business, input.id)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/imports',
        tag: 'Imports',
        summary: 'Import a CSV file',
        description:
          'Send the text as `csv` or the bytes as base64 in `file`. Rows with errors are skipped and reported. With an `id` chosen by the client, a repeated request imports once.',
        example: exampleFile,
        status: 201,
      },
    })
    .input(importInput.extend({ id: z.uuid().optional() }))
    .output(importView)
    .mutation(({ ctx, input: { id, ...file } }) => startImport(ctx.business, { ...file, ...(id ? { id } : {}) })),
  preview: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/imports/preview',
        tag: 'Imports',
        summary: 'Preview an import',
        description: 'What the import would do with each row. Nothing is written.',
        example: exampleFile,
      },
    })
    .input(previewInput)
    .output(importPreview)
    .mutation(({ ctx, input }) => previewImport(ctx.business, input)),
  rejected: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/imports/{id}/rejected-rows',
        tag: 'Imports',
        summary: 'Export the rejected rows of an import',
        description:
          'As CSV with a column for the reason. Corrected rows can be imported again. Available for 30 days.',
      },
    })
    .input(rejectsInput)
    .output(rejectsPage)
    .query(({ ctx, input }) => exportRejects(ctx.business, input)),
})

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
import { businessProcedure, pageOf, router } from './trpc.ts'

export const importsRouter = router({
  /** What a CSV file would do, row by row; nothing is written. */
  preview: businessProcedure
    .input(previewInput)
    .output(importPreview)
    .mutation(({ ctx, input }) => previewImport(ctx.business, input)),
  /** Takes a CSV file in; rows with errors are left out and told. */
  create: businessProcedure
    .input(importInput.extend({ id: z.uuid().optional() }))
    .output(importView)
    .mutation(({ ctx, input: { id, ...file } }) => startImport(ctx.business, { ...file, ...(id ? { id } : {}) })),
  get: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .output(importView)
    .query(({ ctx, input }) => getImport(ctx.business, input.id)),
  list: businessProcedure
    .input(pageInput.prefault({}))
    .output(pageOf(importView))
    .query(({ ctx, input }) => listImports(ctx.business, input)),
  /** The rows that were refused, as CSV with their reasons: mended, they can be taken in again. Kept for 30 days. */
  rejected: businessProcedure
    .input(rejectsInput)
    .output(rejectsPage)
    .query(({ ctx, input }) => exportRejects(ctx.business, input)),
})

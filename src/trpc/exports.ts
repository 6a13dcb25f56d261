import { exportCsv, exportInput, exportPage } from '../domain/exports/index.ts'
import { businessProcedure, router } from './trpc.ts'

export const exportsRouter = router({
  csv: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/exports/{kind}',
        tag: 'Exports',
        summary: 'Export a page of rows as CSV',
        description: 'The first page begins with the headings. `/exports/{kind}.csv` is the whole file.',
      },
    })
    .input(exportInput)
    .output(exportPage)
    .query(({ ctx, input }) => exportCsv(ctx.business, input)),
})

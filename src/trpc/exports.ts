import { exportCsv, exportInput, exportPage } from '../domain/exports/index.ts'
import { businessProcedure, router } from './trpc.ts'

export const exportsRouter = router({
  /** A page of CSV; `/api/exports/<kind>.csv` answers the whole. */
  csv: businessProcedure
    .input(exportInput)
    .output(exportPage)
    .query(({ ctx, input }) => exportCsv(ctx.business, input)),
})

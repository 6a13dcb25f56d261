import { auditFilters, auditView, listAudit } from '../domain/audit/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

export const auditRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/audit',
        tag: 'Audit',
        summary: 'List changes',
        description: 'Who changed what in the business, newest first.',
        example: { entity: 'lead' },
      },
    })
    .input(auditFilters.prefault({}))
    .output(pageOf(auditView))
    .query(({ ctx, input }) => listAudit(ctx.business, input)),
})

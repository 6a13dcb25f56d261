import { z } from 'zod'
import { getLead, listLeads } from '../domain/leads/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, router } from './trpc.ts'

export const leadsRouter = router({
  list: businessProcedure.input(pageInput.prefault({})).query(({ ctx, input }) => listLeads(ctx.business, input)),
  get: businessProcedure.input(z.object({ id: z.uuid() })).query(({ ctx, input }) => getLead(ctx.business, input.id)),
})

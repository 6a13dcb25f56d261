import { z } from 'zod'
import { getBusiness } from '../domain/businesses/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import {
  boardColumn,
  createLead,
  getLead,
  leadChanges,
  leadFilters,
  leadHistoryEntry,
  leadStage,
  leadView,
  listLeadHistory,
  listLeads,
  listStages,
  moveLead,
  newLead,
  readBoard,
  readColumn,
  removeLead,
  saveStages,
  stageKey,
  updateLead,
} from '../domain/leads/index.ts'
import { businessProcedure, done, OK, pageOf, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })
const languageOf = async (ctx: BusinessContext) => (await getBusiness(ctx)).language
const stageList = z.object({ stages: z.array(leadStage).min(1).max(30) })

export const leadsRouter = router({
  list: businessProcedure
    .input(leadFilters.prefault({}))
    .output(pageOf(leadView))
    .query(({ ctx, input }) => listLeads(ctx.business, input)),
  get: businessProcedure
    .input(id)
    .output(leadView)
    .query(({ ctx, input }) => getLead(ctx.business, input.id)),
  /** Each stage's first leads with its totals. */
  board: businessProcedure
    .input(z.object({ perStage: z.coerce.number().int().min(1).max(200).default(50) }).prefault({}))
    .output(z.object({ columns: z.array(boardColumn) }))
    .query(async ({ ctx, input }) => ({
      columns: await readBoard(ctx.business, await languageOf(ctx.business), input.perStage),
    })),
  /** More of one stage, in board order. */
  column: businessProcedure
    .input(
      z.object({
        stage: stageKey,
        after: z.uuid().optional(),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    )
    .output(z.object({ items: z.array(leadView) }))
    .query(async ({ ctx, input }) => ({
      items: await readColumn(ctx.business, input.stage, input.limit, input.after),
    })),
  history: businessProcedure
    .input(id)
    .output(z.object({ items: z.array(leadHistoryEntry) }))
    .query(async ({ ctx, input }) => ({ items: await listLeadHistory(ctx.business, input.id) })),
  create: businessProcedure
    .input(newLead)
    .output(leadView)
    .mutation(({ ctx, input }) => createLead(ctx.business, input)),
  /** Fields that are not given stay as they are. */
  update: businessProcedure
    .input(leadChanges.extend({ id: z.uuid() }))
    .output(leadView)
    .mutation(({ ctx, input: { id, ...changes } }) => updateLead(ctx.business, id, changes)),
  /** `afterId` is the lead above; null puts it on top, left out at the end. */
  move: businessProcedure
    .input(id.extend({ stage: stageKey, afterId: z.uuid().nullable().optional() }))
    .output(leadView)
    .mutation(({ ctx, input: { id, stage, afterId } }) =>
      moveLead(ctx.business, id, { stage, ...(afterId === undefined ? {} : { afterId }) }),
    ),
  remove: businessProcedure
    .input(id)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeLead(ctx.business, input.id)
      return OK
    }),
  stages: businessProcedure
    .output(stageList)
    .query(async ({ ctx }) => ({ stages: await listStages(ctx.business, await languageOf(ctx.business)) })),
  saveStages: businessProcedure
    .input(stageList)
    .output(stageList)
    .mutation(async ({ ctx, input }) => ({ stages: await saveStages(ctx.business, input.stages) })),
})

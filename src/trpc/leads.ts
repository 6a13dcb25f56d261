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
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

const languageOf = async (ctx: BusinessContext) => (await getBusiness(ctx)).language

export const leadsRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/leads', tag: 'Leads', summary: 'List leads' } })
    .input(leadFilters.prefault({}))
    .output(pageOf(leadView))
    .query(({ ctx, input }) => listLeads(ctx.business, input)),
  get: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/leads/{id}', tag: 'Leads', summary: 'Get a lead' } })
    .input(byId)
    .output(leadView)
    .query(({ ctx, input }) => getLead(ctx.business, input.id)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/leads',
        tag: 'Leads',
        summary: 'Create a lead',
        description:
          'Without a `contactId`, the contact with this phone number is found or created. With an `id` chosen by the client, a repeated request creates one lead.',
        example: { phone: '+972501234567', name: 'Noa Levi', stage: 'new', source: 'manual' },
        status: 201,
      },
    })
    .input(newLead)
    .output(leadView)
    .mutation(({ ctx, input }) => createLead(ctx.business, input)),
  update: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/leads/{id}',
        tag: 'Leads',
        summary: 'Change a lead',
        description: 'Fields that are left out stay as they are.',
        example: { name: 'Noa Levi', valueAgorot: 250_000 },
      },
    })
    .input(leadChanges.extend({ id: z.uuid() }))
    .output(leadView)
    .mutation(({ ctx, input: { id, ...changes } }) => updateLead(ctx.business, id, changes)),
  remove: businessProcedure
    .meta({ openapi: { method: 'DELETE', path: '/leads/{id}', tag: 'Leads', summary: 'Delete a lead' } })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeLead(ctx.business, input.id)
      return OK
    }),
  move: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/leads/{id}/move',
        tag: 'Leads',
        summary: 'Move a lead on the board',
        description:
          '`afterId` is the lead above the new position. Null is the top of the stage; without the field the lead goes to the end.',
        example: { stage: 'won', afterId: null },
      },
    })
    .input(byId.extend({ stage: stageKey, afterId: z.uuid().nullable().optional() }))
    .output(leadView)
    .mutation(({ ctx, input: { id, stage, afterId } }) =>
      moveLead(ctx.business, id, { stage, ...(afterId === undefined ? {} : { afterId }) }),
    ),
  history: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/leads/{id}/history',
        tag: 'Leads',
        summary: 'List the changes of a lead',
        description: 'Newest first.',
      },
    })
    .input(pageInput.extend(byId.shape))
    .output(pageOf(leadHistoryEntry))
    .query(({ ctx, input: { id, ...page } }) => listLeadHistory(ctx.business, id, page)),
  board: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/leads/board',
        tag: 'Leads',
        summary: 'Get the board',
        description: 'Every stage with its totals and its first leads.',
      },
    })
    .input(z.object({ perStage: z.coerce.number().int().min(1).max(200).default(50) }).prefault({}))
    .output(z.object({ columns: z.array(boardColumn) }))
    .query(async ({ ctx, input }) => ({
      columns: await readBoard(ctx.business, await languageOf(ctx.business), input.perStage),
    })),
  column: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/leads/stages/{stage}/leads',
        tag: 'Leads',
        summary: 'List the leads of a stage',
        description: 'In the order of the board.',
        example: { stage: 'new' },
      },
    })
    .input(pageInput.extend({ stage: stageKey }))
    .output(pageOf(leadView))
    .query(({ ctx, input: { stage, ...page } }) => readColumn(ctx.business, stage, page)),
  stages: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/leads/stages', tag: 'Leads', summary: 'List the stages' } })
    .output(pageOf(leadStage))
    .query(async ({ ctx }) => onePage(await listStages(ctx.business, await languageOf(ctx.business)))),
  saveStages: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/leads/stages',
        tag: 'Leads',
        summary: 'Replace the stages',
        description: 'A stage that still has leads cannot be removed.',
        example: {
          stages: [
            { key: 'new', name: 'New', kind: 'open' },
            { key: 'won', name: 'Won', kind: 'won' },
          ],
        },
      },
    })
    .input(z.object({ stages: z.array(leadStage).min(1).max(30) }))
    .output(pageOf(leadStage))
    .mutation(async ({ ctx, input }) => onePage(await saveStages(ctx.business, input.stages))),
})

import { z } from 'zod'
import {
  changeModelSettings,
  getModelSettings,
  listModelUses,
  modelBudget,
  modelBudgetView,
  modelMonthView,
  modelSettingsChanges,
  modelSettingsView,
  modelSubjectView,
  modelUsesByMonth,
  modelUsesOf,
  modelUseView,
} from '../domain/models/index.ts'
import { modelName } from '../lib/model-name.ts'
import { LIST_PRICES, PRICES_AS_OF } from '../lib/model-prices.ts'
import { businessProcedure, onePage, pageOf, router } from './trpc.ts'

const keyState = z.enum(['own', 'installation', 'none', 'unreadable'])
const price = z.object({ input: z.number(), cached: z.number(), output: z.number() })
const settingsAnswer = modelSettingsView.extend({
  /** What requests are sent to, in order; empty: rules answer. */
  inUse: z.array(z.string()),
  installation: z.object({ model: z.string().nullable(), fallback: z.string().nullable() }),
  keys: z.object({ openai: keyState, anthropic: keyState, google: keyState, compatible: keyState }),
  listPrices: z.object({ asOf: z.string(), prices: z.record(z.string(), price) }),
})
const tag = 'Text models' as const
const LIST = { asOf: PRICES_AS_OF, prices: LIST_PRICES }

export const modelsRouter = router({
  settings: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/models/settings',
        tag,
        summary: 'Read the models, limits and prices',
        description: 'With the models in use and whose keys there are. Prices are dollars for a million tokens.',
      },
    })
    .output(settingsAnswer)
    .query(async ({ ctx }) => ({
      ...(await getModelSettings(ctx.business)),
      ...(await ctx.services.models.overview(ctx.business.businessId)),
      listPrices: LIST,
    })),
  change: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/models/settings',
        tag,
        summary: 'Change the models, limits and prices',
        description: 'What is not given stays. A limit of 0 allows nothing: rules answer.',
        example: { model: 'openai:gpt-5-mini', fallback: 'anthropic:claude-haiku-4-5', monthlyMicros: 20_000_000 },
      },
    })
    .input(modelSettingsChanges)
    .output(settingsAnswer)
    .mutation(async ({ ctx, input }) => ({
      ...(await changeModelSettings(ctx.business, input)),
      ...(await ctx.services.models.overview(ctx.business.businessId)),
      listPrices: LIST,
    })),
  test: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/models/test',
        tag,
        summary: 'Ask a model one short question',
        description: 'Proves the key, the name and the address. It costs a few tokens of the budget.',
        example: { model: 'openai:gpt-5-mini' },
      },
    })
    .input(z.object({ model: modelName }))
    .output(z.object({ ms: z.number().int(), costMicros: z.number().int().nullable() }))
    .mutation(({ ctx, input }) => ctx.services.models.check(ctx.business.businessId, input.model)),
  budget: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/models/usage',
        tag,
        summary: 'Read how much of the month’s budget is used',
      },
    })
    .output(modelBudgetView)
    .query(({ ctx }) => modelBudget(ctx.business)),
  uses: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/models/uses',
        tag,
        summary: 'List tokens and cost by day',
        description: 'By day of the business’s time zone, model and purpose, at most 92 days.',
        example: { from: '2030-01-01', to: '2030-01-31' },
      },
    })
    .input(
      z
        .object({ from: z.iso.date(), to: z.iso.date() })
        .refine(({ from, to }) => Date.parse(to) - Date.parse(from) <= 92 * 86_400_000, 'at most 92 days'),
    )
    .output(pageOf(modelUseView))
    .query(async ({ ctx, input }) => onePage(await listModelUses(ctx.business, input))),
  months: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/models/months',
        tag,
        summary: 'List tokens and cost by month',
        description: 'The months in which models were used, the latest first.',
      },
    })
    .input(z.object({ months: z.coerce.number().int().min(1).max(36).default(12) }).prefault({}))
    .output(pageOf(modelMonthView))
    .query(async ({ ctx, input }) => onePage(await modelUsesByMonth(ctx.business, input.months))),
  ofConversation: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/conversations/{id}/model-uses',
        tag,
        summary: 'List what a conversation cost, by model',
      },
    })
    .input(z.object({ id: z.uuid() }))
    .output(pageOf(modelSubjectView))
    .query(async ({ ctx, input }) => onePage(await modelUsesOf(ctx.business, { conversationId: input.id }))),
  ofCall: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/calls/{id}/model-uses',
        tag,
        summary: 'List what a call cost in text models, by model',
        description: 'Without the speech engine, whose cost is in the call’s metrics.',
      },
    })
    .input(z.object({ id: z.uuid() }))
    .output(pageOf(modelSubjectView))
    .query(async ({ ctx, input }) => onePage(await modelUsesOf(ctx.business, { callId: input.id }))),
})

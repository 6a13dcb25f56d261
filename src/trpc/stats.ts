import { z } from 'zod'
import {
  businessUsage,
  callTotals,
  callTotalsView,
  leadTotals,
  leadTotalsView,
  messageTotals,
  messageTotalsView,
  monthUsage,
  usageByMonth,
  usageOfBusinesses,
} from '../domain/stats/index.ts'
import { businessProcedure, onePage, pageOf, router } from './trpc.ts'

const period = z.object({ days: z.coerce.number().int().min(1).max(92).default(30) }).prefault({})

export const statsRouter = router({
  calls: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/stats/calls',
        tag: 'Statistics',
        summary: 'Count calls',
        description:
          'By day, by hour of the day and by outcome over the last days, with the latency of answers and the cost of the speech engine.',
      },
    })
    .input(period)
    .output(callTotalsView)
    .query(({ ctx, input }) =>
      ctx.services.cache.get(`calls:${ctx.business.businessId}:${input.days}`, () =>
        callTotals(ctx.business, input.days),
      ),
    ),
  leads: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/stats/leads',
        tag: 'Statistics',
        summary: 'Count leads',
        description: 'The leads that were created in the last days, by their stage.',
      },
    })
    .input(period)
    .output(leadTotalsView)
    .query(({ ctx, input }) =>
      ctx.services.cache.get(`leads:${ctx.business.businessId}:${input.days}`, () =>
        leadTotals(ctx.business, input.days),
      ),
    ),
  messages: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/stats/messages',
        tag: 'Statistics',
        summary: 'Count messages',
        description: 'The messages of the last days by their delivery state.',
      },
    })
    .input(period)
    .output(messageTotalsView)
    .query(({ ctx, input }) =>
      ctx.services.cache.get(`messages:${ctx.business.businessId}:${input.days}`, () =>
        messageTotals(ctx.business, input.days),
      ),
    ),
  usage: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/stats/usage',
        tag: 'Statistics',
        summary: 'Get the usage by month',
        description: 'Calls, messages and the cost of the speech engine in each of the last months, newest first.',
      },
    })
    .input(z.object({ months: z.coerce.number().int().min(1).max(24).default(6) }).prefault({}))
    .output(pageOf(monthUsage))
    .query(({ ctx, input }) =>
      ctx.services.cache.get(`usage:${ctx.business.businessId}:${input.months}`, async () =>
        onePage(await usageByMonth(ctx.business, input.months)),
      ),
    ),
  businesses: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/stats/businesses',
        tag: 'Statistics',
        summary: 'Get the usage of all businesses',
        description: 'In this month, by UTC. Operators only.',
      },
    })
    .output(pageOf(businessUsage))
    .query(({ ctx }) =>
      ctx.services.cache.get('businesses', async () => onePage(await usageOfBusinesses(ctx.business))),
    ),
})
